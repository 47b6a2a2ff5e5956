// How large a gradient is that comes back through many steps: by the state at each, and by the weights; measured.
import { Backward } from "./backward.js";
import { conveyorOf } from "./conveyor.js";
import { Network } from "./network.js";
import { keepingBias, withBias } from "./reach.js";
import { amounts } from "./roles.js";

/** Names of the matrices that multiply something which depends on an old state. */
export function recurrentMatrices({ nodes }) {
  const depends = [];
  for (const { op, args } of nodes) depends.push(op === "state" || args.some((arg) => depends[arg]));
  return nodes.filter(({ op, args }) => op === "product" && depends[args[0]]).map(({ name }) => name);
}

/**
 * A network of one layer as a lesson changes it: its recurrent matrices times `scale`, in all units the same `bias` of the
 * gate that keeps, where the cell has one. x: its inputs; conveyor, bias: null where there is none.
 */
export function changedNetwork({ model, tensor }, x, scale) {
  const [{ program, weights }] = model.layers[0].directions,
    recurrent = new Set(recurrentMatrices(program).map((name) => weights[name]));
  const own = (name) => {
    const { shape, data } = tensor(name);
    return { shape, data: recurrent.has(name) ? Float64Array.from(data, (value) => value * scale) : data };
  };
  const network = new Network({ kind: "text", model }, own),
    [cell] = network.cells,
    conveyor = conveyorOf(network, model.roles, 0, x[0], network.start());
  return {
    ...{ network, cell, conveyor, bias: conveyor && keepingBias(cell, conveyor) },
    weights: Object.fromEntries(Object.entries(weights).map(([name, stored]) => [name, own(stored).data])),
    backward: new Backward(cell, model.adjoints[0], weights, own),
  };
}

/**
 * Where the sum of loss x output counts at the last step, by k: flow, |dL/d state| before the last step but k, relative to
 * k = 0; along, the same where only the gates that keep pass it on, null without them; added, the length of what that step
 * adds to the gradient by all weights. whole and far: the length of that gradient, and of its part from `beyond` steps
 * back or more; kept: the mean of the gates that keep; size: the length of the weights themselves.
 */
export function measuredFlow(shipped, { x, loss }, { scale, bias, beyond }) {
  const changed = changedNetwork(shipped, x, scale),
    back = () => backThrough(changed, x, loss, beyond);
  return changed.bias ? withBias(changed.cell, changed.bias, bias, back) : back();
}

function backThrough({ network, cell, conveyor, weights, backward }, x, loss, beyond) {
  const states = [network.start()],
    [whole, far] = [emptyLike(weights), emptyLike(weights)],
    path = conveyor && conveyorPath(cell, conveyor);
  for (const row of x) states.push(network.step(row, states[states.length - 1]).state);
  let gradients = states[0][0].map((row) => new Float64Array(row.length)),
    output = loss;
  const flow = [],
    added = [];
  for (let t = x.length - 1; t >= 0; t--) {
    network.step(x[t], states[t]);
    gradients = backward.step(gradients, output).states;
    output = new Float64Array(loss.length);
    flow.push(lengthOf(gradients));
    path?.back(gradients);
    const part = emptyLike(weights);
    backward.addWeights(part);
    added.push(lengthOf(Object.values(part)));
    for (const sum of x.length - 1 - t >= beyond ? [whole, far] : [whole]) addRows(sum, part);
  }
  return {
    ...{ added, flow: flow.map((size) => size / flow[0]), along: path?.sizes ?? null, kept: path?.mean() ?? null },
    ...{ whole: lengthOf(Object.values(whole)), far: lengthOf(Object.values(far)) },
    size: lengthOf(Object.entries(weights).map(([name, data]) => cell.rows[vectorNamed(cell, name)] ?? data)),
  };
}

/** The gradient by the state on the conveyor as the gates alone would pass it back, {sizes: relative to the first, mean()}. */
function conveyorPath(cell, { target, keeps }) {
  const index = cell.program.states.findIndex(({ name }) => name === target),
    sizes = [];
  let carried = new Float64Array(0),
    first = 0,
    sum = 0;
  return {
    sizes,
    back(gradients) {
      const shares = [...gradients[index].keys()].map((unit) => amounts(cell, keeps, unit).share);
      sum += shares.reduce((a, b) => a + b, 0) / shares.length;
      carried = sizes.length ? carried.map((value, unit) => value * shares[unit]) : gradients[index].slice();
      first ||= lengthOf([carried]);
      sizes.push(lengthOf([carried]) / first);
    },
    mean: () => sum / sizes.length,
  };
}

const vectorNamed = ({ nodes }, name) => nodes.findIndex((node) => node.op === "vector" && node.name === name);

const emptyLike = (weights) =>
  Object.fromEntries(Object.entries(weights).map(([name, data]) => [name, new Float64Array(data.length)]));

function addRows(sum, part) {
  for (const [name, row] of Object.entries(part)) row.forEach((value, i) => (sum[name][i] += value));
}

/** The square root of the sum of all squares. */
const lengthOf = (rows) => Math.sqrt(rows.reduce((sum, row) => row.reduce((all, value) => all + value * value, sum), 0));
