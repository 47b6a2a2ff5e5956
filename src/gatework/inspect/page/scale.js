// How much the base forecast of a series errs, of late and at each place of its season: as tasks/forecast_scale.py.
import { averageOf } from "./simple_forecasts.js";

const FORGETTING = 0.05; // weight of the newest error in the fast half of the scale
const LEAST = 1e-3; // of the mean error, that a scale may be
const DOUBT = 2; // by which errors may differ more among places by chance than normal ones do

/** The scale of each step [T], and of each step ahead of it [T][h]; y has NaN where a value is missing. */
export function scalesOf(y, base, season) {
  const errors = errorsBehind(y, base), h = base[0].length;
  const factors = season > 1 ? placeFactors(errors, season) : null;
  const at = (t, s) => (factors ? factors[s][t % season] : 1);
  const scale = recentError(errors.map((error, t) => error / at(t, Math.floor(t / season))));
  const ahead = scale.map((value, t) =>
    Array.from({ length: h }, (_, k) => value * at(t + k + 1, Math.floor((t + 1) / season))));
  return { scale, ahead };
}

/** The mean over the horizon of |y_t - f_(t-k),k|, [T]. */
function errorsBehind(y, base) {
  const h = base[0].length;
  return y.map((value, t) => {
    const found = [];
    for (let k = 1; k <= Math.min(h, t); k++) found.push(Math.abs(value - base[t - k][k - 1]));
    const there = found.filter((each) => !Number.isNaN(each));
    return there.length ? averageOf(there) : NaN;
  });
}

/** Half the mean of all errors so far, half of late. */
function recentError(errors) {
  const known = errors.filter((each) => !Number.isNaN(each)), mean = known.length ? averageOf(known) : 0;
  const least = mean > 0 ? LEAST * mean : 1;
  let slow = known.length ? averageOf(known.slice(0, 8)) : 1, fast = slow, seen = 4; // so many errors is the start worth
  return errors.map((error) => {
    if (!Number.isNaN(error)) {
      slow += (error - slow) / ++seen;
      fast += FORGETTING * (error - fast);
    }
    return Math.max(0.5 * (slow + fast), least);
  });
}

/** By how much errors differ from their mean at each place of a season: row s knows the first s seasons. */
function placeFactors(errors, m) {
  const rows = [new Array(m).fill(1)], sums = new Array(m).fill(0), counts = new Array(m).fill(0);
  for (let s = 0; s < Math.floor(errors.length / m); s++) {
    for (let place = 0; place < m; place++) {
      const error = errors[s * m + place];
      if (Number.isNaN(error)) continue;
      sums[place] += error;
      counts[place]++;
    }
    rows.push(shrunkFactors(sums.map((sum, place) => sum / Math.max(1, counts[place])), counts));
  }
  return rows;
}

/** Factors around 1: the logarithms of the mean errors, shrunk as far as chance explains them. */
function shrunkFactors(means, counts) {
  const there = means.flatMap((_, place) => (counts[place] ? [place] : []));
  const total = there.reduce((sum, place) => sum + counts[place], 0), factors = means.map(() => 1);
  const overall = there.reduce((sum, place) => sum + means[place] * counts[place], 0) / Math.max(1, total);
  if (there.length < 2 || overall === 0) return factors;
  const logs = there.map((place) => Math.log(Math.max(means[place], LEAST * overall))), middle = averageOf(logs);
  const found = logs.reduce((sum, log) => sum + (log - middle) ** 2, 0) / (logs.length - 1);
  const chance = averageOf(there.map((place) => logVariance(counts[place])));
  const kept = found ? Math.max(0, 1 - (DOUBT * chance) / found) : 0;
  there.forEach((place, i) => { factors[place] = Math.exp((logs[i] - middle) * kept); });
  const mean = averageOf(factors);
  return factors.map((factor) => factor / mean);
}

/** The variance of the logarithm of a mean of n absolute normal values. */
function logVariance(n) {
  return (Math.PI / 2 - 1) / n + (Math.PI ** 2 / 8 - Math.PI / 2 + 1) / n ** 2;
}
