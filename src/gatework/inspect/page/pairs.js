// The page of a model of pairs: a source typed, its likeliest targets, where attention looks, what both networks compute.
import { showAlignment } from "./alignment.js";
import { byId, figure, make, percent, say, section, whole } from "./dom.js";
import { showInside } from "./inside.js";
import { TOLERANCE } from "./overview.js";
import { asSymbols, idsOf, textOf } from "./symbols.js";
import { Translation } from "./translation.js";
import { readWeights } from "./weights.js";

const BEST = 5; // targets that are listed

/** What all sections share: the model, the source as it was read, its targets, and which of them is looked at. */
export class PairsApp {
  constructor(payload, base64) {
    this.payload = payload;
    /** @type {any} a Translation, or null where the page has no weights */
    this.model = payload.weights?.length ? new Translation(payload.model, readWeights(payload.weights, base64)) : null;
    this.listeners = [];
    this.source = []; // symbols
    /** @type {any[]} */
    this.found = []; // targets, the best first
    /** @type {any[]} */
    this.steps = []; // of the decoder over the one that is looked at
    this.at = { t: 0, s: 0 }; // the cell of attention that is looked at
  }

  on(react) {
    this.listeners.push(react);
  }

  changed(what) {
    for (const react of this.listeners) react(what);
  }

