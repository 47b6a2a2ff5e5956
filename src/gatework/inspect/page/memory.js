// Section 8: how long units remember, and how far back the gradient reaches.
import { PAD, area, axis, chart, decades, dots, line, nearest, room } from "./charts.js";
import { byId, draw, figure, make, section } from "./dom.js";
import { parseUnit, unitName } from "./store.js";

const WIDTH = room(620),
  HIGH = 230,
  FLOW_HIGH = 320;

export function showMemory(app) {
  const found = section(
    "memory",
    "Memory",
    "Memory: how long, how far",
    "The half-life of a unit is the number of steps after which half of what it holds is gone, if it is left to its gates. The second figure asks how far back the training signal reaches: how much a prediction would change with what entered the lowest layer some steps earlier: the size of its gradient by that input x.",
  );
  found.append(...halfLives(app));
  if (app.payload.flow) found.append(...flowChart(app.payload.flow, app.payload.title, app.payload.other));
}

function halfLives(app) {
  const groups = new Map();
  for (const each of app.payload.units ?? []) {
    const unit = parseUnit(each.name),
      life = each.half_median ?? each.half_life;
    if (!unit || !((life ?? -1) >= 0 || each.censored)) continue;
    const key = `l${unit.layer}.${unit.name}`;
    groups.set(key, [...(groups.get(key) ?? []), { ...each, place: unit, life: each.censored ? Infinity : life }]);
  }
  if (!groups.size)
    return [
      make(
        "p",
        null,
        "No unit of this cell carries its value on by a factor of its own, so that there is no half-life to show.",
      ),
    ];
  return [
    make("h3", null, "How long each unit remembers"),
    ...[...groups].map(([key, units]) => lifeChart(app, key, units)),
    make(
      "p",
      { class: "small", id: "life-note" },
      "A dot per unit; further right means longer memory. Hollow dots on the right did not forget before the end.",
    ),
  ];
}

function lifeChart(app, key, units) {
  const known = units.filter(({ life }) => Number.isFinite(life) && life !== null),
    most = Math.max(10, ...known.map(({ life }) => life)) * 1.6;
  const least = Math.min(0.5, ...known.map(({ life }) => Math.max(life, 0.1)));
  const x = axis(least, most, PAD.left, WIDTH - PAD.right, true),
    y = (unit) => 20 + ((unit * 0.618034) % 1) * (HIGH - PAD.bottom - 36);
  const points = units.map(({ life, place }) => [
    x(Math.min(Math.max(Number.isFinite(life) && life !== null ? life : most, least), most)),
    y(place.unit),
  ]);
  const middle = [...known.map(({ life }) => life)].sort((a, b) => a - b)[known.length >> 1];
  const text = `${key}: the middle unit forgets half within ${figure(middle, middle % 1 ? 1 : 0)} steps; ${units.filter((unit) => unit.censored).length} of ${units.length} units do not before the ${app.thing} ends.`;
  const svg = chart({
    width: WIDTH,
    height: HIGH,
    x,
    y: (v) => v,
    xTicks: decades(least, most),
    yTicks: [],
    xTitle: `half-life of ${key}, in steps`,
    yTitle: "",
    label: text,
  });
  const mark = draw("circle", { r: 6, class: "chosen" }),
    open = units.map((unit) => Boolean(unit.censored));
  svg.append(
    dots(points.filter((_, k) => !open[k])),
    ...points.filter((_, k) => open[k]).map(([a, b]) => draw("circle", { cx: a, cy: b, r: 3, class: "hollow" })),
    mark,
  );
  const update = () => {
    const index = units.findIndex(
      ({ place }) => place.layer === app.view.get("layer") && place.unit === app.view.get("unit"),
    );
    mark.setAttribute("visibility", index < 0 ? "hidden" : "visible");
    if (index < 0) return;
    mark.setAttribute("cx", points[index][0]);
    mark.setAttribute("cy", points[index][1]);
  };
  const tell = (k) => {
    byId("life-note").textContent =
      `${unitName(units[k].place)}: half-life ${figure(units[k].half_life, 1)} steps by its mean, ${units[k].censored ? "more than there are steps" : figure(units[k].half_median, 1)} by its median.`;
  };
  svg.addEventListener("pointermove", (event) => {
    const k = nearest(svg, event, points);
    if (k >= 0) tell(k);
  });
  svg.addEventListener("click", (event) => {
    const k = nearest(svg, event, points);
    if (k >= 0) {
      tell(k);
      app.choose(units[k].place);
    }
  });
  app.view.on(["layer", "unit"], update);
  update();
  return make("figure", null, svg, make("figcaption", { class: "small" }, text));
}

/** Gradient flow of this run, and of a second one beside it where there is one. */
export function flowChart(flow, title, other) {
  const runs = [
    { flow, title, name: "first" },
    ...(other?.flow ? [{ flow: other.flow, title: other.title, name: "second" }] : []),
  ];
  const all = runs
    .flatMap((run) => [...run.flow.low, ...run.flow.median, ...run.flow.high, ...(run.flow.gates ?? [])])
    .filter((value) => value > 0);
  const low = Math.max(Math.min(...all), 1e-12),
    high = Math.max(...all),
    last = Math.max(...runs.map((run) => Math.max(...run.flow.lags)));
  const x = axis(1, last + 1, PAD.left, WIDTH - PAD.right, true),
    y = axis(low, high, FLOW_HIGH - PAD.bottom, PAD.top, true);
  const place = (lag, value) => [x(lag + 1), y(Math.min(Math.max(value, low), high))];
  const svg = chart({
    width: WIDTH,
    height: FLOW_HIGH,
    x: (at) => x(at + 1),
    y,
    xTitle: "steps back",
    yTitle: "share of the gradient",
    label: runs.map(flowWords).join(" "),
    xTicks: [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
      .filter((at) => at <= last)
      .map((at) => ({ at, text: String(at) })),
    yTicks: thinned(decades(low, high)),
  });
  for (const {
    flow: { lags, median, low: under, high: over, gates },
    name,
  } of runs) {
    const along = (values, least = low) =>
      lags
        .map((lag, k) => [lag, values[k]])
        .filter(([, value]) => value !== null && value >= least)
        .map(([lag, value]) => place(lag, value));
    svg.append(area(along(over, -1), along(under, -1), name), line(along(median), name));
    if (gates) svg.append(line(along(gates), `${name} dashed`));
  }
  return [
    make("h3", null, "How far back the gradient reaches"),
    make(
      "figure",
      null,
      svg,
      make(
        "figcaption",
        { class: "small" },
        runs.length > 1 ? `Solid: ${runs[0].title}. Thin: ${runs[1].title}. ` : "",
        "Line: the median over many places; band: the middle half. Dashed: the product of the gates alone.",
      ),
    ),
    ...runs.map((run) => make("p", null, flowWords(run))),
  ];
}

function flowWords({ flow: { share: held }, title }) {
  return held
    ? `${title}: half of the gradient comes from the last ${held["50"]} steps, 90 % from the last ${held["90"]}, 99 % from the last ${held["99"]}.`
    : `${title}.`;
}

const thinned = (ticks) => ticks.filter((_, k) => k % Math.ceil(ticks.length / 7) === 0);
