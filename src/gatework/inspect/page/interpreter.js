// Runs any Program one step at a time, in float64: its nodes in order, each a small loop over a row allocated once.
import { POINTWISE, ROWS } from "./ops.js";

/** y = W a, W stored row by row; four rows at a time, which a browser runs twice as fast as one. */
export function multiply(W, a, y) {
  const columns = a.length,
    rows = y.length;
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    let s0 = 0,
      s1 = 0,
      s2 = 0,
      s3 = 0;
    const k0 = row * columns,
      k1 = k0 + columns,
      k2 = k1 + columns,
      k3 = k2 + columns;
    for (let c = 0; c < columns; c++) {
      const value = a[c];
      s0 += W[k0 + c] * value;
      s1 += W[k1 + c] * value;
      s2 += W[k2 + c] * value;
      s3 += W[k3 + c] * value;
    }
    y[row] = s0;
    y[row + 1] = s1;
    y[row + 2] = s2;
    y[row + 3] = s3;
  }
  for (; row < rows; row++) {
    let total = 0;
    for (let c = 0, k = row * columns; c < columns; c++, k++) total += W[k] * a[c];
    y[row] = total;
  }
}

/** As `multiply`, where nearly all of a is 0, as in one-hot input. */
function multiplySparse(W, a, y) {
  y.fill(0);
  for (let c = 0; c < a.length; c++) {
    if (a[c] === 0) continue;
    for (let row = 0, k = c; row < y.length; row++, k += a.length) y[row] += W[k] * a[c];
  }
}

function sparse(a) {
  let filled = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== 0) filled++;
  return filled * 8 < a.length;
}

/** A function without arguments that computes the row y of an operation from rows a and b; null where it is none. */
export function operation(op, y, a, b) {
  if (op in ROWS) {
    const overAll = ROWS[op];
    return () => {
      const found = overAll(a);
      if (typeof found === "number") y.fill(found);
      else y.set(found);
    };
  }
  const loop = POINTWISE[op];
  return loop ? () => loop(y, a, b) : null;
}

/** One layer in one direction: a Program, its weights, and a row for each of its nodes. */
export class Cell {
  constructor(direction, tensor) {
    const { program, sizes, weights } = direction;
    this.program = program;
    this.nodes = program.nodes;
    this.sizes = { ...sizes, 1: Math.max(...Object.values(sizes)) };
    this.names = new Map(program.named);
    this.startValues = direction.start;
    this.clamps = new Map(); // node -> [[unit, value], ...], held there whatever the equations say
    this.rows = this.nodes.map((node) => this.leaf(node, weights, tensor, direction.inputs ?? {}));
    this.steps = this.nodes.map((node, index) => this.compiled(node, index, weights, tensor));
    this.work = this.nodes.map((_, index) => index).filter((index) => this.steps[index]);
    this.input = this.nodes.findIndex((node) => node.op === "input" && node.name === "x");
    this.old = program.states.map((s) => this.nodes.findIndex((n) => n.op === "state" && n.name === s.name));
  }

  size(of) {
    return this.sizes[of];
  }

  leaf(node, weights, tensor, inputs) {
    if (node.op === "vector") return Float64Array.from(tensor(weights[node.name]).data);
    const row = new Float64Array(this.size(node.size));
    if (node.op === "number") row.fill(node.value);
    if (node.op === "input" && node.name in inputs) row.fill(inputs[node.name]);
    return row;
  }

  /** A function without arguments that computes the node's row; null for a leaf. */
  compiled(node, index, weights, tensor) {
    const y = this.rows[index],
      [a, b] = node.args.map((arg) => this.rows[arg]);
    if (node.op === "product") {
      const W = tensor(weights[node.name]).data,
        fromInput = this.nodes[node.args[0]].op === "input";
      return () => (fromInput && sparse(a) ? multiplySparse(W, a, y) : multiply(W, a, y));
    }
    return operation(node.op, y, a, b);
  }

  /** The state before the first step, a row for each state. */
  start() {
    return this.program.states.map((state, index) => {
      const given = this.startValues?.[index] ?? state.start,
        row = new Float64Array(this.size(state.size));
      if (!Array.isArray(given)) return row.fill(number(given));
      row.set(given);
      return row;
    });
  }

  /** Runs one step from input x and a state; the rows of all nodes then hold its values. Returns the new state. */
  step(x, state) {
    this.rows[this.input].set(x);
    this.old.forEach((node, index) => node >= 0 && this.rows[node].set(state[index]));
    for (const index of this.work) {
      this.steps[index]();
      if (this.clamps.size) this.hold(index);
    }
    return this.program.states.map((s) => this.rows[s.node].slice(0, this.size(s.size)));
  }

  hold(index) {
    for (const [unit, value] of this.clamps.get(index) ?? []) this.rows[index][unit] = value;
  }

  /** The row of a value that an equation names, as it stands after the last step. */
  value(name) {
    return this.rows[this.names.get(name)];
  }

  get output() {
    return this.value(this.program.output);
  }
}

/** A number as it stands in JSON, which has none that is infinite: -inf is text there. */
export function number(given) {
  return typeof given === "string" ? Number(given.replace("inf", "Infinity")) : given;
}
