// How far a forecast may lie from the base forecast, and how near: as gatework.forecast.limits.

const REACH = 1.5, BEYOND = 0.5, NARROWEST = 0.1;

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

/** What the base forecast erred by k + 1 steps ahead, as far as it is known at step t. */
function surprisesAt(y, base, warm, t, k) {
  const sizes = [];
  for (let origin = warm; origin + k + 1 <= t; origin++) {
    const error = Math.abs(y[origin + k + 1] - base[origin][k]);
    if (!Number.isNaN(error)) sizes.push(error);
  }
  return sizes;
}
