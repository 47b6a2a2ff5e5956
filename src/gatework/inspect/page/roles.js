// What the gates of one unit do at one step, in words with their numbers; and over time, how much is kept, written, shown.
import { draw, figure, make, visible } from "./dom.js";

/** @type {[number, string][]} The least of a gate, and in words how much that is. */
const AMOUNTS = [
  [0.95, "nearly all"],
  [0.7, "most"],
  [0.3, "about half"],
  [0.05, "little"],
];
const STILL = 0.05, // of its size, by which a value that stays may change
  AROUND = 48, // steps of the strip, to either side
  ROW_TALL = 16, // pixels of a row of the strip
  STEP_WIDE = 12; // and of a step

/** What each gate and state does with a unit, after step t was run again; a sentence for each, and what comes of it. */
export function sentences(cell, roles, words, unit) {
  const made = targetsOf(roles).flatMap((target) => {
    const own = roles.filter((role) => role.target === target),
      read = own.map((role) => ({ role, ...amounts(cell, role, unit) }));
    return [...read.map((each) => sentence(each, words)), outcome(cell, target, read, words, unit)];
  });
  return made.filter(Boolean);
}

/** The named values that have roles, in their order. */
const targetsOf = (roles) => [...new Set(roles.map(({ target }) => target))];

/** The number of a node for a unit. */
const numberAt = (cell, node, unit) => cell.rows[node][Math.min(unit, cell.rows[node].length - 1)];

/** How much, of what, and what that brings. */
export function amounts(cell, { gate, value }, unit) {
  const product = ([above, below]) => {
    const over = (nodes) => nodes.reduce((whole, node) => whole * numberAt(cell, node, unit), 1);
    return over(above) / over(below);
  };
  const share = gate.reduce((sum, [negative, factors]) => sum + (negative ? -1 : 1) * product(factors), 0),
    whole = product(value);
  return { share, whole, brings: share * whole };
}

function sentence({ role, share, whole, brings }, words) {
  const how = role.gate_text,
    what = named(role.value_text, words);
  const does = `${role.kind} ${role.exact ? "all" : amount(share)} of ${what}${role.kind === "passes" ? ` to ${named(role.target, words)}` : ""}`;
  const numbers = `${figure(whole)} becomes ${figure(brings)}`;
  if (role.exact) return `No gate: ${does}, ${figure(whole)}.`;
  return `${capital(named(how, words))} ${figure(share)}: ${does}; ${numbers}.`;
}

/** What comes of a value that is kept: whether it stays, is made anew, or is a mixture. */
function outcome(cell, target, read, words, unit) {
  const kept = read.find(({ role }) => role.kind === "keeps");
  if (!kept) return "";
  const now = numberAt(cell, cell.names.get(target), unit),
    before = kept.whole,
    name = named(target, words);
  const moved = Math.abs(now - before),
    size = Math.max(Math.abs(before), Math.abs(now), 1e-3);
  if (moved <= STILL * size && kept.share >= 0.95)
    return `So ${name} stays ${figure(now)}: the identity, through which a gradient passes whole.`;
  if (Math.abs(kept.brings) <= STILL * size) return `So ${name} ${figure(now)} is made anew; of ${figure(before)} nothing is left.`;
  return `So ${name} goes from ${figure(before)} to ${figure(now)}.`;
}

/** "forget gate f" where the field has a word for f, or the expression itself. */
function named(expression, words) {
  return expression in words ? `${words[expression]} ${expression}` : expression;
}

const capital = (text) => text.replace(/^[a-z](?=[a-z])/, (letter) => letter.toUpperCase());

function amount(share) {
  if (share < 0) return "the opposite";
  if (share > 1.05) return "more than all";
  return AMOUNTS.find(([least]) => share >= least)?.[1] ?? "nearly nothing";
}

/** Draws rows of cells over the steps around a place: how far each gate of a unit is open; no step is run twice. */
export function strip(app, roles, words) {
  const gated = roles.filter(({ exact }) => !exact);
  let of = "",
    reading = null,
    known = new Map(); // step -> the share of each gate, of one unit in one reading
  const sharesAt = (t, layer, unit) => {
    if (!known.has(t)) {
      app.reading.again(t);
      known.set(
        t,
        gated.map((role) => amounts(app.network.cells[layer], role, unit).share),
      );
    }
    return known.get(t);
  };
  return (layer, unit, middle) => {
    if (!gated.length) return [];
    if (reading !== app.reading || of !== `${layer}.${unit}`) {
      [reading, of, known] = [app.reading, `${layer}.${unit}`, new Map()];
    }
    const from = Math.max(0, middle - AROUND),
      to = Math.min(app.reading.done - 1, middle + AROUND);
    const steps = Array.from({ length: to - from + 1 }, (_, k) => sharesAt(from + k, layer, unit));
    const shares = gated.map((_, row) => steps.map((step) => step[row]));
    return [
      make(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Gates of the unit over time" },
        drawn(app, gated, shares, from, middle, words),
      ),
    ];
  };
}

function drawn(app, gated, shares, from, middle, words) {
  const steps = shares[0]?.length ?? 0,
    left = 150,
    top = 18;
  const svg = draw("svg", {
    id: "role-strip",
    width: left + steps * STEP_WIDE,
    height: top + gated.length * (ROW_TALL + 3),
    role: "img",
    "aria-label": `How far the gates of the unit are open over ${steps} steps: ${gated.map(verbOf).join(", ")}`,
  });
  for (let k = 0; k < steps; k++) {
    const letter = draw("text", { x: left + k * STEP_WIDE + STEP_WIDE / 2, y: 12, class: "number", "text-anchor": "middle" });
    letter.textContent = visible(app.reading.pieces?.[from + k] ?? "");
    svg.append(letter);
  }
  gated.forEach((role, row) => {
    const y = top + row * (ROW_TALL + 3),
      label = draw("text", { x: 0, y: y + ROW_TALL - 4, class: "number" });
    label.textContent = verbOf(role);
    svg.append(label);
    shares[row].forEach((share, k) => {
      const bar = draw("rect", {
        x: left + k * STEP_WIDE,
        y,
        width: STEP_WIDE - 1,
        height: ROW_TALL,
        class: "gate-cell",
        "fill-opacity": Math.min(Math.max(share, 0), 1).toFixed(3),
      });
      if (from + k === middle) bar.setAttribute("class", "gate-cell now");
      const title = draw("title");
      title.textContent = `${named(role.gate_text, words)} ${figure(share)} at ${app.placeName(from + k)}`;
      bar.append(title);
      svg.append(bar);
    });
  });
  return svg;
}

const verbOf = (role) => `${role.gate_text}: ${role.kind} ${role.value_text}`;
