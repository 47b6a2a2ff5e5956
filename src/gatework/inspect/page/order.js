// Orders of units: by number, by half-life, by how well they follow something in the text, by likeness, by a stretch.
import { asShown } from "./shown.js";

const SAMPLES = 400; // steps that likeness is measured on

/** The values of all units of one name at evenly spread steps, each unit with mean 0 and length 1. */
function profiles(app, { layer, name }) {
  const { reading } = app,
    { size, data } = reading.rows[layer].get(name),
    kind = app.kinds[layer].get(name);
  const count = Math.min(SAMPLES, reading.done);
  return Array.from({ length: size }, (_, unit) => {
    const row = Float64Array.from({ length: count }, (_, k) =>
      asShown(kind, data[Math.floor((k * reading.done) / count) * size + unit]),
    );
    const middle = row.reduce((a, b) => a + b, 0) / count;
    const length = Math.hypot(...row.map((value) => value - middle)) || 1;
    return row.map((value) => (value - middle) / length);
  });
}

function dot(a, b) {
  let total = 0;
  for (let k = 0; k < a.length; k++) total += a[k] * b[k];
  return total;
}

/** A walk from unit to the most alike unit not yet visited, whatever the sign. */
function byLikeness(app, values) {
  const rows = profiles(app, values),
    left = new Set(rows.keys()),
    walk = [0];
  left.delete(0);
  while (left.size) {
    let best = -1,
      most = -1;
    for (const unit of left) {
      const alike = Math.abs(dot(rows[walk[walk.length - 1]], rows[unit]));
      if (alike > most) [most, best] = [alike, unit];
    }
    walk.push(best);
    left.delete(best);
  }
  return walk;
}

/** How far each unit departs, within from..to, from what it does elsewhere: a difference in standard deviations. */
export function departures(app, { layer, name }, from, to) {
  const { reading } = app,
    { size, data } = reading.rows[layer].get(name),
    kind = app.kinds[layer].get(name);
  return Array.from({ length: size }, (_, unit) => {
    let inside = 0,
      outside = 0,
      squares = 0;
    const count = Math.min(to, reading.done - 1) - from + 1,
      rest = reading.done - count;
    for (let t = 0; t < reading.done; t++) {
      const value = asShown(kind, data[t * size + unit]);
      if (t >= from && t <= to) inside += value;
      else {
        outside += value;
        squares += value * value;
      }
    }
    const mean = outside / rest,
      spread = Math.sqrt(Math.max(squares / rest - mean * mean, 1e-8));
    return { unit, z: (inside / count - mean) / spread };
  });
}

/** The units of a value in an order: "number", "half-life", "likeness", "stretch", or "label:" and a name. */
export function orderOf(app, values) {
  const { layer, name, sort, from, to } = values,
    count = app.units(layer, name),
    plain = [...Array(count).keys()];
  const by = (measure) =>
    plain
      .map((unit) => [measure(unit), unit])
      .sort((a, b) => b[0] - a[0])
      .map(([, unit]) => unit);
  const known = (unit) => app.known(layer, name, unit);
  if (sort === "likeness") return byLikeness(app, values);
  if (sort === "half-life") return by((unit) => known(unit)?.half_life ?? (known(unit)?.censored ? Infinity : -1));
  if (sort === "stretch" && from !== null && to !== null && to - from + 1 < app.reading.done) {
    const z = departures(app, values, from, to);
    return by((unit) => Math.abs(z[unit].z));
  }
  if (sort?.startsWith("label:")) {
    const label = sort.slice(6);
    return by((unit) => known(unit)?.labels?.[label]?.a ?? 0);
  }
  return plain;
}

/** The orders that make sense for a value, with what they are called. */
export function ordersFor(app) {
  const { layer, name } = app.view.values,
    first = app.known(layer, name, 0);
  return [
    ["number", "by number"],
    ["likeness", "alike units together"],
    ...(first && "half_life" in first ? [["half-life", "longest memory first"]] : []),
    ["stretch", "by the stretch marked in the text"],
    ...Object.keys(first?.labels ?? {}).map((label) => [`label:${label}`, `by how they follow ${app.spoken(label)}`]),
  ];
}
