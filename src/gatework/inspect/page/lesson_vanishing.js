// Lesson 3: a factor to the power of the steps, beside the gradients of an RNN, a GRU and an LSTM, and what clipping does.
import { figure, make, section, table, whole } from "./dom.js";
import { changedNetwork, measuredFlow } from "./flow.js";
import { curveKeys, curvesOver, inWords, lessonSteps, slider, soon } from "./lesson_parts.js";

const LINES = ["third", "second", "first"], // how an RNN, a GRU and an LSTM are drawn
  LEAST_SHARE_DRAWN = 1e-12,
  MOST_SHARE_DRAWN = 1e9,
  LEAST_ADDED = 1e-10,
  MOST_ADDED = 1e8,
  CLIP_AT = 1, // the length of a gradient, as `gatework train` clips it
  RATE = 0.1, // of learning
  FARTHER = 50, // steps back, from which on a part of the update is looked at
  COMMON = 1 / (1 + Math.exp(-1)), // how far a bias of 1 opens a gate
  GONE = 1e-3; // of a gradient, at which it has vanished, and its inverse at which it has exploded

/** networks: shipped ones of one layer, of as many units each, by name; noise: {x [K+1][I], loss [H]}, what they read. */
export function showVanishing(networks, noise, number = "") {
  const found = section(
    "lesson-vanishing",
    `${number}Vanishing and exploding`,
    `${number}Vanishing and exploding: a gradient over a hundred steps`,
    "To learn from what was read a hundred steps ago, a gradient has to come back through a hundred steps, and each of them multiplies it. A factor a little below 1 leaves nothing of it, one a little above 1 makes it huge.",
  );
  const parts = {
    lags: noise.x.length - 1,
    power: make("p", { id: "power-said", "aria-live": "polite" }),
    flows: make("div", { class: "lesson-picture" }),
    said: make("p", { id: "vanishing-said", "aria-live": "polite" }),
    updates: make("div", { class: "lesson-picture" }),
    clipped: make("p", { id: "clipping-said", "aria-live": "polite" }),
    why: make("p", { id: "vanishing-why" }),
  };
  const controls = vanishingControls(networks, noise, soon(measure), update);
  let measured = [];
  found.append(vanishingSteps(networks, controls, parts));
  function measure() {
    const setting = { scale: controls.scale.value(), bias: controls.bias.value(), beyond: FARTHER };
    measured = Object.entries(networks).map(([name, shipped]) => ({ name, shipped, ...measuredFlow(shipped, noise, setting) }));
    update();
  }
  function update() {
    showMeasured(parts, measured, {
      ...{ factor: controls.factor.value(), scale: controls.scale.value(), bias: controls.bias.value() },
      clips: controls.clips.checked,
    });
  }
  measure();
}

/** What is moved; `measures` runs the networks anew, `draws` shows what is known of them. */
function vanishingControls(networks, { x }, measures, draws) {
  const biases = Object.entries(networks).flatMap(([name, shipped]) => {
    const { bias } = changedNetwork(shipped, x, 1);
    return bias ? [`${bias.name} of the ${name.toUpperCase()}`] : [];
  });
  return {
    factor: slider({ id: "lesson-factor", label: "Factor of the grey line", min: 0.8, max: 1.2, step: 0.01, value: 0.9, changed: draws }),
    scale: slider({
      ...{ id: "lesson-scale", label: "Recurrent matrices: rotations times", min: 0.5, max: 2.5, step: 0.1, value: 1 },
      changed: measures,
    }),
    bias: slider({
      ...{ id: "lesson-keeping-bias", label: `Bias of the gate that keeps, ${biases.join(" and ")}`, min: -2, max: 6 },
      ...{ step: 0.5, value: 4, changed: measures },
    }),
    clips: make("input", { id: "lesson-clips", type: "checkbox", onchange: draws }),
  };
}

