// Frames of a source, what is said at each, and where the target's symbols stand: strips over one another, under pointer and keys.
import { ladder, onTheme, rung } from "./colours.js";
import { figure, make, percent, section, visible } from "./dom.js";

const SYMBOL_TALL = 18, // pixels of a row of probabilities
  MOST_ROWS = 24, // of probabilities
  MOST_NUMBERS = 4, // of a frame that are spoken
  SHOWN_FROM = 0.01; // from which on at some frame a symbol has a row, beside those of the target

export function showFrames(app) {
  const numbers = app.payload.form === "frames",
    step = numbers ? "frame" : "step";
  const found = section(
    "frames",
    `${numbers ? "Frames" : "Steps"}`,
    `What is said at each ${step}`,
    `Every column is a ${step} of the source. Below it stand how likely each symbol is there, and the blank; the likeliest of these; and where the symbols of the target stand, on its likeliest path. Point at a ${step}, or go from one to the next with the arrow keys: up and down lead from symbol to symbol of the target.`,
  );
  const names = make("div", { class: "names", "aria-hidden": "true" }),
    layers = make("div", { class: "layers" }),
    column = make("i", { class: "cross column" });
  const box = make(
    "div",
    { id: "frame-box", class: "scroll", tabindex: "0", "data-grid": true, role: "slider", "aria-label": `${numbers ? "Frames" : "Steps"} of the source`, "aria-valuemin": 1 },
    layers,
  );
  const note = make("p", { id: "frame-note", class: "small", role: "status" });
  found.append(note, make("div", { class: "frames" }, names, box));
  const paint = () => {
    const strips = app.source.length ? stripsOf(app) : [];
    layers.style.width = `${app.column * app.source.length}px`;
    layers.replaceChildren(...strips.map(({ drawn }) => drawn), column);
    names.replaceChildren(...strips.map(({ named }) => named));
    mark();
  };
  const mark = () => {
    column.style.cssText = `left: ${app.at.s * app.column}px; width: ${app.column}px; height: 100%`;
    for (const each of layers.querySelectorAll("[data-t]"))
      each.classList.toggle("here", Number(each.getAttribute("data-t")) === app.symbolAt(app.at.s));
    note.textContent = frameInWords(app, step);
    box.setAttribute("aria-valuemax", String(app.source.length));
    box.setAttribute("aria-valuenow", String(app.at.s + 1));
    box.setAttribute("aria-valuetext", note.textContent);
  };
  layers.addEventListener("pointermove", (event) => {
    const left = layers.getBoundingClientRect().left;
    app.look(Math.floor((event.clientX - left) / app.column));
  });
  box.addEventListener("keydown", (event) => {
    const s = frameAfter(app, event.key);
    if (s === null) return;
    event.preventDefault();
    event.stopPropagation();
    app.look(s);
    bringFrameIntoView(box, app.at.s * app.column);
  });
  app.on((what) => (what === "target" ? paint() : mark()));
  onTheme(paint);
}

/** The frame that a key leads to; null for another key. */
function frameAfter(app, key) {
  const { s } = app.at,
    before = app.spans.filter(([first]) => first < s).at(-1),
    after = app.spans.find(([first]) => first > s);
  const places = { ArrowLeft: s - 1, ArrowRight: s + 1, Home: 0, End: Infinity, ArrowUp: before?.[0] ?? s, ArrowDown: after?.[0] ?? s };
  return key in places ? places[key] : null;
}

function bringFrameIntoView(box, x) {
  if (x < box.scrollLeft || x > box.scrollLeft + box.clientWidth - 40) box.scrollLeft = x - box.clientWidth / 2;
}

/** The strips from the source down: each what is drawn, and what stands at its left. */
function stripsOf(app) {
  const rows = rowsShown(app),
    probabilities = rows.map((token) => app.logP.map((frame) => Math.exp(frame[token])));
  return [
    app.rows.length ? numbersStrip(app) : cells("frame-source", app, app.source, "source"),
    heatStrip("frame-probabilities", app, probabilities, SYMBOL_TALL, "gate", rows.map((token) => visible(app.named(token)))),
    cells("frame-path", app, app.path.map((token) => (token === app.blank ? "·" : app.named(token))), "likeliest"),
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
function numbersStrip(app) {
  const width = app.rows[0].length,
    tall = Math.max(2, Math.min(SYMBOL_TALL, Math.floor(140 / width)));
  const rows = Array.from({ length: width }, (_, i) => app.rows.map((frame) => (frame[i] / 3 + 1) / 2));
  return heatStrip("frame-source", app, rows, tall, "heat", ["source"]);
}

/** A canvas of a pixel for each row and frame, shares from 0 to 1 on a scale; names: of its rows, or one of all. */
function heatStrip(id, app, rows, tall, scale, names) {
  const canvas = make("canvas", { id, width: app.source.length, height: rows.length, role: "img", "aria-label": names.join(", ") }),
    pen = canvas.getContext("2d"),
    image = pen.createImageData(app.source.length, rows.length),
    colours = ladder(scale);
  rows.forEach((row, y) => row.forEach((share, s) => image.data.set([...colours[rung(share)], 255], 4 * (y * row.length + s))));
  pen.putImageData(image, 0, 0);
  canvas.style.cssText = `width: 100%; height: ${tall * rows.length}px; image-rendering: pixelated`;
  return {
    drawn: canvas,
    named: make("div", null, names.map((name) => make("span", { style: `height: ${(tall * rows.length) / names.length}px` }, name))),
  };
}

/** A symbol at each frame. */
function cells(id, app, symbols, name) {
  const drawn = make("p", { id, class: "letters", style: `--column: ${app.column}px` }, symbols.map((symbol) => make("span", null, visible(symbol))));
  return { drawn, named: make("div", null, make("span", { style: "height: 1.5rem" }, name)) };
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
function numbersInWords(app, s) {
  if (!app.rows.length) return `, ${visible(app.source[s])}`;
  const row = app.rows[s],
    shown = row.slice(0, MOST_NUMBERS).map((value) => figure(value));
  return ` (read as ${shown.join(", ")}${row.length > MOST_NUMBERS ? ", …" : ""})`;
}
