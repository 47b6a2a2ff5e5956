// Autoregressions fitted at every origin to the past alone: as gatework.forecast.autoregression.

const RIDGE = 0.1; // values of average size by which each coefficient is drawn to 0
const FADING = 0.99; // weight of a step over that of the next one
const EACH = 2, BESIDE = 4; // values at least for each coefficient, and beside them

/** Forecasts [T][h] by an autoregression of z, of its change since a season of m steps, or of the change of either. */
export function autoregression(z, h, m, [order, differences]) {
  const lags = Array.from({ length: order }, (_, i) => i + 1);
  if (m > order) lags.push(m);
  const begin = (m > 1 ? m : 0) + differences, start = begin + Math.max(...lags);
  const first = start + EACH * (lags.length + 1) + BESIDE, constant = differences && m > 1 ? 0 : 1;
  const levels = m > 1 ? changes(z, m) : z.map((value) => value - z[0]);
  const w = differences ? changes(levels, 1) : levels, F = lags.length + 1;
  const squares = Array.from({ length: F }, () => new Array(F).fill(0)), products = new Array(F).fill(0);
  let count = 0;
  return z.map((_, t) => {
    if (t >= start) {
      gather(squares, products, [...lags.map((lag) => w[t - lag]), constant], w[t]);
      count = FADING * count + 1;
    }
    if (t < first) return new Array(h).fill(NaN);
    const c = solved(drawnTo0(squares, count), products);
    const ahead = iterated(w.slice(begin, t + 1), c, lags, h);
    return inUnits(ahead, z, levels, t, m, differences);
  });
}

/** z_t - z_(t-m), 0 before there is any. */
function changes(z, m) {
  return z.map((value, t) => (t >= m ? value - z[t - m] : 0));
}

function gather(squares, products, x, target) {
  x.forEach((a, i) => {
    products[i] = FADING * products[i] + a * target;
    x.forEach((b, j) => { squares[i][j] = FADING * squares[i][j] + a * b; });
  });
}

function drawnTo0(squares, count) {
  return squares.map((row, i) => row.map((value, j) => value + (i !== j ? 0 : row[i] > 0 ? (RIDGE / count) * row[i] : 1)));
}

/** The solution of a symmetric positive system, by elimination. */
function solved(matrix, right) {
  const a = matrix.map((row, i) => [...row, right[i]]), n = a.length;
  for (let i = 0; i < n; i++) {
    for (let row = i + 1; row < n; row++) {
      const factor = a[row][i] / a[i][i];
      for (let j = i; j <= n; j++) a[row][j] -= factor * a[i][j];
    }
  }
  const x = new Array(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    x[i] = (a[i][n] - x.reduce((sum, value, j) => (j > i ? sum + a[i][j] * value : sum), 0)) / a[i][i];
  }
  return x;
}

/** What comes after w, each step from those before it, never outside those seen. */
function iterated(w, c, lags, h) {
  const low = Math.min(...w), high = Math.max(...w), path = w.slice();
  for (let k = 0; k < h; k++) {
    const value = lags.reduce((sum, lag, i) => sum + c[i] * path[path.length - lag], c[lags.length]);
    path.push(Math.max(low, Math.min(high, value)));
  }
  return path.slice(w.length);
}

/** Changes ahead of step t as values. */
function inUnits(ahead, z, levels, t, m, differences) {
  const f = [];
  let level = levels[t];
  ahead.forEach((value, k) => {
    level = differences ? level + value : value;
    f.push(level + (m > 1 ? (k < m ? z[t + k + 1 - m] : f[k - m]) : z[0]));
  });
  return f;
}
