// The page of `gatework learn`: four lessons, each on a small network that runs here.
import { byId, make, section } from "./dom.js";
import { showBias } from "./lesson_bias.js";
import { showConveyor } from "./lesson_conveyor.js";
import { showCounting } from "./lesson_counting.js";
import { showVanishing } from "./lesson_vanishing.js";
import { Network } from "./network.js";
import { readWeights } from "./weights.js";

/** A shipped network: the weights of each stand under its own name. */
function shipped(payload, tensor, name) {
  const { model, ...about } = payload.networks[name],
    own = (key) => tensor(`${name}.${key}`);
  return { ...about, model, tensor: own, network: new Network({ kind: "text", model }, own) };
}

export function startLessons(payload, base64) {
  const tensor = readWeights(payload.weights, base64);
  greet();
  const reader = readerOf(shipped(payload, tensor, "reader"));
  showConveyor(reader, "1. ");
  showBias(reader, "2. ");
  showVanishing(startedNetworks(payload, tensor), payload.noise, "3. ");
  showCounting(shipped(payload, tensor, "counter"), "4. ");
  document.body.dataset.ready = "yes";
  Object.assign(window, { gatework: { payload, shipped: (name) => shipped(payload, tensor, name) } });
}

/** What the third lesson looks at: networks that were not trained, by name. */
function startedNetworks(payload, tensor) {
  return Object.fromEntries(["rnn", "gru", "lstm"].map((name) => [name, shipped(payload, tensor, name)]));
}

function greet() {
  const found = section(
    "about",
    "About",
    "What gates do, and why memory lasts",
    "Four lessons, ten minutes each. Every curve and number is computed on this page, by running a small network as you move it; nothing is asked of any server.",
  );
  found.append(
    make(
      "p",
      null,
      "A recurrent network reads a sequence step by step, and carries a state from each step to the next. A plain one makes its state anew each time; an LSTM or a GRU has gates, which say what is kept and what is written. Arrow keys move a slider that has the focus.",
    ),
  );
  byId("bar").hidden = true;
}

/** What the first two lessons look at: a small LSTM, and the text that it reads. */
function readerOf({ network, model, tensor, symbols, text }) {
  const pieces = [...text],
    ids = pieces.map((piece) => symbols.indexOf(piece));
  return {
    ...{ network, model, tensor, ids, pieces, first: network.start(), units: model.hidden },
    ...{ roles: model.roles, words: model.words, at: { layer: 0, unit: null } },
  };
}
