// Lesson 1: a unit's gates held from a step on, and its state on the conveyor.
import { conveyorOf, ride } from "./conveyor.js";
import { figure, make, percent, section } from "./dom.js";
import { capitalised, curveKeys, curvesOver, extent, inWords, lessonSteps, readText, slider } from "./lesson_parts.js";

const RIDE = 48, // steps that are read
  BOARDED = 12; // the step from which the gates are held at first

/** subject: {network, ids, pieces, first, roles, words, at: {layer, unit}, units, follow}. */
export function showConveyor(subject, number = "") {
  const { network, roles, ids, first, at } = subject,
    conveyor = conveyorOf(network, roles, at.layer, network.embed(ids[0]), first);
  const found = section(
    "lesson-conveyor",
    `${number}The conveyor`,
    `${number}The conveyor: why a memory lasts`,
    "A gate is a number between 0, shut, and 1, open, and what it stands before is multiplied by it. Here you take hold of gates and see what the memory does.",
  );
  if (conveyor) takeHold(found, subject, conveyor);
  else found.append(make("p", null, noConveyor(network.cells[at.layer])));
}

/** The lesson where there is a conveyor. */
function takeHold(found, subject, conveyor) {
  const { network, words, at } = subject,
    cell = network.cells[at.layer],
    picture = make("div", { class: "lesson-picture" }),
    said = make("p", { id: "conveyor-said", "aria-live": "polite" }),
    { unit, from, gates } = controlsOf(subject, conveyor, update),
    lines = cell.program.lines.filter((text) => [conveyor.target, cell.program.output].includes(text.split(" ")[0]));
  found.append(
    lessonSteps(
      [make("pre", null, lines.join("\n")), make("p", null, equationInWords(conveyor, cell, words))],
      [
        make("p", null, "Hold the gates of one unit from a step on. At first they stand so that all is kept and nothing written."),
        make(
          "div",
          { class: "sliders" },
          make("label", null, "Unit ", unit),
          from.element,
          ...gates.map(({ control }) => control.element),
        ),
        picture,
        said,
      ],
      [make("p", null, tryIt(conveyor, words))],
    ),
  );
  function update() {
    const chosen = Math.trunc(Number(unit.value)) || 0,
      place = { layer: at.layer, unit: Math.min(Math.max(chosen, 0), subject.units - 1) },
      start = from.value(),
      holds = gates.map(({ node, control }) => ({ node, value: control.value() }));
    const free = ride(subject, place, conveyor, [], start, RIDE),
      held = ride(subject, place, conveyor, holds, start, RIDE);
    picture.replaceChildren(...drawRide(subject, conveyor, cell, free, held, start));
    said.textContent = rideInWords(conveyor, cell, words, free, held, start);
  }
  subject.follow?.((chosen) => {
    unit.value = String(chosen);
    update();
  });
  update();
}

/** What is moved: the unit, the step from which its gates are held, and a slider for each of them. */
function controlsOf(subject, conveyor, changed) {
  const value = subject.at.unit ?? liveliest(subject, conveyor),
    last = Math.min(RIDE, subject.ids.length) - 2;
  return {
    unit: make("input", { id: "lesson-unit", type: "number", min: 0, max: subject.units - 1, value, oninput: changed }),
    from: slider({
      ...{ id: "lesson-from", label: "From step", min: 0, max: last, step: 1, value: Math.min(BOARDED, last) },
      shown: (step) => figure(step, 0),
      changed,
    }),
    gates: conveyor.holds.map(({ node, name, value }) => {
      const label = `Hold ${inWords(name, subject.words)} at`;
      return { node, control: slider({ id: `lesson-gate-${name}`, label, min: 0, max: 1, step: 0.01, value, changed }) };
    }),
  };
}

/** The unit that shows most: its output moves while its state stands still, and the state moves where it is let go. */
function liveliest(subject, conveyor) {
  const moves = Array.from({ length: subject.units }, (_, unit) => {
    const [free, held] = [[], conveyor.holds].map((holds) =>
      ride(subject, { layer: subject.at.layer, unit }, conveyor, holds, BOARDED, RIDE),
    );
    const [low, high] = extent(held.output.slice(BOARDED)),
      [least, most] = extent(free.state.slice(BOARDED));
    return Math.min(high - low, most - least) / (1 + Math.max(-least, most));
  });
  return moves.indexOf(Math.max(...moves));
}

