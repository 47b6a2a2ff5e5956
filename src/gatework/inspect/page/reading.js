// A text as the network reads it: every named value of every layer at every step, and how surprised it was.

const LN2 = Math.log(2);

export class Reading {
  /** inputs: token ids, or for a series the rows x of each step; first: the state before them. */
  constructor(network, inputs, pieces, first, warm) {
    this.network = network;
    this.inputs = inputs;
    this.pieces = pieces;
    this.first = first;
    this.warm = warm;
    this.length = inputs.length;
    this.done = 0;
    this.state = first;
    this.surprise = new Float32Array(this.length).fill(NaN); // bits, of each token given those before it
    this.rows = network.cells.map(
      (cell) =>
        new Map(
          cell.program.named.map(([name, node]) => {
            const size = cell.rows[node].length;
            return [name, { size, data: new Float32Array(size * this.length) }];
          }),
        ),
    );
    this.held = [];
  }

  input(t) {
    const given = this.inputs[t];
    return typeof given === "number" ? this.network.embed(given) : this.network.lifted(given);
  }

  /** Reads on for some milliseconds; says whether the end is reached. */
  advance(milliseconds) {
    const end = performance.now() + milliseconds;
    this.network.clamp(this.held);
    do {
      for (let k = 0; k < 8 && this.done < this.length; k++) this.readOne();
    } while (this.done < this.length && performance.now() < end);
    this.network.clamp([]);
    return this.done === this.length;
  }

  readOne() {
    const t = this.done,
      { state, output } = this.network.step(this.input(t), this.state);
    this.state = state;
    this.network.cells.forEach((cell, layer) => {
      for (const [name, { size, data }] of this.rows[layer]) data.set(cell.value(name).subarray(0, size), t * size);
    });
    if (this.network.head && t + 1 < this.length) {
      this.surprise[t + 1] = -this.network.logProbabilities(output)[this.inputs[t + 1]] / LN2;
    }
    this.done = t + 1;
  }

  /** One number: a value of a unit after the step t. */
  at(layer, name, unit, t) {
    const { size, data } = this.rows[layer].get(name);
    return data[t * size + unit];
  }

  /** The state before step t, from what was recorded. */
  stateBefore(t) {
    if (t === 0) return this.first;
    return this.network.cells.map((cell, layer) =>
      cell.program.states.map((state, index) => {
        const { size, data } = this.rows[layer].get(state.name);
        return Float64Array.from(data.subarray((t - 1) * size, t * size)).slice(0, this.first[layer][index].length);
      }),
    );
  }

  /** Runs step t once more, so that the cells hold all values of it; returns the output of the last layer. */
  again(t) {
    this.network.clamp(this.held);
    const { output } = this.network.step(this.input(t), this.stateBefore(t));
    this.network.clamp([]);
    return output;
  }

  /** The mean of a unit over what is read. */
  mean(layer, name, unit) {
    let total = 0;
    for (let t = 0; t < this.done; t++) total += this.at(layer, name, unit, t);
    return total / this.done;
  }

  /** Mean surprise in bits over what is read. */
  bits() {
    let total = 0,
      count = 0;
    for (let t = 1; t < this.done; t++) {
      if (!Number.isFinite(this.surprise[t])) continue;
      total += this.surprise[t];
      count++;
    }
    return total / count;
  }
}

/** Reads to the end in slices, so that the page stays awake; stops where `wanted` no longer holds. */
export function readAll(reading, progress, wanted = () => true) {
  return new Promise((finish) => {
    const slice = () => {
      if (!wanted()) return finish(false);
      const ended = reading.advance(25);
      progress?.(reading.done / reading.length, ended);
      if (ended) finish(true);
      else setTimeout(slice, 0);
    };
    slice();
  });
}
