// Section 1: what this network is, whether the page computes what Python computed, what was found, and where to look.
import { byId, figure, make, percent, section, whole } from "./dom.js";
import { quantilesOf } from "./forecast.js";
import { unitName } from "./store.js";

const UNIT = /(l\d+\.\w+\.\d+)/;
export const TOLERANCE = 1e-4; // of h and of log p, page against Python

export function showOverview(app) {
  const { payload, network } = app,
    { model } = payload;
  const found = section("about", "What this is", "What this is");
  found.append(
    make("p", { class: "lead" }, lead(payload)),
    make(
      "div",
      { class: "cards" },
      cards(payload).map(([value, text]) => make("div", { class: "card" }, make("b", null, value), " ", text)),
    ),
    make(
      "p",
      { id: "check", class: "check" },
      network
        ? "Comparing the page with Python …"
        : "This page was written without the weights: what needs the network itself is left out.",
    ),
    ...findings(app),
    make(
      "details",
      null,
      make("summary", null, `The equations of ${model.cell}`),
      make("pre", null, model.equations),
      make("p", { class: "small" }, model.source ?? ""),
    ),
  );
}

function lead({ kind, model, untrained, text }) {
  const layers = model.depth === 1 ? "one layer" : `${model.depth} layers`;
  const task =
    kind === "text" ? "guess the next character of a text from all before it" : "forecast a series from its past";
  const history = untrained ? "It has not been trained." : `It was trained to ${task}.`;
  const where = kind === "text" && text?.name ? ` Below it reads ${text.name.split("/").pop()}.` : "";
  return (
    `A small recurrent network: ${layers} of ${whole(model.hidden)} ${model.cell} units. ${history}${where} ` +
    "It runs here, in your browser: everything you see is computed on the spot, and nothing leaves this page."
  );
}

/** @param {{ kind: string, results?: Record<string, number> }} payload */
function cards({ kind, results = {} }) {
  const made = [];
  const add = (value, digits, text) => Number.isFinite(value) && made.push([figure(value, digits), text]);
  if (kind === "text") {
    add(results.bits ?? results.bits_per_token, 2, "bits per character on text it had not seen (less is better)");
    add(results.here, 2, "bits per character on this text");
    add(results.blind, 2, "bits if it guessed blindly");
  } else {
    add(
      results.base_score,
      2,
      "times the error of the seasonal naive forecast: the simple forecast it corrects, by itself",
    );
    if (Number.isFinite(results.trust))
      made.push([percent(results.trust), "of its corrections are trusted, by how they did on later stretches"]);
  }
  if (results.parameters) made.push([whole(results.parameters), "weights"]);
  if (Number.isFinite(results.minutes))
    made.push([
      figure(results.minutes, 1),
      "minutes of training" + (results.steps ? `, ${whole(results.steps)} steps` : ""),
    ]);
  return made;
}

function findings(app) {
  const said = app.payload.findings ?? [];
  if (!said.length) return [];
  const named = UNIT.exec(said.join(" "));
  const hint =
    app.reading && named
      ? `Press a unit to see the ${app.thing} in its colours. Units are called by layer (l0 is the lowest), value (one of those in the bar above) and number: ${named[0]}. One whose correlation is negative falls where what it follows rises.`
      : null;
  return [
    make("h3", null, "What it learnt"),
    hint ? make("p", { class: "small" }, hint) : "",
    make(
      "ul",
      { class: "findings" },
      said.map((text) => make("li", null, linked(app, text))),
    ),
  ];
}

/** A sentence whose units are buttons, and whose figures, behind a colon, are small. */
function linked(app, text) {
  const [claim, ...figures] = text.replace(/-(?=\d)/g, "−").split(": ");
  const parts = claim.split(UNIT).map((part) => {
    const unit = app.parse(part);
    return unit ? make("button", { onclick: () => goTo(app, unit, text) }, part) : part;
  });
  return [...parts, figures.length ? ": " : "", make("span", { class: "small" }, figures.join(": "))];
}

function goTo(app, unit, sentence) {
  const about = [...app.found.values()].find(
    (each) => each.best?.includes(unitName(unit)) && sentence.includes(each.meaning),
  );
  app.goTo(unit, about?.name);
}

/** Compares what the page has read so far with the places that Python noted; null until it has read far enough. */
export function selfCheck(app) {
  const {
    payload: { check },
    own: reading,
    network,
  } = app;
  if (!check?.at.length || reading.done < Math.min(Math.max(...check.at) + 2, reading.length)) return null;
  const last = network.cells.length - 1,
    { output } = network.cells[last].program;
  let worst = 0;
  check.at.forEach((t, index) => {
    const h = network.layers[last].residual ? reading.again(t) : null;
    check.h[index].forEach((wanted, unit) => {
      worst = Math.max(worst, Math.abs((h ? h[unit] : reading.at(last, output, unit, t)) - wanted));
    });
    predicted(app, t).forEach((value, member) => {
      worst = Math.max(worst, Math.abs(value - [check.p[index]].flat()[member]));
    });
  });
  return worst;
}

/** What the page predicts after step t, as Python noted it: the log probability of the next token, or each member's median. */
function predicted({ payload: { kind, series, model }, own: reading, network, tensor }, t) {
  if (kind === "text") return network.head ? [-reading.surprise[t + 1] * Math.LN2] : [];
  if (!series.recipe) return [];
  const known = series.recipe.known?.[t] ?? null,
    output = reading.again(t),
    middle = series.probabilities.length >> 1;
  return Array.from(
    { length: series.members },
    (_, member) => quantilesOf(series, model.head, tensor, output, known, member)[middle],
  );
}

export function showCheck(app) {
  const worst = selfCheck(app),
    badge = byId("check");
  if (worst === null || badge.dataset.worst) return;
  badge.dataset.worst = String(worst);
  badge.classList.add(worst < TOLERANCE ? "good" : "bad");
  badge.textContent =
    worst < TOLERANCE
      ? `✓ Checked: this page computes what Python computed; the largest difference is ${figure(worst, 7)}.`
      : `✗ This page does not compute what Python computed: they differ by ${figure(worst, 4)}. Do not trust the figures below.`;
}
