// A legend: the colours of a scale between the values at its ends, and where 0 lies on it.
import { apart, make } from "./dom.js";
import { gradientOf } from "./shown.js";

/**
 * The legend of a kind of value in the colours of a scale ("text" or "heat").
 * own: null for the fixed domain, [least, most] of a unit, "rows" where every row of a map has its own.
 */
export function legend(kind, own, scale = "text") {
  if (own === "rows") return ["each row from its least", bar(kind, scale), "to its most"];
  const [low, high] = own ?? (kind === "gate" ? [0, 1] : [-1, 1]);
  const ends = own ? apart(low, high) : kind === "gate" ? ["0 shut", "1 open"] : ["−1", "+1"];
  const inside = low < 0 && high > 0,
    zero = inside ? make("b", { style: `left: ${((100 * -low) / (high - low)).toFixed(1)}%` }, "0") : null;
  return [ends[0], bar(kind, scale, zero), ends[1], own && !inside && low * high > 0 ? " (0 is not on it)" : ""];
}

const bar = (kind, scale, zero) => make("i", { style: `background: ${gradientOf(kind, scale)}` }, zero);
