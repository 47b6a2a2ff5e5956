// What is looked at now: layer, value, unit, time, order; told to whoever asks, and kept in the address.

const KEPT = ["unit", "t", "sort", "rescale", "from", "to", "held", "mark"];

export class View {
  constructor(values) {
    this.values = values;
    this.listeners = [];
  }

  get(key) {
    return this.values[key];
  }

  /** Time and unit under the pointer, else the pinned ones. */
  get now() {
    return this.values.hover ?? this.values.t;
  }

  set(changes) {
    const changed = Object.keys(changes).filter((key) => this.values[key] !== changes[key]);
    Object.assign(this.values, changes);
    if (!changed.length) return;
    for (const { keys, tell } of this.listeners) if (keys.some((key) => changed.includes(key))) tell(changed);
  }

  on(keys, tell) {
    this.listeners.push({ keys, tell });
  }
}

/** "l0.c.17" as layer, name and unit; null if it is nothing of the kind. */
export function parseUnit(text) {
  const found = /^l(\d+)\.(\w+)\.(\d+)$/.exec(text ?? "");
  return found && { layer: Number(found[1]), name: found[2], unit: Number(found[3]) };
}

export const unitName = ({ layer, name, unit }) => `l${layer}.${name}.${unit}`;

/** The view as it stands in the address. */
export function toHash(values) {
  const parts = new URLSearchParams();
  const all = { ...values, unit: unitName(values), rescale: values.rescale ? 1 : null };
  for (const key of KEPT) if (all[key] !== null && all[key] !== undefined && all[key] !== "") parts.set(key, all[key]);
  return `#${parts}`;
}

/** What an address says of the view; only what this network and text have. */
export function fromHash(hash, app) {
  const parts = new URLSearchParams(hash.replace(/^#/, "")),
    found = {};
  const unit = parseUnit(parts.get("unit"));
  if (unit && app.has(unit)) Object.assign(found, unit);
  for (const key of ["t", "from", "to"]) {
    const text = parts.get(key),
      value = Number(text);
    if (text && Number.isInteger(value) && value >= 0 && value < app.length) found[key] = value;
  }
  for (const key of ["sort", "mark"]) if (parts.has(key)) found[key] = parts.get(key);
  if (parts.has("rescale")) found.rescale = parts.get("rescale") === "1";
  const held = parseUnit(parts.get("held"));
  if (held && app.has(held)) found.held = unitName(held);
  return found;
}
