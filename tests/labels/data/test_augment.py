"""Sequences changed at random stay sequences of their length, and are the same again from the same seed."""

import numpy as np
import pytest
import torch

from gatework.labels.data.augment import Augmented, resampled
from gatework.labels.data.batches import Encoded, LabelBatches
from numerics import same

LENGTHS = torch.tensor([5, 40, 23, 1, 40])


def encoded() -> Encoded:
    values = torch.cat([torch.linspace(0, 1, int(T))[:, None] for T in LENGTHS])  # rising lines
    return Encoded(values, LENGTHS, torch.arange(5), False)


def batches(*ways: str, seed: int = 0) -> Augmented:
    return Augmented(LabelBatches(encoded(), 5, seed), ways, seed)


@pytest.mark.parametrize("ways", [("jitter",), ("warp",), ("crop",), ("jitter", "warp", "crop")])
def test_lengths_labels_and_padding_stay(ways: tuple[str, ...]) -> None:
    plain, changed = LabelBatches(encoded(), 5), batches(*ways)
    (x, lengths), targets = changed[0]
    (before, lengths_before), targets_before = plain[0]
    assert torch.equal(lengths, lengths_before)
    assert torch.equal(targets, targets_before)
    assert not torch.equal(x, before)
    for b, T in enumerate(lengths.tolist()):
        assert x[T:, b].eq(0).all()


@pytest.mark.parametrize("ways", [("warp",), ("crop",), ("warp", "crop")])
def test_time_goes_on_forwards_within_the_sequence(ways: tuple[str, ...]) -> None:
    for epoch in range(20):
        changed = batches(*ways)
        changed.set_epoch(epoch)
        (x, lengths), _ = changed[0]
        for b, T in enumerate(lengths.tolist()):
            line = x[:T, b, 0]
            assert (line.diff() > 0).all()
            assert line.min() >= 0 and line.max() <= 1
            if ways == ("warp",) and T > 1:
                same(line[[0, -1]], torch.tensor([0.0, 1.0]))


def test_each_epoch_differs_and_the_same_place_is_the_same() -> None:
    def seen(seed: int, epoch: int) -> torch.Tensor:
        changed = batches("warp", "jitter", seed=seed)
        changed.set_epoch(epoch)
        (x, lengths), _ = changed[0]
        return x[:, lengths.argsort(stable=True)]

    assert torch.equal(seen(0, 3), seen(0, 3))
    assert not torch.equal(seen(0, 3), seen(0, 4))
    assert not torch.equal(seen(0, 3), seen(1, 3))


def test_between_two_steps_is_between_their_values() -> None:
    x = torch.tensor([[[0.0]], [[2.0]], [[6.0]]])
    same(resampled(x, torch.tensor([[0.5], [1.25], [2.0]])), torch.tensor([[[1.0]], [[3.0]], [[6.0]]]))


def test_noise_is_small_beside_a_deviation() -> None:
    (x, _), _ = batches("jitter")[0]
    (before, _), _ = LabelBatches(encoded(), 5)[0]
    assert 0.01 < float(np.std((x - before)[x != 0].numpy())) < 0.1
