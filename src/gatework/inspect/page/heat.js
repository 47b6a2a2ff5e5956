// Section 5: all units of one value over the text as a heat map, in a chosen order.
import { onTheme, rung } from "./colours.js";
import { figure, make, section, whole } from "./dom.js";
import { legend } from "./legend.js";
import { orderOf, ordersFor } from "./order.js";
import { asShown, domainOf, heatOf, nameShown, shareOf, traceOf } from "./shown.js";
import { unitName } from "./store.js";

export function showHeat(app) {
  const { view } = app;
  const found = section(
    "heat",
    "All units",
    "All units at once",
    `Every row is a unit, every column a ${app.step}. Stripes along a row are memories; a column where everything changes is a place where the network starts afresh.`,
  );
  const sort = make("select", {
    id: "sort",
    "aria-label": "Order of the units",
    onchange: () => view.set({ sort: sort.value }),
  });
  const zoom = make(
    "select",
    { id: "zoom", "aria-label": "Width of a step" },
    [
      [1, "small"],
      [3, "medium"],
      [8, "large"],
    ].map(([value, text]) => make("option", { value, selected: value === (app.length < 150 ? 8 : 3) }, text)),
  );
  const canvas = make("canvas", { id: "map" }),
    row = make("i", { class: "cross row" }),
    column = make("i", { class: "cross column" });
  const box = make(
    "div",
    {
      id: "heat-box",
      class: "heat",
      tabindex: "0",
      "data-grid": true,
      role: "slider",
      "aria-label": "Heat map of all units over time",
      "aria-valuemin": 0,
    },
    make("div", { class: "layers" }, canvas, row, column),
  );
  const note = make("p", { class: "small", id: "heat-note" }),
    scale = make("span", { class: "legend", id: "heat-legend" });
  found.append(
    make("p", { class: "buttons" }, make("label", null, "Order ", sort), make("label", null, "Size ", zoom), scale),
    box,
    note,
  );
  /** @type {{ order: number[], step: number, tall: number }} */
  const at = { order: [], step: 3, tall: 2 };

  const orders = () => {
    const choices = ordersFor(app);
    sort.replaceChildren(...choices.map(([value, text]) => make("option", { value }, text)));
    sort.value = choices.some(([value]) => value === view.get("sort")) ? view.get("sort") : "number";
  };
  const paint = () => {
    orders();
    at.order = app.order = orderOf(app, { ...view.values, sort: sort.value });
    paintMap(app, canvas, at.order);
    const kind = app.kinds[view.get("layer")].get(view.get("name"));
    scale.replaceChildren(...legend(kind, view.get("rescale") ? "rows" : null, "heat"));
    size();
  };
  const size = () => {
    at.step = Number(zoom.value);
    at.tall = Math.max(2, Math.min(12, Math.floor(360 / at.order.length)));
    canvas.style.width = `${canvas.width * at.step}px`;
    canvas.style.height = `${canvas.height * at.tall}px`;
    cross();
  };
  const cross = () => {
    const t = view.now,
      y = at.order.indexOf(view.get("unit"));
    column.style.cssText = `left: ${t * at.step}px; width: ${at.step}px; height: ${at.order.length * at.tall}px`;
    row.style.cssText = `top: ${y * at.tall}px; height: ${at.tall}px; width: ${canvas.width * at.step}px`;
    if (view.get("hover") === null) reveal(box, t * at.step, y * at.tall);
    box.setAttribute("aria-valuenow", t);
    box.setAttribute("aria-valuemax", app.reading.length - 1);
    box.setAttribute("aria-valuetext", app.spokenNow());
    note.textContent = `${whole(canvas.height)} units, ${whole(canvas.width)} steps. Marked: ${app.spokenNow()}.`;
  };
  const point = (event) => ({
    t: Math.min(Math.floor(event.offsetX / at.step), app.reading.done - 1),
    unit: at.order[Math.min(Math.floor(event.offsetY / at.tall), at.order.length - 1)],
  });
  canvas.addEventListener("pointermove", (event) => {
    const { t, unit } = point(event),
      { layer, name } = view.values;
    if (unit === undefined || t < 0) return;
    const kind = app.kinds[layer].get(name),
      raw = app.reading.at(layer, name, unit, t);
    note.textContent = `${unitName({ layer, name, unit })} after ${app.placeName(t)}: ${figure(asShown(kind, raw))}${kind === "free" ? ` (${name} itself: ${figure(raw)})` : ""}`;
  });
  canvas.addEventListener("click", (event) => {
    box.focus({ preventScroll: true });
    view.set(point(event));
  });
  zoom.onchange = size;
  view.on(["layer", "name", "sort", "done", "reading", "rescale"], paint);
  view.on(["from", "to"], () => sort.value === "stretch" && paint());
  view.on(["t", "unit", "hover"], cross);
  onTheme(paint);
  paint();
}

/** One pixel for each unit and step. */
function paintMap(app, canvas, order) {
  const { reading } = app,
    { layer, name, rescale } = app.view.values,
    kind = app.kinds[layer].get(name);
  const { size, data } = reading.rows[layer].get(name),
    width = Math.max(reading.done, 1);
  canvas.width = width;
  canvas.height = order.length;
  const pen = canvas.getContext("2d"),
    image = pen.createImageData(width, order.length),
    pixels = image.data,
    colours = heatOf(kind);
  order.forEach((unit, y) => {
    const domain = rescale ? domainOf(traceOf(app, { layer, name, unit }), true) : null;
    for (let t = 0; t < reading.done; t++) {
      const colour = colours[rung(shareOf(kind, asShown(kind, data[t * size + unit]), domain))],
        place = 4 * (y * width + t);
      pixels[place] = colour[0];
      pixels[place + 1] = colour[1];
      pixels[place + 2] = colour[2];
      pixels[place + 3] = 255;
    }
  });
  pen.putImageData(image, 0, 0);
  canvas.setAttribute("aria-label", `${nameShown(kind, name)} of ${order.length} units`);
}

function reveal(box, x, y) {
  if (x < box.scrollLeft || x > box.scrollLeft + box.clientWidth - 20) box.scrollLeft = x - box.clientWidth / 2;
  if (y < box.scrollTop || y > box.scrollTop + box.clientHeight - 20) box.scrollTop = y - box.clientHeight / 2;
}
