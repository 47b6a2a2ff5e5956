// Sources to type or to choose, and their likeliest targets: what pages of pairs begin with.
import { figure, make, percent, section, whole } from "./dom.js";
import { asSymbols, textOf } from "./symbols.js";

export const BEST = 5; // targets that are listed

/** What the sections of a page of pairs share: the source as it was read, its targets, and which of them is looked at. */
export class Targets {
  constructor(payload) {
    this.payload = payload;
    this.listeners = [];
    this.source = []; // symbols, or the numbers of frames
    /** @type {any[]} */
    this.found = []; // targets, the best first: tokens, logProbability
    this.chosen = 0;
    this.milliseconds = 0;
    this.remark = ""; // on the source, beside the targets
  }

  on(react) {
    this.listeners.push(react);
  }

  changed(what) {
    for (const react of this.listeners) react(what);
  }

  /** The text of a target. */
  spelled(tokens) {
    const { target } = this.payload.symbols;
    return textOf(
      tokens.map((token) => target.symbols[token]),
      target.level,
    );
  }

  /** Whether the source is this example. */
  isExample({ source }) {
    return asSymbols(source, this.payload.symbols.source.level).join("\n") === this.source.join("\n");
  }
}

/** What is known of held-out sources, for cards. */
export function sourceCards({ results }) {
  const cards = [];
  if (Number.isFinite(results.exact))
    cards.push([percent(results.exact), `of ${whole(results.sources)} held-out sources become a target that is accepted`]);
  if (Number.isFinite(results.symbol_error_rate))
    cards.push([`${figure(100 * results.symbol_error_rate, 1)} %`, "of their symbols are wrong"]);
  return cards;
}

/** How many layers a cell has, in words. */
export const layersInWords = ({ depth }) => (depth === 1 ? "a layer" : `${depth} layers`);

/** Sources to choose from and, where they are texts, a box for another; app.read takes a text, or an example, and the targets found stand below. */
export function showTrying(app) {
  const { payload } = app,
    given = payload.examples,
    typed = Boolean(payload.symbols.source),
    found = section(
      "live",
      "Try it",
      `${typed ? "Type" : "Choose"} a source, and see its targets`,
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
    given.map((each, k) => make("option", { value: k }, typed ? each.source : exampleInWords(each, k))),
  );
  const read = (source) => {
    app.read(source);
    note.textContent = sourceNote(app, typed);
  };
  box.addEventListener("input", () => read(box.value));
  examples.addEventListener("change", () => {
    const each = given[Number(examples.value)];
    box.value = each.source;
    read(typed ? each.source : each);
  });
  found.append(
    make("p", { class: "buttons" }, typed ? make("label", null, "Source ", box) : "", given.length ? examples : ""),
    list,
    note,
  );
  app.on((what) => what === "target" && paintTargets(app, list));
  return () => (typed ? read(box.value) : given.length && read(given[0]));
}

const exampleInWords = ({ source, targets }, k) => `${k + 1}: ${source}${targets.length ? `, ${targets.join(" or ")}` : ""}`;

function paintTargets(app, list) {
  const accepted = app.payload.examples.find((each) => app.isExample(each))?.targets;
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

function sourceNote(app, typed) {
  if (!app.source.length) return "Type a source.";
  const seconds = `Found in ${whole(Math.max(app.milliseconds, 1))} ms.${app.remark}`;
  if (!typed) return seconds;
  const { symbols, unknown } = app.payload.symbols.source,
    known = new Set(symbols),
    strange = [...new Set(app.source.filter((symbol) => unknown && !known.has(symbol)))];
  return `${seconds}${strange.length ? ` The model has never seen ${strange.map((s) => `“${s}”`).join(", ")}.` : ""}`;
}
