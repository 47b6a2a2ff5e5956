// A value as it is shown: a gate as it is, a bounded value as it is, any other as its tanh; how it is called in words.
import { css, gradient, ladder, rgb } from "./colours.js";

/** For every layer a map from the name of a value to its kind: "gate", "signed" or "free". */
export function kindsOf(network) {
  return network.cells.map(({ program }) => new Map(program.named.map(([name, node]) => [name, program.kinds[node]])));
}

export const asShown = (kind, value) => (kind === "free" ? Math.tanh(value) : value);

export const nameShown = (kind, name) => (kind === "free" ? `tanh(${name})` : name);

/** The share of the scale that a shown value takes, on its fixed domain or on the unit's own. */
export function shareOf(kind, shown, domain) {
  if (domain) return domain[1] > domain[0] ? (shown - domain[0]) / (domain[1] - domain[0]) : 0.5;
  return kind === "gate" ? shown : (shown + 1) / 2;
}

export const colourOf = (kind, share) => css(kind === "gate" ? "gate" : "text", share);
export const heatOf = (kind) => ladder(kind === "gate" ? "gate" : "heat");

/** All shown values of one unit over time. */
export function traceOf(app, { layer, name, unit }) {
  const { reading } = app,
    kind = app.kinds[layer].get(name),
    { size, data } = reading.rows[layer].get(name);
  return Float32Array.from({ length: reading.done }, (_, t) => asShown(kind, data[t * size + unit]));
}

/** The domain of a rescaled unit, from the least to the most that it shows; null for the fixed domain. */
export function domainOf(trace, rescale) {
  if (!rescale || !trace.length) return null;
  return [trace.reduce((a, b) => Math.min(a, b)), trace.reduce((a, b) => Math.max(a, b))];
}

/** What part a value plays, in words. */
export function roleOf(app, layer, name) {
  const { program } = app.network.cells[layer];
  const carried = program.states.some((state) => state.name === name);
  if (app.kinds[layer].get(name) === "gate") return "gate: 0 shut, 1 open";
  if (name === program.output) return "output: what the cell says";
  return carried ? "memory: carried from step to step" : "value computed within the step";
}

export const gradientOf = (kind, scale = "text") => gradient(kind === "gate" ? "gate" : scale);
export const rgbText = (kind, share) => rgb(kind === "gate" ? "gate" : "text", share);
