"""CTC's decoding: against all paths of tiny cases."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gatework.decoding.ctc import align, frames_needed, greedy, log_likelihoods, prefix_beam
from gatework.errors import InputError

Floats = NDArray[np.float64]


def scores(S: int, B: int, V: int, seed: int = 0, sharp: float = 1.5) -> Floats:
    """Log probabilities [S,B,V+1]."""
    values = sharp * np.random.default_rng(seed).standard_normal((S, B, V + 1))
    return np.asarray(values - np.log(np.exp(values).sum(-1, keepdims=True)))


def stands_for(path: Sequence[int], blank: int) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in groupby(path) if symbol != blank)


def every_path(frames: Floats) -> list[tuple[tuple[int, ...], float]]:
    """All paths of frames [S,V+1], with their log probabilities."""
    paths = product(range(frames.shape[1]), repeat=len(frames))
    return [(path, float(sum(frame[k] for frame, k in zip(frames, path, strict=True)))) for path in paths]


def sums(frames: Floats, blank: int) -> dict[tuple[int, ...], float]:
    """The log probability of each sequence."""
    each: dict[tuple[int, ...], float] = defaultdict(lambda: -np.inf)
    for path, value in every_path(frames):
        each[stands_for(path, blank)] = float(np.logaddexp(each[stands_for(path, blank)], value))
    return dict(each)


CASES = [(1, 1, 1, 0), (1, 3, 2, 1), (4, 2, 1, 2), (5, 3, 2, 3), (6, 2, 2, 4), (4, 5, 3, 5)]


@pytest.mark.parametrize(("S", "B", "V", "seed"), CASES)
@pytest.mark.parametrize("blank_first", [False, True])
def test_greedy_is_what_the_likeliest_path_stands_for(S: int, B: int, V: int, seed: int, blank_first: bool) -> None:
    frames, blank = scores(S, B, V, seed), 0 if blank_first else V
    for row, found in enumerate(greedy(frames, blank)):
        best, _ = max(every_path(frames[:, row]), key=lambda each: each[1])
        assert found == stands_for(best, blank)


@pytest.mark.parametrize(("S", "B", "V", "seed"), CASES)
@pytest.mark.parametrize("blank_first", [False, True])
def test_a_wide_search_finds_the_likeliest_sequences_and_their_probabilities(
    S: int, B: int, V: int, seed: int, blank_first: bool
) -> None:
    frames, blank = scores(S, B, V, seed), 0 if blank_first else V
    for row, found in enumerate(prefix_beam(frames, blank, beams=(V + 1) ** S, best=1000)):
        expected = sums(frames[:, row], blank)
        assert {each.tokens: pytest.approx(each.log_probability) for each in found} == expected
        assert [each.score for each in found] == sorted((each.log_probability for each in found), reverse=True)


@pytest.mark.parametrize(("S", "B", "V", "seed"), CASES)
@pytest.mark.parametrize("blank_first", [False, True])
def test_the_likelihood_of_a_sequence_is_the_sum_over_all_its_paths(
    S: int, B: int, V: int, seed: int, blank_first: bool
) -> None:
    frames, blank = scores(S, B, V, seed), 0 if blank_first else V
    lengths = np.random.default_rng(seed).integers(0, S + 1, B)
    every = [sums(frames[:length, row], blank) for row, length in enumerate(lengths)]
    longest = max(map(len, every))
    for place in range(longest):  # one sequence for each row, again the first where a row has no more
        chosen = [list(each)[place % len(each)] for each in every]
        expected = [each[symbols] for each, symbols in zip(every, chosen, strict=True)]
        np.testing.assert_allclose(log_likelihoods(frames, chosen, blank, lengths), expected)
    nothing = [(0 if blank else 1,) * (S + 1)] * B  # more symbols than frames
    assert (log_likelihoods(frames, nothing, blank, lengths) == -np.inf).all()


def test_the_probability_of_all_paths_decides_not_the_likeliest_path() -> None:
    frames = np.log([[[0.4, 0.6]], [[0.4, 0.6]]])  # of a symbol and the blank: 0.36 blank twice, 0.64 the symbol
    assert greedy(frames, 1) == [()]
    assert [each.tokens for each in prefix_beam(frames, 1)[0]] == [(0,)]
    assert prefix_beam(frames, 1)[0][0].log_probability == pytest.approx(np.log(0.64))


@pytest.mark.parametrize("beams", [1, 2, 3, 8])
def test_a_narrow_search_finds_no_more_than_there_is(beams: int) -> None:
    frames = scores(6, 4, 3, 7)
    for row, found in enumerate(prefix_beam(frames, 3, beams=beams, best=2)):
        expected = sums(frames[:, row], 3)
        assert 1 <= len(found) <= 2
        assert len({each.tokens for each in found}) == len(found)
        for each in found:
            assert each.log_probability <= expected[each.tokens] + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_what_greedy_finds_is_no_likelier_than_the_best_of_a_search(seed: int) -> None:
    frames = scores(40, 3, 5, seed)
    for path, found in zip(greedy(frames, 5), prefix_beam(frames, 5, beams=16, best=16), strict=True):
        known = {each.tokens: each.log_probability for each in found}
        assert found[0].log_probability >= known.get(path, -np.inf)


def test_frames_past_a_length_do_not_count() -> None:
    frames, lengths = scores(6, 5, 3, 8), np.array([6, 1, 4, 0, 2])
    alone = [frames[:length, row : row + 1] for row, length in enumerate(lengths)]
    assert greedy(frames, 3, lengths) == [greedy(each, 3)[0] for each in alone]
    together = prefix_beam(frames, 3, lengths, beams=4, best=4)
    for found, each in zip(together, alone, strict=True):
        assert [(one.tokens, one.score) for one in found] == [
            (one.tokens, pytest.approx(one.score)) for one in prefix_beam(each, 3, beams=4, best=4)[0]
        ]
    assert [each.tokens for each in together[3]] == [()]


@pytest.mark.parametrize(
    ("S", "symbols"), [(1, (0,)), (3, (0, 0)), (4, (0, 1)), (5, (1, 0, 0)), (6, (1, 1, 1)), (4, ())]
)
@pytest.mark.parametrize("seed", range(4))
def test_the_alignment_is_the_likeliest_path_of_the_symbols(S: int, symbols: tuple[int, ...], seed: int) -> None:
    frames = scores(S, 1, 2, seed)
    paths = [(path, value) for path, value in every_path(frames[:, 0]) if stands_for(path, 2) == symbols]
    best, _ = max(paths, key=lambda each: each[1])
    spans = align(frames, [symbols], 2)[0]
    assert spans.shape == (len(symbols), 2)
    path = [2] * S
    for symbol, (begin, end) in zip(symbols, spans.tolist(), strict=True):
        assert begin < end
        path[begin:end] = [symbol] * (end - begin)
    assert tuple(path) == best


def test_alignments_of_a_batch_are_those_of_its_rows() -> None:
    frames, lengths = scores(9, 4, 3, 9), np.array([9, 5, 7, 1])
    symbols: list[tuple[int, ...]] = [(0, 0, 2), (1, 2, 1), (), (2,)]
    together = align(frames, symbols, 3, lengths)
    for row, (one, length) in enumerate(zip(symbols, lengths.tolist(), strict=True)):
        alone: Any = align(frames[:length, row : row + 1], [one], 3)[0]
        np.testing.assert_array_equal(together[row], alone)


def test_symbols_that_no_path_stands_for_are_refused() -> None:
    frames = scores(3, 2, 2)
    with pytest.raises(InputError, match=r"sequence 1: its 3 symbols need 4 frames, not 3"):
        align(frames, [(0, 1), (0, 0, 1)], 2)
    frames[:, 0, 1] = -np.inf
    with pytest.raises(InputError, match=r"sequence 0: every path of its symbols has a probability of 0"):
        align(frames, [(0, 1), (0,)], 2)


@pytest.mark.parametrize("symbols", list(product(range(2), repeat=3)))
def test_so_many_frames_are_needed_as_the_shortest_path_has(symbols: tuple[int, ...]) -> None:
    shortest = next(S for S in range(8) if any(stands_for(path, 2) == symbols for path in product(range(3), repeat=S)))
    assert frames_needed(symbols) == shortest
