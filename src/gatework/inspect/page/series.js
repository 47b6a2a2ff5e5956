// Section 2 for a series: a window of it whose values can be pulled up and down, and the forecast from any step.
import { PAD, area, axis, chart, dots, line, nearest, room } from "./charts.js";
import { draw, figure, make, section, whole } from "./dom.js";
import { forecastAt, prepared } from "./forecast.js";

const WIDE = room(900),
  TALL = 330,
  LEAST_SHOWN = 48,
  NUDGE = 0.02; // of the range, by an arrow key

export function showSeries(app) {
  const { series } = app.payload,
    editable = Boolean(series.recipe && app.network);
  const found = section(
    "live",
    "Forecast",
    "The series, and what the network expects next",
    "The line is the series, the dark line beyond it the forecast, the bands where the network expects the values to lie. " +
      (editable
        ? "Pull a point up or down and see what would have been expected then; move the origin to see what it would have said earlier."
        : `It has ${whole(series.values.length)} steps: only in a series of ${whole(series.longest)} at most can values be changed here.`),
  );
  const desk = new Desk(app, series, editable);
  app.desk = desk;
  const origin = make("input", {
    type: "range",
    id: "origin",
    min: desk.least,
    max: series.values.length - 1,
    value: series.values.length - 1,
    oninput: () => {
      desk.origin = Number(origin.value);
      desk.paint();
    },
  });
  const reset = make("button", { id: "reset", onclick: () => desk.reset() }, "Undo all changes");
  found.append(
    desk.box,
    make(
      "p",
      { class: "buttons" },
      editable ? make("label", null, "Forecast from ", origin) : "",
      editable ? reset : "",
    ),
    desk.note,
  );
  if (editable) desk.listen();
  desk.paint();
}

/** The window: its values as edited, where the forecast begins, and the forecast from there. */
class Desk {
  constructor(app, series, editable) {
    this.app = app;
    this.series = series;
    this.editable = editable;
    this.values = [...series.values];
    this.origin = this.chosen = series.values.length - 1;
    this.x = this.y = axis(0, 1, 0, 1); // these five as they were last painted
    this.range = [0, 1];
    /** @type {number[]} */
    this.places = [];
    /** @type {number[][]} */
    this.points = [];
    this.least = Math.min(series.values.length - 1, Math.max(2 * series.season, 12));
    this.box = make("div", {
      id: "desk",
      tabindex: editable ? "0" : null,
      role: editable ? "slider" : null,
      "aria-label": "Value of a step",
      "aria-valuemin": 0,
      "aria-valuemax": series.values.length - 1,
      "aria-valuenow": this.chosen,
    });
    this.note = make("p", { class: "small", id: "desk-note", role: "status" });
    this.refresh();
  }

  /** What the network says of the series as it now is. */
  refresh() {
    if (!this.editable) return;
    this.made = prepared(this.series, this.values);
    const { network } = this.app;
    let state = network.start();
    this.outputs = this.made.x.map((x) => {
      const step = network.step(network.lifted(x), state);
      state = step.state;
      return step.output;
    });
  }

  forecast() {
    const { app, series, origin } = this;
    return this.editable
      ? forecastAt(series, app.payload.model, app.tensor, this.made, this.outputs[origin], origin)
      : series.forecast;
  }

  get first() {
    const { season, horizon } = this.series;
    return Math.max(0, this.origin + 1 - Math.max(4 * season, 2 * horizon, LEAST_SHOWN));
  }

