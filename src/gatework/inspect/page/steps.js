// Runs the steps of a network, as gatework.network describes them, on one sequence: under each name a row for each step.
import { attend, startOf } from "./between.js";
import { Cell, multiply } from "./interpreter.js";
import { attentionShares, averaged, convolutionOf, partsOf, sharesOf, summaryOf, weightedSum } from "./over_time.js";

export class Steps {
  constructor(steps, tensor) {
    this.steps = steps.map((step) =>
      step.op === "Layer" ? { ...step, cells: step.directions.map((given) => new Cell(given, tensor)) } : step,
    );
    this.tensor = tensor;
  }

  /** The recurrent layers, from the lowest up: cells, of both directions or one. */
  get layers() {
    return this.steps.filter((step) => step.cells);
  }

  /**
   * Fills in `values`, rows by name, from those that are there; ids are numbers. before: the states of each slot, or
   * null for the start. Returns the states of each slot after the last step, and what each cell computed.
   */
  run(values, before = null) {
    const after = [],
      traces = [];
    for (const step of this.steps) {
      if (step.cells) {
        const made = this.layer(step, values[step.x], before, after);
        values[step.y] = made.output;
        traces.push(...made.traces);
      } else {
        this.one(step, values, after);
      }
    }
    return { after, traces };
  }

  layer(step, x, before, after) {
    const sides = step.cells.map((cell, side) => {
      let state = before ? before[step.slot + side] : cell.start();
      const trace = new Map(cell.program.named.map(([name]) => [name, []])),
        output = new Array(x.length),
        order = side ? [...x.keys()].reverse() : [...x.keys()];
      for (const t of order) {
        state = cell.step(x[t], state);
        output[t] = cell.output.slice();
        for (const [name, node] of cell.program.named) trace.get(name)[t] = cell.rows[node].slice();
      }
      after[step.slot + side] = state;
      return { output, trace };
    });
    return {
      output: x.map((_, t) => joined(sides.map(({ output }) => output[t]))),
      traces: sides.map(({ trace }) => trace),
    };
  }

  one(step, values, after) {
    const x = values[step.x];
    switch (step.op) {
      case "Embedding":
        values[step.y] = x.map((id) => row(this.tensor(step.weight), id));
        break;
      case "Linear":
        values[step.y] = x.map((each) => linear(this.tensor, step.weight, step.bias, each));
        break;
      case "Tanh":
        values[step.y] = x.map((each) => each.map(Math.tanh));
        break;
      case "LogSoftmax":
        values[step.y] = x.map((each) => joined(partsOf(each, step.sizes).map(logSoftmax)));
        break;
      case "Summary":
        values[step.y] = [summaryOf(step, x)];
        break;
      case "Attention":
        values[sharesOf(step)] = attentionShares(step, this.tensor, x);
        values[step.y] = [weightedSum(values[sharesOf(step)], x)];
        break;
      case "Convolution":
        values[step.y] = convolutionOf(step, this.tensor, x);
        break;
      case "Average":
        values[step.y] = averaged(step, step.xs.map((name) => values[name]));
        break;
      case "Join":
        values[step.y] = values[step.xs[0]].map((_, t) => joined(step.xs.map((name) => values[name][t])));
        break;
      case "Add":
        values[step.y] = values[step.xs[0]].map((each, t) => each.map((v, i) => v + values[step.xs[1]][t][i]));
        break;
      case "CrossAttention":
        attend(step, this.tensor, values);
        break;
      case "Bridge":
        values[step.y] = startOf(step, this.tensor, after, this.layers[0].cells[0]);
        break;
      default:
        throw new Error(`the page has no step ${step.op}`);
    }
  }
}

function row(tensor, index) {
  const width = tensor.shape[1];
  return Float64Array.from(tensor.data.subarray(index * width, (index + 1) * width));
}

export function joined(rows) {
  if (rows.length === 1) return rows[0];
  const y = new Float64Array(rows.reduce((total, each) => total + each.length, 0));
  let place = 0;
  for (const each of rows) {
    y.set(each, place);
    place += each.length;
  }
  return y;
}

/** W x + b, the bias of none being 0. */
export function linear(tensor, weight, bias, x) {
  const W = tensor(weight),
    y = new Float64Array(W.shape[0]);
  multiply(W.data, x, y);
  if (bias) tensor(bias).data.forEach((value, i) => (y[i] += value));
  return y;
}

export function logSoftmax(x) {
  const largest = x.reduce((a, b) => Math.max(a, b), -Infinity),
    total = x.reduce((sum, value) => sum + Math.exp(value - largest), 0),
    log = largest + Math.log(total);
  return x.map((value) => value - log);
}
