// What the lessons share: a slider with its number, a chart of curves over steps, the text they read, names in words.
import { PAD, axis, chart, line, room } from "./charts.js";
import { figure, make, visible } from "./dom.js";

const LESSON_WIDE = room(620),
  LESSON_TALL = 220;

/** A slider, its label and its number: {element, value()}; `shown` writes the number, `changed` is called when it moves. */
export function slider({ id, label, min, max, step, value, shown = (v) => figure(v), changed }) {
  const input = make("input", { id, type: "range", min, max, step, value }),
    output = make("output", { for: id });
  const tell = () => {
    output.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const set = (next) => {
    input.value = String(next);
    tell();
  };
  input.addEventListener("input", () => {
    tell();
    changed();
  });
  tell();
  return {
    element: make("label", { class: "slider", for: id }, make("span", null, `${label} `, output), input),
    value: () => Number(input.value),
    set,
  };
}

/** The last of several calls in quick succession alone. */
export function soon(work) {
  let waiting = 0;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(work, 30);
  };
}

/** A chart of curves, {name, values, at} each: a number a step, from step `at` on; null where there is none. */
export function curvesOver(curves, { label, xTitle, yTitle, log = false, low, high, from = 0 }) {
  const last = Math.max(from + 1, ...curves.map(({ values, at = 0 }) => at + values.length - 1));
  const x = axis(from, last, PAD.left, LESSON_WIDE - PAD.right),
    y = axis(low, high, LESSON_TALL - PAD.bottom, PAD.top, log);
  const every = Math.max(1, Math.ceil((last - from) / 8 / 5) * 5),
    xTicks = Array.from({ length: Math.floor((last - from) / every) + 1 }, (_, k) => ({
      at: from + k * every,
      text: String(from + k * every),
    }));
  const svg = chart({
    width: LESSON_WIDE,
    height: LESSON_TALL,
    label,
    x,
    y,
    xTicks,
    yTicks: log ? powers(low, high) : evenly(low, high),
    xTitle,
    yTitle,
  });
  const within = (value) => Math.min(Math.max(value, low), high);
  for (const { name, values, at = 0 } of curves) {
    const points = values.flatMap((value, k) => (value === null ? [] : [[x(at + k), y(within(value))]]));
    if (points.length) svg.append(line(points, name));
  }
  return svg;
}

/** Powers of ten, five or six of them. */
function powers(low, high) {
  const first = Math.ceil(Math.log10(low) - 1e-9),
    last = Math.floor(Math.log10(high) + 1e-9),
    every = Math.max(1, Math.ceil((last - first) / 6));
  const found = [];
  for (let power = last; power >= first; power -= every) found.push({ at: 10 ** power, text: `1e${power}` });
  return found;
}

function evenly(low, high) {
  const digits = high - low < 5 ? 1 : 0;
  return Array.from({ length: 5 }, (_, k) => low + ((high - low) * k) / 4).map((at) => ({ at, text: figure(at, digits) }));
}

/** What the network reads, with the part from a step on set off. */
export function readText(pieces, from) {
  const text = (some) => some.map(visible).join("");
  return make(
    "p",
    { class: "lesson-text" },
    text(pieces.slice(0, from)),
    make("mark", null, text(pieces.slice(from))),
  );
}

/** Keys to curves: what the lines of a chart are. */
export function curveKeys(keys) {
  return make(
    "ul",
    { class: "keys" },
    keys.map(([name, text]) => make("li", null, make("i", { class: name, "aria-hidden": "true" }), text)),
  );
}

/** "forget gate f" where the field has a word for f, else the letter. */
export const inWords = (name, words) => (name in words ? `${words[name]} ${name}` : name);

export const capitalised = (text) => text.replace(/^[a-z](?=[a-z])/, (letter) => letter.toUpperCase());

/** The least and the largest of some numbers. */
export const extent = (values) => [Math.min(...values), Math.max(...values)];

/** A lesson's steps: a few sentences each, with what is moved and what is seen. */
export const lessonSteps = (...steps) =>
  make("ol", { class: "lesson" }, steps.map((parts) => make("li", null, ...parts)));