  paint() {
    const {
        series: { values: real, levels, probabilities, horizon, times, ahead },
        values,
        origin,
        first,
      } = this,
      quantiles = this.forecast();
    const last = origin + horizon,
      shown = values.slice(first, Math.min(last + 1, values.length)).filter((value) => value !== null);
    const all = [...shown, ...quantiles.flat(), ...real.slice(first, last + 1).filter((value) => value !== null)];
    const low = Math.min(...all),
      high = Math.max(...all),
      margin = (high - low || 1) * 0.06;
    this.x = axis(first, last, PAD.left, WIDE - PAD.right);
    this.y = axis(low - margin, high + margin, TALL - PAD.bottom, PAD.top);
    this.range = [low - margin, high + margin];
    const name = (t) => times[t] ?? ahead[t - times.length] ?? "";
    const every = Math.ceil((last - first + 1) / (WIDE / 110)),
      ticks = Array.from({ length: last - first + 1 }, (_, k) => first + k).filter((t) => (t - first) % every === 0);
    const svg = chart({
      width: WIDE,
      height: TALL,
      x: this.x,
      y: this.y,
      xTitle: "",
      yTitle: "",
      label: this.words(quantiles),
      xTicks: ticks.map((at) => ({ at, text: name(at) })),
      yTicks: [0.1, 0.5, 0.9]
        .map((part) => low + part * (high - low))
        .map((at) => ({ at, text: figure(at, high - low > 20 ? 0 : 2) })),
    });
    const column = (p) =>
      quantiles.map((row, k) => [
        this.x(origin + 1 + k),
        this.y(row[probabilities.findIndex((each) => Math.abs(each - p) < 1e-6)]),
      ]);
    const start = values[origin] === null ? [] : [[this.x(origin), this.y(values[origin])]];
    for (const level of [...levels].sort((a, b) => b - a))
      svg.append(area([...start, ...column(0.5 + level / 200)], [...start, ...column(0.5 - level / 200)], "band"));
    const points = values
      .map((value, t) => [t, value])
      .filter(([t, value]) => t >= first && t <= last && value !== null);
    this.places = points.map(([t]) => t);
    this.points = points.map(([t, value]) => [this.x(t), this.y(value)]);
    const edited = points.filter(([t, value]) => value !== real[t]);
    svg.append(
      line(this.points, "plain"),
      line([...start, ...column(0.5)], "median"),
      dots(this.points, "small"),
      dots(
        edited.map(([t, value]) => [this.x(t), this.y(value)]),
        "edited",
      ),
      draw("line", { class: "origin", x1: this.x(origin), x2: this.x(origin), y1: PAD.top, y2: TALL - PAD.bottom }),
    );
    const at = this.places.indexOf(this.chosen);
    if (this.editable && at >= 0)
      svg.append(draw("circle", { class: "chosen", r: 6, cx: this.points[at][0], cy: this.points[at][1] }));
    this.svg = svg;
    this.box.replaceChildren(svg);
    this.box.setAttribute("aria-valuenow", this.chosen);
    this.box.setAttribute("aria-valuetext", `${name(this.chosen)}: ${figure(this.values[this.chosen])}`);
    this.note.textContent = this.words(quantiles);
  }

  words(quantiles) {
    const {
        series: { probabilities, levels, times, ahead },
        origin,
      } = this,
      middle = probabilities.indexOf(0.5),
      next = quantiles[0];
    const level = Math.min(...levels),
      edge = (p) => next[probabilities.findIndex((each) => Math.abs(each - p) < 1e-6)];
    const changed = this.values.filter((value, t) => value !== this.series.values[t]).length;
    return (
      `After ${times[origin]} it expects ${figure(next[middle])} for ${times[origin + 1] ?? ahead[origin + 1 - times.length]}, with ${level} % between ${figure(edge(0.5 - level / 200))} and ${figure(edge(0.5 + level / 200))}.` +
      (changed
        ? ` ${changed} ${changed === 1 ? "value is" : "values are"} changed; the sections below show the series so.`
        : "")
    );
  }

  /** Gives a step another value; `settled` once the hand lets go. */
  change(t, value, settled) {
    const [low, high] = this.range,
      lowest = this.series.recipe.log ? Math.min(1e-3 * Math.abs(high), Math.abs(low) || 1) : -Infinity;
    this.values[t] = Math.max(value, lowest);
    this.chosen = t;
    this.refresh();
    this.paint();
    if (settled) this.settle();
  }

  settle() {
    if (!this.made) return;
    const same = this.values.every((value, t) => value === this.series.values[t]);
    this.app.readSeries(this.made.x, same);
  }

  reset() {
    this.values = [...this.series.values];
    this.refresh();
    this.paint();
    this.settle();
  }

  listen() {
    /** @type {number | null} */
    let pulled = null;
    const value = (event) => {
      const box = this.svg.getBoundingClientRect(),
        y = ((event.clientY - box.top) / box.height) * TALL;
      const [low, high] = this.range,
        share = (TALL - PAD.bottom - y) / (TALL - PAD.bottom - PAD.top);
      return low + share * (high - low);
    };
    this.box.addEventListener("pointerdown", (event) => {
      const index = nearest(this.svg, event, this.points);
      if (index < 0) return;
      pulled = this.places[index];
      this.box.setPointerCapture(event.pointerId);
    });
    this.box.addEventListener("pointermove", (event) => pulled !== null && this.change(pulled, value(event), false));
    this.box.addEventListener("pointerup", () => {
      if (pulled !== null) this.settle();
      pulled = null;
    });
    this.box.addEventListener("keydown", (event) => {
      const step = NUDGE * (this.range[1] - this.range[0]) * (event.shiftKey ? 5 : 1),
        at = this.places.indexOf(this.chosen);
      if (event.key === "ArrowLeft") this.chosen = this.places[Math.max(at - 1, 0)];
      else if (event.key === "ArrowRight") this.chosen = this.places[Math.min(at + 1, this.places.length - 1)];
      else if (event.key === "ArrowUp") this.change(this.chosen, this.values[this.chosen] + step, true);
      else if (event.key === "ArrowDown") this.change(this.chosen, this.values[this.chosen] - step, true);
      else return;
      event.preventDefault();
      this.paint();
    });
  }
}
