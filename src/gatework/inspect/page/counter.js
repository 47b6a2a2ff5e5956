// How a network counts a^n b^n: which number of its state follows the count, by which line, and to which n it is right.
import { multiply } from "./interpreter.js";

export const READS = ["a", "b"]; // what a counter reads; its outputs say of each, and of the end, whether it may come next

/** a^n b^n as ids. */
export const balanced = (n) => [...new Array(n).fill(0), ...new Array(n).fill(1)];

/** The a's less the b's, after each step. */
export function balances(ids) {
  let count = 0;
  return ids.map((id) => (count += id === 0 ? 1 : -1));
}

/** Runs a counter from a state on: of each step the state, its names' rows, and a score for each symbol and the end. */
export function countThrough(network, ids, from = network.start()) {
  const { weight, bias } = network.head;
  let state = from;
  return ids.map((id) => {
    const made = network.step(network.embed(id), state),
      scores = new Float64Array(bias.data.length);
    state = made.state;
    multiply(weight.data, made.output, scores);
    return { state, scores: scores.map((score, k) => score + bias.data[k]) };
  });
}

/** Which symbols may come next of a string a^n b^n that began so, the end last; null where none begins so. */
export function mayFollow(ids) {
  let [as, bs] = [0, 0];
  return ids.map((id) => {
    if (id === 0 && bs > 0) bs = Infinity;
    else if (id === 0) as++;
    else bs++;
    if (bs > as) return null;
    return bs ? [false, bs < as, bs === as] : [true, true, false];
  });
}

/** The first step at which a network is wrong about what may come next, {step, says, right}; null where it is nowhere. */
export function firstWrong(steps, ids) {
  const right = mayFollow(ids),
    step = steps.findIndex(({ scores }, t) => right[t]?.some((may, k) => may !== scores[k] > 0));
  return step < 0 ? null : { step, says: saysNext(steps[step]), right: right[step] };
}

/** What a network says may come next: a score above 0 is a probability above a half. */
export const saysNext = ({ scores }) => Array.from(scores, (score) => score > 0);

/** The least n whose a^n b^n it gets wrong, {n, step, says, right}; null where it is right to `furthest`. */
export function failsFirst(network, furthest) {
  let read = network.start();
  const before = [];
  for (let n = 1; n <= furthest; n++) {
    before.push(...countThrough(network, [0], read));
    read = before[n - 1].state;
    const steps = [...before, ...countThrough(network, new Array(n).fill(1), read)],
      wrong = firstWrong(steps, balanced(n));
    if (wrong) return { n, ...wrong };
  }
  return null;
}

/**
 * The number of the state that follows the a's less the b's most closely along a^n b^n: {state, name, unit, r, slope,
 * start, onA, onB}. r: the correlation; value = start + slope x count: the line of least squares; onA and onB: how much it
 * changes in a step on either.
 */
export function countingUnit(network, n) {
  const ids = balanced(n),
    counts = balances(ids),
    steps = countThrough(network, ids),
    lines = network.cells[0].program.states.flatMap(({ name }, state) =>
      Array.from(steps[0].state[0][state], (_, unit) => {
        const values = steps.map((step) => step.state[0][state][unit]);
        return { state, name, unit, ...lineThrough(counts, values), ...changesOf(values, n) };
      }),
    );
  return lines.reduce((best, each) => (Math.abs(each.r) > Math.abs(best.r) ? each : best));
}

const changesOf = (values, n) => ({
  onA: (values[n - 1] - values[0]) / (n - 1),
  onB: (values[2 * n - 1] - values[n]) / (n - 1),
});

/** The line of least squares and the correlation. */
function lineThrough(x, y) {
  const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
    [mx, my] = [average(x), average(y)],
    over = (f) => x.reduce((sum, _, k) => sum + f(x[k] - mx, y[k] - my), 0),
    [xx, xy, yy] = [over((a) => a * a), over((a, b) => a * b), over((_, b) => b * b)];
  return { r: xx && yy ? xy / Math.sqrt(xx * yy) : 0, slope: xy / xx, start: my - (xy / xx) * mx };
}

/** The count that a state holds, by the line. */
export const countIn = ({ state, unit, start, slope }, rows) => (rows[0][state][unit] - start) / slope;

/**
 * After n a's some numbers of the state are set, [state, unit, value] each, and b's follow, at most `most` of them: steps,
 * and ends, the b after which the network says for the first time that the string may end; null where it never does.
 */
export function endsAfterSetting(network, n, settings, most) {
  const rows = countThrough(network, new Array(n).fill(0))[n - 1].state.map((layer) => layer.map((row) => row.slice()));
  for (const [state, unit, value] of settings) rows[0][state][unit] = value;
  const steps = countThrough(network, new Array(most).fill(1), rows),
    ends = steps.findIndex((step) => saysNext(step)[READS.length]);
  return { steps, set: rows, ends: ends < 0 ? null : ends + 1 };
}

/** The other numbers of the same state as they are after m a's, for `endsAfterSetting`. */
export function othersAfter(network, { state, unit }, m) {
  const row = countThrough(network, new Array(m).fill(0))[m - 1].state[0][state];
  return Array.from(row, (value, other) => [state, other, value]).filter(([, other]) => other !== unit);
}
