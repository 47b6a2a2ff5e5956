// Why this prediction: which of the characters before it moved it, by gradient times input and by leave-one-out.
import { css, ink, onTheme, rgb } from "./colours.js";
import { figure, make, percent, section, visible } from "./dom.js";
import { Influence, agreement, reachOf } from "./influence.js";
import { inSlices } from "./slices.js";

const BACK = 60, // steps that are looked at
  STRONGEST = 8, // listed
  REST = 150; // milliseconds that the place must stand still
const MEASURES = {
  gradient: "gradient × input",
  out: "leave one out",
};

export function showWhy(app) {
  const { view } = app,
    influence = new Influence(app.payload.model, app.network, app.tensor),
    parts = build(app);
  /** @type {any} */
  let shown = null; // what was asked, and the answers so far
  const measure = () => parts.choices.find(({ checked }) => checked)?.value ?? "gradient";
  const paint = () => paintWhy(app, parts, shown, measure());
  const update = async () => {
    const asked = (shown = question(app));
    paint();
    if (!asked) return;
    const { reading, from, t, target } = asked,
      wanted = () => shown === asked;
    await new Promise((go) => setTimeout(go, REST));
    for (const [name, work] of [
      ["gradient", influence.gradientTimesInput(reading, from, t, target)],
      ["out", influence.leaveOneOut(reading, from, t, target)],
    ]) {
      const answer = wanted() ? await inSlices(work, wanted) : null;
      if (!answer) return;
      asked[name] = answer;
      paint();
    }
  };
  for (const choice of parts.choices) choice.onchange = paint;
  parts.strip.addEventListener("click", (event) => {
    const t = /** @type {HTMLElement} */ (event.target).dataset.t;
    if (t !== undefined) view.set({ t: Number(t), hover: null });
  });
  view.on(["t", "reading"], update);
  view.on(["done"], () => (shown ? null : update()));
  onTheme(paint);
  update();
}

function build(app) {
  const found = section(
    "why",
    "Why",
    "Why this prediction?",
    `Which of the ${app.step}s before it moved the prediction at the framed place: purple made what came likelier, orange made it less likely; the colours go by the square root, so that weak ones show too. ← → move the place.`,
  );
  const choices = Object.entries(MEASURES).map(([value, text]) =>
    make("input", { type: "radio", name: "measure", id: `why-${value}`, value, checked: value === "gradient", "aria-label": text }),
  );
  const parts = {
    choices,
    asked: make("p", { id: "why-asked" }),
    strip: make("div", {
      id: "why-text",
      class: "text",
      tabindex: "0",
      "data-grid": true,
      role: "slider",
      "aria-label": "Place whose prediction is explained",
      "aria-valuemin": 0,
    }),
    list: make("ol", { id: "why-list", class: "hits", "aria-label": "What moved it most" }),
    reach: make("p", { id: "why-reach" }),
    apart: make("p", { id: "why-apart", "aria-live": "polite" }),
  };
  found.append(
    parts.asked,
    make(
      "fieldset",
      { class: "buttons choices" },
      make("legend", null, "Measured by"),
      choices.map((input) => make("label", { class: "switch" }, input, ` ${MEASURES[input.value]}`)),
    ),
    parts.strip,
    parts.list,
    parts.reach,
    parts.apart,
    make("p", { class: "small" }, method(app)),
  );
  return parts;
}

const method = ({ step }) =>
  `Gradient × input is the derivative of the logarithm of the probability by what the network read at a ${step}, times that: a straight line's guess at what is lost where it fades to nothing. Leave one out puts the mean of all ${step}s of this text in its place and runs the network again: what is lost indeed, though it now reads something that no text has. The last ${BACK} ${step}s are looked at; what came before them stays as it is.`;

/** What is asked at the chosen place: of the token that came next, or where none did of the likeliest. */
function question(app) {
  const reading = app.read0,
    t = app.view.get("t");
  if (!reading || t >= reading.done) return null;
  const log = app.network.logProbabilities(reading.again(t)),
    came = t + 1 < reading.length,
    target = came ? reading.inputs[t + 1] : log.indexOf(Math.max(...log));
  return { reading, t, from: Math.max(0, t - BACK + 1), target, came, p: Math.exp(log[target]) };
}

