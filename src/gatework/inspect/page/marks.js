// Labels of the reader's own: marked on the page or loaded from a file, and compared with all units as the built-in ones are.
import { figure, make, percent, say } from "./dom.js";
import { follow, readUntrained, unitsOf } from "./follows.js";
import { readMarks, writeMarks } from "./marks_file.js";
import { save } from "./methods.js";
import { inSlices } from "./slices.js";
import { parseUnit } from "./store.js";

const BEST_UNITS = 5;

export function marksBox(app) {
  const marks = new Marks(app),
    parts = buildMarks(app);
  const update = () => parts.list.replaceChildren(...[...marks.labels].map(([name, each]) => itemOf(marks, name, each)));
  const act = (work) => async () => {
    try {
      parts.note.textContent = (await work(parts.name.value.trim())) ?? "";
    } catch (error) {
      parts.note.textContent = `${/** @type {Error} */ (error).message}.`;
    }
    say(parts.note.textContent);
  };
  marks.changed = update;
  parts.add.onclick = act((name) => marks.add(name, marks.stretch(), 1));
  parts.every.onclick = act((name) => marks.add(name, marks.sameText(), 1));
  parts.take.onclick = act((name) => marks.add(name, marks.stretch(), 0));
  parts.file.onchange = act(async (name) => {
    const [file] = parts.file.files;
    parts.file.value = "";
    return file && marks.load(await file.text(), file.name, name);
  });
  return parts.box;
}

function buildMarks(app) {
  const name = make("input", { id: "mark-name", value: "mine", size: 14, autocomplete: "off" }),
    add = make("button", { id: "mark-add" }, "Mark the stretch"),
    every = make("button", { id: "mark-every" }, "Mark every place with the same text"),
    take = make("button", { id: "mark-take" }, "Unmark the stretch"),
    file = make("input", { id: "mark-file", type: "file", accept: ".txt,.csv,.tsv,text/plain" }),
    note = make("p", { id: "mark-note", role: "status" }),
    list = make("ul", { id: "marks", class: "hits", "aria-label": "Your own labels" });
  const box = make(
    "div",
    null,
    make("h3", null, "Your own label"),
    make(
      "p",
      { class: "small" },
      `Mark stretches of the text, as above, under a name, or load a file: lines FROM TO NAME (places from 0 at the start of the file that was read, TO the first that is no longer marked), or a 0 or 1 for every ${app.step}. Then see which units follow it, by the same two thresholds as above, on the text that is shown: its first half chooses, its second reports.`,
    ),
    make("p", { class: "buttons" }, make("label", { for: "mark-name" }, "Name"), name, add, every, take),
    make("p", { class: "buttons" }, make("label", { for: "mark-file" }, "Or a file"), file),
    note,
    list,
  );
  return { box, name, add, every, take, file, note, list };
}

/** The labels by name: values [T], and what was found of each. */
class Marks {
  constructor(app) {
    this.app = app;
    this.start = app.payload.text.start;
    this.labels = new Map();
    this.changed = () => {};
    this.units = null; // of the trained network and of the untrained one, once they are asked for
  }

  stretch() {
    const { from, to } = this.app.view.values;
    if (this.app.typed) throw new Error("This is what you typed: go back to the text of the file first");
    if (from === null || to === null) throw new Error("Mark a stretch of the text first: drag over it, or hold Shift with ← →");
    return [[from, to + 1]];
  }

  /** All places where the text of the stretch stands. */
  sameText() {
    const [[from, end]] = this.stretch(),
      { inputs } = this.app.own,
      same = (t) => {
        for (let k = 0; k < end - from; k++) if (inputs[t + k] !== inputs[from + k]) return false;
        return true;
      };
    return [...Array(Math.max(inputs.length - (end - from) + 1, 0)).keys()].filter(same).map((t) => [t, t + end - from]);
  }

  add(name, spans, value) {
    const label = this.labels.get(this.named(name))?.values ?? new Float32Array(this.app.own.length);
    for (const [from, end] of spans) label.fill(value, from, end);
    this.set(name, label);
    return `“${name}”: ${spans.length} ${spans.length > 1 ? "stretches" : "stretch"} ${value ? "marked" : "unmarked"}.`;
  }

  load(text, file, given) {
    const { labels, outside } = readMarks(text, this.start, this.app.own.length, given || file);
    for (const name of labels.keys()) this.named(name);
    for (const [name, label] of labels) this.set(name, label);
    const cut = outside ? ` ${outside} of its spans lie outside the text that is shown.` : "";
    return `${file}: ${[...labels.keys()].map((name) => `“${name}”`).join(", ")}.${cut}`;
  }

