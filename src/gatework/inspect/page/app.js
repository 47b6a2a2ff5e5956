// What all sections share: the payload, the network, the text as it was read, the view, and how things are called.
import { placeInWords } from "./selection_bar.js";
import { bringIntoView, byId, figure, say } from "./dom.js";
import { Network } from "./network.js";
import { Reading, readAll } from "./reading.js";
import { asShown, kindsOf } from "./shown.js";
import { View, parseUnit, unitName } from "./store.js";
import { spell } from "./tokens.js";
import { readWeights } from "./weights.js";

const FIRST_SHOWN = 400; // steps

export class App {
  constructor(payload, base64) {
    this.payload = payload;
    this.firstView = NaN; // milliseconds from opening the file to the first view
    this.tensor = payload.weights?.length ? readWeights(payload.weights, base64) : null;
    this.network = this.tensor ? new Network(payload, this.tensor) : null;
    this.kinds = this.network ? kindsOf(this.network) : [];
    this.figures = new Map((payload.units ?? []).map((unit) => [unit.name, unit]));
    this.found = new Map((payload.hypotheses ?? []).map((each) => [each.name, each]));
    this.order = null; // of the units, as the heat map has them
    this.own = this.network ? this.firstReading(this.network) : null; // of what the page was made of
    this.read0 = this.reading = this.own; // by the whole network; as now shown, with a unit held
    this.view = new View({
      layer: 0,
      name: "",
      unit: 0,
      t: 0,
      hover: null,
      sort: "number",
      rescale: false,
      from: null,
      to: null,
      held: "",
      mark: "",
      done: 0,
      reading: 0,
      ...this.firstUnit(),
    });
  }

  firstReading(network) {
    const { text, series } = this.payload;
    if (text)
      return this.readingOf(text.ids, text.pieces, network.warm(text.start_state), Boolean(text.start_state));
    if (series?.x) return this.readingOf(series.x, series.times, network.start(), true);
    return null;
  }

  readingOf(inputs, pieces, first, warm) {
    return new Reading(this.network, inputs, pieces, first, warm);
  }

  get length() {
    return this.reading?.length ?? 0;
  }

  /** Where to begin: the unit asked for, the first that follows something, the nearest to that, or the first of the memory. */
  firstUnit() {
    if (!this.network) return {};
    const looked = [...this.found.values()].filter((each) => this.has(parseUnit(each.best?.[0])));
    const hit = looked.find((each) => this.isFound(each)) ?? looked[0];
    const asked = this.parse(this.payload.unit),
      begin = { t: hit ? this.placeOf(hit.name) : Math.min(this.length - 1, 100) };
    if (asked) return { ...asked, ...begin };
    if (hit) return { ...parseUnit(hit.best[0]), mark: hit.name, ...begin };
    const { states, output } = this.network.cells[0].program;
    return { name: states.find((state) => state.name !== output)?.name ?? output, ...begin };
  }

  /** Reads the text while the page stays awake; it is shown when twice as much is read as before, or the pinned place is. */
  async read(reading) {
    let next = FIRST_SHOWN;
    await readAll(
      reading,
      (_, ended) => {
        const { t, done } = this.view.values,
          reached = done <= t && t < reading.done;
        if (!ended && !reached && reading.done < next) return;
        next = 2 * reading.done;
        this.view.set({ done: reading.done });
      },
      () => this.read0 === reading,
    );
  }

  /** Shows another reading of the same text. */
  show(reading) {
    if (!reading || this.reading === reading) return;
    this.reading = reading;
    this.view.set({ reading: this.view.get("reading") + 1 });
  }

  /** Puts what was typed in the place of the text. */
  lookAt(live) {
    const { mark, t } = this.view.values,
      cold = live.warmed === null;
    if (!this.typed) this.before = { mark, t };
    this.typed = true;
    this.turnTo(this.readingOf(live.ids, live.pieces, live.first, !cold), { mark: "", t: live.ids.length - 1 });
  }

  /** Puts the text that the page was made of back in its place, as it was looked at before. */
  lookBack() {
    this.typed = false;
    this.turnTo(this.own, this.before);
  }

  turnTo(reading, changes) {
    this.view.set({ held: "", from: null, to: null, hover: null });
    this.read0 = this.reading = reading;
    reading.advance(20);
    this.view.set({ ...changes, reading: this.view.get("reading") + 1, done: reading.done });
    this.read(reading);
    this.showText();
  }

  /** Shows a unit, and the place where it shows what it follows, if it is known to follow something. */
  goTo(unit, mark = "", changes = {}) {
    if (!this.reading) return this.view.set(unit);
    this.view.set({ ...unit, ...(mark ? { mark, t: this.placeOf(mark, unit) } : {}), ...changes, hover: null });
    this.showText();
    say(this.spokenNow());
  }

  /** Brings the text into view and the keyboard to it. */
  showText() {
    const grid = document.getElementById("grid");
    if (!grid) return;
    bringIntoView(grid, byId("text"));
    grid.focus({ preventScroll: true });
  }

