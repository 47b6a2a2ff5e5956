// The page of a model of pairs: a source typed, its likeliest targets, where attention looks, what both networks compute.
import { showAlignment } from "./alignment.js";
import { whole } from "./dom.js";
import { layerPlaces, showInside } from "./inside.js";
import { showAbout, showAgreement, showHow } from "./parts.js";
import { asSymbols, idsOf } from "./symbols.js";
import { Translation } from "./translation.js";
import { BEST, Targets, layersInWords, showTrying, sourceCards } from "./trying.js";
import { readWeights } from "./weights.js";

const ON_ATTENTION = [
  "Attention says what the decoder read, which is not always why it wrote a symbol: each step of the memory already knows its neighbours, since the encoder has read over them.",
  "Targets are searched with beams: at each step the likeliest continuations go on, and a better target may have been left behind.",
  "Unbounded values are shown as their tanh, on fixed domains.",
];

/** What all sections share: the model, the source as it was read, its targets, and which of them is looked at. */
export class PairsApp extends Targets {
  constructor(payload, base64) {
    super(payload);
    /** @type {any} a Translation, or null where the page has no weights */
    this.model = payload.weights?.length ? new Translation(payload.model, readWeights(payload.weights, base64)) : null;
    this.places = this.model ? placesOf(this) : [];
    /** @type {any[]} */
    this.steps = []; // of the decoder over the one that is looked at
    /** @type {any} */
    this.encoded = null; // what the encoder made of the source
    this.at = { t: 0, s: 0 }; // the cell of attention that is looked at
  }

  /** Reads a source, and searches its targets. */
  read(text) {
    const { source } = this.payload.symbols,
      { beams, normalisation, longest } = this.payload.search,
      began = performance.now();
    this.source = asSymbols(text, source.level);
    this.found = [];
    this.encoded = null;
    if (this.source.length) {
      const ids = idsOf(this.source, source),
        { encoded, found } = this.model.search(ids, Math.max(beams, BEST), BEST, normalisation, longest);
      this.encoded = encoded;
      this.found = found;
    }
    this.milliseconds = performance.now() - began;
    this.choose(0);
  }

  /** Looks at one of the targets. */
  choose(place) {
    this.chosen = place;
    const found = this.found[place];
    this.steps = found ? this.model.followedThrough(this.encoded, found.tokens) : [];
    this.at = { t: 0, s: 0 };
    this.changed("target");
  }

  /** Looks at a symbol of the target and one of the source. */
  look(at) {
    const within = (k, many) => Math.min(Math.max(k, 0), Math.max(many - 1, 0));
    this.at = {
      t: within(at.t ?? this.at.t, this.steps.length),
      s: within(at.s ?? this.at.s, this.source.length),
    };
    this.changed("place");
  }

  /** What stands at each step of the decoder: the target's symbols, and its end. */
  get target() {
    const { target } = this.payload.symbols;
    return this.steps.map(({ token }) => target.symbols[token] ?? "end");
  }
}

export function startPairs(payload, base64) {
  const app = new PairsApp(payload, base64);
  showAbout(payload, {
    lead: leadOfPairs(payload.model),
    cards: sourceCards(payload),
    alive: Boolean(app.model),
    missing: "This page was written without the weights: what needs the networks themselves is left out.",
  });
  if (app.model) {
    const begin = showTrying(app);
    showAlignment(app);
    showInside(app, "Gates and units of both networks");
    begin();
    showAgreement(app, payload.check && differenceOf(app.model, payload.check), "sources");
  }
  showHow(payload, ON_ATTENTION, [
    "the equations of both networks",
    payload.weights?.length ? "their weights" : "",
    payload.examples.length ? "sources that the model has not learnt from" : "",
  ]);
  document.body.dataset.ready = "yes";
  Object.assign(window, { gatework: app }); // for whoever looks into the page with the browser's own tools
}

/** Every layer and direction of both networks. */
function placesOf(app) {
  const { encoder, decoder } = app.model;
  return [
    ...layerPlaces(encoder, "encoder, ", (trace, name) => app.encoded?.traces[trace].get(name), () => app.source),
    ...layerPlaces(decoder, "decoder, ", (trace, name) => app.steps.map(({ traces }) => traces[trace].get(name)[0]), () => app.target),
  ];
}

function leadOfPairs({ cell }) {
  return `Two small recurrent networks of ${layersInWords(cell)} of ${cell.cell} units each: an encoder reads a source, and a decoder of ${whole(cell.hidden)} units writes a target symbol by symbol.`;
}

/** How far log p and attention are from what Python noted. */
function differenceOf(model, check) {
  let worst = 0;
  for (const { source, target, log_p: logP, attention } of check) {
    model.followedThrough(model.encode(source), target).forEach((step, t) => {
      worst = Math.max(worst, Math.abs(step.logP - logP[t]));
      attention?.[t].forEach((share, s) => (worst = Math.max(worst, Math.abs(step.shares[s] - share))));
    });
  }
  return worst;
}
