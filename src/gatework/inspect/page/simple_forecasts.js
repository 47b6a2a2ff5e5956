// The simple forecasts that a network corrects, from every origin of a series: as gatework.forecast.base.

import { autoregression } from "./autoregression.js";

const DAMPING = 0.97; // by which a slope fades at each step

/** A forecast of a kind: rows [T][h], NaN where there is too little past. */
export function simpleForecast(base, z, h) {
  switch (base.kind) {
    case "last value": return fromEachOrigin(z, h, (t) => z[t]);
    case "mean": { const means = runningMeans(z); return fromEachOrigin(z, h, (t) => means[t]); }
    case "drift": return fromEachOrigin(z, h, (t, k) => (t >= 8 ? z[t] + (k * (z[t] - z[0])) / t : NaN));
    case "seasonal naive": return fromEachOrigin(z, h, (t, k) => seasonBefore(z, t, k, base.season));
    case "seasonal naive with drift": return seasonalDrift(z, h, base.season);
    case "median": { const middles = runningMedians(z); return fromEachOrigin(z, h, (t) => middles[t]); }
    case "autoregression": { // naive before it begins
      const made = autoregression(z, h, base.season, base.weights);
      return fromEachOrigin(z, h, (t, k) => (Number.isNaN(made[t][0]) ? seasonBefore(z, t, k, base.season) : made[t][k - 1]));
    }
    case "intermittent demand": { const rates = demand(z, base.weights); return fromEachOrigin(z, h, (t) => rates[t]); }
    case "smoothing": return smoothed(z, h, base.season, base.weights);
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

/** Exponential smoothing with a damped slope and an additive season (Holt 1957; Winters 1960). */
function smoothed(z, h, m, [a, g, c]) {
  const start = Math.max(m, 4), mean = averageOf(z.slice(0, start)), first = averageOf(z.slice(0, m));
  const levels = z.map(() => NaN), slopes = z.map(() => 0);
  const seasons = z.map((value, t) => (m > 1 && t < m ? value - first : 0));
  let level = mean, slope = 0;
  for (let t = m > 1 ? m : 0; t < z.length; t++) {
    const old = t >= m ? seasons[t - m] : 0, was = level, ahead = DAMPING * slope;
    level = a * (z[t] - old) + (1 - a) * (level + ahead);
    slope = g * (level - was) + (1 - g) * ahead;
    seasons[t] = c * (z[t] - level) + (1 - c) * old;
    if (t >= start - 1) levels[t] = level;
    slopes[t] = slope;
  }
  const fade = [0];
  for (let k = 1; k <= h; k++) fade.push(fade[k - 1] + DAMPING ** k);
  return fromEachOrigin(z, h, (t, k) => levels[t] + fade[k] * slopes[t] + (m > 1 ? seasonBefore(seasons, t, k, m) : 0));
}

function runningMedians(z) {
  return z.map((_, t) => {
    const seen = z.slice(0, t + 1).sort((a, b) => a - b);
    return (seen[t >> 1] + seen[(t + 1) >> 1]) / 2;
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