  /** Puts an edited series in the place of the one that was given; `same` where nothing is changed. */
  readSeries(x, same) {
    if (!this.network) return;
    this.read0 = this.reading = this.readingOf(
      same ? this.payload.series.x : x,
      this.payload.series.times,
      this.network.start(),
      true,
    );
    this.typed = !same;
    this.read0.advance(500);
    this.view.set({ held: "", hover: null, reading: this.view.get("reading") + 1, done: this.read0.done });
    if (this.read0.done < this.read0.length) this.read(this.read0);
  }

  /** What one step is called: a character, a byte, a word, or of a series a step. */
  get step() {
    return { char: "character", byte: "byte", word: "word" }[this.payload.vocabulary?.kind] ?? "step";
  }

  get thing() {
    return this.payload.kind === "text" ? "text" : "series";
  }

  names(layer) {
    return this.network?.cells[layer].program.named.map(([name]) => name) ?? [];
  }

  units(layer, name) {
    return this.network?.cells[layer].value(name).length ?? 0;
  }

  has(unit) {
    return Boolean(
      unit && this.network?.cells[unit.layer]?.names.has(unit.name) && unit.unit < this.units(unit.layer, unit.name),
    );
  }

  parse(text) {
    const unit = parseUnit(text);
    return this.has(unit) ? unit : null;
  }

  /** Chooses layer, value or unit; what does not exist becomes what is nearest. */
  choose(changes) {
    const next = {
      layer: this.view.get("layer"),
      name: this.view.get("name"),
      unit: this.view.get("unit"),
      ...changes,
    };
    if (!this.network?.cells[next.layer]?.names.has(next.name)) return;
    next.unit = Math.min(Math.max(Math.trunc(next.unit) || 0, 0), this.units(next.layer, next.name) - 1);
    this.view.set(next);
  }

  /** To the next unit in the order of the heat map. */
  moveUnit(by) {
    const { layer, name, unit } = this.view.values,
      count = this.units(layer, name);
    const order = this.order?.length === count ? this.order : [...Array(count).keys()];
    this.view.set({ unit: order[(order.indexOf(unit) + by + count) % count] });
  }

  /** The figures that Python found of a unit. */
  known(layer, name, unit) {
    return this.figures.get(unitName({ layer, name, unit }));
  }

  isFound(hypothesis) {
    if (typeof hypothesis.found === "boolean") return hypothesis.found;
    return Boolean(this.figures.get(hypothesis.best?.[0])?.labels?.[hypothesis.name]?.found);
  }

  /** The values of a label along the text; null where there are none, or another text is shown. */
  label(name) {
    return this.typed ? null : (this.found.get(name)?.label?.values ?? null);
  }

  /** Whether a label is true or false, and not a number. */
  isYesNo(values) {
    return values.every((value) => Number(value) === 0 || Number(value) === 1);
  }

  /** Where a unit, the best by default, shows what it follows; in another text than the page was made of, where one is already. */
  placeOf(name, unit = null) {
    const hypothesis = this.found.get(name),
      best = hypothesis?.best?.[0];
    const own = unit && unitName(unit) !== best ? this.clearest(name, unit) : hypothesis?.place;
    const place = this.typed ? this.view.get("t") : (own ?? 100);
    return Math.max(Math.min(place, this.length - 1), 0);
  }

  /** The step at which a label is true and a unit is farthest to the side that goes with it; null where there is none. */
  clearest(name, { layer, name: value, unit }) {
    const label = this.label(name),
      { reading } = this,
      r = this.known(layer, value, unit)?.labels?.[name]?.a ?? 0;
    if (!reading || !label) return null;
    const side = (t) => Math.sign(r) * reading.at(layer, value, unit, t);
    const steps = [...Array(Math.min(reading.done, label.length)).keys()].filter((t) => Number(label[t]) > 0);
    return steps.length ? steps.reduce((best, t) => (side(t) > side(best) ? t : best)) : null;
  }

  meaning(name) {
    return this.found.get(name)?.meaning ?? name;
  }

  /** A hypothesis in words for the middle of a sentence. */
  spoken(hypothesis) {
    const name = typeof hypothesis === "string" ? hypothesis : hypothesis.name;
    const text = this.meaning(name);
    return text === name ? name : `“${text}”`;
  }

  /** Whether a token can be typed: not the unknown one, no half of a character, no end of a document. */
  canType(id) {
    const { kind, tokens, unknown } = this.payload.vocabulary;
    if (kind === "byte") return id < 128;
    return id !== unknown && (kind !== "char" || [...tokens[id]].length === 1);
  }

  spell(id) {
    return spell(this.payload.vocabulary, id);
  }

  placeName(t) {
    return placeInWords(this, t);
  }

  /** The chosen unit and what it holds, in words. */
  spokenNow() {
    const { layer, name, unit } = this.view.values,
      { reading } = this,
      t = this.view.now;
    if (!reading || t >= reading.done) return "not read yet";
    const kind = this.kinds[layer].get(name);
    return `${unitName(this.view.values)} after ${this.placeName(t)}: ${figure(asShown(kind, reading.at(layer, name, unit, t)))}`;
  }
}
