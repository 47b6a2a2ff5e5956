// Lesson 4: a unit that counts a^n b^n: its count read off, set to another number, and where it fails.
import { READS, balanced, balances, countIn, countThrough, countingUnit, endsAfterSetting, failsFirst, firstWrong, mayFollow, othersAfter, saysNext } from "./counter.js";
import { figure, make, section } from "./dom.js";
import { capitalised, curveKeys, curvesOver, extent, inWords, lessonSteps, slider, soon } from "./lesson_parts.js";

const FIRST_N = 31,
  FIRST_SET = 20, // the count that is set at first
  LONGEST_OWN = 600, // symbols of a string that is typed
  SYMBOL_LINES = ["first", "second", "third"]; // how what may come next is drawn: a, b, the end

/** counter: a shipped network of one layer, {network, model, longest, furthest}. */
export function showCounting(counter, number = "") {
  const { network, longest, furthest } = counter,
    unit = countingUnit(network, longest),
    failure = failsFirst(network, furthest);
  const found = section(
    "lesson-counting",
    `${number}Counting`,
    `${number}Counting: a unit that goes one way on a, and back on b`,
    `A small LSTM has read strings of n a's and n b's, n from 1 to ${longest}, and says after each symbol what may come next: a or b after an a, then b alone, and the end after as many b's as a's. To know that, it has to count.`,
  );
  const subject = { ...counter, unit, most: Math.max(2 * longest, failure ? Math.ceil(1.2 * failure.n) : furthest) };
  found.append(
    lessonSteps(
      [make("p", { id: "counting-unit" }, unitInWords(subject))],
      readStep(subject),
      [make("p", { id: "counting-fails" }, failureInWords(subject, failure))],
      setStep(subject),
      [make("p", null, counterInWords(subject))],
    ),
  );
}

/** The string that is read, and what is seen of it. */
function readStep(subject) {
  const picture = make("div", { class: "lesson-picture" }),
    said = make("p", { id: "counting-said", "aria-live": "polite" }),
    own = make("input", { id: "counting-string", type: "text", maxlength: LONGEST_OWN, spellcheck: false, oninput: soon(update) }),
    chosen = countSlider(subject, "counting-n", "n of a^n b^n", FIRST_N, fill);
  function update() {
    const read = own.value.replace(/\s/g, "").toLowerCase(),
      strange = [...read].find((sign) => !READS.includes(sign));
    if (strange || !read) {
      picture.replaceChildren();
      said.textContent = strange ? `The network knows a and b alone, and there is ${strange}: take it out.` : "Type some a's, and then b's.";
      return;
    }
    const ids = [...read].map((sign) => READS.indexOf(sign)),
      steps = countThrough(subject.network, ids);
    picture.replaceChildren(drawCount(subject, ids, steps), drawNext(steps));
    said.textContent = countInWords(subject, ids, steps);
  }
  function fill() {
    own.value = "a".repeat(chosen.value()) + "b".repeat(chosen.value());
    update();
  }
  fill();
  return [
    make("p", null, "Choose n, or type a string of your own, as aaabb or aabbb."),
    make("div", { class: "sliders" }, chosen.element, make("label", null, "String ", own)),
    picture,
    said,
  ];
}

/** The unit is set to another count at the turn. */
function setStep(subject) {
  const picture = make("div", { class: "lesson-picture" }),
    said = make("p", { id: "counting-set-said", "aria-live": "polite" }),
    after = countSlider(subject, "counting-turn", "a's that are read", FIRST_N, soon(update)),
    count = countSlider(subject, "counting-set", "Count that is set then", FIRST_SET, soon(update));
  function update() {
    const { network, unit } = subject,
      [n, m] = [after.value(), count.value()],
      most = 2 * subject.most,
      end = (settings) => endsAfterSetting(network, n, settings, most),
      [free, set, others] = [[], [[unit.state, unit.unit, unit.start + unit.slope * m]], othersAfter(network, unit, m)].map(end);
    picture.replaceChildren(...drawSet(subject, n, m, free, set));
    said.textContent = setInWords(subject, n, m, free, set, others);
  }
  update();
  return [
    make("p", null, "Is this unit the counter, or does it only go along with one? After the last a, set it to the value that it has at another count, leave all else as it is, and read b's until the network says that the string may end."),
    make("div", { class: "sliders" }, after.element, count.element),
    picture,
    said,
  ];
}

