// Attention as a matrix that follows the pointer: target symbols down, source symbols across; and what each was made of.
import { css, ink, onTheme, rgb } from "./colours.js";
import { draw, make, percent, section, visible } from "./dom.js";

const CELL = 26,
  NAMED = 0.05; // pixels of a cell; share below which a source is not named

export function showAlignment(app) {
  if (app.payload.model.attention === "none") return;
  const found = section(
    "attention",
    "Attention",
    "Where the decoder looks",
    "Every row is a symbol of the target, every column one of the source; the darker a cell, the more of that source symbol was read for this target symbol. Point at a cell, or go from one to the next with the arrow keys.",
  );
  const box = make("div", {
    id: "matrix",
    class: "scroll",
    tabindex: "0",
    "data-grid": true,
    role: "group",
    "aria-label": "Attention",
  });
  const note = make("p", { id: "matrix-note", class: "small", role: "status" }),
    source = make("p", { id: "aligned-source", class: "aligned", "aria-label": "Source" }),
    target = make("p", { id: "aligned-target", class: "aligned", "aria-label": "Target" });
  found.append(make("div", { class: "pair" }, source, target), note, box);
  box.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    app.look({ t: app.at.t + move[0], s: app.at.s + move[1] });
  });
  const paint = () => {
    box.replaceChildren(app.steps.length ? matrix(app) : "");
    mark();
  };
  const mark = () => {
    markMatrix(app, box);
    source.replaceChildren(...coloured(app, app.source, (s) => app.steps[app.at.t]?.shares?.[s] ?? 0, "s"));
    target.replaceChildren(...coloured(app, app.target, (t) => app.steps[t]?.shares?.[app.at.s] ?? 0, "t"));
    note.textContent = sourcesOf(app);
  };
  app.on((what) => (what === "target" ? paint() : mark()));
  onTheme(paint);
}

/** Symbols in a row, each on the colour of its share, the one that is looked at outlined. */
function coloured(app, symbols, share, side) {
  return symbols.map((symbol, k) => {
    const value = share(k),
      style = `background: ${css("gate", value)}; color: ${ink(rgb("gate", value))}`;
    const chosen = app.at[side] === k;
    return make(
      "span",
      { style, class: chosen ? "here" : null, onpointerenter: () => app.look({ [side]: k }) },
      visible(symbol),
    );
  });
}

function matrix(app) {
  const { source, target } = app,
    left = 12 + 9 * Math.max(...target.map((symbol) => visible(symbol).length)),
    longest = Math.max(...source.map((symbol) => visible(symbol).length)),
    top = 14 + 9 * longest,
    width = left + CELL * source.length + 2,
    height = top + CELL * target.length + 2;
  const cells = app.steps.flatMap(({ shares }, t) =>
    Array.from(shares, (share, s) =>
      draw("rect", {
        x: left + CELL * s,
        y: top + CELL * t,
        width: CELL,
        height: CELL,
        fill: css("gate", share),
        onpointerenter: () => app.look({ t, s }),
      }),
    ),
  );
  return draw(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, class: "matrix", role: "img", "aria-label": "Attention, symbol by symbol" },
    ...source.map((symbol, s) =>
      draw(
        "text",
        longest > 1
          ? { transform: `translate(${left + CELL * (s + 0.5)} ${top - 6}) rotate(-90)`, "data-s": s }
          : { x: left + CELL * (s + 0.5), y: top - 12, "text-anchor": "middle", "data-s": s },
        visible(symbol),
      ),
    ),
    ...target.map((symbol, t) =>
      draw("text", { x: left - 6, y: top + CELL * (t + 0.5), "text-anchor": "end", "data-t": t }, visible(symbol)),
    ),
    ...cells,
    draw("rect", { class: "cross", id: "matrix-row", x: left, width: CELL * source.length, height: CELL }),
    draw("rect", { class: "cross", id: "matrix-column", y: top, width: CELL, height: CELL * target.length }),
  );
}

function markMatrix({ at }, box) {
  const row = box.querySelector("#matrix-row"),
    column = box.querySelector("#matrix-column");
  if (!row) return;
  row.setAttribute("y", Number(column.getAttribute("y")) + CELL * at.t);
  column.setAttribute("x", Number(row.getAttribute("x")) + CELL * at.s);
  for (const text of box.querySelectorAll("text"))
    text.classList.toggle("here", Number(text.dataset.t) === at.t || Number(text.dataset.s) === at.s);
}

/** What a target symbol was made of, in words. */
function sourcesOf({ steps, source, target, at }) {
  const step = steps[at.t];
  if (!step) return "";
  const read = Array.from(step.shares, (share, s) => ({ share, s }))
    .filter(({ share }) => share >= NAMED)
    .sort((a, b) => b.share - a.share)
    .map(({ share, s }) => `${visible(source[s])} (${s + 1}) ${percent(share)}`);
  const likely = `probability ${percent(Math.exp(step.logP))}`;
  return `${visible(target[at.t])}, ${likely}, from ${read.join(", ") || "all over the source"}`;
}
