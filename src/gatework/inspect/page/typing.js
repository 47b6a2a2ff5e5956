// Section 2: type, and see what the network expects next and how surprised it was by each character.
import { figure, make, percent, say, section, visible } from "./dom.js";
import { encode } from "./tokens.js";

const CHOICES = 10,
  COLD_START = 50,
  MOST_BITS = 10,
  PLAY = 90; // bars; characters; bits; milliseconds a character

export function showTyping(app) {
  const { payload } = app;
  const found = section(
    "live",
    "Try it",
    "Type, and it guesses what comes next",
    "The bars show which characters the network expects next, at the temperature that is set: below 1 the likely becomes likelier, above 1 all become more alike. Under each typed character stands how much it was surprised by it: nothing where it had seen it coming, a long bar where it had not.",
  );
  const box = make("textarea", {
    id: "live-box",
    rows: 3,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    "aria-label": "Text for the network to read",
  });
  const strip = make("div", { id: "strip", class: "strip", "aria-hidden": "true" });
  const bars = make("ol", { id: "bars", class: "bars", "aria-label": "Most likely next characters" });
  const play = make("button", { id: "play" }, "Let it write"),
    temperature = make("input", { type: "range", id: "temperature", min: 0.1, max: 2, step: 0.05, value: 1 }),
    degrees = make("output", { for: "temperature" }),
    drawn = make("p", { class: "small", id: "drawn" });
  const warm = make("input", { type: "checkbox", id: "warm", checked: Boolean(app.reading) });
  const note = make("p", { class: "small", id: "live-note" });
  const live = new Typing(app);
  box.value = opening(app);

  const expect = () => {
    const at = Number(temperature.value);
    degrees.textContent = figure(at);
    temperature.setAttribute("aria-valuetext", `${figure(at)}: ${effectOf(at)}`);
    paintBars(app, bars, live, at, (piece) => {
      box.value += piece;
      update();
    });
    drawn.textContent = [live.spread(at), live.said()].filter(Boolean).join(" ");
  };
  const update = () => {
    const start = performance.now();
    live.read(encode(payload.vocabulary, box.value), warm.checked);
    paintStrip(app, strip, live);
    expect();
    note.textContent = live.note();
    app.keystroke = performance.now() - start; // milliseconds, for whoever measures
  };
  const write = () => {
    box.value += app.spell(live.draw(Number(temperature.value)));
    update();
  };
  /** @type {number | undefined} */
  let timer;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Let it write";
  };
  play.onclick = () => {
    if (timer) return stop();
    timer = setInterval(write, PLAY);
    play.textContent = "Stop";
  };
  const look = () => {
    stop();
    if (!live.ids.length) return say("Type something first.");
    app.lookAt(live);
  };
  box.addEventListener("input", update);
  temperature.addEventListener("input", expect);
  warm.addEventListener("change", update);
  found.append(
    box,
    make(
      "p",
      { class: "buttons" },
      play,
      make(
        "button",
        {
          id: "step",
          onclick: () => {
            stop();
            write();
          },
        },
        "One character",
      ),
      make("label", { for: "temperature" }, "Temperature"),
      temperature,
      degrees,
      make(
        "button",
        {
          onclick: () => {
            stop();
            box.value = "";
            update();
          },
        },
        "Clear",
      ),
      app.own ? make("button", { id: "look", onclick: look }, "Look inside what is typed") : "",
      app.reading ? make("label", { class: "switch" }, warm, " it has read some of the text before") : "",
    ),
    strip,
    bars,
    drawn,
    note,
  );
  app.view.on(["done"], () => live.canWarm() && !live.warmed && update());
  update();
}

/** What has been typed, the state after each character of it, and the probabilities that follow. */
class Typing {
  constructor(app) {
    this.app = app;
    this.ids = [];
    this.pieces = [];
    this.states = [];
    this.logs = [];
    this.warmed = null; // where in the text it starts from, null for nothing read
    this.first = null; // the state there
    this.written = null; // the token that was drawn last, and its chance
  }

  /** Whether enough of the text is read to start from there. */
  canWarm() {
    return this.app.own && this.warmPlace() !== null;
  }

  /** The last end of a line among the first few hundred characters, else the last of these. */
  warmPlace() {
    const { pieces, done, length } = this.app.own,
      least = Math.min(COLD_START, length - 1),
      most = Math.min(300, length - 1);
    if (done <= most) return null;
    for (let t = most; t > least; t--) if (pieces[t - 1].includes("\n")) return t;
    return most;
  }

  /** Reads what is new; what was read before and still stands is kept. */
  read({ ids, pieces }, warm) {
    const from = warm && this.canWarm() ? this.warmPlace() : null;
    if (from !== this.warmed || !this.states.length) this.begin(from);
    let same = 0;
    while (same < ids.length && same < this.ids.length && ids[same] === this.ids[same]) same++;
    this.states.length = this.logs.length = same + 1;
    for (let k = same; k < ids.length; k++) this.one(ids[k]);
    this.ids = ids;
    this.pieces = pieces;
  }

  begin(from) {
    const { network, own } = this.app;
    this.warmed = from;
    this.ids = [];
    this.first = from === null ? network.start() : own.stateBefore(from);
    this.states = [this.first];
    this.logs = [from === null ? null : network.logProbabilities(own.again(from - 1))];
  }

