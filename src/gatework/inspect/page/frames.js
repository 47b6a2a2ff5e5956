// Frames of a source, what is said at each, and where the target's symbols stand.
import { figure, make, percent, visible } from "./dom.js";
import { cellStrip, heatStrip, showStrips, sideways } from "./strips.js";

export const SYMBOL_TALL = 18; // pixels of a row of probabilities
const MOST_ROWS = 24, // of probabilities
  MOST_NUMBERS = 4, // of a frame that are spoken
  SHOWN_FROM = 0.01; // from which on at some frame a symbol has a row, beside those of the target

export function showFrames(app) {
  const step = app.payload.form === "frames" ? "frame" : "step",
    short = step === "frame" ? "Frames" : "Steps";
  showStrips(app, {
    id: "frames",
    short,
    heading: `What is said at each ${step}`,
    intro: `Every column is a ${step} of the source. Below it stand how likely each symbol is there, and the blank; the likeliest of these; and where the symbols of the target stand, on its likeliest path. Point at a ${step}, or go from one to the next with the arrow keys: up and down lead from symbol to symbol of the target.`,
    label: `${short} of the source`,
    strips: () => stripsOf(app),
    words: () => frameInWords(app, step),
    after: (key) => frameAfter(app, key),
    mark: (layers) => {
      for (const each of layers.querySelectorAll("[data-t]"))
        each.classList.toggle("here", Number(each.getAttribute("data-t")) === app.symbolAt(app.at.s));
    },
  });
}

/** The frame that a key leads to; null for another key. */
function frameAfter(app, key) {
  const { s } = app.at;
  if (key === "ArrowUp") return app.spans.filter(([first]) => first < s).at(-1)?.[0] ?? s;
  if (key === "ArrowDown") return app.spans.find(([first]) => first > s)?.[0] ?? s;
  return sideways(key, s);
}

/** The strips from the source down: each what is drawn, and what stands at its left. */
function stripsOf(app) {
  const rows = rowsShown(app),
    probabilities = rows.map((token) => app.logP.map((frame) => Math.exp(frame[token])));
  return [
    app.rows.length ? numbersStrip(app) : cellStrip("frame-source", app, app.source, "source"),
    heatStrip("frame-probabilities", app, probabilities, SYMBOL_TALL, "gate", rows.map((token) => visible(app.named(token)))),
    cellStrip("frame-path", app, app.path.map((token) => (token === app.blank ? "·" : app.named(token))), "likeliest"),
    spansStrip(app),
  ];
}

/** The symbols that have a row: those of the target, those that are likely somewhere, and the blank last. */
function rowsShown({ tokens, logP, blank }) {
  const most = Array.from(logP[0], (_, token) => Math.max(...logP.map((frame) => frame[token])));
  const others = [...most.keys()].filter((token) => !tokens.includes(token) && token !== blank && Math.exp(most[token]) >= SHOWN_FROM);
  others.sort((a, b) => most[b] - most[a]);
  const rows = [...new Set([...tokens, ...others])].slice(0, MOST_ROWS - 1);
  return [...rows, blank];
}

/** The numbers of each frame, a row each, on a scale of three deviations. */
export function numbersStrip(app) {
  const width = app.rows[0].length,
    tall = Math.max(2, Math.min(SYMBOL_TALL, Math.floor(140 / width)));
  const rows = Array.from({ length: width }, (_, i) => app.rows.map((frame) => (frame[i] / 3 + 1) / 2));
  return heatStrip("frame-source", app, rows, tall, "heat", ["source"]);
}

/** Each symbol of the target over its frames. */
function spansStrip(app) {
  const bars = app.spans.map(([first, end], t) =>
    make(
      "button",
      {
        "data-t": t,
        tabindex: "-1",
        style: `left: ${first * app.column}px; width: ${(end - first) * app.column}px`,
        title: `${app.named(app.tokens[t])}: ${first + 1} to ${end}`,
        onclick: () => app.look(first),
      },
      visible(app.named(app.tokens[t])),
    ),
  );
  return { drawn: make("p", { id: "frame-spans", class: "spans" }, bars), named: make("div", null, make("span", { style: "height: 2rem" }, "target")) };
}

/** What a frame is, what is said there, and what of the target stands there, in words. */
function frameInWords(app, step) {
  const { s } = app.at,
    frame = app.logP[s];
  if (!frame) return "";
  const said = Array.from(frame, (value, token) => ({ token, share: Math.exp(value) }))
    .sort((a, b) => b.share - a.share)
    .filter(({ share }, k) => k === 0 || (k < 4 && share >= SHOWN_FROM))
    .map(({ token, share }) => `${visible(app.named(token))} ${percent(share)}`);
  const t = app.symbolAt(s),
    span = app.spans[t];
  const part = span ? `part of ${visible(app.named(app.tokens[t]))}, the target's symbol ${t + 1}, from ${step} ${span[0] + 1} to ${span[1]}` : "the blank of its target";
  return `${step} ${s + 1} of ${app.source.length}${numbersInWords(app, s)}: ${said.join(", ")}; ${part}`;
}

/** A symbol of the source, or the first numbers of a frame as they are read. */
export function numbersInWords(app, s) {
  if (!app.rows.length) return `, ${visible(app.source[s])}`;
  const row = app.rows[s],
    shown = row.slice(0, MOST_NUMBERS).map((value) => figure(value));
  return ` (read as ${shown.join(", ")}${row.length > MOST_NUMBERS ? ", …" : ""})`;
}
