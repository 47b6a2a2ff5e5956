// Section 4: which unit follows what; a search among units; the units that a stretch of text moves most.
import { figure, make, percent, section, table, visible } from "./dom.js";
import { marksBox } from "./marks.js";
import { departures } from "./order.js";
import { similarBox } from "./similar.js";
import { parseUnit, unitName } from "./store.js";

const LISTED_UNITS = 12;

export function showFinder(app) {
  const found = section(
    "finder",
    "Which unit does what",
    "Which unit does what?",
    "A unit “follows” something when its value moves with it. Each unit was chosen on the first half and is reported on the second; it counts as found only where it beats both chance (the same labels laid over other stretches) and the best unit of an untrained network of the same size.",
  );
  const { hypotheses = [] } = app.payload;
  if (hypotheses.length) found.append(hypothesisTable(app, hypotheses));
  else
    found.append(
      make("p", null, "Nothing was looked for in this page: the text was too short, or of a kind without labels."),
    );
  const shown = hypotheses.filter((each) => app.isFound(each)).length;
  if (hypotheses.length && !shown) {
    found.append(
      make(
        "p",
        { id: "none-found" },
        `No unit passed: nothing in this text is followed by one unit better than chance and an untrained network would.${trained(app.payload)}`,
      ),
    );
  }
  found.append(
    make(
      "p",
      { class: "small" },
      `${app.reading ? `Press a unit: the ${app.thing} above takes its colours at a place where it shows what it follows, and the map of all units below is put in order by how they follow the same thing. ` : ""}r is a correlation: 0 no link, 1 moves exactly with it, −1 exactly against it. “All units together” is the r of the best weighted sum of all. “How often” is its share of the half where it is rarer${app.thing === "text" ? " (of a number: where it is above 0)" : ""}. The cost is what ${app.thing === "text" ? "the bits per character" : "the error of the forecast"} would rise by if the unit were held at its mean: a unit can follow something that the network does not use.`,
    ),
  );
  if (app.network && app.reading) found.append(searchBox(app), stretchBox(app), similarBox(app));
  if (app.network && app.own && app.thing === "text") found.append(marksBox(app));
}

/** @param {{ results?: Record<string, number> }} payload */
function trained({ results = {} }) {
  return Number.isFinite(results.minutes)
    ? ` The network was trained for ${figure(results.minutes, 1)} minutes; longer training finds more.`
    : "";
}

function hypothesisTable(app, hypotheses) {
  const rows = hypotheses.map((each) => {
    const best = each.best?.[0],
      unit = parseUnit(best),
      labels = unit && app.known(unit.layer, unit.name, unit.unit)?.labels?.[each.name];
    const passed = app.isFound(each),
      pick =
        unit && app.network && app.has(unit)
          ? make(
              "button",
              {
                "data-hypothesis": each.name,
                onclick: () => app.goTo(unit, each.name, { sort: `label:${each.name}` }),
              },
              best,
            )
          : (best ?? "–");
    return [
      make("span", { title: each.name }, each.meaning ?? each.name),
      make("b", { class: passed ? "yes" : "no" }, passed ? "found" : whyNot(each)),
      pick,
      `${figure(labels?.a)} / ${figure(labels?.b)}`,
      figure(each.null95),
      figure(each.untrained_best),
      figure(each.probe),
      each.cost_percent === undefined ? figure(each.cost_bits, 3) : `${figure(each.cost_percent, 1)} %`,
      percent(each.prevalence),
    ];
  });
  return table(
    "What was looked for",
    [
      "What",
      "Result",
      "Best unit",
      "r, first / second half",
      "by chance (95 %)",
      "untrained network",
      "all units together",
      "cost of holding it",
      "how often",
    ],
    rows,
  );
}

/** Why nothing was found: a thing that hardly occurs cannot be told from chance. */
function whyNot({ enough, episodes, needed, prevalence }) {
  if (enough !== false) return "not found";
  return episodes < needed
    ? `too rare here: ${episodes} times in a half, ${needed} needed`
    : `too rare here: ${(100 * prevalence).toFixed(1)} % of a half, 1 % needed`;
}

