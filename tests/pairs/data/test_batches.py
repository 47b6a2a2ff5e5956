"""Batches of pairs: each pair once an epoch, within the budget, the same for a seed and an epoch."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from gatework.errors import InputError
from gatework.pairs.data.batches import PairBatches, bucketed
from gatework.pairs.data.encoded import Encoded, inputs_of, outputs_of
from gatework.pairs.data.examples import given_examples


def made(count: int = 300, seed: int = 0, longest: int = 60, frames: bool = False) -> tuple[Encoded, int]:
    """Pairs of random lengths, and V."""
    rng = np.random.default_rng(seed)

    def word(alphabet: str) -> str:
        return "".join(rng.choice(list(alphabet), rng.integers(1, longest)))

    sources: list[Any] = [f"{k:x}{word('abc')}" for k in range(count)]
    if frames:
        sources = [rng.standard_normal((len(source), 2)) for source in sources]
    targets = [[word("xyz") for _ in range(rng.integers(1, 3))] for _ in sources]
    examples = given_examples(sources, targets)
    return Encoded.of(examples, inputs_of(examples), outputs_of(examples)), len(outputs_of(examples))


def pairs_of(encoded: Encoded, end: int | None) -> Counter[tuple[bytes, bytes]]:
    """All pairs, source and target as bytes."""
    tail = [] if end is None else [end]
    return Counter(
        (
            encoded.source[encoded.source_starts[k] : encoded.source_starts[k + 1]].astype(float).tobytes(),
            np.array(
                [*encoded.target[encoded.target_starts[m] : encoded.target_starts[m + 1]], *tail], np.int64
            ).tobytes(),
        )
        for m, k in enumerate(encoded.source_of)
    )


def pairs_in(batches: PairBatches) -> Counter[tuple[bytes, bytes]]:
    """The pairs of an epoch, as they come out of its batches."""
    every: Counter[tuple[bytes, bytes]] = Counter()
    for (source, lengths), targets in (batches[k] for k in range(len(batches))):
        for column, length, target in zip(source.transpose(0, 1), lengths, targets.T, strict=True):
            assert not column[length:].any()
            ends = int((target != -100).sum())
            assert (target[ends:] == -100).all()
            every[column[:length].double().numpy().tobytes(), target[:ends].numpy().tobytes()] += 1
    return every


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("tokens", [1, 200, 5000, 10**9])
def test_every_pair_comes_once_an_epoch(tokens: int, ended: bool, frames: bool) -> None:
    encoded, V = made(frames=frames)
    end = V if ended else None
    batches = PairBatches(encoded, tokens, end=end)
    for epoch in (0, 1, 5):
        batches.set_epoch(epoch)
        assert pairs_in(batches) == pairs_of(encoded, end)


@pytest.mark.parametrize("tokens", [100, 700, 5000])
def test_batches_stay_within_their_symbols_and_are_mostly_full(tokens: int) -> None:
    encoded, V = made(2000)
    batches, sizes = PairBatches(encoded, tokens, end=V), []
    for (source, _), targets in (batches[k] for k in range(len(batches))):
        sizes.append(source.numel() + targets.numel())
        assert sizes[-1] <= tokens or source.shape[1] == 1
    if tokens > 100:
        assert np.mean(sizes) > 0.8 * tokens


def test_padding_is_little_where_there_are_many_pairs() -> None:
    encoded, V = made(3000, longest=30)
    batches = PairBatches(encoded, 2000, end=V)
    filled = sum(
        int(lengths.sum()) + int((targets >= 0).sum())
        for (_, lengths), targets in map(batches.__getitem__, range(len(batches)))
    )
    padded = sum(
        source.numel() + targets.numel() for (source, _), targets in map(batches.__getitem__, range(len(batches)))
    )
    assert filled > 0.8 * padded


def test_an_epochs_batches_are_a_function_of_seed_and_epoch() -> None:
    encoded, V = made()
    one, other = PairBatches(encoded, 500, 7, end=V), PairBatches(encoded, 500, 7, end=V)
    for epoch in (3, 0, 1):
        one.set_epoch(epoch)
    other.set_epoch(1)
    for k in reversed(range(len(one))):
        (source, lengths), targets = one[k]
        torch.testing.assert_close(other[k], ((source, lengths), targets))


def test_epochs_and_seeds_differ_in_what_comes_together() -> None:
    encoded, V = made(2000, longest=12)
    batches = PairBatches(encoded, 500, end=V)

    def together() -> set[frozenset[bytes]]:
        return {frozenset(column.numpy().tobytes() for column in batches[k][0][0].T) for k in range(len(batches))}

    first, length = together(), len(batches)
    batches.set_epoch(1)
    assert len(batches) == length
    assert len(first & together()) < 0.2 * length
    other = PairBatches(encoded, 500, 1, end=V)
    assert not torch.equal(other[0][1], PairBatches(encoded, 500, end=V)[0][1])


@pytest.mark.parametrize("processes", [2, 3, 7])
@pytest.mark.parametrize("tokens", [1, 400, 10**9])
def test_processes_share_the_batches_of_one(tokens: int, processes: int) -> None:
    encoded, V = made(101)
    shares = [PairBatches(encoded, tokens, end=V, process=k, processes=processes) for k in range(processes)]
    for share in shares:
        share.set_epoch(2)
    assert len({len(share) for share in shares}) == 1
    for k in range(len(shares[0])):
        assert len({share[k][0][0].shape[1] for share in shares}) == 1
    every, wanted = sum(map(pairs_in, shares), Counter()), pairs_of(encoded, V)
    assert set(every) == set(wanted)
    assert sum(every.values()) - sum(wanted.values()) == -sum(wanted.values()) % processes


def test_more_processes_than_pairs_have_one_each() -> None:
    encoded, V = made(1)
    shares = [PairBatches(encoded, 50, end=V, process=k, processes=5) for k in range(5)]
    assert [share[0][0][0].shape[1] for share in shares] == [1] * 5


def test_a_symbol_that_is_not_listed_is_no_target() -> None:
    examples = given_examples(["a"], ["xy"])
    encoded = Encoded.of(examples, inputs_of(examples), outputs_of(given_examples(["a"], ["x"])))
    assert PairBatches(encoded, 10, end=1)[0][1].T.tolist() == [[0, -100, 1]]


def test_buckets_are_a_little_longer_than_what_they_hold() -> None:
    lengths = np.arange(0, 5000)
    rounded = bucketed(lengths)
    assert (rounded[:17] == lengths[:17]).all()
    assert (rounded >= lengths).all()
    assert (rounded <= lengths * 1.126).all()
    assert (np.diff(rounded) >= 0).all()
    assert len(np.unique(rounded[1024:2048])) <= 10


def test_batches_have_a_symbol_at_least() -> None:
    with pytest.raises(InputError, match="tokens is 0; expected 1 or more"):
        PairBatches(made(3)[0], 0)
