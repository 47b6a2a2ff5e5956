// The page of a run of labels: a sequence, what is predicted as it is read, the predicted label beside the true one.
import { figure, make, percent, section, visible, whole } from "./dom.js";
import { SYMBOL_TALL, numbersInWords, numbersStrip } from "./frames.js";
import { COLUMN, layerPlaces, showInside } from "./inside.js";
import { sharesOf, partsOf } from "./over_time.js";
import { showAbout, showAgreement, showHow } from "./parts.js";
import { Steps, logSoftmax } from "./steps.js";
import { cellStrip, heatStrip, showStrips, sideways } from "./strips.js";
import { layersInWords } from "./trying.js";
import { readWeights } from "./weights.js";

const ROOM = 780, NARROWEST_STEP = 4; // pixels of all steps of numbers, and of one at least
const LETTER = 9, WIDEST_STEP = 110; // pixels of a letter, and of a step with words or tags at most
const PREFIXES = 60, WORK = 3e8; // prefixes that are run at most, and about so many multiplications
const MOST_CLASSES = 16; // that have a row
const ON_LABELS = [
  "What is predicted after a step is what the network answers to the sequence as far as that step, as if it ended there. A network that reads from both ends, or a summary over all steps, has learnt from whole sequences alone: early answers say what it makes of a beginning.",
  "What attention weighs, or where maxima lie, is what the last layer took from a step, which by then knows its neighbours; it is not why a label was predicted.",
  "Unbounded values are shown as their tanh, on fixed domains.",
];

/** What all sections share: the network, the sequence as it was read, its scores, those of its beginnings, and what is looked at. */
class LabelsApp {
  constructor(payload, base64) {
    this.payload = payload;
    const alive = payload.weights?.length;
    /** @type {any} the network, or null where the page has no weights */
    this.model = alive ? new Steps(payload.model.network, readWeights(payload.weights, base64)) : null;
    this.listeners = [];
    /** @type {any} */
    this.example = null;
    /** @type {string[]} */
    this.source = []; // what stands at each step
    /** @type {number[][]} */
    this.rows = []; // numbers as they are read, of texts none
    /** @type {any} */
    this.values = {}; // all arrays of the network
    /** @type {Map<string, Float64Array[]>[]} */
    this.traces = [];
    /** @type {Float64Array[]} */
    this.running = []; // scores after each step, of tags at each
    this.every = 1; // steps from one beginning that is run to the next
    this.head = 0; // of several targets the one that is looked at
    this.at = { s: 0 };
    this.column = COLUMN;
    this.places = this.model ? placesOfLabels(this) : [];
  }

  on(react) {
    this.listeners.push(react);
  }

  changed(what) {
    for (const react of this.listeners) react(what);
  }

  /** Runs the network on an example. */
  read(example) {
    const { tokens, task } = this.payload,
      x = example.x;
    this.example = example;
    this.rows = tokens ? [] : x;
    this.source = example.pieces ?? x.map((id, s) => (tokens ? tokens[id] : String(s + 1)));
    this.column = this.widthOfStep();
    const { values, traces } = this.run(x);
    this.values = values;
    this.traces = traces;
    this.running = task === "tag" ? values.scores : this.beginnings(x);
    this.at = { s: x.length - 1 };
    this.changed("target");
  }

  /** Pixels of a step: enough for its word and its tag, or of numbers what there is room for. */
  widthOfStep() {
    const { tokens, task, heads } = this.payload,
      words = [...(tokens ? this.source : []), ...(task === "tag" ? heads[0].classes : [])];
    const least = words.reduce((most, word) => Math.max(most, LETTER * word.length + 4), 0);
    if (words.length) return Math.min(Math.max(COLUMN, least), WIDEST_STEP);
    return Math.max(NARROWEST_STEP, Math.min(COLUMN, Math.floor(ROOM / this.source.length)));
  }

  run(x) {
    const values = { x };
    const { traces } = this.model.run(values);
    return { values: /** @type {any} */ (values), traces };
  }

  /** The scores of the sequence as far as each step; where there are many steps, of every so many of them. */
  beginnings(x) {
    const { parameters } = this.payload.results,
      most = Math.max(2, Math.min(PREFIXES, Math.floor((2 * WORK) / (parameters * x.length))));
    this.every = Math.ceil(x.length / most);
    const last = x.length - 1;
    let scores = new Float64Array(0);
    return x.map((_, s) => {
      if (s === last) return this.values.scores[0];
      if (s % this.every === 0) scores = this.run(x.slice(0, s + 1)).values.scores[0];
      return scores;
    });
  }

