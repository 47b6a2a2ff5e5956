// The bar on top: which layer, which value, which unit, at which place of the text; shared by all sections.
import { byId, figure, make, say, visible } from "./dom.js";
import { legend } from "./legend.js";
import { asShown, domainOf, nameShown, roleOf, traceOf } from "./shown.js";
import { unitName } from "./store.js";

export function showSelectionBar(app) {
  const { view, network } = app,
    bar = byId("bar");
  if (!network || !app.reading) return bar.remove();
  const layer = make(
    "select",
    { id: "layer", onchange: () => view.set({ layer: Number(layer.value) }) },
    network.cells.map((_, index) => make("option", { value: index }, `l${index}`)),
  );
  const name = make("select", { id: "value", onchange: () => app.choose({ name: name.value }) });
  const missing = make("span", { id: "no-unit", class: "small" });
  const unit = make("input", {
    id: "unit",
    type: "number",
    min: 0,
    inputmode: "numeric",
    onchange: () => chooseUnit(app, unit.value, missing),
  });
  const rescale = make("input", {
    type: "checkbox",
    id: "rescale",
    onchange: () => view.set({ rescale: rescale.checked }),
  });
  const readout = make("output", { id: "readout" }),
    scale = make("span", { class: "legend" });
  bar.append(
    network.cells.length > 1 ? make("label", null, "Layer ", layer) : "",
    make("label", null, "Value ", name),
    make(
      "span",
      { class: "unit" },
      make("label", null, "Unit ", unit),
      make("button", { "aria-label": "Previous unit", onclick: () => app.moveUnit(-1) }, "◂"),
      make("button", { "aria-label": "Next unit", onclick: () => app.moveUnit(1) }, "▸"),
    ),
    missing,
    scale,
    make("label", { class: "switch" }, rescale, " colours by this unit's own range"),
    readout,
  );

  const choices = () => {
    const at = view.get("layer");
    name.replaceChildren(
      ...app
        .names(at)
        .map((each) =>
          make("option", { value: each }, `${nameShown(app.kinds[at].get(each), each)} – ${roleOf(app, at, each)}`),
        ),
    );
  };
  const update = () => {
    const { layer: at, name: value, unit: which } = view.values,
      kind = app.kinds[at].get(value),
      t = view.now;
    layer.value = at;
    name.value = value;
    unit.value = which;
    rescale.checked = Boolean(view.get("rescale"));
    unit.max = app.units(at, value) - 1;
    scale.replaceChildren(...legend(kind, view.get("rescale") ? domainOf(traceOf(app, view.values), true) : null));
    if (t >= app.reading.done) return readout.replaceChildren("reading …");
    const raw = app.reading.at(at, value, which, t),
      shown = asShown(kind, raw);
    readout.replaceChildren(
      make("b", null, unitName(view.values)),
      ` after ${app.placeName(t)}: `,
      make("b", null, figure(shown)),
      kind === "free" ? ` (${value} itself: ${figure(raw)})` : "",
    );
  };
  choices();
  view.on(["layer"], choices);
  view.on(["layer", "name", "unit", "t", "hover", "rescale", "done", "reading"], update);
  update();
}

/** Chooses the unit of a number; where there is none, the nearest, and says so. */
function chooseUnit(app, number, note) {
  app.choose({ unit: Number(number) });
  const { layer, name, unit } = app.view.values;
  note.textContent =
    unit === Number(number)
      ? ""
      : `There is no unit ${number}: units of ${name} are counted from 0 to ${app.units(layer, name) - 1}.`;
  if (note.textContent) say(note.textContent);
}

/** A place of the text in words: its number and what stands there. */
export const placeInWords = (app, t) =>
  app.payload.kind === "text" ? `“${visible(app.reading.pieces[t])}” (${t})` : app.reading.pieces[t];