const countSlider = ({ most }, id, label, value, changed) =>
  slider({ id, label, min: 1, max: most, step: 1, value: Math.min(value, most), shown: (n) => figure(n, 0), changed });

const valueName = ({ unit, model }) => `${inWords(unit.name, model.words)} of unit ${unit.unit}`;

const moves = (change) => `${change < 0 ? "falls" : "rises"} by ${figure(Math.abs(change))}`;

function unitInWords(subject) {
  const { unit, network, longest } = subject,
    { states } = network.cells[0].program,
    all = network.start()[0].reduce((sum, row) => sum + row.length, 0);
  return `The state of this network is ${all} numbers, ${states.map(({ name }) => name).join(" and ")} of each unit. All are measured on a^${longest} b^${longest}: ${valueName(subject)} follows the a's less the b's most closely, with a correlation of ${figure(unit.r, 4)}. It ${moves(unit.onA)} a step on a's and ${moves(unit.onB)} on b's. The line through it, ${unit.name} = ${figure(unit.start)} ${unit.slope < 0 ? "−" : "+"} ${figure(Math.abs(unit.slope))} × count, reads the count off.`;
}

function drawCount(subject, ids, steps) {
  const { unit } = subject,
    values = steps.map(({ state }) => state[0][unit.state][unit.unit]),
    line = balances(ids).map((count) => unit.start + unit.slope * count),
    [low, high] = extent([...values, ...line, -1, 1]);
  const svg = curvesOver(
    [
      { name: "fourth dashed", values: line, at: 1 },
      { name: "first", values, at: 1 },
    ],
    {
      label: `${capitalised(valueName(subject))} over ${ids.length} steps: between ${extent(values).map((v) => figure(v, 1)).join(" and ")}.`,
      ...{ xTitle: "step", yTitle: unit.name, low, high },
    },
  );
  const keys = curveKeys([
    ["first", valueName(subject)],
    ["fourth dashed", "the line at the a's less the b's"],
  ]);
  return make("figure", null, make("figcaption", { class: "small" }, "The unit that counts"), svg, keys);
}

/** The probabilities that a, b and the end may come next. */
function drawNext(steps) {
  const names = [...READS, "the end"],
    ends = steps.flatMap((step, t) => (saysNext(step)[READS.length] ? [t + 1] : []));
  const svg = curvesOver(
    names.map((_, k) => ({ name: SYMBOL_LINES[k], values: steps.map(({ scores }) => 1 / (1 + Math.exp(-scores[k]))), at: 1 })),
    {
      label: `What may come next, step by step: the end after ${ends.length ? `step ${ends[0]}` : "none"} of ${steps.length}.`,
      ...{ xTitle: "step", yTitle: "probability", low: 0, high: 1 },
    },
  );
  const keys = curveKeys(names.map((name, k) => [SYMBOL_LINES[k], `${name} may come next`]));
  return make("figure", null, make("figcaption", { class: "small" }, "What the network says may come next"), svg, keys);
}

/** "a or b", "the end", "nothing". */
const nextInWords = (may) => [...READS, "the end"].filter((_, k) => may[k]).join(" or ") || "nothing";

/** "12 a's and 3 b's", of what was read to a step. */
function readSoFar(ids) {
  const bs = ids.filter((id) => id === 1).length,
    of = (many, sign) => `${many} ${sign}${many === 1 ? "" : "'s"}`;
  return [[ids.length - bs, "a"], [bs, "b"]].flatMap(([many, sign]) => (many ? [of(many, sign)] : [])).join(" and ");
}