function vanishingSteps(networks, { factor, scale, bias, clips }, { lags, power, flows, said, updates, clipped, why }) {
  const [first] = Object.values(networks),
    program = first.model.layers[0].directions[0].program;
  return lessonSteps(
    [
      make("p", null, `0.9 multiplied by itself ${lags} times is ${amountOf(0.9 ** lags)}, and 1.1 is ${amountOf(1.1 ** lags)}. Below, the dashed grey line is the powers of a factor that you move.`),
    ],
    [
      make("pre", null, program.lines.join("\n")),
      make("p", null, `Back through a step of a plain RNN a gradient is multiplied by its recurrent matrix and by the slope of tanh, 1 or less (Bengio, Simard & Frasconi 1994). Three networks of ${first.model.hidden} units, at the start of training, read the same ${lags + 1} random inputs, and a loss weighs their last output. Their recurrent matrices only turn a vector; the second slider makes it longer or shorter too. Move what they are made of: they run, and the gradients come back, as you do.`),
      make("div", { class: "sliders" }, factor.element, scale.element, bias.element),
      flows,
      power,
      said,
    ],
    [
      make("p", null, `The gradient by the weights is the sum of what each step adds. Clipping divides it by its length where that is over ${CLIP_AT}, and keeps its direction (Pascanu, Mikolov & Bengio 2013). An update much longer than the weights themselves would throw away what they have learnt.`),
      make("label", { class: "switch" }, clips, ` Clip the gradient at a length of ${CLIP_AT}`),
      updates,
      clipped,
    ],
    [why],
  );
}

function showMeasured({ lags, power, flows, said, updates, clipped, why }, measured, setting) {
  const { factor, clips } = setting;
  power.textContent = `${figure(factor)}^${lags} = ${amountOf(factor ** lags)}.`;
  flows.replaceChildren(drawFlows(measured, factor, lags), keysOfFlows(measured));
  said.textContent = flowsInWords(measured, lags, setting);
  updates.replaceChildren(drawAdded(measured, clips), curveKeys(measured.map(({ name }, k) => [LINES[k], name.toUpperCase()])), tableOfUpdates(measured));
  clipped.textContent = clippingInWords(measured, clips);
  why.textContent = whyItIsKept(measured, lags, setting);
}

function drawFlows(measured, factor, lags) {
  const powers = Array.from({ length: lags + 1 }, (_, k) => factor ** k),
    label = measured.map(({ name, flow }) => `${name.toUpperCase()} ${amountOf(flow[lags])}`).join(", ");
  return captioned(
    "How much of the gradient is left, by the state some steps back",
    curvesOver(
      [
        { name: "fourth dashed", values: powers },
        ...measured.flatMap(({ along }, k) => (along ? [{ name: `${LINES[k]} dashed`, values: along }] : [])),
        ...measured.map(({ flow }, k) => ({ name: LINES[k], values: flow })),
      ],
      {
        label: `Share of the gradient by the state over ${lags} steps back: ${label}; ${figure(factor)}^${lags} is ${amountOf(factor ** lags)}.`,
        ...{ xTitle: "steps back", yTitle: "share of the gradient", log: true },
        ...{ low: LEAST_SHARE_DRAWN, high: MOST_SHARE_DRAWN },
      },
    ),
  );
}

const keysOfFlows = (measured) =>
  curveKeys([
    ...measured.map(({ name }, k) => [LINES[k], name.toUpperCase()]),
    ...measured.flatMap(({ name, along }, k) => (along ? [[`${LINES[k]} dashed`, `${name.toUpperCase()}, through the gates that keep alone`]] : [])),
    ["fourth dashed", "powers of the factor"],
  ]);

function drawAdded(measured, clips) {
  const values = ({ added, whole: length }) => added.map((each) => each * updateOf(length, clips) / length);
  return captioned(
    `What each step adds to the update, ${clips ? "clipped" : "not clipped"}`,
    curvesOver(
      measured.map((each, k) => ({ name: LINES[k], values: values(each) })),
      {
        label: `Length of what each step adds to the update: ${measured.map((each) => `${each.name.toUpperCase()} ${amountOf(values(each)[0])} at the last step, ${amountOf(values(each).at(-1) ?? 0)} at the first`).join("; ")}.`,
        ...{ xTitle: "steps back", yTitle: "length", log: true, low: LEAST_ADDED, high: MOST_ADDED },
      },
    ),
  );
}

