// Lesson 2: the bias of the gate that keeps, and how long units remember with it.
import { conveyorOf } from "./conveyor.js";
import { figure, make, section } from "./dom.js";
import { capitalised, curveKeys, curvesOver, inWords, lessonSteps, slider, soon } from "./lesson_parts.js";
import { keepingBias, measuredReach, middleOf, withBias } from "./reach.js";

const LEAST_BIAS = -2,
  MOST_BIAS = 4,
  FIRST_BIAS = 1,
  LEAST_FLOW = 1e-6, // of a gradient that is drawn
  LIFE_MOST = 1000; // steps that are drawn

/** subject: as of the first lesson, with model and tensor. */
export function showBias(subject, number = "") {
  const { network, roles, words, ids, first, at } = subject,
    conveyor = conveyorOf(network, roles, at.layer, network.embed(ids[0]), first),
    bias = conveyor && keepingBias(network.cells[at.layer], conveyor),
    gate = (bias && words[bias.gate]) ?? "forget gate";
  const found = section(
    "lesson-bias",
    `${number}The bias of the ${gate}`,
    `${number}The bias of the ${gate}: how long a memory lasts`,
    "Before its sigmoid a gate adds up what it reads, what the state says, and a bias. The bias is what it does when nothing speaks for or against.",
  );
  if (bias) moveBias(found, subject, conveyor, bias);
  else found.append(make("p", null, "No gate of this cell that keeps a state has a bias to move."));
}

/** The lesson where there is such a bias. */
function moveBias(found, subject, conveyor, bias) {
  const { network, words, at } = subject,
    cell = network.cells[at.layer],
    measured = (value) => withBias(cell, bias, value, () => measuredReach(subject, at.layer, conveyor)),
    trained = measured(null);
  const picture = make("div", { class: "lesson-picture" }),
    said = make("p", { id: "bias-said", "aria-live": "polite" }),
    control = slider({
      ...{ id: "lesson-bias-slider", label: `${bias.name} of all units`, min: LEAST_BIAS, max: MOST_BIAS, step: 0.25 },
      value: FIRST_BIAS,
      changed: soon(update),
    });
  found.append(
    lessonSteps(
      [make("p", null, biasInWords(bias, conveyor, words))],
      [
        make(
          "p",
          null,
          "Move the bias. The network runs with it on the same text, and all is measured anew: the half-life of each unit, and how strongly a prediction depends on what was read some steps before.",
        ),
        make("div", { class: "sliders" }, control.element),
        picture,
        said,
      ],
      [make("p", null, adviceOnBias(bias, conveyor, words))],
    ),
  );
  function update() {
    const now = measured(control.value());
    picture.replaceChildren(drawLives(trained, now), drawFlow(trained, now), keysOfBoth());
    said.textContent = livesInWords(trained, now, bias, control.value());
  }
  update();
}

const shareAt = (value) => figure(1 / (1 + Math.exp(-value)));

function biasInWords({ name, gate, rises }, { target }, words) {
  const what = rises ? `is kept of ${inWords(target, words)}` : `of ${inWords(target, words)} is replaced`;
  return `${name} is the bias of ${inWords(gate, words)}, which says how much ${what}. Alone, a bias of −2 opens the gate to ${shareAt(-2)}, 0 to ${shareAt(0)}, 4 to ${shareAt(4)}. What is kept at each step multiplies: 0.5 ten times is 0.001, 0.98 ten times is 0.82.`;
}

function adviceOnBias({ name, rises }, { target }, words) {
  return `That is why ${name} starts at ${rises ? "1 or more" : "a negative number"} in many trainings (Gers, Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever 2015): a gradient that dies within three steps cannot teach ${inWords(target, words)} to keep anything for thirty. Training then closes the gate where forgetting pays.`;
}

function drawLives(trained, now) {
  const sorted = ({ lives }) => [...lives].sort((a, b) => a - b).map((life) => Math.max(Math.min(life, LIFE_MOST), 0.1));
  const svg = curvesOver(
    [
      { name: "first dashed", values: sorted(trained) },
      { name: "first", values: sorted(now) },
    ],
    {
      label: `Half-lives of the units in order: ${lifeFigure(middleOf(now.lives))} steps in the middle, ${lifeFigure(middleOf(trained.lives))} as trained.`,
      ...{ xTitle: "units, in order of their half-life", yTitle: "half-life, steps", log: true, low: 0.1, high: LIFE_MOST },
    },
  );
  return make("figure", null, make("figcaption", { class: "small" }, "How long the units remember"), svg);
}

function drawFlow(trained, now) {
  const svg = curvesOver(
    [
      { name: "first dashed", values: trained.flow },
      { name: "first", values: now.flow },
    ],
    {
      label: `Gradient of a prediction by what was read: 90 % from the last ${figure(now.reach, 0)} steps, as trained from the last ${figure(trained.reach, 0)}.`,
      ...{ xTitle: "steps back", yTitle: "share of the gradient", log: true, low: LEAST_FLOW, high: 10 },
    },
  );
  return make("figure", null, make("figcaption", { class: "small" }, "How far back a prediction's gradient reaches"), svg);
}

const keysOfBoth = () =>
  curveKeys([
    ["first", "with this bias"],
    ["first dashed", "as trained"],
  ]);

const lifeFigure = (life) => (life > LIFE_MOST ? `over ${LIFE_MOST}` : figure(life, 1));

function livesInWords(trained, now, { name }, value) {
  const farthest = ({ flow }) => figure(100 * (flow.at(-1) ?? 0), 4);
  return `${capitalised(name)} = ${figure(value)}: the middle unit forgets half within ${lifeFigure(middleOf(now.lives))} steps (as trained ${lifeFigure(middleOf(trained.lives))}). 90 % of a prediction's gradient comes from the last ${figure(now.reach, 0)} steps (${figure(trained.reach, 0)}); ${now.flow.length - 1} steps back ${farthest(now)} % of it is left (${farthest(trained)} %).`;
}
