// The simple forecasts that a network corrects, from every origin of a series: as gatework.forecast.base.

import { autoregression } from "./autoregression.js";

const DAMPING = 0.97; // what is left of a slope a step on, in runs that were saved before others were tried

/** A forecast of a kind: rows [T][h], NaN where there is too little past. */
export function simpleForecast(base, z, h) {
  switch (base.kind) {
    case "last value": return fromEachOrigin(z, h, (t) => z[t]);
    case "mean": { const means = runningMeans(z); return fromEachOrigin(z, h, (t) => means[t]); }
    case "drift": return fromEachOrigin(z, h, (t, k) => (t >= 8 ? z[t] + (k * (z[t] - z[0])) / t : NaN));
    case "seasonal naive": return fromEachOrigin(z, h, (t, k) => seasonBefore(z, t, k, base.season));
    case "seasonal naive with drift": return seasonalDrift(z, h, base.season);
    case "median": { const middles = runningMedians(z, base.weights[0]); return fromEachOrigin(z, h, (t) => middles[t]); }
    case "autoregression": { // naive before it begins
      const made = autoregression(z, h, base.season, base.weights);
      return fromEachOrigin(z, h, (t, k) => (Number.isNaN(made[t][0]) ? seasonBefore(z, t, k, base.season) : made[t][k - 1]));
    }
    case "intermittent demand": { const rates = demand(z, base.weights); return fromEachOrigin(z, h, (t) => rates[t]); }
    case "smoothing": return smoothed(z, h, [base.season, base.second].filter((m) => m > 1), base.weights);
    default: throw new Error(`no simple forecast is called ${base.kind}`);
  }
}

/** The mean of several forecasts. */
export function meanForecast(bases, z, h) {
  const each = bases.map((base) => simpleForecast(base, z, h));
  return fromEachOrigin(z, h, (t, k) => each.reduce((sum, rows) => sum + rows[t][k - 1], 0) / each.length);
}

export function runningMeans(z) {
  let sum = 0;
  return Array.from(z, (value, t) => (sum += value) / (t + 1));
}

/** A missing value is that of the season before, or else the last one known. */
export function filledGaps(values, season) {
  const z = values.slice(), first = z.findIndex((value) => !Number.isNaN(value));
  for (let t = 0; t < z.length; t++) {
    if (Number.isNaN(z[t])) z[t] = t < first ? z[first] : t >= first + season ? z[t - season] : z[t - 1];
  }
  return z;
}

function fromEachOrigin(z, h, value) {
  return Array.from(z, (_, t) => Array.from({ length: h }, (_, k) => value(t, k + 1)));
}

/** What stood at the place of step t + k in the last season known at t. */
function seasonBefore(z, t, k, m) {
  return t >= m - 1 ? z[t + k - m * Math.ceil(k / m)] : NaN;
}

function seasonalDrift(z, h, m) {
  let change = 0;
  const steps = Array.from(z, (value, t) => {
    change += t >= m ? value - z[t - m] : 0;
    const count = t - m + 1;
    return count >= Math.max(3, Math.floor(m / 2)) ? change / count : NaN;
  });
  return fromEachOrigin(z, h, (t, k) => seasonBefore(z, t, k, m) + steps[t] * Math.ceil(k / m));
}

/** Exponential smoothing with a damped slope and additive seasons (Holt 1957; Winters 1960; two: Taylor 2003). */
function smoothed(z, h, seasons, [a, g, c, d = DAMPING]) {
  const longest = Math.max(0, ...seasons), start = Math.max(longest, 4);
  const levels = z.map(() => NaN), slopes = z.map(() => 0), places = begunSeasons(z, seasons, longest);
  let level = averageOf(z.slice(0, start)), slope = 0;
  for (let t = longest; t < z.length; t++) {
    const olds = places.map((season, i) => season[t - seasons[i]]);
    const rest = z[t] - olds.reduce((sum, old) => sum + old, 0), was = level, ahead = d * slope;
    level = a * rest + (1 - a) * (level + ahead);
    slope = g * (level - was) + (1 - g) * ahead;
    places.forEach((season, i) => { season[t] = c * (rest - level) + olds[i]; });
    if (t >= start - 1) levels[t] = level;
    slopes[t] = slope;
  }
  const fade = [0];
  for (let k = 1; k <= h; k++) fade.push(fade[k - 1] + d ** k);
  return fromEachOrigin(z, h, (t, k) => places.reduce(
    (sum, season, i) => sum + seasonBefore(season, t, k, seasons[i]), levels[t] + fade[k] * slopes[t]));
}

/** The first values of each season: means at its places over the first of the longest. */
function begunSeasons(z, seasons, longest) {
  let begin = z.slice(0, longest);
  return seasons.map((m) => {
    const mean = begin.length ? averageOf(begin) : 0;
    const own = begin.map((_, t) => averageOf(begin.filter((_, i) => i % m === t % m)) - mean);
    begin = begin.map((value, t) => value - own[t]);
    return z.map((_, t) => own[t] ?? 0);
  });
}

/** The median of the latest so many values, or of all so far. */
function runningMedians(z, latest = Number.POSITIVE_INFINITY) {
  return z.map((_, t) => {
    const seen = z.slice(Math.max(0, t + 1 - latest), t + 1).sort((a, b) => a - b), last = seen.length - 1;
    return (seen[last >> 1] + seen[(last + 1) >> 1]) / 2;
  });
}

/** Intermittent demand: its size times how often it comes (Teunter, Syntetos & Babai 2011). */
function demand(z, [a, b]) {
  const first = Math.max(0, z.findIndex((value) => value !== 0));
  let size = z[first], often = 1 / (first + 1);
  return z.map((value, t) => {
    const there = value !== 0 ? 1 : 0;
    size += a * there * (value - size);
    often += b * (there - often);
    return t >= first ? size * often : 0;
  });
}

export function averageOf(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
