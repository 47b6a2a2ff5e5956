// One step of a cell backwards: the Program that gatework.notation.adjoint derives, run node by node as the cell itself is.
import { multiply, operation } from "./interpreter.js";

/** y = W' g, W stored row by row. */
function multiplyTransposed(W, g, y) {
  y.fill(0);
  for (let row = 0, k = 0; row < g.length; row++) {
    const value = g[row];
    for (let c = 0; c < y.length; c++, k++) y[c] += W[k] * value;
  }
}

/** sum += g a', stored row by row. */
function addOuter(sum, g, a) {
  for (let row = 0, k = 0; row < g.length; row++) for (let c = 0; c < a.length; c++, k++) sum[k] += g[row] * a[c];
}

/** Reverse mode over one step of a cell, whose rows must hold the values of that step. */
export class Backward {
  constructor(cell, adjoint, weights, tensor) {
    this.cell = cell;
    this.adjoint = adjoint;
    this.nodes = adjoint.nodes;
    this.rows = this.nodes.map((node) => this.leaf(node));
    this.steps = this.nodes
      .map((node, index) => this.compiled(node, this.rows[index], weights, tensor))
      .filter((step) => step !== null);
    this.seeds = new Map(this.nodes.flatMap((node, k) => (node.op === "gradient" ? [[node.name, this.rows[k]]] : [])));
  }

  /** The row of a node: that of the cell itself where the cell has its value, else one of its own. */
  leaf(node) {
    const { cell } = this;
    if (node.op === "saved") return cell.rows[node.source];
    if (["input", "state", "vector"].includes(node.op))
      return cell.rows[cell.nodes.findIndex(({ op, name }) => op === node.op && name === node.name)];
    const row = new Float64Array(cell.size(node.size));
    return node.op === "number" ? row.fill(node.value) : row;
  }

  compiled(node, y, weights, tensor) {
    const [a, b] = node.args.map((arg) => this.rows[arg]);
    if (node.op === "product_t" || node.op === "product") {
      const W = tensor(weights[node.name]).data,
        times = node.op === "product" ? multiply : multiplyTransposed;
      return () => times(W, a, y);
    }
    return operation(node.op, y, a, b);
  }

  /** From the gradients by the new states, a row for each, and by the output: those by x and by the old states. */
  step(states, output) {
    const { cell, seeds, adjoint } = this,
      { program } = cell;
    program.states.forEach((state, k) => seeds.get(state.name)?.set(states[k]));
    const seed = seeds.get(program.output),
      carried = program.states.some(({ name }) => name === program.output);
    seed?.forEach((value, i) => (seed[i] = (carried ? value : 0) + output[i]));
    for (const run of this.steps) run();
    const of = (pairs, name, size) => {
      const found = pairs.find(([each]) => each === name);
      return found ? this.rows[found[1]].slice(0, size) : new Float64Array(size);
    };
    return {
      x: of(adjoint.inputs, "x", cell.rows[cell.input].length),
      states: program.states.map(({ name, size }) => of(adjoint.states, name, cell.size(size))),
    };
  }

  /** Adds what the last step brings to the gradients by the weights, a row for each parameter by its name. */
  addWeights(sums) {
    const { matrices, vectors } = this.adjoint;
    for (const [name, pairs] of matrices) for (const [g, a] of pairs) addOuter(sums[name], this.rows[g], this.rows[a]);
    for (const [name, node] of vectors) this.rows[node].forEach((value, i) => (sums[name][i] += value));
  }
}
