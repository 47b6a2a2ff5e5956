"""Temporal order as the paper defines it: symbols, places, classes."""

import pytest
import torch
from torch.nn import functional as F

from gatework.lab.learning import Batch
from gatework.lab.temporal_order import PLACES, SYMBOLS, draw, judge

B = 4000
CLASSES = {"6a": ["XX", "XY", "YX", "YY"], "6b": ["XXX", "XXY", "XYX", "XYY", "YXX", "YXY", "YYX", "YYY"]}


@pytest.fixture(params=["6a", "6b"])
def drawn(request: pytest.FixtureRequest) -> tuple[str, Batch]:
    return request.param, draw(PLACES[request.param], B, torch.Generator().manual_seed(1))


def words(batch: Batch) -> list[str]:
    """The sequences as text."""
    assert batch.lengths is not None
    return [
        "".join(SYMBOLS[symbol] for symbol in column[:length])
        for column, length in zip(batch.x.argmax(-1).T.tolist(), batch.lengths.tolist(), strict=True)
    ]


def test_a_sequence_is_noise_between_its_two_ends(drawn: tuple[str, Batch]) -> None:
    form, batch = drawn
    for word in words(batch):
        assert 100 <= len(word) <= 110
        assert (word[0], word[-1]) == ("E", "B")
        relevant = [(place, symbol) for place, symbol in enumerate(word) if symbol in "XY"]
        assert set(word[1:-1]) <= set("abcdXY")
        for (place, _), (first, last) in zip(relevant, PLACES[form], strict=True):
            assert first <= place <= last


def test_the_class_is_the_word_that_its_relevant_symbols_make(drawn: tuple[str, Batch]) -> None:
    form, batch = drawn
    found = ["".join(symbol for symbol in word if symbol in "XY") for word in words(batch)]
    assert found == [CLASSES[form][y] for y in batch.y.tolist()]


def test_classes_lengths_places_and_noise_are_balanced(drawn: tuple[str, Batch]) -> None:
    form, batch = drawn
    assert batch.lengths is not None
    shares = torch.bincount(batch.y) / B
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / len(CLASSES[form])), atol=0.03, rtol=0)
    lengths = torch.bincount(batch.lengths)[100:] / B
    torch.testing.assert_close(lengths, torch.full((11,), 1 / 11), atol=0.03, rtol=0)
    counts = batch.x.sum((0, 1))[2:6]
    assert counts.max() / counts.min() < 1.05
    first = torch.bincount(batch.x[..., 6:].sum(-1).argmax(0), minlength=21)[10:21] / B
    torch.testing.assert_close(first, torch.full((11,), 1 / 11), atol=0.03, rtol=0)


def test_a_sequence_is_right_when_every_output_is_within_3_tenths() -> None:
    y = torch.tensor([0, 1, 1])
    outputs = torch.tensor([[0.75, 0.25], [0.25, 0.75], [0.35, 0.65]]).log()
    judged = judge(outputs, Batch(torch.zeros(1, 3, 8), y))
    assert judged.wrong.tolist() == [False, False, True]
    torch.testing.assert_close(judged.error, torch.tensor([0.25, 0.25, 0.35]))
    torch.testing.assert_close(judged.loss, F.cross_entropy(outputs, y, reduction="none"))