const captioned = (text, svg) => make("figure", null, make("figcaption", { class: "small" }, text), svg);

/** The length of the update that a gradient of a length makes. */
const updateOf = (length, clips) => RATE * (clips ? Math.min(length, CLIP_AT) : length);

const tableOfUpdates = (measured) =>
  table(
    `The update at a learning rate of ${RATE}`,
    ["network", "length", "length, clipped", `part from ${FARTHER} and more steps back`, "length of the weights"],
    measured.map(({ name, whole: length, far, size }) => [
      name.toUpperCase(),
      ...[updateOf(length, false), updateOf(length, true)].map(amountOf),
      ...[far / length, size].map(amountOf),
    ]),
  );

function flowsInWords(measured, lags, { scale }) {
  const each = measured.map(({ name, flow }) => {
    const left = flow[lags];
    return `The ${name.toUpperCase()}'s gradient ${lags} steps back is ${amountOf(left)} times what it is at the last step, a factor of ${figure(left ** (1 / lags))} a step${fate(left)}.`;
  });
  return `${each.join(" ")} A step of the RNN multiplies by ${figure(scale, 1)} at most, and by less where tanh is flat.`;
}

function fate(left) {
  if (left < GONE) return ": it vanishes";
  return left > 1 / GONE ? ": it explodes" : "";
}

function clippingInWords(measured, clips) {
  const over = measured.filter(({ whole: length }) => length > CLIP_AT);
  const lengths = over.map(({ name, whole: length }) => `that of the ${name.toUpperCase()} from ${amountOf(updateOf(length, false))} to ${amountOf(updateOf(length, true))}`);
  const shortened = over.length ? `${clips ? "It shortens" : "It would shorten"} the update: ${lengths.join(", ")}` : `No gradient is longer than ${CLIP_AT}, so it changes nothing`;
  const [{ name, whole: length, far }] = measured;
  return `Clipping is ${clips ? "on" : "off"}. ${shortened}. What comes from ${FARTHER} and more steps back is ${amountOf(far / length)} times as long as the ${name.toUpperCase()}'s whole update, clipped or not: a shorter arrow points the same way. So clipping helps against exploding, and does nothing against vanishing.`;
}

/** What the gate that keeps does, of the last of the networks, which has one. */
function whyItIsKept(measured, lags, { bias, scale }) {
  const { name, shipped, along, kept } = measured[measured.length - 1],
    { roles, words } = shipped.model,
    { gate_text, target } = roles.find(({ kind }) => kind === "keeps"),
    gate = inWords(gate_text, words);
  return `Why the ${name.toUpperCase()} can keep it: along its ${inWords(target, words)} there is no matrix and no squashing. What a step multiplies by there is the ${gate}, ${figure(kept, 3)} on the mean with a bias of ${figure(bias, 1)}, and ${lags} steps leave ${amountOf(along[lags])} (dashed). Hochreiter & Schmidhuber (1997) made this factor 1 for that reason; Gers, Schmidhuber & Cummins (2000) made it a gate. Move the bias to 1, a common start: alone it opens the gate to ${figure(COMMON)}, and ${figure(COMMON)}^${lags} is ${amountOf(COMMON ** lags)}, too little for so long a lag. The other way back, through the hidden state and the gates, has matrices in it, here rotations times ${figure(scale, 1)}: a gradient can explode in an LSTM too, so its training is clipped as well.`;
}

/** A number of any size, for people: 0.0000266, 13,781, 2.9e−9. */
function amountOf(value) {
  if (value === 0) return "0";
  if (value < 1e-6 || value >= 1e6) return value.toExponential(1).replace("e+", "e").replace("-", "−");
  return value >= 100 ? whole(Math.round(value)) : String(Number(value.toPrecision(3)));
}
