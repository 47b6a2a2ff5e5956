// Section 3: the text, each character coloured by one unit after the network has read it.
import { ink, onTheme } from "./colours.js";
import { figure, make, section, visible, whole } from "./dom.js";
import { asShown, colourOf, domainOf, rgbText, roleOf, shareOf, traceOf } from "./shown.js";
import { unitName } from "./store.js";
import { showTrace } from "./trace.js";

const SPANS = 4000; // characters on the page at once
const COLD = 50; // characters until a cold start is forgotten

export function showText(app) {
  const { view } = app;
  const found = section(
    "text",
    app.thing === "text" ? "Text" : "Series",
    `The ${app.thing}, coloured by one unit`,
    `Every ${app.step} is coloured by what the chosen unit holds just after the network has read it. Hover to look, click to pin a place; drag to mark a stretch.`,
    `With the ${app.thing} in focus, ← → move in time, ↑ ↓ go to other units, space plays.`,
  );
  const turner = make("p", { class: "pages" });
  const grid = make("div", {
    id: "grid",
    class: app.thing,
    tabindex: "0",
    "data-grid": true,
    role: "slider",
    "aria-label": `Place in the ${app.thing}`,
    "aria-valuemin": 0,
  });
  const note = make("p", { class: "small", id: "text-note" }),
    shown = make("p", { id: "text-shown" });
  const back = make("button", { id: "back", onclick: () => app.lookBack() }, "Back to the text of the file");
  found.append(shown, turner, make("p", { class: "buttons" }, back), grid, note);
  /** @type {{ from: number, spans: HTMLElement[] }} */
  const page = { from: 0, spans: [] };

  const build = () => {
    page.from = Math.floor(view.get("t") / SPANS) * SPANS;
    page.spans = [];
    grid.replaceChildren();
    for (let t = page.from; t < Math.min(page.from + SPANS, app.reading.length); t++) page.spans.push(spanOf(app, t));
    page.spans.forEach((span, index) => {
      grid.append(span);
      if (app.reading.pieces[page.from + index].includes("\n")) grid.append("\n");
    });
    pages(app, turner, page.from);
    paint();
    place();
  };
  const paint = () => {
    paintSpans(app, page);
    shown.replaceChildren(...shownOf(app));
    back.hidden = app.thing !== "text" || !app.typed;
    note.textContent = noteOf(app);
  };
  const place = () => {
    const t = view.get("t");
    if (t < page.from || t >= page.from + SPANS) return build();
    grid.querySelector(".pinned")?.classList.remove("pinned");
    page.spans[t - page.from]?.classList.add("pinned");
    grid.setAttribute("aria-valuenow", t);
    grid.setAttribute("aria-valuemax", app.reading.length - 1);
    grid.setAttribute("aria-valuetext", app.spokenNow());
    scrollTo(grid, page.spans[t - page.from]);
  };
  const brush = () => {
    const { from, to } = view.values;
    page.spans.forEach((span, index) => {
      const t = page.from + index;
      span.classList.toggle("brushed", from !== null && to !== null && t >= from && t <= to);
    });
  };
  listen(app, grid);
  build();
  brush();
  showTrace(app, found);
  view.on(["reading"], build);
  view.on(["layer", "name", "unit", "rescale", "done", "mark"], paint);
  view.on(["layer", "name", "unit", "t"], place);
  view.on(["from", "to"], brush);
  view.on(["hover"], () => {
    grid.querySelector(".hovered")?.classList.remove("hovered");
    page.spans[(view.get("hover") ?? NaN) - page.from]?.classList.add("hovered");
  });
  onTheme(paint);
}

function spanOf(app, t) {
  if (app.thing === "series") return columnOf(app.payload.series, t);
  const piece = app.reading.pieces[t];
  const unseen = app.payload.vocabulary.unknown !== null && app.reading.inputs[t] === app.payload.vocabulary.unknown;
  const cold = !app.reading.warm && t < COLD;
  return make(
    "span",
    {
      "data-t": t,
      class: [unseen && "unseen", cold && "cold", visible(piece) !== piece && "mark"].filter(Boolean).join(" ") || null,
      title: unseen ? "the network has never seen this character" : null,
    },
    visible(piece) || "▫",
  );
}

/** A step of a series: as tall as its value, hollow where it is missing. */
function columnOf({ values, times }, t) {
  const known = values.filter((value) => value !== null),
    low = Math.min(...known, 0),
    high = Math.max(...known, 0);
  const tall = values[t] === null ? 1 : (values[t] - low) / (high - low || 1);
  return make("span", {
    "data-t": t,
    title: `${times[t]}: ${values[t] ?? "missing"}`,
    class: values[t] === null ? "missing" : null,
    style: `height: ${(12 + 108 * tall).toFixed(0)}px`,
  });
}