  /** Reads a source, and searches its targets. */
  read(text) {
    const { source } = this.payload.symbols,
      { beams, normalisation, longest } = this.payload.search,
      began = performance.now();
    this.source = asSymbols(text, source.level);
    this.found = [];
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

  spelled(tokens) {
    const { target } = this.payload.symbols;
    return textOf(
      tokens.map((token) => target.symbols[token]),
      target.level,
    );
  }
}

export function startPairs(payload, base64) {
  const app = new PairsApp(payload, base64);
  showAbout(app);
  if (app.model) {
    showTrying(app);
    showAlignment(app);
    showInside(app);
    byId("source-box").dispatchEvent(new Event("input"));
    showPairsCheck(app);
  }
  showHow(app);
  document.body.dataset.ready = "yes";
  Object.assign(window, { gatework: app }); // for whoever looks into the page with the browser's own tools
}

function showAbout({ payload, model }) {
  const { cell } = payload.model,
    { results } = payload,
    cards = [];
  if (Number.isFinite(results.exact))
    cards.push([percent(results.exact), `of ${whole(results.sources)} held-out sources become a target that is accepted`]);
  if (Number.isFinite(results.symbol_error_rate))
    cards.push([`${figure(100 * results.symbol_error_rate, 1)} %`, "of their symbols are wrong"]);
  cards.push([whole(results.parameters), "weights"]);
  cards.push([figure(results.minutes, 1), `minutes of training, ${whole(results.steps)} steps`]);
  const layers = cell.depth === 1 ? "a layer" : `${cell.depth} layers`;
  section("about", "What this is", "What this is").append(
    make(
      "p",
      { class: "lead" },
      `Two small recurrent networks of ${layers} of ${cell.cell} units each: an encoder reads a source, and a decoder of ${whole(cell.hidden)} units writes a target symbol by symbol.${model ? " They run here, in your browser: everything you see is computed on the spot, and nothing leaves this page." : ""}`,
    ),
    make(
      "div",
      { class: "cards" },
      cards.map(([value, text]) => make("div", { class: "card" }, make("b", null, value), " ", text)),
    ),
    make(
      "p",
      { id: "check", class: "check" },
      model
        ? "Comparing the page with Python …"
        : "This page was written without the weights: what needs the networks themselves is left out.",
    ),
    payload.findings.length ? make("h3", null, "What it does") : "",
    make(
      "ul",
      { class: "findings" },
      payload.findings.map((text) => make("li", null, text)),
    ),
    make(
      "details",
      null,
      make("summary", null, `The equations of ${cell.cell}`),
      make("pre", null, cell.equations),
      make("p", { class: "small" }, cell.source ?? ""),
    ),
  );
}

/** A box for a source, sources to choose from, and the targets found. */
function showTrying(app) {
  const { payload } = app,
    given = payload.examples,
    found = section(
      "live",
      "Try it",
      "Type a source, and see its targets",
      "The likeliest targets stand below, the best first, with the probability of each. Press one to look at it.",
    );
  const box = make("input", {
    id: "source-box",
    type: "text",
    value: given[0]?.source ?? "",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    "aria-label": "Source",
  });
  const list = make("ol", { id: "targets", class: "bars", "aria-label": "Likeliest targets" }),
    note = make("p", { class: "small", id: "source-note" });
  const examples = make(
    "select",
    { id: "examples", "aria-label": "Sources it has not learnt from" },
    given.map(({ source }) => make("option", { value: source }, source)),
  );
  const read = () => {
    app.read(box.value);
    note.textContent = sourceNote(app);
  };
  box.addEventListener("input", read);
  examples.addEventListener("change", () => {
    box.value = examples.value;
    read();
  });
  found.append(
    make("p", { class: "buttons" }, make("label", null, "Source ", box), given.length ? examples : ""),
    list,
    note,
  );
  app.on((what) => what === "target" && paintTargets(app, list));
}

function paintTargets(app, list) {
  const accepted = app.payload.examples.find(({ source }) => asSymbols(source, app.payload.symbols.source.level).join("\n") === app.source.join("\n"))?.targets;
  list.replaceChildren(
    ...app.found.map(({ tokens, logProbability }, place) => {
      const text = app.spelled(tokens),
        share = Math.exp(logProbability),
        right = accepted?.includes(text) ? make("span", { class: "yes" }, " accepted") : "";
      return make(
        "li",
        { class: place === app.chosen ? "chosen" : null },
        make(
          "button",
          { "aria-pressed": String(place === app.chosen), onclick: () => app.choose(place) },
          text || "(nothing)",
        ),
        make("span", { class: "bar-track" }, make("i", { style: `width: ${(100 * share).toFixed(1)}%` })),
        make("span", { class: "number" }, percent(share)),
        right,
      );
    }),
  );
}

function sourceNote(app) {
  if (!app.source.length) return "Type a source.";
  const { symbols, unknown } = app.payload.symbols.source,
    known = new Set(symbols),
    strange = [...new Set(app.source.filter((symbol) => unknown && !known.has(symbol)))];
  const unseen = strange.length ? ` The model has never seen ${strange.map((s) => `“${s}”`).join(", ")}.` : "";
  return `Found in ${whole(Math.max(app.milliseconds, 1))} ms.${unseen}`;
}

/** Compares log p and attention with what Python noted. */
function showPairsCheck(app) {
  const { check } = app.payload,
    sign = byId("check");
  if (!check) {
    sign.textContent = "This page holds no sources to check itself against Python.";
    return;
  }
  const worst = differenceOf(app.model, check),
    good = worst <= TOLERANCE;
  sign.classList.add(good ? "good" : "bad");
  sign.textContent = good
    ? `Checked: on ${check.length} sources this page computes what Python computed, to ${worst.toExponential(0)}.`
    : `Beware: this page differs from Python by ${worst.toExponential(0)}.`;
  app.worst = worst;
  if (!good) say(sign.textContent);
}

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

function showHow({ payload }) {
  const cautions = [
    "Attention says what the decoder read, which is not always why it wrote a symbol: each step of the memory already knows its neighbours, since the encoder has read over them.",
    "Targets are searched with beams: at each step the likeliest continuations go on, and a better target may have been left behind.",
    "Unbounded values are shown as their tanh, on fixed domains.",
  ];
  section("methods", "Methods", "Methods and cautions").append(
    make(
      "ul",
      null,
      cautions.map((text) => make("li", null, text)),
    ),
    make(
      "p",
      null,
      `This one file holds the equations of both networks${payload.weights?.length ? ", their weights" : ""}${payload.examples.length ? ", and sources that the model has not learnt from" : ""}. Whoever has the file has these. It asks nothing of any server, and runs no code but its own.`,
    ),
    make("p", { class: "small" }, `Written by gatework ${payload.gatework}.`),
  );
}