function countInWords({ unit }, ids, steps) {
  const turn = ids.indexOf(1),
    places = [...(turn > 0 ? [turn - 1] : []), ids.length - 1];
  const readings = places.map((t) => {
    const { state } = steps[t];
    return `After ${readSoFar(ids.slice(0, t + 1))}: ${unit.name} = ${figure(state[0][unit.state][unit.unit], 1)}, a count of ${figure(countIn(unit, state), 1)}.`;
  });
  return `${readings.join(" ")} The network says that ${nextInWords(saysNext(steps[steps.length - 1]))} may come next. ${verdictInWords(ids, steps)}`;
}

function verdictInWords(ids, steps) {
  const wrong = firstWrong(steps, ids),
    beyond = mayFollow(ids).indexOf(null);
  if (wrong) return `It is wrong at step ${wrong.step + 1}: it says ${nextInWords(wrong.says)}, right is ${nextInWords(wrong.right)}.`;
  if (beyond < 0) return "It is right at every step.";
  return `It is right up to step ${beyond}; no string a^n b^n begins as this one does after that.`;
}

function failureInWords({ unit, network, longest, furthest }, failure) {
  const tried = "Where does it fail? This page has run it on n = 1, 2, 3 and so on";
  if (!failure) return `${tried} to ${furthest}, and it is right on all of them; it was trained to ${longest}.`;
  const { n, step, says, right } = failure,
    ids = balanced(n).slice(0, step + 1),
    count = balances(ids)[step],
    known = balanced(longest).slice(0, 2 * longest - count),
    reading = (read) => figure(countIn(unit, countThrough(network, read)[read.length - 1].state));
  return `${tried}: all is right up to n = ${n - 1}, and n = ${n} is wrong. After ${readSoFar(ids)} it says that ${nextInWords(says)} may come next, where ${nextInWords(right)} may. The unit reads ${reading(ids)} there, for a count of ${count}; after ${readSoFar(known)}, for the same count, it reads ${reading(known)}. What a b takes back is not exactly what an a adds, and the more of them, the more that comes to. It was trained to n = ${longest}: what it learnt is nearly a counter, exact enough for the strings that it saw and for longer ones up to this.`;
}

function drawSet(subject, n, m, free, set) {
  const { unit } = subject,
    last = Math.min(Math.max(free.ends ?? n, set.ends ?? m) + 3, set.steps.length),
    of = (rows) => rows[0][unit.state][unit.unit],
    values = ({ set: at, steps }) => [of(at), ...steps.slice(0, last).map(({ state }) => of(state))],
    [low, high] = extent([...values(free), ...values(set), -1, 1]);
  return [
    curvesOver(
      [
        { name: "first dashed", values: values(free) },
        { name: "first", values: values(set) },
      ],
      {
        label: `${capitalised(valueName(subject))} while b's are read, set to a count of ${m} after ${n} a's.`,
        ...{ xTitle: "b's read", yTitle: unit.name, low, high },
      },
    ),
    curveKeys([
      ["first", `set to a count of ${m}`],
      ["first dashed", `as it is after ${n} a's`],
    ]),
  ];
}

function setInWords({ unit }, n, m, free, set, others) {
  const end = ({ ends }) => (ends === null ? "no b" : `b number ${ends}`);
  return `After ${readSoFar(new Array(n).fill(0))} ${unit.name} of unit ${unit.unit} is ${figure(free.set[0][unit.state][unit.unit], 1)}, and the network says that the string may end after ${end(free)}. Set to ${figure(set.set[0][unit.state][unit.unit], 1)}, its value at a count of ${m}, it says so after ${end(set)}. With all other units set to what their ${unit.name} is after ${m} a's, and this one left alone: after ${end(others)}.`;
}

function counterInWords({ unit }) {
  return `A count has no bound, so what holds it must have none: an LSTM adds to its ${unit.name}, and nothing squashes the sum. The state of a GRU is a mean of numbers between −1 and 1, so it stays between them; Weiss, Goldberg & Yahav (2018) argue from this that an LSTM can count as far as its arithmetic reaches, and a GRU of finite precision cannot, and they find both in training. Gers & Schmidhuber (2001) had shown an LSTM that learnt a^n b^n.`;
}
