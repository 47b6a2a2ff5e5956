// The trace below the text: one unit over time around the pinned place, its characters, and how surprised the network was.
import { onTheme, token } from "./colours.js";
import { apart, figure, make, visible } from "./dom.js";
import { asShown, domainOf, nameShown, traceOf } from "./shown.js";

const HEIGHT = 180,
  GUTTER = 44, // for the numbers at the left
  STEP = 9,
  BASE = 128,
  LETTERS = 146,
  MOST = 10; // pixels; bits of surprise that fill their strip

export function showTrace(app, parent) {
  const { view } = app;
  const canvas = make("canvas", { id: "trace", role: "img", height: HEIGHT });
  const caption = make("p", { class: "small", id: "trace-note" });
  parent.append(make("h3", null, "The same unit as a curve"), canvas, caption);
  const paint = () => {
    const width = Math.max(parent.clientWidth, 200),
      sharp = window.devicePixelRatio || 1;
    canvas.width = width * sharp;
    canvas.height = HEIGHT * sharp;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${HEIGHT}px`;
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    const [from, to] = stretchShown(app, width);
    paintTrace(app, pen, width, from, to);
    canvas.setAttribute("aria-label", summary(app, from, to));
    caption.textContent = captionOf(app);
  };
  canvas.addEventListener("click", (event) => {
    const [from, to] = stretchShown(app, canvas.clientWidth);
    view.set({ t: Math.min(from + Math.max(Math.floor((event.offsetX - GUTTER) / STEP), 0), to - 1) });
  });
  view.on(["layer", "name", "unit", "t", "hover", "rescale", "mark", "done", "reading"], paint);
  window.addEventListener("resize", paint);
  onTheme(paint);
  paint();
}

/** The steps around the pinned one that a width has room for: from, and to before. */
function stretchShown({ view, reading: { done } }, width) {
  const shown = Math.floor((width - GUTTER) / STEP),
    from = Math.max(0, Math.min(view.get("t") - (shown >> 1), done - shown));
  return [from, Math.min(done, from + shown)];
}

function paintTrace(app, pen, width, from, to) {
  const { view, reading } = app,
    { layer, name, unit, rescale, t } = view.values,
    kind = app.kinds[layer].get(name);
  const [low, high] = domainOf(traceOf(app, view.values), rescale) ?? (kind === "gate" ? [0, 1] : [-1, 1]);
  const y = (value) => BASE - 6 - ((value - low) / (high - low || 1)) * (BASE - 12),
    x = (step) => GUTTER + (step - from + 0.5) * STEP;
  const label = app.label(view.get("mark")),
    banded = label && app.isYesNo(label);
  const fill = (colour, ...box) => {
    pen.fillStyle = colour;
    pen.fillRect(...box);
  };
  for (let step = from; step < to; step++) {
    if (banded && label[step]) fill(token("--band"), x(step) - STEP / 2, 0, STEP, BASE);
    if (step === t || step === view.get("hover")) fill(token("--here"), x(step) - STEP / 2, 0, STEP, HEIGHT);
  }
  if (low <= 0 && high >= 0) fill(token("--rule"), GUTTER, y(0), width - GUTTER, 1);
  const stroke = (colour, height) => {
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.beginPath();
    for (let step = from; step < to; step++) pen.lineTo(x(step), height(step));
    pen.stroke();
  };
  if (label && !banded) {
    const least = Math.min(...label),
      most = Math.max(...label);
    stroke(token("--other"), (step) => y(low + ((label[step] - least) / (most - least || 1)) * (high - low)));
  }
  stroke(token("--curve"), (step) => y(asShown(kind, reading.at(layer, name, unit, step))));
  pen.font = "12px ui-monospace, monospace";
  pen.textAlign = "center";
  for (let step = from; step < to; step++) {
    pen.fillStyle = token("--text");
    const long = app.step === "step" || app.step === "word",
      every = long ? 10 : 1,
      piece = visible(reading.pieces[step]) || "▫";
    if ((step - from) % every === every >> 1) pen.fillText(long ? piece.slice(0, 10) : [...piece][0], x(step), LETTERS);
    const bits = Math.min(reading.surprise[step] / MOST, 1);
    if (bits > 0)
      fill(token("--surprise"), x(step) - STEP / 2 + 1, LETTERS + 5, STEP - 2, bits * (HEIGHT - LETTERS - 6));
  }
  pen.fillStyle = token("--soft");
  pen.textAlign = "right";
  const written = rescale ? apart(low, high) : [figure(low, 0), figure(high, 0)];
  [low, high].forEach((value, index) => pen.fillText(written[index], GUTTER - 8, y(value) + 4, GUTTER - 8));
}

function captionOf(app) {
  const { layer, name, mark } = app.view.values,
    kind = app.kinds[layer].get(name);
  const label = app.label(mark),
    shown =
      label && app.isYesNo(label) ? "The band behind shows" : "The other curve, from its least to its most, shows";
  const band = label ? ` ${shown} ${app.meaning(mark).replace(/^whether /, "where ")}.` : "";
  const bars = app.network.head
    ? " Bars below the characters: how surprised the network was by each, up to 10 bits."
    : "";
  return `The curve is ${nameShown(kind, name)} of the chosen unit.${band}${bars}`;
}

function summary(app, from, to) {
  const values = traceOf(app, app.view.values).subarray(from, to);
  if (!values.length) return "nothing read yet";
  const low = values.reduce((a, b) => Math.min(a, b)),
    high = values.reduce((a, b) => Math.max(a, b));
  return `Between ${from} and ${to - 1} the unit lies between ${figure(low)} and ${figure(high)}.`;
}
