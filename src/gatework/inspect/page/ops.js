// The table of operations in JavaScript: what each does to numbers, and what row functions do to all units at once.

const EPSILON = 1e-5; // of layer normalisation

const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

/** One number from one or two; applied to each unit. */
export const POINTWISE = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  neg: (a) => -a,
  relu: (a) => Math.max(a, 0),
  abs: Math.abs,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  stop_gradient: (a) => a,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  tanh: Math.tanh,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  softplus,
  logsigmoid: (a) => -softplus(-a),
  sign: Math.sign,
};

const sum = (row) => row.reduce((total, a) => total + a, 0);
const mean = (row) => sum(row) / row.length;

function deviation(row) {
  const centre = mean(row);
  return Math.sqrt(row.reduce((total, a) => total + (a - centre) ** 2, 0) / row.length + EPSILON);
}

function softmaxRow(row, y) {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  let total = 0;
  for (let i = 0; i < y.length; i++) total += y[i] = Math.exp(row[i] - largest);
  for (let i = 0; i < y.length; i++) y[i] /= total;
}

function normRow(row, y) {
  const centre = mean(row),
    width = deviation(row);
  for (let i = 0; i < y.length; i++) y[i] = (row[i] - centre) / width;
}

function accumulate(row, y, from, step) {
  let total = 0;
  for (let i = from, n = 0; n < y.length; i += step, n++) y[i] = total += row[i];
}

/** All units of a row to all units of another, `y`. */
export const ROWS = {
  norm: normRow,
  softmax: softmaxRow,
  cumsum: (row, y) => accumulate(row, y, 0, 1),
  cumsum_back: (row, y) => accumulate(row, y, y.length - 1, -1),
  sum: (row, y) => y.fill(sum(row)),
  mean: (row, y) => y.fill(mean(row)),
  rstd: (row, y) => y.fill(1 / deviation(row)),
};
