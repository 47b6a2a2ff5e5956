"""Sequences out of what CTC predicts for each frame: the likeliest path, the likeliest symbols, where each stands.

A path names a symbol or the blank for each of S frames. What it stands for is the path without repetitions, and then
without blanks; the probability of a sequence is the sum over its paths (Graves et al. 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.decoding.hypothesis import Hypothesis
from gatework.errors import InputError

Scores = npt.NDArray[np.floating[Any]]
Whole = npt.NDArray[np.int64]

_NOWHERE, _NOTHING = -1, -2  # the node of a beam that is not in use; the parent of an empty prefix


def frames_needed(symbols: Sequence[Any]) -> int:
    """The frames of the shortest path of a sequence: one a symbol, and a blank between two that are alike."""
    return len(symbols) + sum(bool(a == b) for a, b in pairwise(symbols))


def greedy(log_probabilities: Scores, blank: int, lengths: Whole | None = None) -> list[tuple[int, ...]]:
    """What the likeliest path of each of B sequences of frames stands for.

    log_probabilities: [S,B,V+1], the blank among the symbols. lengths: [B], frames that count, default all S.
    """
    path = log_probabilities.argmax(-1)  # [S,B]
    starts = np.ones(path.shape, bool)
    starts[1:] = path[1:] != path[:-1]
    inside = np.arange(len(path))[:, None] < _lengths(log_probabilities, lengths)
    kept = starts & inside & (path != blank)
    return [tuple(column[keep].tolist()) for column, keep in zip(path.T, kept.T, strict=True)]


def _lengths(log_probabilities: Scores, lengths: Whole | None) -> Whole:
    S, B = log_probabilities.shape[:2]
    return np.full(B, S) if lengths is None else np.asarray(lengths)


def search(
    log_probabilities: Scores, blank: int, lengths: Whole, *, beams: int = 5, best: int = 1
) -> list[list[Hypothesis]]:
    """The `best` sequences for each of B sequences of frames, greedy with one beam, else by `prefix_beam`.

    log_probabilities: [S,B,V+1], the blank among the symbols; lengths: [B]. Each hypothesis' attention is 1 where the
    likeliest of its paths has the symbol, 0 elsewhere. All hypotheses account for all frames, so that they are compared
    whatever their lengths.
    """
    if beams > 1 or best > 1:
        found = prefix_beam(log_probabilities, blank, lengths, beams=beams, best=best)
    else:
        inside = np.arange(len(log_probabilities))[:, None] < lengths
        worth = np.where(inside, log_probabilities.max(-1), 0).sum(0, dtype=float).tolist()
        texts = greedy(log_probabilities, blank, lengths)
        found = [[Hypothesis(text, each, each)] for text, each in zip(texts, worth, strict=True)]
    return _aligned(found, log_probabilities, blank, lengths)


def _aligned(
    found: Sequence[Sequence[Hypothesis]], scores: Scores, blank: int, lengths: Whole
) -> list[list[Hypothesis]]:
    """The hypotheses of each source with the frames that each symbol stands at."""
    rows = [row for row, each in enumerate(found) for _ in each]
    every = [hypothesis for each in found for hypothesis in each]
    spans = align(scores[:, rows], [each.tokens for each in every], blank, lengths[rows])
    made: list[list[Hypothesis]] = [[] for _ in found]
    for row, hypothesis, span in zip(rows, every, spans, strict=True):
        steps = np.arange(lengths[row])
        attention = (steps >= span[:, :1]) & (steps < span[:, 1:])  # [T,S]
        made[row].append(replace(hypothesis, attention=attention.astype(np.float32)))
    return made


# -- the likeliest sequences


def prefix_beam(
    log_probabilities: Scores, blank: int, lengths: Whole | None = None, *, beams: int = 8, best: int = 1
) -> list[list[Hypothesis]]:
    """The `best` likeliest sequences for each of B sequences of frames, as far as a search of so many beams sees them.

    A sequence has the probability of all its paths, those that end in a blank and those that end in its last symbol
    being added up frame by frame (Hannun et al. 2014). log_probabilities: [S,B,V+1], the blank among the symbols.
    lengths: [B], frames that count, default all S. A hypothesis' score is its log probability.
    """
    counts = _lengths(log_probabilities, lengths)
    search = _Search(len(counts), max(beams, best), blank)
    for step, frame in enumerate(log_probabilities):
        search.step(np.flatnonzero(counts > step), frame.astype(np.float64))
    return [search.hypotheses(row)[:best] for row in range(len(counts))]


class _Search:
    """The K likeliest prefixes of B sequences, [B,K] each: their nodes in a trie, and what they end in.

    blanks, others: the log probability of a prefix's paths that end in the blank, and of those in its last symbol.
    """

    def __init__(self, rows: int, beams: int, blank: int) -> None:
        self.beams, self.blank = beams, blank
        self.trie: list[tuple[int, int]] = [(_NOTHING, blank)] * rows  # of each node: parent and symbol
        self.numbers: dict[tuple[int, int], int] = {}  # of the node with such a parent and symbol
        shape = (rows, beams)
        self.nodes, self.parents = np.full(shape, _NOWHERE), np.full(shape, _NOTHING)
        self.symbols = np.full(shape, blank)
        self.blanks, self.others = np.full(shape, -np.inf), np.full(shape, -np.inf)
        self.nodes[:, 0], self.blanks[:, 0] = np.arange(rows), 0.0  # at first there is the empty prefix

    def step(self, rows: npt.NDArray[np.intp], frame: Scores) -> None:
        """Goes on by a frame of log probabilities [B,V+1], in some rows alone."""
        frame, last = frame[rows], self.symbols[rows]
        lines, beams = np.ogrid[: len(rows), : self.beams]
        before, others = self.blanks[rows], self.others[rows]
        longer = np.logaddexp(before, others)[..., None] + frame[:, None]  # [n,K,V+1]
        blanks = longer[..., self.blank].copy()
        longer[lines, beams, last] = before + frame[lines, last]  # the same symbol again needs a blank between
        longer[..., self.blank] = -np.inf
        others += frame[lines, last]
        self._merge(rows, others, longer)
        self._keep(rows, blanks, others, longer)

    def _merge(self, rows: npt.NDArray[np.intp], others: Scores, longer: Scores) -> None:
        """Adds the paths that make one of the prefixes out of a shorter one to those that it has."""
        line, beam, parent = np.nonzero(self.parents[rows][:, :, None] == self.nodes[rows][:, None])
        symbol = self.symbols[rows][line, beam]
        others[line, beam] = np.logaddexp(others[line, beam], longer[line, parent, symbol])
        longer[line, parent, symbol] = -np.inf

    def _keep(self, rows: npt.NDArray[np.intp], blanks: Scores, others: Scores, longer: Scores) -> None:
        """Keeps the K likeliest of the prefixes as they were and those one symbol longer."""
        K, width = longer.shape[1:]
        scores = np.concatenate([np.logaddexp(blanks, others), longer.reshape(len(rows), -1)], 1)
        kept = np.argpartition(-scores, K - 1, 1)[:, :K]
        beam, symbol = np.divmod(kept - K, width)
        stays, lines = kept < K, np.arange(len(rows))[:, None]
        beam = np.where(stays, kept, beam)
        score, nodes = scores[lines, kept], self.nodes[rows][lines, beam]
        grown = ~stays & (score > -np.inf)
        self.blanks[rows] = np.where(stays, blanks[lines, beam], -np.inf)
        self.others[rows] = np.where(stays, others[lines, beam], score)
        self.symbols[rows] = np.where(stays, self.symbols[rows][lines, beam], symbol)
        self.parents[rows] = np.where(stays, self.parents[rows][lines, beam], np.where(grown, nodes, _NOTHING))
        self.nodes[rows] = np.where(stays, nodes, self._children(nodes, symbol, grown))

    def _children(self, parents: Whole, symbols: Whole, wanted: npt.NDArray[np.bool_]) -> Whole:
        """The nodes of prefixes one symbol longer, [n,K], those that were not there being made."""
        nodes = np.full(parents.shape, _NOWHERE)
        for line, beam in np.argwhere(wanted).tolist():
            key = int(parents[line, beam]), int(symbols[line, beam])
            if key not in self.numbers:
                self.numbers[key] = len(self.trie)
                self.trie.append(key)
            nodes[line, beam] = self.numbers[key]
        return nodes

    def hypotheses(self, row: int) -> list[Hypothesis]:
        """The prefixes of a row, the likeliest first."""
        scores = np.logaddexp(self.blanks[row], self.others[row])
        likeliest = [beam for beam in np.argsort(-scores, kind="stable").tolist() if scores[beam] > -np.inf]
        found = zip(self.nodes[row, likeliest].tolist(), scores[likeliest].tolist(), strict=True)
        return [Hypothesis(self._prefix(node), score, score) for node, score in found]

    def _prefix(self, node: int) -> tuple[int, ...]:
        symbols = []
        while (entry := self.trie[node])[0] != _NOTHING:
            node = entry[0]
            symbols.append(entry[1])
        return tuple(reversed(symbols))


# -- how likely a sequence is


def log_likelihoods(
    log_probabilities: Scores, symbols: Sequence[Sequence[int]], blank: int, lengths: Whole | None = None
) -> npt.NDArray[np.float64]:
    """The log probability of B sequences, [B]: the sum over all paths (Graves et al. 2006), -inf where there is none.

    log_probabilities: [S,B,V+1], the blank among the symbols; lengths: [B], frames that count, default all S.
    """
    states, counts = _states(symbols, blank), _lengths(log_probabilities, lengths)
    skips, sums = _skips(states), _beginning(states)
    ends = sums.copy()
    for step, frame in enumerate(log_probabilities):
        sums[:, 2:] = np.logaddexp.reduce(_ways(sums, skips)) + frame[np.arange(len(states))[:, None], states]
        sums[:, :2] = -np.inf
        ends[counts == step + 1] = sums[counts == step + 1]
    rows, last = np.arange(len(states)), _last(symbols)
    # the last symbol or the blank after it; of no symbols there is but the blank, at the place after a beginning
    symbol = np.where(last > 0, ends[rows, last + 1], np.where(counts == 0, ends[rows, 1], -np.inf))
    return np.logaddexp(ends[rows, last + 2], symbol)


def _states(symbols: Sequence[Sequence[int]], blank: int) -> Whole:
    """What paths go through, [B,L]: a blank, a symbol, a blank, ... a blank, and more blanks up to the longest."""
    states = np.full((len(symbols), 2 * max(map(len, symbols), default=0) + 1), blank)
    for row, one in enumerate(symbols):
        states[row, 1 : 2 * len(one) : 2] = one
    return states


def _last(symbols: Sequence[Sequence[int]]) -> Whole:
    """The state after the last symbol, [B]."""
    return np.array([2 * len(one) for one in symbols], int)


def _skips(states: Whole) -> npt.NDArray[np.bool_]:
    """Which states [B,L] a path may come to without the one before, a blank: no symbol that is as the one before it."""
    skips = np.zeros(states.shape, bool)
    skips[:, 1:2] = True
    skips[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    return skips


def _beginning(states: Whole) -> npt.NDArray[np.float64]:
    """Log probabilities of having come to a state, which stands two places further on, [B,L+2]: before all frames.

    From where paths begin it is one step to the first state, and two to the second.
    """
    best = np.full((len(states), states.shape[1] + 2), -np.inf)
    best[:, 1] = 0.0
    return best


def _ways(values: npt.NDArray[np.float64], skips: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """What a path to each state [B,L] may come from: itself, the state before, and the one before that, [3,B,L]."""
    return np.stack([values[:, 2:], values[:, 1:-1], np.where(skips, values[:, :-2], -np.inf)])


# -- the likeliest path of a sequence


def align(
    log_probabilities: Scores, symbols: Sequence[Sequence[int]], blank: int, lengths: Whole | None = None
) -> list[Whole]:
    """The frames of each symbol on the likeliest path of a sequence (Viterbi 1967): of B sequences arrays [T,2].

    log_probabilities: [S,B,V+1], the blank among the symbols; symbols: B sequences; lengths: [B], frames that count,
    default all S. A symbol stands from its first number up to, not including, its second. Raises InputError for a
    sequence that no path stands for.
    """
    counts = _lengths(log_probabilities, lengths)
    for row, (one, count) in enumerate(zip(symbols, counts.tolist(), strict=True)):
        if frames_needed(one) > count:
            raise InputError(f"sequence {row}: its {len(one)} symbols need {frames_needed(one)} frames, not {count}")
    states = _states(symbols, blank)
    path = _likeliest(log_probabilities, states, _last(symbols), counts)
    return [_spans(column[:count], len(one)) for column, count, one in zip(path.T, counts, symbols, strict=True)]


def _likeliest(log_probabilities: Scores, states: Whole, last: Whole, lengths: Whole) -> Whole:
    """Where among its states [B,L] the likeliest path is at each frame, [S,B]; it ends at `last` [B] or just before."""
    skips, best, rows = _skips(states), _beginning(states), np.arange(len(states))[:, None]
    steps, ends = [], best.copy()
    for step, frame in enumerate(log_probabilities):
        ways = _ways(best, skips)
        steps.append(ways.argmax(0).astype(np.int8))
        best[:, :2] = -np.inf
        best[:, 2:] = ways.max(0) + frame[rows, states]
        ends[lengths == step + 1] = best[lengths == step + 1]
    return _back(steps, _end(ends, last), lengths)


def _end(ends: Scores, last: Whole) -> Whole:
    """The state, [B], that the likeliest path ends in: the last symbol's, or the blank after it."""
    rows = np.arange(len(last))
    blank, symbol = ends[rows, last + 2], ends[rows, last + 1]
    if (impossible := np.maximum(blank, symbol) == -np.inf).any():
        raise InputError(f"sequence {impossible.argmax()}: every path of its symbols has a probability of 0")
    return np.where(blank >= symbol, last, last - 1)


def _back(steps: Sequence[npt.NDArray[np.int8]], place: Whole, lengths: Whole) -> Whole:
    """The states on the way back from those where paths end, [S,B]."""
    path, rows = np.zeros((len(steps), len(place)), np.int64), np.arange(len(place))
    for step in range(len(steps) - 1, -1, -1):
        path[step] = place
        place = np.where(step < lengths, place - steps[step][rows, place], place)
    return path


def _spans(path: Whole, count: int) -> Whole:
    """The first frame, and the one after the last, of each of so many symbols on a path of states [S]."""
    symbols = 2 * np.arange(count) + 1
    return np.stack([path.searchsorted(symbols, side) for side in ("left", "right")], 1)
