"""Beam search over all sentences of a batch at once (Graves 2012, Sutskever et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gatework.decoding.hypothesis import Hypothesis
from gatework.errors import InputError

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


LONGEST = 2, 10  # symbols of a target at most where no bound is named: twice those of its source, and 10 more


def usual_longest(lengths: Sequence[int]) -> list[int]:
    """The symbols after which a target ends where no bound is named, by the lengths of the sources."""
    times, more = LONGEST
    return [times * int(length) + more for length in lengths]


class NotFiniteError(InputError):
    """A decoder's log probabilities are no numbers."""


class Decoder(Protocol):
    """What predicts the next symbol of R unfinished hypotheses, of several sentences.

    sentences: how many there are. attention: [R,S] of the last step, or None.
    """

    sentences: int

    @property
    def attention(self) -> Floats | None: ...

    def step(self, tokens: Ids, parents: Ids) -> Floats:
        """Log probabilities [R,V+1] of the symbol after tokens [R].

        parents [R]: the row of the step before that each row goes on from; at the first step, where one row begins each
        sentence, the sentence. Rows of one sentence stand together, and sentences in their order.
        """
        ...


def beam_search(
    decoder: Decoder,
    *,
    end: int,
    beams: int = 5,
    best: int = 1,
    longest: Sequence[int],
    length_normalisation: float = 1.0,
) -> list[list[Hypothesis]]:
    """The likeliest target sequences of each sentence, best first.

    At each step the likeliest continuations of a sentence's unfinished hypotheses go on, as many as its beams that are
    left: one that ends takes its beam along. So one beam takes the likeliest symbol each time, and with as many beams
    as there are sequences the search is exhaustive. A sentence's result does not depend on the others'.

    score = log_probability / (T + 1)^length_normalisation, of T symbols and the end.

    Args:
        decoder: what predicts.
        end: the symbol that begins and ends a sequence.
        beams: hypotheses of each sentence.
        best: how many are returned, at most `beams`; fewer where there are no more.
        longest: of each sentence, the symbols after which it ends.
        length_normalisation: 0 ranks by the probability alone, which favours short sequences; 1 by its mean a symbol.

    Raises:
        InputError: numbers that do not fit.
    """
    _check(decoder.sentences, beams, best, longest, length_normalisation)
    search = _Search(decoder, end, beams, np.asarray(longest, dtype=np.int64))
    while len(search.rows.parents):
        search.step()
    return search.best(best, length_normalisation)


def _check(sentences: int, beams: int, best: int, longest: Sequence[int], length_normalisation: float) -> None:
    for name, value in (("beams", beams), ("best", best)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} is {value!r}; expected a whole number of at least 1")
    if best > beams:
        raise InputError(f"best is {best}, beams {beams}: a search returns no more than it follows; give more beams")
    if len(longest) != sentences or any(bound < 0 for bound in longest):
        raise InputError(f"longest is {list(longest)}; expected a number of symbols for each of {sentences} sentences")
    if not 0 <= length_normalisation < float("inf"):
        raise InputError(f"length_normalisation is {length_normalisation!r}; expected a number of at least 0")


class _Rows(NamedTuple):
    """Hypotheses after a step: symbol, row they go on from, sentence, log probability; [R] each."""

    tokens: Ids
    parents: Ids
    sentences: Ids
    scores: npt.NDArray[np.float64]

    def where(self, chosen: npt.NDArray[np.bool_]) -> _Rows:
        return _Rows(self.tokens[chosen], self.parents[chosen], self.sentences[chosen], self.scores[chosen])


@dataclass
class _Search:
    """A search as it goes: what it has said so far, step by step, and what has ended."""

    decoder: Decoder
    end: int
    beams: int
    longest: Ids
    steps: list[tuple[_Rows, Floats | None]] = field(default_factory=list)
    ended: list[tuple[int, _Rows]] = field(default_factory=list)

    def __post_init__(self) -> None:
        every = np.arange(self.decoder.sentences)
        self.rows = _Rows(np.full_like(every, self.end), every, every, np.zeros(len(every)))
        self.left = np.full_like(every, self.beams)

    def step(self) -> None:
        """Asks for the next symbol of every hypothesis, and goes on with the likeliest."""
        rows = self.rows
        scores = self.decoder.step(rows.tokens, rows.parents).astype(np.float64)
        if np.isnan(scores).any():
            raise NotFiniteError("the decoder's log probabilities hold NaN: weights are damaged, or training diverged")
        self.steps.append((rows, self.decoder.attention))
        must_end = self.longest[rows.sentences] < len(self.steps)
        others = np.arange(scores.shape[1]) != self.end
        scores[np.ix_(must_end, others)] = -np.inf
        chosen = _likeliest(scores + rows.scores[:, None], rows.sentences, self.left)
        over = chosen.tokens == self.end
        ended = chosen.where(over)
        self.ended.append((len(self.steps) - 1, ended))
        self.left -= np.bincount(ended.sentences, minlength=len(self.left))
        self.rows = chosen.where(~over)

    def best(self, best: int, length_normalisation: float) -> list[list[Hypothesis]]:
        """Of each sentence the best that have ended."""
        ended: list[list[tuple[float, float, int, int]]] = [[] for _ in self.left]
        for step, rows in self.ended:
            for parent, sentence, value in zip(rows.parents, rows.sentences, rows.scores, strict=True):
                ended[sentence].append((float(value) / (step + 1) ** length_normalisation, float(value), step, parent))
        return [[self._hypothesis(*each) for each in sorted(own, key=lambda one: -one[0])[:best]] for own in ended]

    def _hypothesis(self, score: float, log_probability: float, step: int, row: int) -> Hypothesis:
        """What has led to a row, from the end back to the beginning."""
        tokens, attention = [], []
        for rows, weights in reversed(self.steps[: step + 1]):
            tokens.append(int(rows.tokens[row]))
            if weights is not None:
                attention.append(weights[row])
            row = rows.parents[row]
        # the first step has read the symbol that begins a sequence, the last has predicted the one that ends it
        drawn = np.array(attention[::-1])[:-1] if attention else None
        return Hypothesis(tuple(tokens[-2::-1]), score, log_probability, drawn)


def _likeliest(scores: npt.NDArray[np.float64], sentences: Ids, left: Ids) -> _Rows:
    """Of each sentence's continuations [R,V+1] the likeliest, so many as `left` says; rows of a sentence together."""
    active, first, counts = np.unique(sentences, return_index=True, return_counts=True)
    V = scores.shape[1]
    table = np.full((len(active), int(counts.max()), V), -np.inf)
    place = np.arange(len(sentences)) - np.repeat(first, counts)
    table[np.repeat(np.arange(len(active)), counts), place] = scores
    flat = table.reshape(len(active), -1)  # [sentences, rows * (V+1)]
    most = min(int(left.max()), flat.shape[1])
    least = np.partition(flat, -most, axis=1)[:, -most, None]
    group, place = np.nonzero((flat >= least) & (flat > -np.inf))
    values = flat[group, place]
    order = np.lexsort((place, -values, group))  # of equals the earlier first, in whatever batch
    group, place, values = group[order], place[order], values[order]
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    taken = rank < left[active][group]
    group, place = group[taken], place[taken]
    return _Rows(place % V, first[group] + place // V, active[group], values[taken])
