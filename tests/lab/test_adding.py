"""Adding as the paper defines it: lengths, markers, targets."""

import pytest
import torch

from gatework.lab import Size, Variant
from gatework.lab.adding import EXPERIMENT, draw, judge, pairs
from gatework.lab.learning import Batch

B = 4000


@pytest.fixture(params=[100, 30])
def drawn(request: pytest.FixtureRequest) -> tuple[int, Batch]:
    return request.param, draw(request.param, B, torch.Generator().manual_seed(1))


def places(batch: Batch) -> list[list[int]]:
    """Where each sequence has the marker 1."""
    return [column.nonzero()[:, 0].tolist() for column in (batch.x[..., 1] == 1).T]


def test_lengths_are_spread_evenly_from_t_to_a_tenth_more(drawn: tuple[int, Batch]) -> None:
    T, batch = drawn
    assert batch.lengths is not None
    counts = torch.bincount(batch.lengths)
    assert (int(batch.lengths.min()), int(batch.lengths.max())) == (T, T + T // 10)
    torch.testing.assert_close(counts[T:] / B, torch.full((T // 10 + 1,), 1 / (T // 10 + 1)), atol=0.03, rtol=0)


def test_the_first_and_the_last_pair_have_the_marker_minus_1_and_only_they(drawn: tuple[int, Batch]) -> None:
    _, batch = drawn
    assert batch.lengths is not None
    for column, length in zip(batch.x[..., 1].T, batch.lengths, strict=True):
        assert (column == -1).nonzero()[:, 0].tolist() == [0, int(length) - 1]


def test_two_pairs_are_marked_one_of_the_first_ten_and_one_of_the_first_half(drawn: tuple[int, Batch]) -> None:
    T, batch = drawn
    assert set(batch.x[..., 1].unique().tolist()) == {-1.0, 0.0, 1.0}
    for marked in places(batch):
        assert len(marked) in (1, 2)  # 1 where the first pair, whose marker is -1, is one of them
        assert marked[-1] < T // 2 and (marked[0] < 10 or len(marked) == 1)


def test_every_place_is_as_likely_as_the_definition_says() -> None:
    _, _, _, marked = pairs(100, 100_000, torch.Generator().manual_seed(2))
    first, second = (torch.bincount(each, minlength=50) / 100_000 for each in marked)
    torch.testing.assert_close(first[:10], torch.full((10,), 0.1), atol=0.005, rtol=0)
    torch.testing.assert_close(second[10:50], torch.full((40,), 1 / 49), atol=0.002, rtol=0)  # of 49 unmarked ones
    assert first[10:].sum() == 0 and second[50:].sum() == 0
    assert bool((marked[0] != marked[1]).all())


def test_the_target_is_the_scaled_sum_of_the_marked_values(drawn: tuple[int, Batch]) -> None:
    _, batch = drawn
    sums = [batch.x[marked, k, 0].sum() for k, marked in enumerate(places(batch))]
    torch.testing.assert_close(batch.y[:, 0], 0.5 + torch.stack(sums) / 4)
    values = batch.x[..., 0]
    assert values.min() < -0.99 and values.max() > 0.99 and values.abs().max() <= 1
    assert abs(float(values.mean())) < 0.01


def test_an_error_counts_as_wrong_from_4_hundredths_on() -> None:
    judged = judge(torch.tensor([[0.53], [0.55], [0.45]]), Batch(torch.zeros(1, 3, 2), torch.full((3, 1), 0.5)))
    assert judged.wrong.tolist() == [False, True, True]
    assert judge(torch.full((1, 1), torch.nan), Batch(torch.zeros(1, 1, 2), torch.zeros(1, 1))).wrong.all()
    torch.testing.assert_close(judged.loss, judged.error.square())


def test_the_constant_answer_is_wrong_in_nearly_every_sequence() -> None:
    batch = draw(100, B, torch.Generator().manual_seed(3))
    judged = judge(torch.full((B, 1), 0.5), batch)
    assert judged.wrong.float().mean() > 0.8
    # of the sum from [0, 2], this is .167 (Arjovsky et al. 2016); the first pair, counted as 0, makes it a little less
    assert 0.15 < float(4 * judged.loss.mean()) < 0.167


@pytest.mark.parametrize("variant", EXPERIMENT.variants, ids=lambda variant: variant.label)
def test_every_network_runs_in_the_smallest_form(variant: Variant) -> None:
    told: list[str] = []
    trial = EXPERIMENT.trial(variant, 0, Size.TINY, told.append)
    assert told[-1].startswith("320 sequences, error 0.")
    assert not trial.solved
    assert trial.figures["sequences"] == 320 and 0 <= trial.figures["wrong of 64"] <= 64
