// Two runs on the same text: how surprised each was by every character, one strip above the other.
import { onTheme, token } from "./colours.js";
import { figure, make, section, visible } from "./dom.js";

const STRIP = 46,
  MOST_SHOWN = 10, // pixels; bits
  LISTED = 8,
  APART = 20; // places listed, and steps between them

export function showComparison(app) {
  const {
    payload: { other, title },
    view,
  } = app;
  if (!other) return;
  const found = section(
    "compare",
    "Comparison",
    "Beside another run",
    `The same text read by ${title} and by ${other.title}. Long bars: surprised. Where only one of the two has a long bar, it lacks something that the other has learnt.`,
  );
  if (!other.surprise || !app.own) return;
  const canvas = make("canvas", { id: "strips", role: "img" }),
    note = make("p", { class: "small", id: "compare-note" });
  const worst = make("ol", { class: "hits", id: "differences" });
  found.append(
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Surprise strips" }, canvas),
    note,
    make("h3", null, "Where they differ most"),
    worst,
  );
  const goTo = (t) => {
    if (app.typed) app.lookBack();
    view.set({ t: Math.min(t, app.own.length - 1), hover: null });
    app.showText();
  };
  const update = () => {
    const reading = readingOf(app);
    paintStrips(reading, view.get("t"), canvas, other);
    const mean = average(other.surprise.slice(0, reading.done));
    note.textContent = `Upper strip: ${title}, ${figure(reading.bits())} bits per character here. Lower strip: ${other.title}, ${figure(mean)}.`;
    canvas.setAttribute("aria-label", note.textContent);
    worst.replaceChildren(
      ...differences(reading, other).map(([t, gap]) =>
        make(
          "li",
          null,
          make("button", { onclick: () => goTo(t) }, context(reading, t)),
          ` ${gap > 0 ? other.title : title} was surprised by ${figure(Math.abs(gap), 1)} bits more`,
        ),
      ),
    );
  };
  canvas.addEventListener("click", (event) => goTo(Math.floor(event.offsetX / 3)));
  view.on(["done", "t", "reading"], update);
  onTheme(update);
  update();
}

/** The text that both have read, with a unit held where one is; not what was typed. */
const readingOf = (app) => (app.typed ? app.own : app.reading);

function average(values) {
  const known = values.filter(Number.isFinite);
  return known.reduce((a, b) => a + b, 0) / known.length;
}

function paintStrips(reading, here, canvas, other) {
  canvas.width = reading.length * 3;
  canvas.height = 2 * STRIP + 4;
  const pen = canvas.getContext("2d");
  pen.fillStyle = token("--here");
  pen.fillRect(here * 3, 0, 3, canvas.height);
  [
    [reading.surprise, token("--surprise"), 0],
    [other.surprise, token("--second"), STRIP + 4],
  ].forEach(([values, colour, top]) => {
    pen.fillStyle = colour;
    for (let t = 0; t < reading.done; t++) {
      const tall = Math.min((values[t] ?? 0) / MOST_SHOWN, 1) * STRIP;
      if (tall > 0) pen.fillRect(t * 3, top + STRIP - tall, 2, tall);
    }
  });
}

/** The places where the two differ most, one of each stretch. */
function differences(reading, other) {
  const gaps = [];
  for (let t = 1; t < reading.done; t++) {
    const gap = other.surprise[t] - reading.surprise[t];
    if (Number.isFinite(gap)) gaps.push([t, gap]);
  }
  const found = [];
  for (const [t, gap] of gaps.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])))
    if (found.length < LISTED && found.every(([place]) => Math.abs(place - t) >= APART)) found.push([t, gap]);
  return found;
}

const context = (reading, t) =>
  `${reading.pieces
    .slice(Math.max(0, t - 16), t)
    .map(visible)
    .join("")}▸${visible(reading.pieces[t])}`;
