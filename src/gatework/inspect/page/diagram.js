// Section 6: the cell as its equations draw it, with what one unit does in it at one step; and what the unit is good for.
import { css, onTheme } from "./colours.js";
import { draw, figure, make, section } from "./dom.js";
import { readAll } from "./reading.js";
import { sentences, strip } from "./roles.js";
import { unitName } from "./store.js";

const THIN = 1,
  THICK = 8,
  LARGER = 1.35,
  SMALLER = 0.68; // widths of a pipe whose value is 0, and large; the drawing on the page at most, and at least

export function showDiagram(app) {
  const { payload, view } = app;
  if (!payload.cell_svg) return;
  const found = section(
    "cell",
    "Inside the cell",
    "Inside the cell",
    "Drawn from the equations. Memory flows in on the left and out on the right. A valve is open as far as its gate is: shut, nothing passes; open, all does. A pipe is as thick as the value in it is large; purple is positive, orange negative, green what a gate says.",
  );
  const svg = imported(payload.cell_svg);
  svg.style.maxWidth = `${LARGER * svg.viewBox.baseVal.width}px`;
  svg.style.minWidth = `${SMALLER * svg.viewBox.baseVal.width}px`;
  const label = make("p", { class: "small", id: "cell-note" });
  found.append(
    make("div", { class: "diagram scroll", tabindex: "0", role: "region", "aria-label": "Diagram of the cell" }, svg),
    label,
  );
  if (!app.network || !app.reading) return;
  const numbers = labelled(svg),
    values = make("dl", { id: "cell-values", class: "values" }),
    said = make("ul", { id: "gates-said" }),
    over = make("div", { id: "gates-over" });
  found.append(
    values,
    make("h3", null, "What the gates do with it"),
    said,
    make("p", { class: "small" }, stripNote(app)),
    over,
    clampBox(app),
  );
  const { kinds } = app.network.cells[0].program,
    { roles, words } = payload.model,
    overTime = strip(app, roles, words);
  const paint = () => {
    const t = view.now,
      { layer, unit } = view.values;
    if (t >= app.reading.done) return;
    app.reading.again(t);
    const cell = app.network.cells[layer],
      at = (node) => cell.rows[node][Math.min(unit, cell.rows[node].length - 1)];
    for (const pipe of all(svg, "path[data-node]")) {
      const node = Number(pipe.dataset.node);
      paintPipe(pipe, at(node), kinds[node] === "gate");
    }
    all(svg, "[data-gate]").forEach((valve) => {
      const open = Math.min(Math.max(at(Number(valve.dataset.gate)), 0), 1);
      all(valve, ".opening")[0].style.transform = `scaleY(${open.toFixed(3)})`;
      valve.dataset.open = open.toFixed(3);
    });
    for (const [element, text] of numbers)
      text.textContent = figure(at(Number(element.dataset.gate ?? element.dataset.node)));
    label.textContent = `Unit ${unit} of layer l${layer} while it reads ${app.placeName(t)}. Lines from x and h go through matrices: they bring all units together.`;
    values.replaceChildren(
      ...app
        .names(layer)
        .map((name) =>
          make("div", null, make("dt", null, name), make("dd", null, figure(at(cell.names.get(name)), 3))),
        ),
    );
    said.replaceChildren(
      ...(roles.length ? sentences(cell, roles, words, unit) : [anew(cell)]).map((text) => make("li", null, text)),
    );
    over.replaceChildren(...overTime(layer, unit, t));
    app.reading.again(t);
  };
  view.on(["layer", "unit", "t", "hover", "done", "reading"], paint);
  onTheme(paint);
  paint();
}

const stripNote = ({ payload: { model } }) =>
  model.roles.some(({ exact }) => !exact)
    ? "The same over time, a row for each gate: full where it is open, empty where it is shut."
    : "";

/** What is said of a cell without gates and without a value that is kept. */
const anew = ({ program: { states } }) =>
  `${states.map(({ name }) => name).join(" and ")} ${states.length > 1 ? "are" : "is"} made anew at each step: what was there reaches it through a matrix and a squashing alone, so that nothing is kept as it is.`;

/** The drawing, out of the payload into the page. */
/** @returns {SVGSVGElement} */
function imported(text) {
  const parsed = new DOMParser().parseFromString(Array.isArray(text) ? text[0] : text, "image/svg+xml").documentElement;
  return /** @type {any} */ (document.importNode(parsed, true));
}

/** @returns {SVGElement[]} */
const all = (part, selector) => [...part.querySelectorAll(selector)];