const noConveyor = ({ program: { output } }) =>
  `This cell has no gates at which a state stands still: ${output} is made anew at each step, by a matrix and a squashing, so there is no conveyor to stand on. The lesson works on an LSTM or a GRU, and on those that gatework learn opens.`;

function equationInWords({ target, keeps, writes, shows }, cell, words) {
  const by = (role) => (role.exact ? "no gate" : inWords(role.gate_text, words));
  const parts = [
    `${capitalised(by(keeps))} says how much of ${inWords(target, words)} is kept from the step before`,
    ...writes.map((role) => `${by(role)} how much of ${inWords(role.value_text, words)} is written`),
  ];
  const shown = shows
    ? ` ${capitalised(by(shows))} says how much is shown outside, as ${inWords(cell.program.output, words)}.`
    : ` There is no gate between ${inWords(target, words)} and what is shown outside.`;
  return `${parts.join(", and ")}.${shown}`;
}

function drawRide(subject, { target, shows }, cell, free, held, start) {
  const { words } = subject,
    { output } = cell.program,
    apart = output !== target;
  const all = [...free.state, ...held.state, ...(apart ? held.output : []), ...held.shown],
    [least, most] = extent([...all, -0.1, 0.1]);
  const curves = [
    { name: "first dashed", values: free.state },
    { name: "first", values: held.state },
    ...(apart ? [{ name: "second", values: held.output }] : []),
    ...(shows ? [{ name: "third dashed", values: held.shown }] : []),
  ];
  const last = held.state.length - 1;
  return [
    curvesOver(curves, {
      label: `${inWords(target, words)} over ${last + 1} steps, its gates held from step ${start} on: ${figure(held.state[start])} there, ${figure(held.state[last])} at the end; without that ${figure(free.state[last])}.`,
      xTitle: "step",
      yTitle: "value",
      low: least,
      high: most,
    }),
    curveKeys([
      ["first", `${inWords(target, words)} with the gates held`],
      ["first dashed", `${inWords(target, words)} as the network had it`],
      ...(apart ? [["second", `${inWords(output, words)} with the gates held`]] : []),
      ...(shows ? [["third dashed", inWords(shows.gate_text, words)]] : []),
    ]),
    readText(subject.pieces.slice(0, held.state.length), start),
  ];
}

function rideInWords({ target, shows }, cell, words, free, held, start) {
  const state = held.state.slice(start),
    [least, most] = extent(state),
    steps = state.length - 1,
    last = state[steps],
    name = inWords(target, words),
    kept = held.kept.slice(start + 1).reduce((whole, share) => whole * share, 1);
  const moved = most - least < 1e-9 ? `stands still at ${figure(last)} for ${steps} steps` : `goes from ${figure(state[0])} to ${figure(last)} in ${steps} steps`;
  const path = kept > 1 - 1e-9 ? "all" : percent(kept);
  const parts = [
    `${capitalised(name)} ${moved}; left to the network it would end at ${figure(free.state.at(-1))}.`,
    `Of what it held at step ${start}, ${path} is left, and the same share of a gradient comes back along this path.`,
  ];
  if (cell.program.output !== target) parts.push(outputInWords(shows, cell, words, held, start));
  return parts.join(" ");
}

function outputInWords(shows, cell, words, held, start) {
  const [low, high] = extent(held.output.slice(start)),
    name = inWords(cell.program.output, words);
  const by = shows ? `, as ${inWords(shows.gate_text, words)} opens and shuts between ${extent(held.shown.slice(start)).map((v) => figure(v)).join(" and ")}` : "";
  return `Meanwhile ${name} moves between ${figure(low)} and ${figure(high)}${by}.`;
}

function tryIt({ holds, target }, words) {
  const [{ name, value }] = holds,
    gate = inWords(name, words);
  return `Move ${gate} to ${value ? "0.90" : "0.10"}: a tenth of ${inWords(target, words)} is lost at each step, and after twenty steps 0.9 to the 20th, 12 %, is left. A plain recurrent network has no such gate: its state goes through a matrix at every step.`;
}
