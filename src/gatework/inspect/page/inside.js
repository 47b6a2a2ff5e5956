// What both networks compute: all units of one value over a source or a target, and one unit as a curve.
import { onTheme, rung, token } from "./colours.js";
import { draw, figure, make, section, visible, whole } from "./dom.js";
import { legend } from "./legend.js";
import { asShown, heatOf, nameShown, shareOf } from "./shown.js";

const CURVE_TALL = 132, // pixels of the curve
  COLUMN = 26; // of a symbol

export function showInside(app) {
  const found = section(
    "inside",
    "Inside",
    "Gates and units of both networks",
    "Choose a network and a value: every row is a unit, every column a symbol. The curve is the unit that is pressed.",
  );
  const places = placesOf(app.model);
  const where = make(
    "select",
    { id: "where", "aria-label": "Network and layer" },
    places.map(({ text }, k) => make("option", { value: k }, text)),
  );
  const what = make("select", { id: "what", "aria-label": "Value" });
  const canvas = make("canvas", { id: "units", role: "img" }),
    letters = make("p", { class: "letters", id: "unit-letters", "aria-hidden": "true" }),
    scale = make("span", { class: "legend", id: "inside-legend" }),
    note = make("p", { class: "small", id: "inside-note" }),
    curve = make("div", { id: "unit-curve" });
  found.append(
    make("p", { class: "buttons" }, make("label", null, "Network ", where), make("label", null, "Value ", what), scale),
    make("div", { class: "scroll" }, letters, canvas),
    note,
    curve,
  );
  const at = { unit: 0 };
  const place = () => places[Number(where.value)];
  const name = () => {
    const names = place().cell.program.named.map(([each]) => each);
    const before = what.value || place().cell.program.states.at(-1).name;
    what.replaceChildren(...names.map((each) => make("option", { value: each }, each)));
    what.value = names.includes(before) ? before : names.at(-1);
    return what.value;
  };
  const paint = () => {
    const { cell, rows, symbols } = shown(app, place(), name()),
      kind = cell.program.kinds[cell.names.get(what.value)];
    at.unit = Math.min(at.unit, Math.max((rows[0]?.length ?? 1) - 1, 0));
    paintUnits(canvas, rows, kind);
    letters.replaceChildren(...symbols.map((symbol) => make("span", null, visible(symbol))));
    scale.replaceChildren(...legend(kind, null, "heat"));
    curve.replaceChildren(curveOf(rows, symbols, at.unit, kind));
    note.textContent = insideNote({ place: place(), name: what.value, rows, symbols, unit: at.unit, kind });
  };
  canvas.addEventListener("click", (event) => {
    const rows = shown(app, place(), what.value).rows;
    at.unit = Math.min(Math.floor((event.offsetY / canvas.clientHeight) * (rows[0]?.length ?? 0)), rows[0].length - 1);
    paint();
  });
  where.addEventListener("change", paint);
  what.addEventListener("change", paint);
  app.on((changed) => changed === "target" && paint());
  onTheme(paint);
}

/** Every layer and direction of both networks. */
function placesOf(model) {
  const of = (network, called) =>
    network.layers.flatMap(({ cells }, layer) =>
      cells.map((cell, side) => ({
        cell,
        decodes: network === model.decoder,
        trace: layer * cells.length + side,
        text: `${called}, layer ${layer + 1}${cells.length > 1 ? (side ? ", backwards" : ", forwards") : ""}`,
      })),
    );
  return [...of(model.encoder, "encoder"), ...of(model.decoder, "decoder")];
}

/** The rows of a value, one a symbol, and the symbols. */
function shown(app, { cell, decodes, trace }, name) {
  if (!app.steps.length) return { cell, rows: [], symbols: [] };
  if (!decodes) return { cell, rows: app.encoded.traces[trace].get(name), symbols: app.source };
  return { cell, rows: app.steps.map(({ traces }) => traces[trace].get(name)[0]), symbols: app.target };
}

function paintUnits(canvas, rows, kind) {
  const units = rows[0]?.length ?? 1,
    width = Math.max(rows.length, 1);
  canvas.width = width;
  canvas.height = units;
  canvas.style.cssText = `width: ${COLUMN * width}px; height: ${Math.max(2, Math.min(12, Math.floor(300 / units))) * units}px; image-rendering: pixelated`;
  const pen = canvas.getContext("2d"),
    image = pen.createImageData(width, units),
    colours = heatOf(kind);
  rows.forEach((row, t) =>
    row.forEach((value, unit) => {
      const colour = colours[rung(shareOf(kind, asShown(kind, value), null))];
      image.data.set([...colour, 255], 4 * (unit * width + t));
    }),
  );
  pen.putImageData(image, 0, 0);
  canvas.setAttribute("aria-label", `${units} units over ${rows.length} symbols`);
}

/** A unit over the symbols. */
function curveOf(rows, symbols, unit, kind) {
  const low = kind === "gate" ? 0 : -1,
    width = COLUMN * Math.max(rows.length, 1),
    y = (value) => 8 + (1 - (value - low) / (1 - low)) * (CURVE_TALL - 40);
  const points = rows.map((row, t) => [COLUMN * (t + 0.5), y(asShown(kind, row[unit]))]);
  return draw(
    "svg",
    { width, height: CURVE_TALL, viewBox: `0 0 ${width} ${CURVE_TALL}`, class: "curve", role: "img", "aria-label": "The chosen unit" },
    draw("line", { x1: 0, x2: width, y1: y(0), y2: y(0), stroke: token("--rule") }),
    draw("polyline", { points: points.map((p) => p.join(",")).join(" "), fill: "none", stroke: token("--curve"), "stroke-width": 2 }),
    ...points.map(([x, height]) => draw("circle", { cx: x, cy: height, r: 3, fill: token("--curve") })),
    ...symbols.map((symbol, t) =>
      draw("text", { x: COLUMN * (t + 0.5), y: CURVE_TALL - 8, "text-anchor": "middle", fill: token("--text") }, visible(symbol)),
    ),
  );
}

function insideNote({ place, name, rows, symbols, unit, kind }) {
  if (!rows.length) return "";
  const values = rows.map((row) => asShown(kind, row[unit])),
    highest = values.indexOf(Math.max(...values));
  return `${whole(rows[0].length)} units of ${nameShown(kind, name)}, ${place.text}. Unit ${unit}: from ${figure(Math.min(...values))} to ${figure(values[highest])}, highest at ${visible(symbols[highest])} (${highest + 1}).`;
}
