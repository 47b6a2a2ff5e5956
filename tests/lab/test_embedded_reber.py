import torch

from gatework.lab import Size
from gatework.lab.embedded_reber import COUNT, EXPERIMENT, batch_of, judge, part_of, task_of
from gatework.lab.reber import strings


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_each_symbol_has_the_next_one_and_those_that_may_come_as_its_target():
    chosen = strings(5, seeded())
    batch = batch_of(chosen)
    for b, string in enumerate(chosen):
        T = len(string) - 1
        assert batch.lengths[b] == T
        assert batch.x[:T, b].argmax(-1).tolist() == string[:-1]
        assert batch.y[:T, b, 0].argmax(-1).tolist() == string[1:]
        assert (batch.y[:T, b, 1].gather(1, torch.tensor(string[1:])[:, None]) == 1).all()
        assert not batch.y[T:, b].any()


def test_a_part_is_as_long_as_its_longest_string():
    whole = batch_of(strings(20, seeded()))
    part = part_of(whole, torch.tensor([3, 5]))
    assert len(part.x) == len(part.y) == int(part.lengths.max())
    assert torch.equal(part.x[:, 1], whole.x[: len(part.x), 5])


def test_half_of_the_strings_keep_a_t():
    batch = batch_of(strings(COUNT, seeded()))
    assert 0.4 < batch.x[1, :, 1].mean() < 0.6


def test_outputs_that_name_the_legal_symbols_are_right_and_one_mistake_makes_a_string_wrong():
    batch = batch_of(strings(10, seeded()))
    outputs = batch.y[:, :, 1].clone()
    assert not judge(outputs, batch).wrong.any()
    outputs[4, 7] = -outputs[4, 7]
    assert judge(outputs, batch).wrong.nonzero().tolist() == [[7]]


def test_training_strings_are_drawn_from_those_known():
    known = batch_of(strings(8, seeded()))
    drawn = task_of(known).draw(50, seeded())
    for b in range(50):
        T = int(drawn.lengths[b])
        assert any(torch.equal(drawn.x[:T, b], known.x[:T, k]) and known.lengths[k] == T for k in range(8))


def test_a_tiny_run_of_each_network_ends_with_figures():
    for variant in EXPERIMENT.variants:
        trial = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        assert trial.figures["sequences"] == 64
        assert not trial.solved