function searchBox(app) {
  const box = make("input", {
    type: "search",
    id: "search",
    placeholder: "l0.c.17, 17, quote …",
    "aria-label": "Search units and hypotheses",
  });
  const list = make("ul", { class: "hits", id: "hits" });
  const update = () => {
    const hits = box.value.trim() ? search(app, box.value.trim().toLowerCase()) : [];
    list.replaceChildren(
      ...hits.slice(0, LISTED_UNITS).map(({ unit, text, mark }) =>
        make(
          "li",
          null,
          make(
            "button",
            { onclick: () => app.goTo(unit, mark) },
            unitName(unit),
          ),
          ` ${text}`,
        ),
      ),
    );
    if (box.value.trim() && !hits.length)
      list.append(make("li", null, "No such unit; try a number, a name such as l0.c.17, or a word such as quote."));
  };
  box.addEventListener("input", update);
  box.addEventListener("keydown", (event) => event.key === "Enter" && list.querySelector("button")?.click());
  return make("div", null, make("h3", null, "Search ", make("kbd", null, "/")), box, list);
}

/** Units whose name or number fits, and the units that best follow a label whose name or meaning fits. */
function search(app, wanted) {
  const hits = [];
  for (const each of app.found.values()) {
    if (!`${each.name} ${each.meaning}`.toLowerCase().includes(wanted)) continue;
    for (const name of each.best ?? []) {
      const unit = parseUnit(name),
        r = unit && app.known(unit.layer, unit.name, unit.unit)?.labels?.[each.name];
      if (unit && app.has(unit))
        hits.push({ unit, mark: each.name, text: `follows ${app.spoken(each)}, r ${figure(r?.a)} / ${figure(r?.b)}` });
    }
  }
  app.network.cells.forEach((_, layer) =>
    app.names(layer).forEach((name) => {
      for (let unit = 0; unit < app.units(layer, name); unit++) {
        const full = unitName({ layer, name, unit });
        if (
          full === wanted ||
          full.startsWith(`${wanted}.`) ||
          String(unit) === wanted ||
          (wanted.includes(".") && full.includes(wanted))
        ) {
          hits.push({ unit: { layer, name, unit }, text: "" });
        }
      }
    }),
  );
  return hits;
}

function excerpt({ thing, reading: { pieces } }, from, to) {
  return thing === "text"
    ? `“${pieces
        .slice(from, Math.min(to + 1, from + 60))
        .map(visible)
        .join("")}”`
    : `${pieces[from]} to ${pieces[to]}`;
}

function stretchBox(app) {
  const { view } = app,
    list = make("ol", { class: "hits", id: "stretch" });
  const from = make("input", { type: "number", min: 0, id: "from", "aria-label": "first place" });
  const to = make("input", { type: "number", min: 0, id: "to", "aria-label": "last place" });
  const text = make("p", { class: "small" });
  const typed = () => {
    const ends = [Number(from.value), Number(to.value)]
      .sort((a, b) => a - b)
      .map((t) => Math.min(Math.max(t, 0), app.reading.length - 1));
    if (from.value !== "" && to.value !== "") view.set({ from: ends[0], to: ends[1] });
  };
  from.onchange = to.onchange = typed;
  const update = () => {
    const { from: a, to: b, layer, name } = view.values,
      marked = a !== null && b !== null;
    from.value = a ?? "";
    to.value = b ?? "";
    const all = marked && a === 0 && b >= app.reading.length - 1;
    text.textContent = all
      ? `All of the ${app.thing} is marked, which leaves nothing to compare it with: mark a part.`
      : marked
        ? `Marked: ${excerpt(app, a, b)}. The units that differ most there from the rest, in standard deviations:`
        : `Drag over the ${app.thing}, or hold Shift with ← →, or give two places, to see which units that stretch moves.`;
    const ranked =
      marked && !all && app.reading.done > b
        ? departures(app, view.values, a, b).sort((x, y) => Math.abs(y.z) - Math.abs(x.z))
        : [];
    list.replaceChildren(
      ...ranked
        .slice(0, LISTED_UNITS)
        .map(({ unit, z }) =>
          make(
            "li",
            null,
            make("button", { onclick: () => app.goTo({ layer, name, unit }, "", { t: a }) }, unitName({ layer, name, unit })),
            ` ${figure(z, 1)}`,
          ),
        ),
    );
  };
  view.on(["from", "to", "layer", "name", "done", "reading"], update);
  update();
  return make(
    "div",
    null,
    make("h3", null, "What does a stretch move?"),
    make(
      "p",
      { class: "buttons" },
      "From ",
      from,
      " to ",
      to,
      make("button", { onclick: () => view.set({ from: null, to: null }) }, "Clear"),
    ),
    text,
    list,
  );
}
