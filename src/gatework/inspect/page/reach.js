// How long units remember and how far back a gradient reaches, measured by running the network with a bias of its gate changed.
import { gatesOf } from "./conveyor.js";
import { Influence, reachOf } from "./influence.js";
import { amounts } from "./roles.js";

const WITHIN_SUMS = ["add", "sub", "neg"],
  LIVED = 200, // steps that half-lives are means over
  LAGS_BACK = 60, // steps that a gradient is followed
  FLOW_PLACES = 6, // of the text, over which a median is taken
  AFFORDABLE = 2e5, // weights of a network that is asked at all of them
  MOST_OF_IT = 0.9, // of the sum of a gradient's sizes
  LEAST_SHARE = 1e-12; // of a memory, so that its logarithm is a number

/** The bias of the gate that keeps a state, {node, name, gate, rises}: rises tells whether more of it keeps more; or null. */
export function keepingBias(cell, { keeps, holds }) {
  for (const node of gatesOf(cell, [keeps])) {
    const bias = vectorUnder(cell, cell.nodes[node].args[0]);
    if (bias === null) continue;
    const hold = holds.find((each) => each.node === node);
    return { node: bias, name: cell.nodes[bias].name, gate: hold.name, rises: hold.value === 1 };
  }
  return null;
}

/** The vector that is added in a sum; null where there is none. */
function vectorUnder(cell, node) {
  const { op, args } = cell.nodes[node];
  if (op === "vector") return node;
  if (!WITHIN_SUMS.includes(op)) return null;
  return args.map((arg) => vectorUnder(cell, arg)).find((each) => each !== null) ?? null;
}

/** Does something while all units of a cell have the same bias, or their own where it is null. */
export function withBias(cell, { node }, value, work) {
  const own = cell.rows[node].slice();
  if (value !== null) cell.rows[node].fill(value);
  const made = work();
  cell.rows[node].set(own);
  return made;
}

/**
 * lives: of each unit ln(1/2) / mean(ln a), a being the share that its state keeps at a step, Infinity where nothing is
 * lost. flow: |d log p(x_(t+1)) / d x_(t-k)| by k, relative to k = 0, the median over places; reach: the k, counted from 1,
 * that hold 90 % of their sum.
 */
export function measuredReach({ network, model, tensor, ids, first }, layer, conveyor) {
  const cell = network.cells[layer],
    steps = Math.min(LIVED, ids.length - 1),
    sums = new Float64Array(cell.value(conveyor.target).length),
    states = [first];
  for (let t = 0; t < steps; t++) {
    states.push(network.step(network.embed(ids[t]), states[t]).state);
    for (let unit = 0; unit < sums.length; unit++)
      sums[unit] += Math.log(Math.max(Math.abs(amounts(cell, conveyor.keeps, unit).share), LEAST_SHARE));
  }
  const lives = [...sums].map((sum) => (sum < 0 ? (Math.log(0.5) * steps) / sum : Infinity));
  const influence = new Influence(model, network, tensor),
    flows = placesIn(steps, model, tensor).map((t) => flowBack(influence, network, ids, states, t));
  const relative = flows.map((flow) => flow.map((size) => size / Math.max(flow[0], LEAST_SHARE)));
  const lags = Math.min(...flows.map(({ length }) => length));
  return {
    lives,
    flow: Array.from({ length: lags }, (_, k) => middleOf(relative.map((flow) => flow[k]))),
    reach: middleOf(flows.map((flow) => reachOf([...flow].reverse(), MOST_OF_IT))),
  };
}

/** Steps of which the gradient is followed: fewer of a large network. */
function placesIn(steps, { layers }, tensor) {
  const size = layers.reduce(
    (sum, { directions: [{ weights }] }) =>
      Object.values(weights).reduce((all, name) => all + tensor(name).data.length, sum),
    0,
  );
  const places = Math.max(1, Math.min(FLOW_PLACES, Math.round((FLOW_PLACES * AFFORDABLE) / size))),
    from = Math.min(LAGS_BACK, steps) - 1;
  return Array.from({ length: places }, (_, k) => steps - 1 - Math.round((k * (steps - 1 - from)) / places));
}

/** |d log p(x_(t+1)) / d x_(t-k)| by k. */
function flowBack(influence, network, ids, states, t) {
  let { output } = network.step(network.embed(ids[t]), states[t]),
    gradients = network.cells.map((cell) => cell.program.states.map(({ size }) => new Float64Array(cell.size(size))));
  output = influence.byOutput(output, ids[t + 1]);
  const sizes = [];
  for (let k = t; k >= 0 && sizes.length < LAGS_BACK; k--) {
    network.step(network.embed(ids[k]), states[k]);
    const before = influence.oneBack(gradients, output);
    sizes.push(Math.hypot(...before.x));
    gradients = before.states;
    output = new Float64Array(output.length);
  }
  return sizes;
}

/** The median. */
export function middleOf(values) {
  const sorted = [...values].sort((a, b) => a - b),
    half = sorted.length >> 1;
  return sorted.length % 2 || sorted[half] === sorted[half - 1] ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