function paintPipe(pipe, value, gate) {
  if (!["pipe", "memory"].includes(pipe.dataset.role)) return;
  const size = Math.abs(Math.tanh(value));
  pipe.style.strokeWidth = (THIN + (THICK - THIN) * size).toFixed(2);
  pipe.style.stroke = gate ? css("gate", 1) : css("heat", value < 0 ? 0.08 : 0.92);
  pipe.style.opacity = (0.35 + 0.65 * size).toFixed(2);
}

/** A place for a number beside every valve and state. */
function labelled(svg) {
  return [...svg.querySelectorAll('[data-role="valve"], [data-time="old"], [data-time="new"]')].map((element) => {
    const box = element.querySelector("path, text"),
      text = draw("text", { class: "number" });
    const place =
      box.tagName === "text"
        ? [Number(box.getAttribute("x")), Number(box.getAttribute("y")) + 17]
        : besideValve(svg, box.getAttribute("d"));
    text.setAttribute("x", place[0]);
    text.setAttribute("y", place[1]);
    svg.append(text);
    return [element, text];
  });
}

const numbersIn = (path) => path.match(/-?[\d.]+/g).map(Number);

/** Above the middle of a valve, or below it where the line of its gate comes down on it. */
function besideValve(svg, outline) {
  const [x, top, bottom, right] = numbersIn(outline),
    middle = (x + right) / 2,
    height = (top + bottom) / 2;
  const pieces = [...svg.querySelectorAll("path[data-node]")].flatMap((line) =>
    line.getAttribute("d").split("M").slice(1),
  );
  const fromAbove = pieces.map(numbersIn).some((points) => {
    const [beforeY, endX, endY] = points.slice(-3);
    return Math.abs(endX - middle) < 1 && Math.abs(endY - height) < 12 && beforeY < endY;
  });
  return [middle, fromAbove ? Math.max(top, bottom) + 13 : Math.min(top, bottom) - 5];
}

/** Holds a unit at its mean, reads the text once more, and says what that does to the bits. */
function clampBox(app) {
  const { view } = app,
    result = make("output", { id: "clamp-result" });
  const names = () => app.network.cells[view.get("layer")].program.states.map((state) => state.name);
  const hold = make("button", { id: "clamp" }),
    letGo = make("button", { id: "let-go", hidden: true }, "Let all go");
  const target = () => {
    const { layer, name, unit } = view.values;
    return { layer, name: names().includes(name) ? name : names().at(-1), unit };
  };
  const label = () => {
    hold.textContent = `Hold ${unitName(target())} at its mean and read again`;
  };
  hold.onclick = () => view.set({ held: unitName(target()) });
  letGo.onclick = () => view.set({ held: "" });
  const update = () =>
    rerun(app, result).then(() => {
      letGo.hidden = !view.get("held");
    });
  view.on(["layer", "name", "unit"], label);
  view.on(["held"], update);
  view.on(
    ["done"],
    () => app.read0 === app.reading && app.read0.done === app.read0.length && view.get("held") && update(),
  );
  label();
  return make(
    "div",
    { class: "clamp" },
    make("h3", null, "Is the unit of use?"),
    make("p", { class: "buttons" }, hold, letGo),
    result,
  );
}

async function rerun(app, result) {
  const held = app.parse(app.view.get("held"));
  if (!held) {
    result.textContent = "";
    return app.show(app.read0);
  }
  const before = app.read0;
  if (before.done < before.length) return;
  const mean = before.mean(held.layer, held.name, held.unit),
    name = unitName(held);
  const again = app.readingOf(before.inputs, before.pieces, before.first, before.warm);
  again.held = [{ ...held, value: mean }];
  const wanted = () => app.view.get("held") === name && app.read0 === before;
  const ended = await readAll(
    again,
    (share) => {
      result.textContent = `Reading again with ${name} held at ${figure(mean)}: ${Math.round(100 * share)} %`;
    },
    wanted,
  );
  if (!ended) return;
  app.show(again);
  if (!app.network.head)
    return void (result.textContent = `${name} is held at ${figure(mean)}; the sections above show the network so.`);
  const [was, is] = [before.bits(), again.bits()];
  result.textContent =
    `With ${name} held at ${figure(mean)} the network needs ${figure(is, 4)} bits per character here instead of ${figure(was, 4)}: ` +
    `${Math.abs(is - was) < 5e-5 ? "no difference" : `${figure(Math.abs(is - was), 4)} ${is > was ? "worse" : "better"}`}. The sections above show it so until you let go.`;
}
