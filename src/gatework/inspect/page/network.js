// The whole network: what a token is to it, its layers one upon another, and the probabilities of the next token.
import { Cell, multiply } from "./interpreter.js";

export class Network {
  constructor(payload, tensor) {
    const { model } = payload;
    this.layers = model.layers.map((layer) => ({
      cell: new Cell(layer.directions[0], tensor),
      residual: layer.residual,
    }));
    this.embedding = model.embedding ? tensor(model.embedding) : null;
    this.head = model.head?.weight && payload.kind === "text" ? head(model.head, tensor) : null;
    this.lift = model.lift ? head(model.lift, tensor) : null;
    this.inputs = this.layers[0].cell.sizes[this.layers[0].cell.nodes[0].size];
  }

  get cells() {
    return this.layers.map((layer) => layer.cell);
  }

  /** The state before the first token: of each layer a list of rows. */
  start() {
    return this.cells.map((cell) => cell.start());
  }

  /** A state as the page carries it (layer, direction, state, numbers) as rows. */
  warm(given) {
    return given ? given.map((layer) => layer[0].map((row) => Float64Array.from(row))) : this.start();
  }

  /** A token as the first layer sees it: its embedding, or one 1 among zeros. */
  embed(id) {
    if (!this.embedding) {
      const x = new Float64Array(this.inputs);
      x[id] = 1;
      return x;
    }
    const width = this.embedding.shape[1];
    return this.embedding.data.subarray(id * width, (id + 1) * width);
  }

  /** The rows of a series as the first layer sees them: through a matrix, where the cell ties x to its state. */
  lifted(x) {
    const { lift } = this;
    if (!lift) return x;
    const y = new Float64Array(lift.bias.data.length);
    multiply(lift.weight.data, x, y);
    return y.map((value, i) => value + lift.bias.data[i]);
  }

  /** One step of all layers from input x: the new state, and the output of the last layer. */
  step(x, state) {
    let output = x;
    const next = this.layers.map(({ cell, residual }, index) => {
      const made = cell.step(output, state[index]);
      output = residual && index > 0 ? cell.output.map((value, i) => value + output[i]) : cell.output.slice();
      return made;
    });
    return { state: next, output };
  }

  /** Natural log probabilities of the next token, from the output of the last layer. */
  logProbabilities(output) {
    const { weight, bias } = /** @type {ReturnType<typeof head>} */ (this.head),
      y = new Float64Array(weight.shape[0]);
    multiply(weight.data, output, y);
    let largest = -Infinity,
      total = 0;
    for (let i = 0; i < y.length; i++) largest = Math.max(largest, (y[i] += bias.data[i]));
    for (let i = 0; i < y.length; i++) total += Math.exp(y[i] - largest);
    const log = largest + Math.log(total);
    return y.map((value) => value - log);
  }

  /** Holds units at fixed values while it runs: a list of {layer, name, unit, value}; an empty list lets all go. */
  clamp(held) {
    for (const cell of this.cells) cell.clamps.clear();
    for (const { layer, name, unit, value } of held) {
      const cell = this.cells[layer],
        node = cell.names.get(name);
      cell.clamps.set(node, [...(cell.clamps.get(node) ?? []), [unit, value]]);
    }
  }
}

function head(names, tensor) {
  const weight = tensor(names.weight);
  return { weight, bias: names.bias ? tensor(names.bias) : { data: new Float32Array(weight.shape[0]) } };
}