  one(id) {
    const { network } = this.app,
      { state, output } = network.step(network.embed(id), this.states.at(-1));
    this.states.push(state);
    this.logs.push(network.logProbabilities(output));
  }

  /** Bits of surprise of the k-th character; NaN where nothing went before it. */
  bits(k) {
    return this.logs[k] ? -this.logs[k][this.ids[k]] / Math.LN2 : NaN;
  }

  get last() {
    return this.logs.at(-1);
  }

  /** One token at random, by the chances at a temperature of those that can be typed. */
  draw(temperature) {
    const { tokens } = this.app.payload.vocabulary,
      logs = Array.from(this.last ?? tokens.map(() => 0), (log, id) => (this.app.canType(id) ? log : -Infinity)),
      chances = tempered(logs, temperature);
    let left = Math.random();
    const found = chances.findIndex((chance) => (left -= chance) < 0),
      id = found < 0 ? chances.indexOf(Math.max(...chances)) : found;
    this.written = { id, chance: chances[id], k: this.ids.length };
    return id;
  }

  /** What was drawn last, as long as nothing else was typed since. */
  said() {
    const { written, ids } = this;
    if (!written || ids.length !== written.k + 1 || ids.at(-1) !== written.id) return "";
    return `Written last: “${visible(this.pieces.at(-1))}”, drawn with a chance of ${percent(written.chance)}.`;
  }

  /** How uncertain the next token is at a temperature, in bits, beside what the network itself says. */
  spread(temperature) {
    if (!this.last) return "";
    const bits = (at) => entropyOf(tempered(this.last, at)),
      own = `The next ${this.app.step} is uncertain by ${figure(bits(1))} bits`;
    return temperature === 1 ? `${own}.` : `${own}, at this temperature by ${figure(bits(temperature))}.`;
  }

  note() {
    const known = this.ids.map((_, k) => this.bits(k)).filter(Number.isFinite);
    const unseen = this.ids.filter((id) => id === this.app.payload.vocabulary.unknown).length;
    const notes = known.length
      ? [`${figure(known.reduce((a, b) => a + b, 0) / known.length)} bits per character typed.`]
      : [];
    if (unseen)
      notes.push(
        `${unseen} of them ${unseen === 1 ? "is" : "are"} new to the network, which never saw such a character in training (underlined).`,
      );
    if (this.warmed === null)
      notes.push("It starts knowing nothing: the first 50 characters, greyed, are not yet typical.");
    return notes.join(" ");
  }
}

function paintStrip(app, strip, live) {
  const from = Math.max(0, live.ids.length - 400),
    cold = live.warmed === null,
    { unknown } = app.payload.vocabulary;
  strip.replaceChildren(
    ...live.ids.slice(from).map((id, index) => {
      const k = from + index,
        bits = live.bits(k),
        tall = Number.isFinite(bits) ? Math.min(bits / MOST_BITS, 1) : 0;
      return make(
        "span",
        {
          class: [cold && k < COLD_START && "cold", id === unknown && "unseen"].filter(Boolean).join(" ") || null,
          title: Number.isFinite(bits) ? `${figure(bits, 1)} bits of surprise` : "nothing went before it",
        },
        visible(live.pieces[k]),
        make("i", { style: `height: ${(tall * 30).toFixed(1)}px` }),
      );
    }),
  );
}

/** Chances p^(1/temperature), made to add up to 1, from log probabilities. */
function tempered(logs, temperature) {
  const most = Math.max(...logs),
    powers = Array.from(logs, (log) => Math.exp((log - most) / temperature)),
    sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

const entropyOf = (chances) => chances.reduce((sum, p) => sum - (p > 0 ? p * Math.log2(p) : 0), 0);

const effectOf = (temperature) =>
  temperature === 1
    ? "as the network says"
    : temperature < 1
      ? "the likely becomes likelier"
      : "all become more alike";

function paintBars(app, bars, live, temperature, type) {
  if (!live.last)
    return bars.replaceChildren(make("li", { class: "small" }, "Type a character to see what it expects next."));
  const likely = tempered(live.last, temperature)
    .map((p, id) => [p, id])
    .sort((a, b) => b[0] - a[0])
    .slice(0, CHOICES);
  bars.replaceChildren(
    ...likely.map(([p, id]) => {
      const piece = app.spell(id);
      return make(
        "li",
        null,
        make("button", { title: "type it", disabled: !app.canType(id), onclick: () => type(piece) }, visible(piece)),
        make("span", { class: "bar-track" }, make("i", { style: `width: ${(100 * p).toFixed(1)}%` })),
        make("span", { class: "number", title: `${percent(Math.exp(live.last[id]))} at temperature 1` }, percent(p)),
      );
    }),
  );
}

/** Something to begin with: the longest of the first lines of the text, or nothing. */
function opening(app) {
  if (!app.reading) return "";
  const lines = app.reading.pieces
    .slice(300, 2000)
    .join("")
    .split("\n")
    .slice(1, -1)
    .map((line) => line.slice(0, 48));
  return lines.reduce((best, line) => (line.length > best.length ? line : best), "");
}
