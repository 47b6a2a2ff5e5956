import pytest
import torch

from gatework.lab import Size
from gatework.lab.learning import Batch
from gatework.lab.two_sequences import EXPERIMENT, RULES, draw, draw_3c, draw_classes, judge


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_first_values_are_the_class_and_the_rest_is_noise_of_variance_a_fifth():
    values, first, lengths = draw(100, 3, 3000, seeded())
    assert torch.equal(values[:3, :, 0], (2.0 * first - 1).expand(3, -1))
    noise = values[3:100]
    assert abs(noise.mean()) < 0.01
    assert abs(noise.var() - 0.2) < 0.01
    assert set(lengths.tolist()) == set(range(100, 111))
    assert abs(first.float().mean() - 0.5) < 0.03


def test_3b_has_noise_on_the_first_values_too():
    values, first, _ = draw(100, 3, 3000, seeded(), noisy=True)
    noise = values[:3, :, 0] - (2.0 * first - 1)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.var() - 0.2) < 0.02


def test_3c_has_noise_on_its_targets():
    batch = draw_3c(100, 3, 3000, seeded())
    learnt, right = batch.y.unbind(-1)
    assert right.unique().tolist() == pytest.approx([0.2, 0.8])
    assert abs((learnt - right).mean()) < 0.02
    assert abs((learnt - right).var() - 0.1) < 0.01
    assert torch.equal(right < 0.5, batch.x[0, :, 0] > 0)  # class 1 has 0.2


def test_targets_of_3a_are_the_classes():
    batch = draw_classes(50, 1, False, 100, seeded())
    assert torch.equal(batch.y[:, 0], (batch.x[0, :, 0] > 0).float())
    assert torch.equal(batch.y[:, 0], batch.y[:, 1])


def test_an_output_as_far_off_as_the_limit_is_wrong():
    y = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    for off, wrong in ((0.19, False), (0.21, True)):
        outputs = torch.logit(torch.tensor([[1 - off], [off]]))
        judged = judge(RULES["3a"].limit, outputs, Batch(torch.empty(0), y))
        assert judged.wrong.tolist() == [wrong, wrong]
        assert judged.error.tolist() == pytest.approx([off, off])


def test_what_is_learnt_is_noisy_and_what_is_right_is_not():
    batch = Batch(torch.empty(0), torch.tensor([[1.0, 0.8]]))
    judged = judge(RULES["3c"].limit, torch.logit(torch.tensor([[0.85]])), batch)
    assert judged.loss.item() == pytest.approx(0.15**2, abs=1e-5)
    assert judged.error.item() == pytest.approx(0.05, abs=1e-5)
    assert not judged.wrong


def test_a_tiny_run_of_each_network_ends_with_figures():
    for variant in EXPERIMENT.variants:
        trial = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        assert trial.figures["sequences"] == 80
        assert not trial.solved
