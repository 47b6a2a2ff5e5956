// Section 7: how often each gate of each unit is shut or open.
import { PAD, axis, chart, dots, nearest } from "./charts.js";
import { byId, draw, figure, make, section } from "./dom.js";

const SIDE = 250,
  TICKS = [0, 0.5, 1].map((at) => ({ at, text: `${100 * at} %` }));

export function showSaturation(app) {
  const { gates = [] } = app.payload;
  const found = section(
    "saturation",
    "Gates",
    "Gates: shut, open, or in between",
    "One dot per unit. To the right: gates that are shut (below 0.1) most of the time. Upwards: gates that are open (above 0.9) most of the time. Dots near the lower left corner never decide; a forget gate at the top left keeps its memory nearly always.",
  );
  if (!gates.length)
    return found.append(
      make(
        "p",
        null,
        "This cell has no gates: no value of its equations lies between 0 and 1 by the way it is computed.",
      ),
    );
  const panels = make("div", { class: "panels" });
  found.append(panels, make("p", { class: "small", id: "saturation-note" }, "Click a dot to choose its unit."));
  for (const gate of gates)
    panels.append(
      panel(
        app,
        gate,
        gates.some((other) => other.layer !== gate.layer),
      ),
    );
}

function panel(app, gate, layered) {
  const x = axis(0, 1, PAD.left, SIDE - PAD.right),
    y = axis(0, 1, SIDE - PAD.bottom, PAD.top);
  const points = gate.left.map((left, unit) => [x(left), y(gate.right[unit])]);
  const shut = share(gate.left),
    open = share(gate.right);
  const svg = chart({
    width: SIDE,
    height: SIDE,
    x,
    y,
    xTicks: TICKS,
    yTicks: TICKS,
    xTitle: "of the time shut",
    yTitle: "of the time open",
    label: `Gate ${gate.name}: ${shut} units of ${points.length} are shut most of the time, ${open} are open most of the time.`,
  });
  const mark = draw("circle", { r: 6, class: "chosen" });
  svg.append(dots(points), mark);
  const update = () => {
    const { layer, unit } = app.view.values,
      point = layer === gate.layer ? points[unit] : null;
    mark.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return;
    mark.setAttribute("cx", point[0]);
    mark.setAttribute("cy", point[1]);
  };
  const note = (unit) => {
    byId("saturation-note").textContent =
      `${gate.name} of unit ${unit}: shut ${figure(100 * gate.left[unit], 0)} % of the time, open ${figure(100 * gate.right[unit], 0)} %.`;
  };
  svg.addEventListener("pointermove", (event) => {
    const unit = nearest(svg, event, points);
    if (unit >= 0) note(unit);
  });
  svg.addEventListener("click", (event) => {
    const unit = nearest(svg, event, points);
    if (unit >= 0) {
      note(unit);
      app.choose({ layer: gate.layer, name: gate.name, unit });
    }
  });
  app.view.on(["layer", "unit"], update);
  update();
  return make(
    "figure",
    null,
    make("figcaption", null, `Gate ${gate.name}${layered ? `, layer l${gate.layer}` : ""}`),
    svg,
    make("p", { class: "small" }, `${shut} of ${points.length} mostly shut, ${open} mostly open`),
  );
}

const share = (values) => values.filter((value) => value > 0.5).length;
