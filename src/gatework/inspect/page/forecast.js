// A series as its network sees it, made anew when a value is changed, and the forecast from what the network says.
import { aroundShift, bounded } from "./limits.js";
import { scalesOf } from "./scale.js";
import { averageOf, filledGaps, meanForecast, runningMeans, simpleForecast } from "./simple_forecasts.js";

const LARGEST = 6; // inputs, in units of the scale, are cut off here

/** From values (null where missing): x [T][I], base, scale and linear [T][h]; see tasks/forecast_inputs.py. */
export function prepared(series, values) {
  const { recipe, horizon: h } = series;
  const v = values.map((value) => (value === null ? NaN : recipe.log ? Math.log(value) : value));
  const z = filledGaps(v, recipe.season), base = meanForecast(recipe.base, z, h);
  const { scale, ahead } = scalesOf(v, base, recipe.season);
  const changes = [changeBy(z, 1), changeBy(z, recipe.season > 1 ? recipe.season : 0)];
  const twice = changeBy(z, recipe.second > 1 ? recipe.second : 0), means = runningMeans(z), sizes = runningMeans(scale);
  const others = recipe.others.map((other) => (other ? simpleForecast(other, z, h) : base));
  const apart = (t, k) => others.map((rows) => cutOff(notNaN(rows[t][k] - base[t][k]) / ahead[t][k]));
  const place = (t) => cutOff((z[t] - means[t]) / scale[t]);
  const x = z.map((value, t) => {
    const said = t > 0 ? base[t - 1][0] : NaN, error = Number.isNaN(said) ? 0 : value - said;
    const own = [changes[0][t], changes[1][t], twice[t], error].map((each) => cutOff(each / scale[t]));
    const grown = Math.max(-2, Math.min(2, Math.log(scale[t] / sizes[t])));
    return [...own, place(t), ...apart(t, 0), ...apart(t, h - 1), grown, Number.isNaN(v[t]) ? 1 : 0, ...recipe.fixed[t]];
  });
  const linear = z.map((_, t) => expectedBy(recipe, t, changes, scale[t], place(t), apart, h));
  return { x, base, scale: ahead, linear, y: values.map((value) => value ?? NaN) };
}

/** What the linear part expects of the steps after t, [h]. */
function expectedBy(recipe, t, changes, scale, place, apart, h) {
  const lagged = changes.flatMap((change) =>
    Array.from({ length: recipe.lags }, (_, lag) => cutOff((t >= lag ? change[t - lag] : 0) / scale)));
  const common = [...lagged, place, ...recipe.past[t]];
  return Array.from({ length: h }, (_, k) => {
    const features = [...common, ...apart(t, k), ...(recipe.known ? recipe.known[t][k] : [])];
    return features.reduce((sum, feature, i) => sum + feature * recipe.linear[k][i], 0);
  });
}

/** The forecast from step t: quantiles [h][P] in units of the series. `output` is the layer's, `tensor` finds weights. */
export function forecastAt(series, model, tensor, made, output, t) {
  const { recipe, horizon: h, probabilities } = series, P = probabilities.length, middle = Math.floor(P / 2);
  const said = saidByNetworks(series, model.head, tensor, output, recipe.known ? recipe.known[t] : null);
  const wild = Array.from({ length: h }, (_, k) => {
    const rest = recipe.center[k].map((center, p) => center + recipe.trust * (said[k * P + p] - center));
    const expected = cutOff(made.linear[t][k]) + rest[middle];
    return rest.map((each, p) => {
      const value = made.base[t][k] + made.scale[t][k] * (expected + recipe.factors[p] * (each - rest[middle]));
      return recipe.log ? Math.exp(value) : value;
    });
  });
  return withinLimits(recipe, wild, made, t).map((row) =>
    row.map((value) => (recipe.floor === null ? value : Math.max(value, recipe.floor))).sort((a, b) => a - b));
}

/** Quantiles [h][P] kept to what the past can bear, where the run keeps them so. */
function withinLimits(recipe, quantiles, made, t) {
  if (!recipe.limits) return quantiles;
  const base = recipe.log ? made.base.map((row) => row.map(Math.exp)) : made.base;
  const scale = made.scale[t].map((value, k) => value * (recipe.log ? base[t][k] : 1));
  const { normal, warm } = recipe.limits, within = bounded(quantiles, normal, made.y, base, scale, warm, t);
  return recipe.season > 1 ? within : aroundShift(within, normal, made.y, base, warm, t);
}

/** The mean over the members that forecast of the quantiles that each expects, [h * P]. */
function saidByNetworks(series, head, tensor, output, known) {
  const learned = Array.from({ length: series.members - series.judges }, (_, index) => index + series.judges);
  const each = learned.map((member) => quantilesOf(series, head, tensor, output, known, member));
  return each[0].map((_, i) => averageOf(each.map((row) => row[i])));
}

/** What one member expects: quantiles of the rest, [h * P]. */
export function quantilesOf(series, head, tensor, output, known, member) {
  const { hidden: H, horizon: h } = series, P = series.probabilities.length;
  const weight = tensor(head.weight).data, offset = tensor(head.offset).data;
  const own = output.slice(member * H, (member + 1) * H);
  const found = Array.from({ length: h * P }, (_, i) => offset[member * h * P + i]);
  own.forEach((value, u) => found.forEach((_, i) => { found[i] += value * weight[(member * H + u) * h * P + i]; }));
  if (!head.known || !known) return found;
  const by = tensor(head.known), mixed = tensor(head.mixed).data, [, rows, units] = by.shape;
  known.forEach((columns, k) => {
    for (let unit = 0; unit < units; unit++) {
      const sum = [...own, ...columns].reduce((total, value, r) => total + value * by.data[(member * rows + r) * units + unit], 0);
      for (let p = 0; p < P; p++) found[k * P + p] += Math.tanh(sum) * mixed[(member * units + unit) * P + p];
    }
  });
  return found;
}

function changeBy(z, m) {
  return z.map((value, t) => (m > 0 && t >= m ? value - z[t - m] : 0));
}

function notNaN(value) {
  return Number.isNaN(value) ? 0 : value;
}

function cutOff(value) {
  return Math.max(-LARGEST, Math.min(LARGEST, value));
}
