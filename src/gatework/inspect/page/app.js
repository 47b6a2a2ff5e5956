// What all sections share: the payload, the network, the text as it was read, the view, and how things are called.
import { placeInWords } from "./bar.js";
import { figure } from "./dom.js";
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
    this.tensor = payload.weights?.length ? readWeights(payload.weights, base64) : null;
    this.network = this.tensor ? new Network(payload, this.tensor) : null;
    this.kinds = this.network ? kindsOf(this.network) : [];
    this.figures = new Map((payload.units ?? []).map((unit) => [unit.name, unit]));
    this.found = new Map((payload.hypotheses ?? []).map((each) => [each.name, each]));
    this.order = null; // of the units, as the heat map has them
    this.read0 = this.reading = this.network ? this.firstReading() : null; // whole network; as now shown, with a unit held
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

  firstReading() {
    const { text, series } = this.payload;
    if (text)
      return this.readingOf(text.ids, text.pieces, this.network.warm(text.start_state), Boolean(text.start_state));
    if (series?.x) return this.readingOf(series.x, series.times, this.network.start(), true);
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
      begin = { t: hit ? this.firstPlace(hit.name) : Math.min(this.length - 1, 100) };
    if (asked) return { ...asked, ...begin };
    if (hit) return { ...parseUnit(hit.best[0]), mark: hit.name, ...begin };
    const { states, output } = this.network.cells[0].program;
    return { name: states.find((state) => state.name !== output)?.name ?? output, ...begin };
  }

  /** Reads the text while the page stays awake; it is shown, and `told` hears, when twice as much is read as before. */
  async read(reading, told) {
    let next = FIRST_SHOWN;
    await readAll(
      reading,
      (share, ended) => {
        if (!ended && reading.done < next) return;
        next = 2 * reading.done;
        this.view.set({ done: reading.done });
        told?.(share);
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
    const cold = live.warmed === null;
    this.read0 = this.reading = this.readingOf(live.ids, live.pieces, live.first, !cold);
    this.view.set({ held: "", mark: "", from: null, to: null, hover: null, t: 0 });
    this.read0.advance(20);
    this.typed = true;
    this.view.set({
      reading: this.view.get("reading") + 1,
      done: this.read0.done,
      t: Math.max(this.read0.done - 1, 0),
    });
    this.read(this.read0);
    document.getElementById("text")?.scrollIntoView();
  }

  /** Puts an edited series in the place of the one that was given; `same` where nothing is changed. */
  readSeries(x, same) {
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
    return this.network.cells[layer].program.named.map(([name]) => name);
  }

  units(layer, name) {
    return this.network.cells[layer].value(name).length;
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
    if (!this.network || !this.network.cells[next.layer]?.names.has(next.name)) return;
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

  /** Where a label first becomes true, past the first few characters and for a stretch that can be overlooked. */
  firstPlace(name) {
    const on = (this.label(name) ?? []).map((value) => Math.abs(value) > 0.5);
    const begins = on.flatMap((now, t) => (t > 60 && now && !on[t - 1] ? [t] : []));
    const short = begins.find((t) => !on.slice(t, t + 4).includes(false) && on.slice(t, t + 60).includes(false));
    return Math.min(short ?? begins[0] ?? 100, this.length - 1);
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
      t = this.view.now;
    if (t >= this.reading.done) return "not read yet";
    const kind = this.kinds[layer].get(name);
    return `${unitName(this.view.values)} after ${this.placeName(t)}: ${figure(asShown(kind, this.reading.at(layer, name, unit, t)))}`;
  }
}
