// What the probabilities of each frame spell, where CTC aligns: as gatework.decoding.ctc, in float64.

/** log(e^a + e^b). */
export function logAdd(a, b) {
  const larger = Math.max(a, b);
  return larger === -Infinity ? larger : larger + Math.log1p(Math.exp(Math.min(a, b) - larger));
}

/** The number of the likeliest of log probabilities, the first of several. */
export const likeliest = (scores) => scores.reduce((best, value, k) => (value > scores[best] ? k : best), 0);

/** The likeliest symbol or blank of each frame [S], and what this path spells. */
export function likeliestPath(logP, blank) {
  const path = logP.map(likeliest);
  return { path, tokens: path.filter((symbol, s) => symbol !== blank && symbol !== path[s - 1]) };
}

/** The `best` likeliest sequences of symbols, the best first, each with its log probability: over all its paths, as far as a search of so many beams sees them. */
export function prefixBeam(logP, blank, beams, best) {
  let alive = [{ spelled: "", last: blank, blanks: 0, others: -Infinity }];
  for (const frame of logP) alive = likeliestPrefixes(longer(alive, frame, blank), beams);
  return alive.slice(0, best).map(({ spelled, blanks, others }) => ({
    tokens: spelled.split(" ").filter(Boolean).map(Number),
    logProbability: logAdd(blanks, others),
  }));
}

/**
 * Prefixes after one more frame, as they were and one symbol longer. spelled: the numbers of its symbols; blanks, others: log p of
 * its paths that end in the blank, and of those in its last symbol.
 */
function longer(alive, frame, blank) {
  const found = new Map();
  const at = (spelled, last) => {
    if (!found.has(spelled)) found.set(spelled, { spelled, last, blanks: -Infinity, others: -Infinity });
    return found.get(spelled);
  };
  for (const { spelled, last, blanks, others } of alive) {
    const both = logAdd(blanks, others),
      same = at(spelled, last);
    same.blanks = logAdd(same.blanks, both + frame[blank]);
    same.others = logAdd(same.others, others + frame[last]);
    frame.forEach((value, symbol) => {
      if (symbol === blank) return;
      const grown = at(`${spelled} ${symbol}`, symbol);
      grown.others = logAdd(grown.others, (symbol === last ? blanks : both) + value); // the same again needs a blank between
    });
  }
  return [...found.values()];
}

function likeliestPrefixes(prefixes, beams) {
  const worth = prefixes.map((each) => ({ each, score: logAdd(each.blanks, each.others) }));
  return worth
    .filter(({ score }) => score > -Infinity)
    .sort((a, b) => b.score - a.score)
    .slice(0, beams)
    .map(({ each }) => each);
}

/** What the paths of some symbols go through: a blank, a symbol, a blank, ... a blank. */
function placesOnPaths(tokens, blank) {
  return [blank, ...tokens.flatMap((symbol) => [symbol, blank])];
}

/** The places that a path may come to the place k from: itself, the one before, and over a blank the one before that. */
function waysTo(places, blank, k) {
  const over = k > 1 && places[k] !== blank && places[k] !== places[k - 2];
  return [k, ...(k > 0 ? [k - 1] : []), ...(over ? [k - 2] : [])];
}

/** log p of symbols: the sum over all their paths, -Infinity where there is none. */
export function logLikelihood(logP, tokens, blank) {
  const places = placesOnPaths(tokens, blank);
  let sums = places.map((symbol, k) => (k < 2 ? logP[0][symbol] : -Infinity));
  for (const frame of logP.slice(1)) {
    const before = sums;
    sums = places.map((symbol, k) =>
      waysTo(places, blank, k).reduce((sum, from) => logAdd(sum, before[from]), -Infinity) + frame[symbol]);
  }
  return logAdd(sums.at(-1), sums.at(-2) ?? -Infinity);
}

/** The frames of each symbol on the likeliest path of a sequence: from the first, up to the second of two numbers. */
export function symbolSpans(logP, tokens, blank) {
  const places = placesOnPaths(tokens, blank),
    back = [];
  let best = places.map((symbol, k) => (k < 2 ? logP[0][symbol] : -Infinity));
  for (const frame of logP.slice(1)) {
    const before = best,
      from = places.map((_, k) => waysTo(places, blank, k).reduce((a, b) => (before[b] > before[a] ? b : a)));
    back.push(from);
    best = places.map((symbol, k) => before[from[k]] + frame[symbol]);
  }
  const end = places.length - 1;
  let place = end && best[end - 1] > best[end] ? end - 1 : end;
  const path = [place];
  for (const from of back.reverse()) path.push((place = from[place]));
  path.reverse();
  return tokens.map((_, t) => [path.indexOf(2 * t + 1), path.lastIndexOf(2 * t + 1) + 1]);
}
