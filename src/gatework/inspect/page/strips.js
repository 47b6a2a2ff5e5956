// Strips over one another, a column for each step of a sequence, under pointer and keys.
import { ladder, onTheme, rung } from "./colours.js";
import { make, section, visible } from "./dom.js";

/**
 * A section of strips. app: source (what stands at each step), column (pixels of a step), at.s (that which is looked at), look(s), on.
 * id, short, heading, intro: of the section; step: what a step is called; strips(): from above each {drawn, named}; words(): of the step
 * that is looked at; after(key): the step that a key leads to, null for another key; mark(layers): what else follows the step.
 */
export function showStrips(app, { id, short, heading, intro, label, strips, words, after, mark }) {
  const found = section(id, short, heading, intro);
  const names = make("div", { class: "names", "aria-hidden": "true" }),
    layers = make("div", { class: "layers" }),
    column = make("i", { class: "cross column" });
  const box = make(
    "div",
    { id: "frame-box", class: "scroll", tabindex: "0", "data-grid": true, role: "slider", "aria-label": label, "aria-valuemin": 1 },
    layers,
  );
  const note = make("p", { id: "frame-note", class: "small", role: "status" });
  found.append(note, make("div", { class: "frames" }, names, box));
  const look = () => {
    column.style.cssText = `left: ${app.at.s * app.column}px; width: ${app.column}px; height: 100%`;
    mark?.(layers);
    note.textContent = app.source.length ? words() : "";
    box.setAttribute("aria-valuemax", String(app.source.length));
    box.setAttribute("aria-valuenow", String(app.at.s + 1));
    box.setAttribute("aria-valuetext", note.textContent);
  };
  const paint = () => {
    const all = app.source.length ? strips() : [];
    layers.style.width = `${app.column * app.source.length}px`;
    layers.replaceChildren(...all.map(({ drawn }) => drawn), column);
    names.replaceChildren(...all.map(({ named }) => named));
    look();
  };
  layers.addEventListener("pointermove", (event) => {
    app.look(Math.floor((event.clientX - layers.getBoundingClientRect().left) / app.column));
  });
  box.addEventListener("keydown", (event) => {
    const s = after(event.key);
    if (s === null) return;
    event.preventDefault();
    event.stopPropagation();
    app.look(s);
    bringFrameIntoView(box, app.at.s * app.column);
  });
  app.on((what) => (what === "target" ? paint() : look()));
  onTheme(paint);
}

/** The step that a key for moving in a row leads to; null for another key. */
export const sideways = (key, s) => ({ ArrowLeft: s - 1, ArrowRight: s + 1, Home: 0, End: Infinity })[key] ?? null;

function bringFrameIntoView(box, x) {
  if (x < box.scrollLeft || x > box.scrollLeft + box.clientWidth - 40) box.scrollLeft = x - box.clientWidth / 2;
}

/** A canvas of a pixel for each row and frame, shares from 0 to 1 on a scale; names: of its rows, or one of all. */
export function heatStrip(id, app, rows, tall, scale, names) {
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

/** A symbol at each step. */
export function cellStrip(id, app, symbols, name) {
  const drawn = make("p", { id, class: "letters", style: `--column: ${app.column}px` }, symbols.map((symbol) => make("span", null, visible(symbol))));
  return { drawn, named: make("div", null, make("span", { style: "height: 1.5rem" }, name)) };
}
