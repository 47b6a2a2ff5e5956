import torch

from gatework.lab import Size
from gatework.lab.counting import EXPERIMENT, draw, first_failure, judge, slopes, strings
from gatework.lab.learning import Batch


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_string_is_n_of_each_symbol_and_what_may_come_next_is_known_from_the_first_b():
    batch = strings(torch.tensor([2, 3]))
    assert batch.lengths.tolist() == [6, 9]
    assert batch.x[:6, 0].argmax(-1).tolist() == [0, 0, 1, 1, 2, 2]
    assert batch.x[:9, 1].argmax(-1).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    may = [["abc."[k] for k in range(4) if row[k]] for row in batch.y[:6, 0]]
    assert may == [["a", "b"], ["a", "b"], ["b"], ["c"], ["c"], ["."]]
    assert not batch.x[6:, 0].any()
    assert not batch.y[6:, 0].any()


def test_n_is_even_from_1_to_the_longest():
    lengths = draw(50, 5000, seeded()).lengths // 3
    assert set(lengths.tolist()) == set(range(1, 51))
    assert lengths.unique(return_counts=True)[1].min() > 50


def right(batch: Batch) -> torch.Tensor:
    return batch.y - 0.5


def test_one_output_on_the_wrong_side_makes_a_string_wrong():
    batch = strings(torch.tensor([2, 3, 4]))
    outputs = right(batch)
    assert not judge(outputs, batch).wrong.any()
    outputs[4, 1, 2] *= -1
    assert judge(outputs, batch).wrong.tolist() == [False, True, False]


def test_what_comes_after_the_end_of_a_string_does_not_count():
    batch = strings(torch.tensor([2, 3]))
    outputs = right(batch)
    outputs[6:, 0] = 5.0
    judged = judge(outputs, batch)
    assert not judged.wrong[0]
    assert judged.loss[0] == judge(right(batch), batch).loss[0]


def counts_to(limit: int):
    return lambda batch: right(batch) * torch.where(batch.lengths // 3 < limit, 1.0, -1.0)[:, None]


def test_the_first_failure_is_the_least_n_with_a_wrong_prediction():
    assert first_failure(counts_to(73), 200) == 73
    assert first_failure(counts_to(1), 200) == 1
    assert first_failure(counts_to(500), 120) == 121


def test_slopes_are_those_of_each_third():
    unit = [0.0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 2, 0, -2, -4, -6]
    assert slopes([unit]) == [[1.0, 0.0, -2.0]]


def test_a_tiny_run_of_each_network_keeps_its_memory():
    for variant in EXPERIMENT.variants:
        trial = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        assert not trial.solved
        assert {len(unit) for units in trial.traces["states"].values() for unit in units} == {15}
        assert [len(units) for units in trial.traces["states"].values()] == [3]
