"""Convolutions over padded batches answer as they would for each sequence alone."""

import pytest
import torch
from torch.nn import functional as F

from gatework.labels.convolution import Block, Branch, Front, Norm, inside
from numerics import same

LENGTHS = torch.tensor([9, 1, 6, 8])


def padded(channels: int = 3) -> torch.Tensor:
    """Sequences [T,B,I] of LENGTHS, 0 past them."""
    x = torch.randn(9, 4, channels)
    return x * (torch.arange(9)[:, None] < LENGTHS)[..., None]


def spread(module: torch.nn.Module) -> torch.nn.Module:
    """The module in use, with statistics and biases that are not those of a fresh one."""
    for each in module.modules():
        if isinstance(each, Norm):
            for values in (each.running_mean, each.bias.data):
                assert values is not None
                values.normal_()
    return module.eval()


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_front_shortens_each_sequence_as_if_it_were_alone(stages: int) -> None:
    front, x = spread(Front(3, 5, stages)), padded()
    together, lengths = front(x, LENGTHS)
    assert len(together) == -(-9 // 2**stages)
    assert lengths.tolist() == [-(-T // 2**stages) for T in LENGTHS.tolist()]
    for b, T in enumerate(LENGTHS.tolist()):
        alone, _ = front(x[:T, b : b + 1], LENGTHS[b : b + 1])
        same(together[: len(alone), b], alone[:, 0])
        assert together[len(alone) :, b].eq(0).all()


def test_a_front_sees_nothing_of_what_comes_later_and_all_that_has_been() -> None:
    front, x = spread(Front(1, 4, 2)), torch.randn(12, 1, 1)
    output, _ = front(x, torch.tensor([12]))
    for step in range(12):
        changed = x.clone()
        changed[step] += 1
        differs = (front(changed, torch.tensor([12]))[0] - output).abs().amax((1, 2)) > 0
        assert not differs[: step // 4].any(), "each output stands for four steps"
    last = x.clone()
    last[-1] += 1
    assert not torch.equal(front(last, torch.tensor([12]))[0], output), "the last step is read"


def test_a_branch_answers_for_a_padded_sequence_as_for_it_alone() -> None:
    branch, x = spread(Branch(3, 4)), padded()
    together = branch(x, LENGTHS)
    assert together.shape == (4, 8)
    for b, T in enumerate(LENGTHS.tolist()):
        same(together[b], branch(x[:T, b : b + 1], LENGTHS[b : b + 1])[0])


def test_a_branch_of_64_units_has_the_sizes_of_the_paper() -> None:
    shapes = [tuple(block.convolution.weight.shape) for block in Branch(1, 64).blocks]  # type: ignore[union-attr]
    assert shapes == [(128, 1, 8), (256, 128, 5), (128, 256, 3)]


def test_statistics_are_those_of_the_steps_that_are_there() -> None:
    norm, x = Norm(3), padded().permute(1, 2, 0) * 2 + 5  # [B,C,T]
    within = inside(LENGTHS, 9)
    assert within is not None
    values = torch.cat([x[b, :, :T].T for b, T in enumerate(LENGTHS.tolist())])
    normed = norm(x, within)
    expected = F.batch_norm(values, None, None, training=True)
    same(torch.cat([normed[b, :, :T].T for b, T in enumerate(LENGTHS.tolist())]), expected)
    assert normed.masked_select(~within).eq(0).all()
    same(norm.running_mean, 0.1 * values.mean(0))


def test_one_step_alone_is_normalised_by_what_was_learnt_before() -> None:
    norm, x = Norm(3), torch.randn(1, 3, 1)
    assert torch.isfinite(norm(x)).all()
    same(norm(x), x / (1 + norm.eps) ** 0.5)
    same(norm(torch.cat([x, x], -1), torch.tensor([[[True, False]]]))[..., :1], x / (1 + norm.eps) ** 0.5)


def test_nothing_is_masked_where_all_lengths_are_alike() -> None:
    assert inside(torch.tensor([4, 4]), 4) is None


def test_a_block_of_stride_one_keeps_the_length() -> None:
    for kernel in (3, 5, 8):
        assert Block(2, 3, kernel)(torch.randn(2, 2, 7), None).shape == (2, 3, 7)
