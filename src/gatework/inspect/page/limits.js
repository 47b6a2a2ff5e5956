// How far a forecast may lie from the base forecast, and how near: as gatework.forecast.limits.

const REACH = 1.5, BEYOND = 0.5, NARROWEST = 0.1, NEWEST = 3;
const TENTH = -1.2815515655446004; // deviations at which a band of 80 % ends

/** Quantiles [h][P] from step t, kept to what the surprises of y (NaN where missing) up to t can bear; base [T][h], scale [h]. */
export function bounded(quantiles, normal, y, base, scale, warm, t) {
  const seen = y.slice(0, t + 1).filter((value) => !Number.isNaN(value)), low = Math.min(...seen), high = Math.max(...seen);
  const least = (high - low) / (t + 2), room = BEYOND * (high - low), middle = Math.floor(normal.length / 2);
  let largest = least, usual = least;
  return quantiles.map((row, k) => {
    const surprises = surprisesAt(y, base, warm, t, k), center = base[t][k];
    largest = Math.max(largest, ...surprises);
    usual = Math.max(usual, Math.sqrt(surprises.reduce((sum, e) => sum + e * e, 0) / Math.max(1, surprises.length)));
    const lowest = Math.max(Math.min(low, center) - room, center - REACH * largest);
    const highest = Math.min(Math.max(high, center) + room, center + REACH * largest);
    const inside = row.map((value) => Math.max(lowest, Math.min(highest, value)));
    return inside.map((value, p) => {
      const apart = NARROWEST * Math.min(scale[k], usual) * normal[p], border = inside[middle] + apart;
      return apart < 0 ? Math.min(value, border) : Math.max(value, border);
    });
  });
}

/** Quantiles whose wide bands hold both levels where one of the newest values is a surprise far beyond all before. */
export function aroundShift(quantiles, normal, y, base, warm, t) {
  const steps = Array.from({ length: Math.max(0, t - warm) }, (_, i) => warm + 1 + i);
  const surprise = steps.map((step) => Math.abs(y[step] - base[step - 1][0]) || 0); // 0 where a value is missing
  const before = surprise.slice(0, -NEWEST), newest = surprise.slice(-NEWEST), most = Math.max(...newest);
  if (!before.length || most <= REACH * Math.max(...before)) return quantiles;
  const at = t + 1 - newest.length + newest.indexOf(most);
  const levels = [base[at - 1][0], ...y.slice(at, t + 1).filter((value) => !Number.isNaN(value))];
  const low = Math.min(...levels), high = Math.max(...levels);
  return quantiles.map((row) => row.map((value, p) =>
    normal[p] <= TENTH + 1e-6 ? Math.min(value, low) : normal[p] >= -TENTH - 1e-6 ? Math.max(value, high) : value));
}

/** What the base forecast erred by k + 1 steps ahead, as far as it is known at step t. */
function surprisesAt(y, base, warm, t, k) {
  const sizes = [];
  for (let origin = warm; origin + k + 1 <= t; origin++) {
    const error = Math.abs(y[origin + k + 1] - base[origin][k]);
    if (!Number.isNaN(error)) sizes.push(error);
  }
  return sizes;
}