  look(s) {
    this.at = { s: Math.min(Math.max(s, 0), Math.max(this.source.length - 1, 0)) };
    this.changed("place");
  }

  lookAtHead(head) {
    this.head = head;
    this.changed("target");
  }

  /**
   * The answer of a head that scores stand for: its probabilities of classes, or the number.
   * @returns {{ number: number, shares: number[] }}
   */
  answer(scores, head = this.head) {
    const { heads } = this.payload,
      part = partsOf(scores, heads.map(({ classes }) => classes?.length ?? 1))[head],
      { classes, mean, scale } = heads[head];
    if (!classes) return { number: part[0] * scale + mean, shares: [] };
    return { number: NaN, shares: Array.from(logSoftmax(part), Math.exp) };
  }

  /** The answer of a head in words: the likeliest class with its probability, or the number. */
  spoken(scores, head = this.head) {
    const { number, shares } = this.answer(scores, head),
      best = shares.indexOf(Math.max(...shares));
    return shares.length ? `${this.payload.heads[head].classes[best]} ${percent(shares[best])}` : figure(number, 3);
  }
}

/** Every layer and direction of every member; after convolutions of stride 2 one of their steps stands for several. */
function placesOfLabels(app) {
  const { members, stages, cell } = app.payload.model,
    step = 2 ** stages,
    symbols = () => shortened(app.source, step);
  const places = layerPlaces(app.model, "", (trace, name) => app.traces[trace]?.get(name), symbols, () => marksOf(app, step));
  return places.map((place, k) => {
    const number = Math.floor(k / (places.length / members)),
      layer = Math.floor((k % (places.length / members)) / cell.layers[0].directions.length) + 1,
      text = place.text.replace(/layer \d+/, `layer ${layer}`);
    return { ...place, text: members > 1 ? `network ${number + 1}, ${text}` : text, step };
  });
}

/** What stands at each step where `step` of the input are one. */
function shortened(source, step) {
  if (step === 1) return source;
  return Array.from({ length: Math.ceil(source.length / step) }, (_, k) => `${k * step + 1} to ${Math.min((k + 1) * step, source.length)}`);
}

const marksOf = (app, step) => (app.rows.length || step > 1 ? [] : app.source);

export function startLabels(payload, base64) {
  const app = new LabelsApp(payload, base64);
  showAbout(payload, {
    lead: leadOfLabels(payload),
    cards: [],
    alive: Boolean(app.model),
    missing: "This page was written without the weights: what needs the network itself is left out.",
  });
  if (app.model && payload.examples.length) {
    showChoice(app);
    showReading(app);
    showInside(app, "Gates and units of the recurrent layers");
    app.read(payload.examples[0]);
  }
  if (app.model) showAgreement(app, payload.check && differenceOfLabels(app, payload.check), "sequences");
  showHow(payload, payload.task === "tag" ? ON_LABELS.slice(2) : ON_LABELS, [
    "the equations of the network",
    payload.weights?.length ? "its weights" : "",
    payload.examples.length ? "sequences of the file that it was written of" : "",
  ]);
  document.body.dataset.ready = "yes";
  Object.assign(window, { gatework: app }); // for whoever looks into the page with the browser's own tools
}

const SUMMED = {
  last: "their outputs at the end",
  mean: "the mean of their outputs over time",
  max: "the maxima of their outputs over time",
  attention: "a mean of their outputs over time whose weights are learnt",
};
const PREDICTED = { class: "its label", number: "a number", tag: "a tag at each step", set: "which labels it has" };

function leadOfLabels({ task, heads, model: { cell, members, summary } }) {
  const several = heads.length > 1 && task !== "set" ? ` of each of ${heads.length} targets` : "",
    both = cell.layers[0].directions.length > 1 ? " from both ends" : "",
    read = summary.length ? `, and from ${summary.map((how) => SUMMED[how]).join(" and ")} it is predicted` : "";
  return `A small network${members > 1 ? `, ${members} times,` : ""} that predicts of a sequence ${PREDICTED[task]}${several}: ${layersInWords(cell)} of ${whole(cell.hidden)} ${cell.cell} units ${cell.depth === 1 ? "reads" : "read"} it${both}${read}.`;
}

