// What the pages of pairs and of labels have in common: what this is, whether it agrees with Python, methods and cautions.
import { byId, figure, make, say, section, whole } from "./dom.js";
import { TOLERANCE } from "./overview.js";

const ALIVE = " It runs here, in your browser: everything you see is computed on the spot, and nothing leaves this page.";

/** The first section: a sentence, cards of [figure, what it is], and whether the page agrees with Python; see `showAgreement`. */
export function showAbout(payload, { lead, cards, alive, missing }) {
  const { cell } = payload.model,
    { results } = payload;
  const all = [...cards, [whole(results.parameters), "weights"]];
  if (results.steps) all.push([figure(results.minutes, 1), `minutes of training, ${whole(results.steps)} steps`]);
  section("about", "What this is", "What this is").append(
    make("p", { class: "lead" }, `${lead}${alive ? ALIVE : ""}`),
    make(
      "div",
      { class: "cards" },
      all.map(([value, text]) => make("div", { class: "card" }, make("b", null, value), " ", text)),
    ),
    make("p", { id: "check", class: "check" }, alive ? "Comparing the page with Python …" : missing),
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

/** Says how far the page is from what Python noted of some `things`; worst: null where it noted nothing. */
export function showAgreement(app, worst, things) {
  const sign = byId("check");
  if (worst === null) {
    sign.textContent = `This page holds no ${things} to check itself against Python.`;
    return;
  }
  const good = worst <= TOLERANCE;
  sign.classList.add(good ? "good" : "bad");
  sign.textContent = good
    ? `Checked: on ${app.payload.check.length} ${things} this page computes what Python computed, to ${worst.toExponential(0)}.`
    : `Beware: this page differs from Python by ${worst.toExponential(0)}.`;
  app.worst = worst;
  if (!good) say(sign.textContent);
}

/** The last section: cautions, and what the file holds. */
export function showHow(payload, cautions, holds) {
  section("methods", "Methods", "Methods and cautions").append(
    make(
      "ul",
      null,
      cautions.map((text) => make("li", null, text)),
    ),
    make(
      "p",
      null,
      `This one file holds ${holds.filter(Boolean).join(", ")}. Whoever has the file has these. It asks nothing of any server, and runs no code but its own.`,
    ),
    make("p", { class: "small" }, `Written by gatework ${payload.gatework}.`),
  );
}
