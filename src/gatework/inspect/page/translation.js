// A model of pairs: a source to its memory, the likeliest targets, and all that both networks computed on the way.
import { Steps } from "./steps.js";

const LONGEST = [2, 10]; // symbols of a target at most: twice those of its source, and 10 more

export class Translation {
  /** model: the payload's; its encoder and decoder are steps of networks. */
  constructor(model, tensor) {
    this.encoder = new Steps(model.encoder, tensor);
    this.decoder = new Steps(model.decoder, tensor);
    this.end = model.end;
    this.states = model.decoder_states;
    this.carried = model.carried;
    this.memorySize = model.memory;
    this.heads = model.heads;
  }

  /** What the decoder reads of source ids: memory, first states, and the encoder's traces. */
  encode(ids) {
    const values = { source: ids },
      { traces } = this.encoder.run(values),
      first = this.states.map((name) => values[`start.${name}`]); // of each state a row for each layer
    return {
      memory: values.memory,
      traces,
      state: first[0].map((_, layer) => first.map((rows) => rows[layer])),
      carried: this.nothing(ids.length),
    };
  }

  /** What a first step reads of those before it. */
  nothing(S) {
    const made = {};
    if ("context" in this.carried) made.context = [new Float64Array(this.memorySize)];
    if ("read" in this.carried) made.read = Array.from({ length: this.heads }, () => new Float64Array(S));
    return made;
  }

  /** One step of the decoder after a token: log p of the next, shares of the memory, what goes on, the traces. */
  step(token, { memory, state, carried }) {
    const values = { tokens: [token], memory, ...carried },
      { after, traces } = this.decoder.run(values, state),
      kept = Object.fromEntries(Object.entries(this.carried).map(([name, out]) => [name, values[out]]));
    return { logP: values.log_p[0], shares: values.attention?.[0], traces, next: { memory, state: after, carried: kept } };
  }

  /** The `best` likeliest targets of source ids by a beam search, the best first: see gatework.decoding.beam. least: symbols that each may have. */
  search(ids, beams, best, normalisation, least = 0) {
    const encoded = this.encode(ids),
      longest = Math.max(LONGEST[0] * ids.length + LONGEST[1], least),
      ended = [];
    /** @type {any[]} */
    let alive = [{ tokens: [], score: 0, at: encoded, shares: [] }];
    for (let length = 0; alive.length; length++) {
      const all = alive.flatMap((one) => this.followed(one, length >= longest)),
        kept = all.sort((a, b) => b.score - a.score).slice(0, beams - ended.length);
      for (const one of kept.filter(({ token }) => token === this.end)) {
        ended.push({ ...one.from, logProbability: one.score, score: one.score / (length + 1) ** normalisation });
      }
      alive = kept.filter(({ token }) => token !== this.end).map((one) => one.grown());
    }
    return { encoded, found: ended.sort((a, b) => b.score - a.score).slice(0, best) };
  }

  /** A hypothesis with every symbol that may follow it. */
  followed(one, mustEnd) {
    const { logP, shares, next } = this.step(one.tokens.at(-1) ?? this.end, one.at);
    return Array.from(logP, (value, token) => ({ token, score: one.score + value }))
      .filter(({ token }) => token === this.end || !mustEnd)
      .map((each) => ({
        ...each,
        from: { tokens: one.tokens, shares: one.shares },
        grown: () => ({
          tokens: [...one.tokens, each.token],
          score: each.score,
          at: next,
          shares: [...one.shares, shares],
        }),
      }));
  }

  /** A target's symbols one by one: log p and shares of each, its end last, and the traces of all steps of the decoder. */
  followedThrough(encoded, tokens) {
    let at = encoded,
      last = this.end;
    return [...tokens, this.end].map((token) => {
      const { logP, shares, traces, next } = this.step(last, at);
      at = next;
      last = token;
      return { token, logP: logP[token], shares, traces };
    });
  }
}
