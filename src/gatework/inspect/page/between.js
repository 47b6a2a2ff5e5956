// Between an encoder and a decoder: attention over a memory, and where the decoder's states start; one sequence.
import { multiply, number } from "./interpreter.js";

/**
 * What each query of values[step.x] reads of the memory, into step.y; the mean share of each step of the memory, into
 * step.shares. With coverage what was read so far goes in as `read` and comes out as `read_out`, a row for each head.
 */
export function attend(step, tensor, values) {
  const memory = values[step.memory],
    head = heads(step, tensor, memory),
    made = values[step.x].map((query) => head.read(query, values.read));
  values[step.y] = made.map(({ context }) => context);
  values[step.shares] = made.map(({ shares }) => meanOf(shares));
  if (step.coverage) values.read_out = values.read.map((before, h) => before.map((v, s) => v + made[0].shares[h][s]));
}

function heads(step, tensor, memory) {
  const S = memory.length,
    M = memory[0].length,
    A = M / step.heads,
    product = (name, x) => {
      const W = tensor(name),
        y = new Float64Array(W.shape[0]);
      multiply(W.data, x, y);
      return y;
    },
    keys = step.key ? memory.map((m) => plus(product(step.key, m), tensor(step.bias).data)) : memory;

  const score = (asked, h, s, seen) => {
    let total = 0;
    if (!step.key) {
      for (let a = 0; a < A; a++) total += asked[h * A + a] * keys[s][h * A + a];
      return total + (seen ? seen[h][s] : 0);
    }
    const v = tensor(step.query).data;
    for (let a = 0; a < A; a++) {
      const place = h * A + a;
      total += v[place] * Math.tanh(asked[place] + keys[s][place] + (seen ? seen[place][s] : 0));
    }
    return total;
  };

  /** How far each step of the memory is from where a query looks, in windows: [heads][S]. */
  const distances = (query) => {
    const [W, b, v] = step.place,
      hidden = plus(product(W, query), tensor(b).data).map(Math.tanh);
    return [...product(v, hidden)].map((look) => {
      const middle = (S - 1) / (1 + Math.exp(-look));
      return memory.map((_, s) => (s - middle) / step.window);
    });
  };

  const read = (query, before) => {
    const asked = step.weight ? product(step.weight, query) : query,
      seen = step.coverage ? convolved(tensor(step.coverage), before) : null,
      far = step.window ? distances(query) : null,
      shares = Array.from({ length: step.heads }, (_, h) => {
        const each = memory.map((_, s) => (far && Math.abs(far[h][s]) > 1 ? -Infinity : score(asked, h, s, seen))),
          share = softmax(each);
        return far ? share.map((value, s) => value * Math.exp(-2 * far[h][s] ** 2)) : share;
      }),
      context = new Float64Array(M);
    for (let place = 0; place < M; place++) {
      const own = shares[Math.floor(place / A)];
      for (let s = 0; s < S; s++) context[place] += own[s] * memory[s][place];
    }
    return { context, shares };
  };
  return { read };
}

/** A convolution over the memory's steps: rows [C][S] by a kernel [N,C,k], zeros beyond both ends: [N][S]. */
function convolved({ shape, data }, rows) {
  const [N, C, k] = shape,
    S = rows[0].length,
    side = (k - 1) / 2;
  return Array.from({ length: N }, (_, n) =>
    Array.from({ length: S }, (_, s) => {
      let total = 0;
      for (let c = 0; c < C; c++) {
        for (let j = 0; j < k; j++) total += data[(n * C + c) * k + j] * (rows[c][s + j - side] ?? 0);
      }
      return total;
    }),
  );
}

function softmax(scores) {
  const largest = Math.max(...scores);
  if (largest === -Infinity) return scores.map(() => 0);
  const each = scores.map((value) => Math.exp(value - largest)),
    total = each.reduce((a, b) => a + b, 0);
  return each.map((value) => value / total);
}

function meanOf(rows) {
  return Float64Array.from(rows[0], (_, s) => rows.reduce((total, each) => total + each[s], 0) / rows.length);
}

function plus(x, b) {
  return x.map((value, i) => value + b[i]);
}

/** Where a state of a decoder starts, a row for each of its layers; first: a cell of those that ended so. */
export function startOf(step, tensor, after, first) {
  const state = first.program.states.findIndex(({ name }) => name === step.state);
  return Array.from({ length: step.layers }, (_, layer) => {
    const y = new Float64Array(step.size).fill(number(step.start));
    if (!step.weights.length) return y;
    const sides = after.slice(layer * step.directions, (layer + 1) * step.directions),
      h = sides.flatMap((states) => [...states[state]]),
      W = tensor(step.weights[layer]).data.subarray(step.first * h.length, (step.first + step.size) * h.length),
      b = tensor(step.biases[layer]).data,
      sum = new Float64Array(step.size);
    multiply(W, h, sum);
    return y.map((start, i) => start + Math.tanh(sum[i] + b[step.first + i]));
  });
}
