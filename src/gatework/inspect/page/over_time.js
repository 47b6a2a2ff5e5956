// Steps over a whole sequence: its summaries, convolutions, and the mean of members; rows are its steps, all of them within its length.
import { linear, logSoftmax } from "./steps.js";
import { logAdd } from "./ctc.js";

/** A row in parts of these sizes; as it is without any. */
export function partsOf(row, sizes) {
  let first = 0;
  return sizes?.length ? sizes.map((size) => row.slice(first, (first += size))) : [row];
}

/** The mean, the maximum, or the last row, of the reverse direction the first. */
export function summaryOf({ how, bidirectional }, rows) {
  const last = rows[rows.length - 1];
  if (how === "mean") return weightedSum(rows.map(() => 1 / rows.length), rows);
  if (how === "max") return last.map((_, i) => rows.reduce((most, row) => Math.max(most, row[i]), -Infinity));
  const half = bidirectional ? last.length / 2 : last.length;
  return last.map((value, i) => (i < half ? value : rows[0][i]));
}

/** Under which name the shares stand that a step of attention gives to each row. */
export const sharesOf = (step) => `${step.y}.shares`;

/** The share of each row: softmax of u . tanh(W h + b). */
export function attentionShares({ weight, bias, query }, tensor, rows) {
  const u = tensor(query).data;
  const scores = rows.map((row) => linear(tensor, weight, bias, row).reduce((sum, value, i) => sum + u[i] * Math.tanh(value), 0));
  return logSoftmax(scores).map(Math.exp);
}

export function weightedSum(shares, rows) {
  const y = new Float64Array(rows[0].length);
  rows.forEach((row, t) => row.forEach((value, i) => (y[i] += shares[t] * value)));
  return y;
}

/** relu((w * x - mean) / sqrt(variance + epsilon) * scale + shift), zeros before and behind the sequence. */
export function convolutionOf(step, tensor, rows) {
  const w = tensor(step.weight),
    [N, C, k] = w.shape,
    [mean, variance, scale, shift] = [step.mean, step.variance, step.scale, step.shift].map((name) => tensor(name).data);
  return Array.from({ length: Math.ceil(rows.length / step.stride) }, (_, t) => {
    const y = new Float64Array(N);
    for (let n = 0; n < N; n++) {
      let total = 0;
      for (let i = 0; i < k; i++) {
        const row = rows[t * step.stride + i - step.before];
        if (row) for (let c = 0; c < C; c++) total += w.data[(n * C + c) * k + i] * row[c];
      }
      y[n] = Math.max(0, ((total - mean[n]) / Math.sqrt(variance[n] + step.epsilon)) * scale[n] + shift[n]);
    }
    return y;
  });
}

/** Of members' log probabilities the log of the mean probability; of numbers the mean. */
export function averaged({ logarithms }, members) {
  return members[0].map((first, t) =>
    first.map((_, i) => {
      const each = members.map((rows) => rows[t][i]);
      if (logarithms) return each.reduce(logAdd) - Math.log(each.length);
      return each.reduce((sum, value) => sum + value, 0) / each.length;
    }),
  );
}