function paintWhy(app, parts, shown, measure) {
  const { strip, list, asked, reach, apart } = parts;
  if (!shown) return void (asked.textContent = "This place is not read yet.");
  const { reading, from, t } = shown,
    values = shown[measure];
  asked.textContent = askedOf(app, shown);
  const most = values ? Math.max(...values.map(Math.abs)) : 1;
  strip.replaceChildren(
    ...Array.from({ length: t - from + 1 }, (_, k) => shaded(reading, from + k, values?.[k] ?? NaN, most)),
  );
  strip.querySelector(`[data-t='${t}']`)?.classList.add("pinned");
  strip.setAttribute("aria-valuenow", t);
  strip.setAttribute("aria-valuemax", reading.length - 1);
  strip.setAttribute("aria-valuetext", asked.textContent);
  list.replaceChildren(...(values ? strongest(app, shown, values) : [make("li", null, "computing …")]));
  reach.textContent = values ? reachWords(app, values) : "";
  apart.textContent = shown.out ? difference(shown) : "Leaving one out after the other …";
}

function askedOf(app, { reading, t, target, came, p }) {
  const before = reading.pieces.slice(Math.max(0, t - 20), t + 1).map(visible).join(""),
    next = visible(came ? reading.pieces[t + 1] : app.spell(target)),
    held = app.view.get("held") ? " No unit is held here: this is the network as it is." : "";
  return `After “${before}” the network gave “${next}”, ${came ? "which came next" : "the likeliest"}, ${percent(p)}: ${figure(-Math.log2(p), 2)} bits of surprise.${held}`;
}

function shaded(reading, t, value, most) {
  const share = Number.isNaN(value) || most === 0 ? NaN : 0.5 + 0.5 * Math.sign(value) * Math.sqrt(Math.abs(value) / most),
    style = Number.isNaN(share) ? null : `background: ${css("text", share)}; color: ${ink(rgb("text", share))}`,
    title = Number.isNaN(value) ? null : `${signed(value)} bits`;
  return make("span", { "data-t": t, "data-bits": Number.isNaN(value) ? null : value, style, title }, visible(reading.pieces[t]) || "▫");
}

const signed = (value) => `${value > 0 ? "+" : ""}${figure(value, Math.abs(value) < 0.1 ? 3 : 2)}`;

/** The tokens that moved it most, as buttons that lead to them. */
function strongest(app, { reading, from, t }, values) {
  const order = [...values.keys()].sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, STRONGEST);
  return order.map((k) => {
    const at = from + k,
      back = t - at,
      place = back === 0 ? `the last ${app.step}` : `${back} ${app.step}${back > 1 ? "s" : ""} before it`;
    return make(
      "li",
      null,
      make(
        "button",
        { "data-t": at, onclick: () => app.view.set({ t: at, hover: null }) },
        visible(reading.pieces[at]) || "▫",
      ),
      ` ${place}: ${signed(values[k])} bits`,
    );
  });
}

/** How far back it reaches here, beside how far it does on the whole. */
function reachWords(app, values) {
  const here = `Here half of all influence lies in the last ${lastOf(app, reachOf(values, 0.5))}, nine tenths in the last ${lastOf(app, reachOf(values, 0.9))}.`,
    { share: over } = app.payload.flow ?? {};
  return over
    ? `${here} Over many places of the text the gradient has half in the last ${over["50"]}, nine tenths in the last ${over["90"]} (see Memory).`
    : here;
}

const lastOf = ({ step }, count) => (count > 1 ? `${count} ${step}s` : step);

/** How far the two measures say the same here. */
function difference({ reading, from, gradient, out }) {
  const r = agreement(gradient, out),
    gap = (k) => Math.abs(gradient[k] - out[k]),
    k = [...gradient.keys()].reduce((best, each) => (gap(each) > gap(best) ? each : best)),
    same = Number.isFinite(r) ? `The two measures go together by a correlation of ${figure(r)} here` : "One of the two measures stands still here";
  return `${same}; they differ most on “${visible(reading.pieces[from + k])}” (${from + k}): ${signed(gradient[k])} bits by gradient × input, ${signed(out[k])} by leaving it out.`;
}
