// The page of a model that CTC aligns: a source, what each of its frames says, what that spells, and where each symbol stands.
import { likeliestPath, logLikelihood, prefixBeam, symbolSpans } from "./ctc.js";
import { whole } from "./dom.js";
import { showFrames } from "./frames.js";
import { COLUMN, layerPlaces, showInside } from "./inside.js";
import { showAbout, showAgreement, showHow } from "./parts.js";
import { Steps } from "./steps.js";
import { asSymbols, idsOf } from "./symbols.js";
import { BEST, Targets, layersInWords, showTrying, sourceCards } from "./trying.js";
import { readWeights } from "./weights.js";

const WIDEST = 780, NARROWEST_FRAME = 8; // pixels of all frames of numbers, where one has more than it needs
const ON_CTC = [
  "A model that CTC aligns learns what a source spells, and nothing of where a symbol begins: its probabilities are often high at a single frame and leave those around to the blank. Where a symbol stands is where the likeliest path of its target has it.",
  "A target's probability is the sum over all paths that spell it; that of the likeliest path alone is smaller. With beams the likeliest prefixes go on from frame to frame, and a better target may have been left behind.",
  "Unbounded values are shown as their tanh, on fixed domains.",
];

/** What all sections share: the model, the source as it was read, log p of each frame, its targets, and what is looked at. */
export class CtcApp extends Targets {
  constructor(payload, base64) {
    super(payload);
    const alive = payload.weights?.length;
    /** @type {any} the network, or null where the page has no weights */
    this.model = alive ? new Steps(payload.model.network, readWeights(payload.weights, base64)) : null;
    this.blank = payload.model.blank;
    this.column = COLUMN; // pixels of a frame
    /** @type {any} */
    this.example = null; // the one that is read, of frames
    /** @type {any[]} */
    this.rows = []; // frames as they are read
    /** @type {Float64Array[]} */
    this.logP = []; // of each frame, the blank last
    /** @type {Map<string, Float64Array[]>[]} */
    this.traces = [];
    /** @type {number[]} */
    this.path = []; // the likeliest
    /** @type {number[][]} */
    this.spans = []; // of the target's symbols
    this.at = { s: 0 }; // the frame that is looked at
    this.places = this.model ? placesOfCtc(this) : [];
  }

  /** Reads a text, or an example of frames, and searches its targets. */
  read(source) {
    const { source: symbols } = this.payload.symbols,
      began = performance.now();
    this.example = symbols ? null : source;
    this.rows = this.example?.frames ?? [];
    this.source = symbols ? asSymbols(source, symbols.level) : this.rows.map((_, s) => String(s + 1));
    if (this.example) this.column = Math.max(NARROWEST_FRAME, Math.min(COLUMN, Math.floor(WIDEST / this.rows.length)));
    this.follow(symbols ? idsOf(this.source, symbols) : this.rows);
    this.milliseconds = performance.now() - began;
    this.choose(0);
  }

  /** Runs the network, and searches what it spells: with beams, and along the likeliest path. */
  follow(read) {
    Object.assign(this, { logP: [], traces: [], path: [], found: [], remark: "" });
    if (!read.length) return;
    const values = { source: read };
    this.traces = this.model.run(values).traces;
    this.logP = /** @type {any} */ (values).log_p;
    const { path, tokens } = likeliestPath(this.logP, this.blank);
    this.path = path;
    this.found = prefixBeam(this.logP, this.blank, Math.max(this.payload.search.beams, BEST), BEST);
    this.remark = ` The likeliest path, frame by frame, spells ${this.spelled(tokens) ? `“${this.spelled(tokens)}”` : "nothing"}.`;
  }

  isExample(each) {
    return this.example ? this.example === each : super.isExample(each);
  }

  /** Looks at one of the targets. */
  choose(place) {
    const found = this.found[place];
    this.chosen = place;
    this.spans = found ? symbolSpans(this.logP, found.tokens, this.blank) : [];
    this.at = { s: 0 };
    this.changed("target");
  }

  /** Looks at a frame. */
  look(s) {
    this.at = { s: Math.min(Math.max(s, 0), Math.max(this.source.length - 1, 0)) };
    this.changed("place");
  }

  /** The symbols of the target that is looked at, by number. */
  get tokens() {
    return this.found[this.chosen]?.tokens ?? [];
  }

  /** A symbol's name; the blank's is its own. */
  named(token) {
    return token === this.blank ? "blank" : this.payload.symbols.target.symbols[token];
  }

  /** Which of the target's symbols stands at a frame; -1 for the blank. */
  symbolAt(s) {
    return this.spans.findIndex(([first, end]) => first <= s && s < end);
  }

  /** What stands below each frame: the source's symbol, or of numbers the target's symbol where it begins. */
  get marks() {
    if (!this.rows.length) return this.source;
    const first = new Map(this.spans.map(([from], t) => [from, this.named(this.tokens[t])]));
    return this.source.map((_, s) => first.get(s) ?? "");
  }
}

/** Every layer and direction. */
function placesOfCtc(app) {
  return layerPlaces(app.model, "", (trace, name) => app.traces[trace]?.get(name), () => app.source, () => app.marks);
}

export function startCtc(payload, base64) {
  const app = new CtcApp(payload, base64);
  showAbout(payload, {
    lead: leadOfCtc(payload),
    cards: sourceCards(payload),
    alive: Boolean(app.model),
    missing: "This page was written without the weights: what needs the network itself is left out.",
  });
  if (app.model) {
    const begin = showTrying(app);
    showFrames(app);
    showInside(app, "Gates and units");
    begin();
    showAgreement(app, payload.check && differenceOfCtc(app.model, app.blank, payload.check), "sources");
  }
  showHow(payload, ON_CTC, [
    "the equations of the network",
    payload.weights?.length ? "its weights" : "",
    payload.examples.length ? "sources that the model has not learnt from" : "",
  ]);
  document.body.dataset.ready = "yes";
  Object.assign(window, { gatework: app }); // for whoever looks into the page with the browser's own tools
}

function leadOfCtc({ form, model: { cell } }) {
  const both = cell.layers[0].directions.length > 1 ? " that read it from both ends" : "",
    step = form === "frames" ? "frame" : "step";
  return `A small recurrent network: ${layersInWords(cell)} of ${whole(cell.hidden)} ${cell.cell} units${both} ${cell.depth === 1 ? "says" : "say"} at each ${step} of a source how likely each symbol is, or none, the blank. What the ${step}s say is put together to a target, which is never longer than its source.`;
}

/** How far log p, the best target's probability and where its symbols stand are from what Python noted. */
function differenceOfCtc(model, blank, check) {
  let worst = 0;
  for (const { source, path, log_p: wanted, target, log_probability: whole, spans } of check) {
    const values = { source };
    model.run(values);
    const logP = /** @type {any} */ (values).log_p;
    path.forEach((symbol, s) => (worst = Math.max(worst, Math.abs(logP[s][symbol] - wanted[s]))));
    worst = Math.max(worst, Math.abs(logLikelihood(logP, target, blank) - whole));
    if (JSON.stringify(symbolSpans(logP, target, blank)) !== JSON.stringify(spans)) worst = Infinity;
  }
  return worst;
}
