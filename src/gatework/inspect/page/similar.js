// Where else the units hold the pattern that they hold over a marked stretch: the question of LSTMVis (Strobelt et al. 2018).
import { figure, make, say, visible, whole } from "./dom.js";
import { asShown } from "./shown.js";
import { unitName } from "./store.js";

const LONGEST_STRETCH = 100, // steps
  UNITS_ASKED = 24, // at most
  PLACES = 10, // listed
  BEFORE = 18,
  AFTER = 12; // characters of context

/**
 * The units that stay on one side over steps from..to, those farthest from the middle first: {unit, sign, least} each.
 * On a side is a value from `threshold` on, or to -threshold; of a gate open and shut are 1 and -1.
 */
export function holding(app, { layer, name }, from, to, threshold) {
  const { size } = app.reading.rows[layer].get(name),
    found = [];
  for (let unit = 0; unit < size; unit++) {
    const first = sideOf(app, layer, name, unit, from),
      sign = Math.sign(first);
    let least = Math.abs(first);
    for (let t = from + 1; t <= to && least >= threshold; t++)
      least = Math.min(least, sign * sideOf(app, layer, name, unit, t));
    if (sign && least >= threshold) found.push({ unit, sign, least });
  }
  return found.sort((a, b) => b.least - a.least);
}

function sideOf(app, layer, name, unit, t) {
  const kind = app.kinds[layer].get(name),
    value = asShown(kind, app.reading.at(layer, name, unit, t));
  return kind === "gate" ? 2 * value - 1 : value;
}

/**
 * Stretches of the same length elsewhere, {from, count, apart} each: how many of the units hold their side all along,
 * and the mean distance of their values from those of the stretch. The best first, none over another or over the stretch.
 */
export function alike(app, { layer, name }, units, from, to, threshold) {
  const { done } = app.reading,
    length = to - from + 1,
    counts = new Uint16Array(Math.max(done - length + 1, 0));
  for (const { unit, sign } of units) {
    for (let t = 0, run = 0; t < done; t++) {
      run = sign * sideOf(app, layer, name, unit, t) >= threshold ? run + 1 : 0;
      if (run >= length) counts[t - length + 1]++;
    }
  }
  const apart = (begin) => {
    let sum = 0;
    for (const { unit } of units)
      for (let k = 0; k < length; k++)
        sum += Math.abs(sideOf(app, layer, name, unit, begin + k) - sideOf(app, layer, name, unit, from + k));
    return sum / (units.length * length);
  };
  const elsewhere = [...counts.keys()].filter((begin) => counts[begin] && Math.abs(begin - from) >= length);
  const ranked = elsewhere
    .map((begin) => ({ from: begin, count: counts[begin], apart: apart(begin) }))
    .sort((a, b) => b.count - a.count || a.apart - b.apart);
  const all = elsewhere.filter((begin) => counts[begin] === units.length).length;
  return { places: distinct(ranked, length), all, asked: counts.length };
}

function distinct(ranked, length) {
  const kept = [];
  for (const place of ranked) {
    if (kept.length === PLACES) break;
    if (kept.every((other) => Math.abs(other.from - place.from) >= length)) kept.push(place);
  }
  return kept;
}

export function similarBox(app) {
  const { view } = app,
    threshold = make("input", { type: "range", id: "similar-threshold", min: 0.05, max: 0.95, step: 0.05, value: 0.3 }),
    size = make("output", { for: "similar-threshold" }),
    toggles = make("p", { class: "buttons", id: "similar-units", role: "group", "aria-label": "Units that must hold it" }),
    note = make("p", { class: "small", id: "similar-note" }),
    list = make("ol", { class: "hits", id: "similar", "aria-label": "Similar places" }),
    left = new Set(); // units that need not hold it
  const update = () => {
    size.textContent = figure(Number(threshold.value));
    const asked = pattern(app, Number(threshold.value));
    if (typeof asked === "string") {
      note.textContent = asked;
      return [toggles, list].forEach((part) => part.replaceChildren());
    }
    const units = asked.units.filter(({ unit }) => !left.has(unit)),
      found = units.length ? alike(app, view.values, units, asked.from, asked.to, Number(threshold.value)) : null;
    toggles.replaceChildren(...asked.units.map((each) => toggle(view.values, each, left, update)));
    note.textContent = noteOn(app, asked, units, found);
    list.replaceChildren(...(found?.places ?? []).map((place) => item(app, asked, units, place)));
  };
  threshold.addEventListener("input", update);
  view.on(["layer", "name"], () => left.clear());
  view.on(["from", "to", "layer", "name", "done", "reading"], update);
  update();
  return make(
    "div",
    null,
    make("h3", null, "Where else is it so?"),
    make("p", { class: "buttons" }, make("label", { for: "similar-threshold" }, "Threshold"), threshold, size),
    toggles,
    note,
    list,
  );
}

/** The marked stretch and the units that hold a side over it; a sentence where there is nothing to ask. */
function pattern(app, threshold) {
  const { from, to } = app.view.values,
    { step, thing, reading } = app;
  if (from === null || to === null)
    return `Mark a stretch of the ${thing}, as above, to see where else the same units are on the same side. A unit is on a side where its value is beyond the threshold, up or down, all along.`;
  if (to - from + 1 > LONGEST_STRETCH) return `The stretch has more than ${LONGEST_STRETCH} ${step}s: mark a shorter one.`;
  if (to >= reading.done) return "The stretch is not read yet.";
  const units = holding(app, app.view.values, from, to, threshold);
  if (!units.length) return "No unit of this value stays beyond the threshold over the whole stretch: lower it, or mark less.";
  return { from, to, units: units.slice(0, UNITS_ASKED), of: units.length };
}

function toggle(values, { unit, sign }, left, update) {
  const name = unitName({ ...values, unit }),
    press = () => {
      if (!left.delete(unit)) left.add(unit);
      update();
      document.getElementById(`similar-${name}`)?.focus();
    };
  return make(
    "button",
    { id: `similar-${name}`, "aria-pressed": String(!left.has(unit)), onclick: press },
    `${name} ${sign > 0 ? "+" : "−"}`,
  );
}

function noteOn({ step }, { units: listed, of }, units, found) {
  const which =
    of > listed.length
      ? `The ${listed.length} units farthest from the middle, of ${of} that stay on one side over the stretch`
      : `${of} unit${of > 1 ? "s stay" : " stays"} on one side over the stretch`;
  if (!found) return `${which}; none of them is asked for.`;
  const many = units.length > 1 ? `All ${units.length}` : "The unit";
  return `${which}; press one to leave it out. ${many} asked for ${units.length > 1 ? "do" : "does"} so over ${whole(found.all)} of the ${whole(found.asked)} stretches of that many ${step}s. The best, no two overlapping:`;
}

function item(app, { from, to }, units, place) {
  const { pieces } = app.reading,
    end = place.from + to - from,
    text = (a, b) => pieces.slice(Math.max(a, 0), b).map(visible).join(""),
    jump = () => {
      app.goTo({}, "", { t: end });
      say(`Place ${end}: ${app.spokenNow()}`);
    };
  const shown =
    app.thing === "text"
      ? [text(place.from - BEFORE, place.from), make("mark", null, text(place.from, end + 1)), text(end + 1, end + 1 + AFTER)]
      : [`${pieces[place.from]} to ${pieces[end]}`];
  return make(
    "li",
    { "data-from": place.from },
    make("button", { class: "place", onclick: jump }, shown),
    ` ${place.count} of ${units.length} unit${units.length > 1 ? "s" : ""}, ${figure(place.apart)} apart on the mean`,
  );
}