/** Sequences to choose from, and the labels predicted of the one that is chosen. */
function showChoice(app) {
  const { payload } = app,
    found = section("live", "Sequences", "Choose a sequence, and see its label", "The predicted label stands beside the true one, where the file has one.");
  const list = make("ul", { id: "answers", class: "findings", "aria-label": "Predicted labels" });
  const choice = make(
    "select",
    { id: "examples", "aria-label": "Sequences", onchange: () => app.read(payload.examples[Number(choice.value)]) },
    payload.examples.map((each, k) => make("option", { value: k }, `${k + 1}: ${sequenceInWords(each, payload)}`)),
  );
  const box = make("input", { id: "source-box", type: "text", spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-label": "Text" });
  box.addEventListener("input", () => {
    const typed = typedText(payload, box.value);
    if (typed.x.length) app.read(typed);
  });
  const typed = payload.form === "char" || payload.form === "word";
  found.append(make("p", { class: "buttons" }, choice, typed ? make("label", null, "or type a text ", box) : ""), list);
  app.on((what) => what === "target" && list.replaceChildren(...answersOf(app).map((each) => make("li", null, each))));
}

/** A text as a sequence without a label: its characters or words, an unknown one as the first of the tokens. */
function typedText({ form, tokens }, text) {
  const pieces = form === "char" ? Array.from(text) : Array.from(text.matchAll(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]/gu), ([word]) => word);
  return { source: text, pieces, x: pieces.map((piece) => Math.max(tokens.indexOf(piece), 0)), true: null };
}

function sequenceInWords({ source, true: labels }, { task, heads }) {
  const short = source.length > 40 ? `${source.slice(0, 40)}…` : source;
  return labels && task !== "tag" && heads.length === 1 ? `${short}, ${labels[0]}` : short;
}

/** What is predicted of each head beside what is true; of tags how many are right. */
function answersOf(app) {
  const { task, heads } = app.payload,
    { true: labels } = app.example;
  const strange = new Set(app.source.filter((_, s) => app.payload.tokens && app.example.x[s] === 0)),
    unseen = strange.size ? [`The network has never seen ${[...strange].map((piece) => `“${piece}”`).join(", ")}.`] : [];
  if (task === "tag") return [tagsInWords(app), ...unseen];
  return heads.map(({ name, classes }, head) => {
    const said = app.spoken(app.values.scores[0], head),
      { shares } = app.answer(app.values.scores[0], head),
      right = classes && labels ? classes[shares.indexOf(Math.max(...shares))] === labels[head] : null;
    const mark = right === null ? "" : make("span", { class: right ? "yes" : "no" }, right ? " right" : " wrong");
    const beside = labels ? `; true: ${typeof labels[head] === "number" ? figure(labels[head], 3) : labels[head]}` : "";
    return make("span", null, `${name ? `${name}: ` : ""}predicted ${said}${beside}`, mark);
  }).concat(unseen);
}

function tagsInWords(app) {
  const { true: labels } = app.example,
    [{ classes }] = app.payload.heads;
  const said = app.running.map((scores) => classes[scores.indexOf(Math.max(...scores))]),
    wrong = labels ? said.filter((tag, s) => tag !== labels[s]).length : 0;
  return labels ? `${said.length - wrong} of ${said.length} tags are right` : `${said.length} tags`;
}

/** The strips: what is read, what is predicted after each step, the tags, and what a summary takes of each. */
function showReading(app) {
  const { task, heads } = app.payload,
    tags = task === "tag";
  const choice = make(
    "select",
    { id: "heads", "aria-label": "Target", onchange: () => app.lookAtHead(Number(choice.value)) },
    heads.map(({ name }, k) => make("option", { value: k }, name)),
  );
  showStrips(app, {
    id: "frames",
    short: "Step by step",
    heading: tags ? "The tag at each step" : "What is predicted as the sequence is read",
    intro: tags
      ? "Every column is a step. Below it stand how likely each tag is there, the likeliest, and the true one. Point at a step, or go from one to the next with the arrow keys."
      : "Every column is a step. Below it stands what the network answers to the sequence as far as that step: how likely each label is, or the number. Point at a step, or go from one to the next with the arrow keys.",
    label: "Steps of the sequence",
    strips: () => stripsOfLabels(app),
    words: () => stepInWords(app),
    after: (key) => sideways(key, app.at.s),
    mark: null,
  });
  if (heads.length > 1) document.getElementById("frame-note")?.before(make("p", { class: "buttons" }, make("label", null, "Target ", choice)));
}

function stripsOfLabels(app) {
  const { task, heads } = app.payload,
    { classes, scale, mean } = heads[app.head];
  const answers = app.running.map((scores) => app.answer(scores)),
    strips = [app.rows.length ? numbersStrip(app) : cellStrip("frame-source", app, app.source, "sequence")];
  if (classes) {
    const rows = classesShown(answers, classes);
    strips.push(heatStrip("frame-probabilities", app, rows.map((k) => answers.map(({ shares }) => shares[k])), SYMBOL_TALL, "gate", rows.map((k) => visible(classes[k]))));
  } else {
    strips.push(heatStrip("frame-probabilities", app, [answers.map(({ number }) => ((number - mean) / scale / 3 + 1) / 2)], SYMBOL_TALL, "heat", ["number"]));
  }
  if (task === "tag") {
    const likeliest = answers.map(({ shares }) => classes[shares.indexOf(Math.max(...shares))]);
    strips.push(cellStrip("frame-tags", app, likeliest, "likeliest"));
    if (app.example.true) strips.push(cellStrip("frame-true", app, app.example.true, "true"));
  }
  return [...strips, ...summaryStrips(app)];
}

/** The classes that have a row, in their order: those that are likeliest somewhere. */
function classesShown(answers, classes) {
  const most = classes.map((_, k) => Math.max(...answers.map(({ shares }) => shares[k])));
  return [...classes.keys()].sort((a, b) => most[b] - most[a]).slice(0, MOST_CLASSES).sort((a, b) => a - b);
}

/** What attention, and the maximum, take of each step: the share of it, and of the units; the mean over members. */
function summaryStrips(app) {
  const shares = takenOf(app);
  return Object.entries(shares).map(([how, row]) => {
    const most = Math.max(...row);
    return heatStrip(`frame-${how}`, app, [row.map((share) => share / most)], SYMBOL_TALL, "gate", [how]);
  });
}

/** For attention and maximum, where the network has them, the share that each step of the input has: its layers' step stands for several. */
function takenOf(app) {
  const taken = {},
    { stages, members } = app.payload.model;
  const add = (how, shares) => {
    const row = (taken[how] ??= app.source.map(() => 0));
    row.forEach((_, s) => (row[s] += shares[Math.floor(s / 2 ** stages)] / members));
  };
  for (const step of app.model.steps) {
    if (step.op === "Attention") add("attention", app.values[sharesOf(step)]);
    if (step.op === "Summary" && step.how === "max") add("max", maximaOf(app.values[step.x]));
  }
  return taken;
}

/** The share of units whose maximum over time stands at each row. */
function maximaOf(rows) {
  const counts = rows.map(() => 0);
  rows[0].forEach((_, i) => {
    const best = rows.reduce((most, row, t) => (row[i] > rows[most][i] ? t : most), 0);
    counts[best] += 1 / rows[0].length;
  });
  return counts;
}

/** A step, what is predicted there, and what a summary takes of it, in words. */
function stepInWords(app) {
  const { s } = app.at,
    { task } = app.payload,
    tags = task === "tag";
  const run = s === app.source.length - 1 ? s : s - (s % app.every),
    from = tags || run === s ? "" : `, as after step ${run + 1}, since every ${app.every}th is run`;
  const taken = Object.entries(takenOf(app)).map(([how, row]) => `${how} takes ${percent(row[s])} from here`),
    wanted = tags && app.example.true ? `; true: ${app.example.true[s]}` : "";
  return [
    `step ${s + 1} of ${app.source.length}${numbersInWords(app, s)}: ${tags ? "" : "predicted so far "}${app.spoken(app.running[s])}${from}${wanted}`,
    ...taken,
  ].join("; ");
}

/** How far the scores are from what Python noted. */
function differenceOfLabels(app, check) {
  let worst = 0;
  for (const { x, scores } of check) {
    const found = app.run(x).values.scores.flatMap((row) => [...row]);
    scores.forEach((score, k) => (worst = Math.max(worst, Math.abs(score - found[k]))));
  }
  return worst;
}
