// Which units follow a label: correlations on two halves, chance from other stretches, an untrained network; see gatework.inspect.hypotheses.
import { Network } from "./network.js";
import { Reading } from "./reading.js";
import { bytesOf } from "./weights.js";

const DRAWS = 100, // other stretches that chance is made of
  LEVEL = 0.95,
  PREVALENCE = 0.01,
  EPISODES = 20, // in each half at least
  LEAST_HALF = 50; // steps of a half
const MIXED = 37; // without a factor in common with DRAWS: pairs the shifts of both halves differently

/** The states and outputs of a reading, {name, values} each: a value that leaves [-1, 1] by its tanh. */
export function* unitsOf(reading) {
  const found = [];
  for (const [layer, { program }] of reading.network.cells.entries()) {
    for (const name of new Set([program.output, ...program.states.map((state) => state.name)])) {
      const { size, data } = reading.rows[layer].get(name),
        squashed = data.some((value) => Math.abs(value) > 1);
      for (let unit = 0; unit < size; unit++) {
        const values = Float64Array.from({ length: reading.length }, (_, t) => data[t * size + unit]);
        found.push({ name: `l${layer}.${name}.${unit}`, values: squashed ? values.map(Math.tanh) : values });
        yield;
      }
    }
  }
  return found;
}

/** The same text read by the untrained network of the page, step by step; null where the page has none. */
export function* readUntrained({ payload, own }) {
  if (!payload.fresh) return null;
  const weights = new Map(payload.fresh.map((each) => [each.name, coarse(each)])),
    network = new Network(payload, (name) => weights.get(name)),
    reading = new Reading(network, own.inputs, own.pieces, network.start(), false);
  while (reading.done < reading.length) {
    reading.readOne();
    yield;
  }
  return reading;
}

/** A tensor out of whole numbers from -127 to 127 and their scale. */
function coarse({ shape, scale, data }) {
  return { shape, data: Float32Array.from(new Int8Array(bytesOf(data).buffer), (value) => value * scale) };
}

/** What is found of a label [T] and units; fresh: those of an untrained network, or null. A generator, a unit at a time. */
export function* follow(label, units, fresh) {
  const middle = label.length >> 1,
    halves = [label.subarray(0, middle), label.subarray(middle)],
    sides = halves.map((half) => unitNorm(half)),
    shifts = shiftsOf(halves),
    chance = new Float64Array(DRAWS);
  const each = [];
  for (const { name, values } of units) {
    const own = [unitNorm(values.subarray(0, middle)), unitNorm(values.subarray(middle))],
      [a, b] = own.map((value, half) => inner(value, sides[half], 0));
    each.push({ name, a, b });
    for (let k = 0; k < DRAWS; k++) {
      const [x, y] = own.map((value, half) => inner(value, sides[half], shifts[half][k]));
      chance[k] = Math.max(chance[k], agreed(x, y));
    }
    yield;
  }
  let untrained = fresh ? 0 : null;
  for (const { values } of fresh ?? []) {
    const own = [unitNorm(values.subarray(0, middle)), unitNorm(values.subarray(middle))];
    untrained = Math.max(untrained ?? 0, agreed(inner(own[0], sides[0], 0), inner(own[1], sides[1], 0)));
    yield;
  }
  return judged(each, { ...rarity(halves), null95: quantile(chance, LEVEL), untrained_best: untrained });
}

/** The units in order, those that beat both thresholds first, then by their correlation on the first half. */
function judged(units, figures) {
  const least = Math.max(figures.null95, figures.untrained_best ?? 0),
    listed = units.map(({ name, a, b }) => {
      const score = Math.min(Math.abs(a), Math.sign(a) * b) - least;
      return { name, a, b, score, found: figures.enough && score > 0 };
    });
  listed.sort((x, y) => Number(y.found) - Number(x.found) || Math.abs(y.a) - Math.abs(x.a));
  return { ...figures, units: listed, needed: EPISODES };
}

/** How often it is there, and begins, in the half where it is rarer. */
function rarity(halves) {
  const shares = halves.map((half) => half.reduce((sum, value) => sum + value, 0) / half.length),
    begun = halves.map((half) => half.reduce((sum, value, t) => sum + (value && !half[t - 1] ? 1 : 0), 0)),
    prevalence = Math.min(...shares),
    episodes = Math.min(...begun);
  return { prevalence, episodes, enough: prevalence >= PREVALENCE && episodes >= EPISODES && halves[0].length >= LEAST_HALF };
}

/** Less their mean, divided by their norm; 0 where nothing varies. */
function unitNorm(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length,
    centred = Float64Array.from(values, (value) => value - mean),
    norm = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0)),
    largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return norm > 1e-6 * (1 + largest) * Math.sqrt(values.length) ? centred.map((value) => value / norm) : centred.fill(0);
}

/** The sum of products with a label that is turned by a shift. */
function inner(value, label, shift) {
  const T = label.length;
  let sum = 0;
  for (let t = 0; t < shift; t++) sum += value[t] * label[t - shift + T];
  for (let t = shift; t < T; t++) sum += value[t] * label[t - shift];
  return sum;
}

/** By how much the label of each half is turned: from a tenth to nine tenths of its length, evenly. */
const shiftsOf = (halves) =>
  halves.map(({ length }, half) =>
    Array.from({ length: DRAWS }, (_, k) => {
      const at = half ? (MIXED * k) % DRAWS : k;
      return Math.floor(length / 10 + (0.8 * length * at) / DRAWS);
    }),
  );

/** min(|a|, |b|), 0 where the signs differ. */
const agreed = (a, b) => (a * b > 0 ? Math.min(Math.abs(a), Math.abs(b)) : 0);

/** With linear interpolation. */
function quantile(values, level) {
  const sorted = [...values].sort((a, b) => a - b),
    place = level * (sorted.length - 1),
    low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}
