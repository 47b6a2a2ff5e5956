// What networks compute: all units of one value over a sequence, and one unit as a curve.
import { onTheme, rung, token } from "./colours.js";
import { draw, figure, make, section, visible, whole } from "./dom.js";
import { legend } from "./legend.js";
import { asShown, heatOf, nameShown, shareOf } from "./shown.js";

const CURVE_TALL = 132, // pixels of the curve
  ROUND = 20; // pixels of a step from which the curve's points are marked

export const COLUMN = 26; // pixels of a symbol

/**
 * The section of units and gates, painted anew where app says that its "target" is another. app.places: layers and directions, see
 * `layerPlaces`; app.column: pixels of a step of the
 * input, COLUMN where there is none; place.step: how many of these one of a place is, 1 where it says nothing.
 */
export function showInside(app, heading) {
  const found = section(
    "inside",
    "Inside",
    heading,
    "Choose a layer and a value: every row is a unit, every column a step. The curve is the unit that is pressed.",
  );
  const { places } = app;
  const where = make(
    "select",
    { id: "where", "aria-label": "Layer" },
    places.map(({ text }, k) => make("option", { value: k }, text)),
  );
  const what = make("select", { id: "what", "aria-label": "Value" });
  const canvas = make("canvas", { id: "units", role: "img" }),
    letters = make("p", { class: "letters", id: "unit-letters", "aria-hidden": "true" }),
    scale = make("span", { class: "legend", id: "inside-legend" }),
    note = make("p", { class: "small", id: "inside-note" }),
    curve = make("div", { id: "unit-curve" });
  found.append(
    make("p", { class: "buttons" }, make("label", null, "Layer ", where), make("label", null, "Value ", what), scale),
    make("div", { class: "scroll" }, letters, canvas),
    note,
    curve,
  );
  const at = { unit: 0 };
  const place = () => places[Number(where.value)];
  const name = () => {
    const { names, memory } = place(),
      before = what.value || memory;
    what.replaceChildren(...names.map((each) => make("option", { value: each }, each)));
    what.value = names.includes(before) ? before : memory;
    return what.value;
  };
  const paint = () => {
    const { rows, symbols, marks, kind } = shown(place(), name()),
      column = (app.column ?? COLUMN) * (place().step ?? 1);
    at.unit = Math.min(at.unit, Math.max((rows[0]?.length ?? 1) - 1, 0));
    paintUnits(canvas, rows, kind, column);
    letters.style.setProperty("--column", `${column}px`);
    letters.replaceChildren(...marks.map((symbol) => make("span", null, visible(symbol))));
    scale.replaceChildren(...legend(kind, null, "heat"));
    curve.replaceChildren(curveOf({ rows, marks, unit: at.unit, kind, column }));
    note.textContent = insideNote({ place: place(), name: what.value, rows, symbols, unit: at.unit, kind });
  };
  canvas.addEventListener("click", (event) => {
    const { rows } = shown(place(), what.value);
    if (!rows.length) return;
    at.unit = Math.min(Math.floor((event.offsetY / canvas.clientHeight) * rows[0].length), rows[0].length - 1);
    paint();
  });
  where.addEventListener("change", paint);
  what.addEventListener("change", paint);
  app.on((changed) => changed === "target" && paint());
  onTheme(paint);
}

/**
 * Layers and directions of a network as the section shows them: text, names of values, their kinds, the memory shown first, rows(name)
 * one a step, and the symbols of these steps. rowsOf: of a trace and a name; symbols: of the steps, marks: what stands below them.
 */
export function layerPlaces(network, called, rowsOf, symbols, marks = symbols) {
  return network.layers.flatMap(({ cells }, layer) =>
    cells.map(({ program }, side) => ({
      text: `${called}layer ${layer + 1}${cells.length > 1 ? (side ? ", backwards" : ", forwards") : ""}`,
      names: program.named.map(([name]) => name),
      kinds: new Map(program.named.map(([name, node]) => [name, program.kinds[node]])),
      memory: program.states.at(-1).name,
      rows: (name) => rowsOf(layer * cells.length + side, name) ?? [],
      symbols,
      marks,
    })),
  );
}

/** The rows of a value, one a step, what stands at each, and the value's kind. */
function shown(place, name) {
  const rows = place.rows(name),
    kind = place.kinds.get(name);
  return rows.length ? { rows, symbols: place.symbols(), marks: place.marks(), kind } : { rows, symbols: [], marks: [], kind };
}

function paintUnits(canvas, rows, kind, column) {
  const units = rows[0]?.length ?? 1,
    width = Math.max(rows.length, 1);
  canvas.width = width;
  canvas.height = units;
  canvas.style.cssText = `width: ${column * width}px; height: ${Math.max(2, Math.min(12, Math.floor(300 / units))) * units}px; image-rendering: pixelated`;
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
  canvas.setAttribute("aria-label", `${units} units over ${rows.length} steps`);
}

/** A unit over the steps. */
function curveOf({ rows, marks, unit, kind, column }) {
  const low = kind === "gate" ? 0 : -1,
    width = column * Math.max(rows.length, 1),
    y = (value) => 8 + (1 - (value - low) / (1 - low)) * (CURVE_TALL - 40);
  const points = rows.map((row, t) => [column * (t + 0.5), y(asShown(kind, row[unit]))]);
  return draw(
    "svg",
    { width, height: CURVE_TALL, viewBox: `0 0 ${width} ${CURVE_TALL}`, class: "curve", role: "img", "aria-label": "The chosen unit" },
    draw("line", { x1: 0, x2: width, y1: y(0), y2: y(0), stroke: token("--rule") }),
    draw("polyline", { points: points.map((p) => p.join(",")).join(" "), fill: "none", stroke: token("--curve"), "stroke-width": 2 }),
    ...(column < ROUND ? [] : points).map(([x, height]) => draw("circle", { cx: x, cy: height, r: 3, fill: token("--curve") })),
    ...marks.map((symbol, t) =>
      draw("text", { x: column * (t + 0.5), y: CURVE_TALL - 8, "text-anchor": "middle", fill: token("--text") }, visible(symbol)),
    ),
  );
}

function insideNote({ place, name, rows, symbols, unit, kind }) {
  if (!rows.length) return "";
  const values = rows.map((row) => asShown(kind, row[unit])),
    highest = values.indexOf(Math.max(...values)),
    number = String(highest + 1),
    step = symbols[highest] === number ? `step ${number}` : `${visible(symbols[highest])} (${number})`;
  return `${whole(rows[0].length)} units of ${nameShown(kind, name)}, ${place.text}. Unit ${unit}: from ${figure(Math.min(...values))} to ${figure(values[highest])}, highest at ${step}.`;
}