function paintSpans(app, { from, spans }) {
  const { view, reading } = app,
    { layer, name, unit, rescale } = view.values,
    kind = app.kinds[layer].get(name);
  const domain = domainOf(traceOf(app, view.values), rescale),
    label = app.label(view.get("mark"));
  const underlined = label && app.isYesNo(label);
  spans.forEach((span, index) => {
    const t = from + index;
    span.classList.toggle("labelled", Boolean(underlined && label[t]));
    if (t >= reading.done) return void (span.style.background = "");
    const share = shareOf(kind, asShown(kind, reading.at(layer, name, unit, t)), domain);
    span.style.background = colourOf(kind, share);
    span.style.color = kind === "gate" ? ink(rgbText(kind, share)) : "";
  });
}

/** Which unit it is, and how it goes with what it is marked for. */
function shownOf(app) {
  const { layer, name, unit, mark } = app.view.values,
    r = app.known(layer, name, unit)?.labels?.[mark];
  const along = r ? ` Its correlation with ${app.spoken(mark)} is ${figure(r.a)} and ${figure(r.b)} on the two halves.` : "";
  return [make("b", null, unitName(app.view.values)), ` (${roleOf(app, layer, name)}).${along}`];
}

function noteOf(app) {
  const { reading, payload } = app,
    mark = app.view.get("mark"),
    label = app.label(mark),
    notes = [];
  if (label && app.isYesNo(label)) notes.push(`Underlined ${app.meaning(mark).replace(/^whether /, "where ")}.`);
  if (app.thing === "series") return ["Each column is a step, as tall as its value.", ...notes].join(" ");
  if (!reading.warm)
    notes.push(
      `The first ${COLD} characters are greyed: the network starts knowing nothing, and what it holds there is not yet typical.`,
    );
  if (app.typed) notes.push("This is what you typed.");
  else if (payload.text && reading.length < payload.text.measured)
    notes.push(
      `Shown are the last ${whole(reading.length)} of the ${whole(payload.text.measured)} ${app.step}s that the figures are of: a unit may follow something more closely, or less, than it does here.`,
    );
  notes.push("· is a space, ↵ the end of a line.");
  return notes.join(" ");
}

function pages(app, turner, from) {
  const { length } = app.reading,
    to = Math.min(from + SPANS, length);
  const turn = (by) => () => app.view.set({ t: Math.min(Math.max(from + by, 0), length - 1) });
  turner.hidden = length <= SPANS;
  turner.replaceChildren(
    make("button", { onclick: turn(-SPANS), disabled: from === 0 }, "◂ earlier"),
    ` characters ${whole(from)} to ${whole(to)} of ${whole(length)} `,
    make("button", { onclick: turn(SPANS), disabled: to === length }, "later ▸"),
  );
}

function listen(app, grid) {
  const { view } = app,
    at = (event) => event.target.dataset?.t,
    moved = pointerMoved();
  /** @type {number | null} */
  let begun = null;
  grid.addEventListener("pointermove", (event) => {
    const t = Number(at(event) ?? NaN);
    if (Number.isNaN(t) || !moved(event)) return;
    if (begun !== null && event.buttons && (t !== begun || view.get("from") !== null))
      view.set({ from: Math.min(begun, t), to: Math.max(begun, t) });
    view.set({ hover: t });
  });
  grid.addEventListener("pointerleave", () => view.set({ hover: null }));
  grid.addEventListener("pointerdown", (event) => {
    begun = at(event) === undefined ? null : Number(at(event));
  });
  grid.addEventListener("click", (event) => {
    const t = at(event),
      marked = view.get("from") !== null && begun !== Number(t);
    begun = null;
    if (t !== undefined && !marked) view.set({ t: Number(t), from: null, to: null });
  });
}

/** A function that tells whether the pointer is elsewhere on the screen than before: a page that scrolls under it is no move. */
function pointerMoved() {
  let last = "";
  const placeOf = ({ screenX, screenY }) => `${screenX} ${screenY}`;
  for (const kind of ["pointerdown", "pointermove"])
    window.addEventListener(kind, (event) => {
      last = placeOf(/** @type {MouseEvent} */ (event));
    });
  return (event) => placeOf(event) !== last;
}

/** Scrolls inside the box alone, never the page. */
function scrollTo(box, span) {
  if (!span) return;
  const top = span.offsetTop,
    left = span.offsetLeft;
  if (left < box.scrollLeft || left > box.scrollLeft + box.clientWidth - 12)
    box.scrollLeft = left - box.clientWidth / 2;
  if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 24) box.scrollTop = top - box.clientHeight / 2;
}