  /** A name that is free; throws where it is none. */
  named(name) {
    if (!name) throw new Error("Give the label a name first");
    if (this.app.found.has(name) && !this.labels.has(name))
      throw new Error(`“${name}” is a label that the page has already: choose another name`);
    return name;
  }

  /** The label as the other sections know labels; it is shown in the text. */
  set(name, values) {
    const hypothesis = { name, meaning: `whether it is marked “${name}”`, best: [], found: false, label: { values } };
    this.labels.set(name, { values, said: null, result: null });
    this.app.found.set(name, hypothesis);
    this.app.view.set({ mark: "" });
    this.app.view.set({ mark: name });
    this.changed();
  }

  drop(name) {
    this.labels.delete(name);
    this.app.found.delete(name);
    if (this.app.view.get("mark") === name) this.app.view.set({ mark: "" });
    this.changed();
  }

  async test(name) {
    const label = this.labels.get(name),
      wanted = () => this.labels.get(name) === label,
      tell = (text) => {
        label.said = text;
        this.changed();
      };
    if (this.app.own.done < this.app.own.length) return tell("The text is still being read: once more in a moment.");
    tell("Comparing with all units …");
    this.units ??= inSlices(this.bothUnits(), () => true);
    const { trained, fresh } = await this.units,
      result = wanted() ? await inSlices(follow(label.values, trained, fresh), wanted) : null;
    if (!result) return;
    label.result = result;
    this.note(name, result);
    tell(sayFollowed(result, this.app.step));
  }

  *bothUnits() {
    const reading = yield* readUntrained(this.app);
    return { trained: yield* unitsOf(this.app.own), fresh: reading && (yield* unitsOf(reading)) };
  }

  /** Enters what was found where the page keeps what Python found. */
  note(name, { units, ...figures }) {
    for (const { name: unit, ...of } of units) {
      const known = this.app.figures.get(unit);
      if (known) known.labels = { ...known.labels, [name]: of };
    }
    Object.assign(this.app.found.get(name), figures, {
      best: units.slice(0, BEST_UNITS).map((unit) => unit.name),
      found: units[0].found,
      place: this.app.clearest(name, parseUnit(units[0].name)),
    });
  }
}

function sayFollowed({ prevalence, episodes, needed, enough, null95, untrained_best: untrained, units }, step) {
  const often = `It is on ${percent(prevalence)} of the ${step}s of the half where it is rarer, and begins there ${episodes === 1 ? "once" : `${episodes} times`}`;
  const bars = `Chance reaches ${figure(null95)}${untrained === null ? "; this page is too large to hold an untrained network, so that none is compared" : `, the best unit of an untrained network ${figure(untrained)}`}.`;
  if (!enough) return `Too rare to tell from chance: ${often}; ${needed} times and 1 % are needed. ${bars}`;
  const found = units.filter((unit) => unit.found).length,
    than = untrained === null ? "chance" : "both";
  const verdict = found
    ? `${found} unit${found > 1 ? "s follow" : " follows"} it better than ${than} on both halves.`
    : `No unit follows it better than ${than} on both halves.`;
  return `${verdict} ${bars} ${often}.`;
}

function itemOf(marks, name, { values, said, result }) {
  const { app } = marks,
    share = values.reduce((sum, value) => sum + value, 0) / values.length,
    press = (id, text, work) => {
      const own = `${id}-${name}`;
      return make("button", { id: own, onclick: () => Promise.resolve(work()).then(() => document.getElementById(own)?.focus()) }, text);
    };
  return make(
    "li",
    { "data-name": name },
    make("b", null, name),
    `: ${percent(share)} of the text `,
    press("mark-test", "Which units follow it?", () => marks.test(name)),
    " ",
    press("mark-show", "Show it", () => app.view.set({ mark: name })),
    " ",
    press("mark-save", "Save", () => save(`${name}.txt`, writeMarks(values, marks.start, name), "text/plain")),
    " ",
    press("mark-drop", "Remove", () => marks.drop(name)),
    said ? make("p", { class: "small said" }, said) : "",
    result ? make("ol", { class: "hits" }, result.units.slice(0, BEST_UNITS).map((unit) => unitOf(app, name, unit))) : "",
  );
}

const unitOf = (app, mark, { name, a, b, found }) =>
  make(
    "li",
    null,
    make("button", { onclick: () => app.goTo(parseUnit(name), mark, { sort: `label:${mark}` }) }, name),
    ` ${figure(a)} / ${figure(b)} `,
    make("b", { class: found ? "yes" : "no" }, found ? "found" : "not found"),
  );
