// How much each earlier token of a text moves one prediction: gradient times input, and leave-one-out.
import { Backward } from "./backward.js";

const BITS = 1 / Math.log(2);

/** Both measures, of log2 p(target | tokens to t), as generators of an array: a number, in bits, for each of from..t. */
export class Influence {
  constructor({ adjoints, layers }, network, tensor) {
    this.network = network;
    this.backwards = network.cells.map(
      (cell, layer) => new Backward(cell, adjoints[layer], layers[layer].directions[0].weights, tensor),
    );
    this.means = new WeakMap();
  }

  /** The derivative by what the network reads at each step, times that (Denil, Demiraj & de Freitas 2014). */
  *gradientTimesInput(reading, from, t, target) {
    const { network } = this,
      found = new Float64Array(t - from + 1);
    let output = this.byOutput(reading.again(t), target),
      states = network.cells.map((cell) => cell.program.states.map(({ size }) => new Float64Array(cell.size(size))));
    for (let k = t; k >= from; k--) {
      if (k < t) reading.again(k);
      const before = this.oneBack(states, output),
        x = reading.input(k);
      states = before.states;
      found[k - from] = BITS * before.x.reduce((sum, value, i) => sum + value * x[i], 0);
      output = new Float64Array(output.length);
      yield;
    }
    return found;
  }

  /** The derivative of log p(target) by the output of the last layer. */
  byOutput(output, target) {
    const { weight } = this.network.head,
      log = this.network.logProbabilities(output),
      g = new Float64Array(output.length);
    log.forEach((value, id) => {
      const share = (id === target ? 1 : 0) - Math.exp(value);
      for (let i = 0; i < g.length; i++) g[i] += share * weight.data[id * g.length + i];
    });
    return g;
  }

  /** One step of all layers backwards, from the gradients by the new states and by the output of the last layer. */
  oneBack(states, output) {
    const { layers } = this.network,
      old = new Array(layers.length);
    let x = output;
    for (let layer = layers.length - 1; layer >= 0; layer--) {
      const before = this.backwards[layer].step(states[layer], x),
        around = x;
      old[layer] = before.states;
      x = layers[layer].residual && layer > 0 ? before.x.map((value, i) => value + around[i]) : before.x;
    }
    return { states: old, x };
  }

  /** How far it falls where the average token of the text is read in place of the one (Li, Monroe & Jurafsky 2016). */
  *leaveOneOut(reading, from, t, target) {
    const { network } = this,
      found = new Float64Array(t - from + 1),
      other = this.average(reading),
      whole = network.logProbabilities(reading.again(t))[target];
    for (let k = from; k <= t; k++) {
      let { state, output } = network.step(other, reading.stateBefore(k));
      for (let j = k + 1; j <= t; j++) {
        yield;
        ({ state, output } = network.step(reading.input(j), state));
      }
      found[k - from] = BITS * (whole - network.logProbabilities(output)[target]);
    }
    return found;
  }

  /** What the network reads on the mean over a text. */
  average(reading) {
    if (!this.means.has(reading)) {
      const sum = new Float64Array(this.network.inputs);
      for (let t = 0; t < reading.length; t++)
        reading.input(t).forEach((value, i) => (sum[i] += value / reading.length));
      this.means.set(reading, sum);
    }
    return this.means.get(reading);
  }
}

/** How many of the last steps have a share of all influence, whatever its sign. */
export function reachOf(influence, part) {
  const sizes = influence.map(Math.abs),
    least = part * sizes.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let back = 1; back <= sizes.length; back++) {
    sum += sizes[sizes.length - back];
    if (sum >= least) return back;
  }
  return sizes.length;
}

/** The correlation of two rows, NaN where one of them stands still. */
export function agreement(a, b) {
  const centred = (values) => values.map((value) => value - values.reduce((sum, each) => sum + each, 0) / values.length),
    product = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0),
    x = centred(a),
    y = centred(b);
  return product(x, y) / Math.sqrt(product(x, x) * product(y, y));
}
