"""The model that CTC aligns: its loss is the sum over all paths, its search what the decoder finds."""

from itertools import groupby, product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gatework.cells import cells
from gatework.decoding.ctc import greedy
from gatework.pairs.ctc_model import CTCModel
from gatework.pairs.data.batches import Source
from numerics import same

TARGETS = 2  # symbols; the blank is 2
WIDE = [name for name, cell in cells.items() if cell.program.nodes[0].size != "I"]  # their x is as wide as a state


def source(S: int, B: int, frames: int = 0) -> Source:
    """Sources of lengths S, S - 1 and so on."""
    lengths = torch.tensor([max(S - k, 1) for k in range(B)])
    return (torch.randn(S, B, frames) if frames else torch.randint(5, (S, B))), lengths


def padded(targets: list[list[int]]) -> Tensor:
    T = max(map(len, targets)) + 1
    return torch.tensor([[*each, *[-100] * (T - len(each))] for each in targets]).T


def model(frames: int = 0, **options: Any) -> CTCModel:
    return CTCModel(frames or 5, TARGETS, 8, frames=frames > 0, **options).eval()


def by_all_paths(scores: Tensor, target: list[int]) -> Tensor:
    """-log of the sum over the paths of a target, of log probabilities [S,V+1]."""
    paths = [
        torch.stack([frame[k] for frame, k in zip(scores, path, strict=True)]).sum()
        for path in product(range(TARGETS + 1), repeat=len(scores))
        if [symbol for symbol, _ in groupby(path) if symbol != TARGETS] == target
    ]
    return -torch.stack(paths).logsumexp(0)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("cell", cells)
def test_the_loss_is_that_of_all_paths_of_a_target_for_a_symbol(cell: str, frames: bool, bidirectional: bool) -> None:
    width = (4 if bidirectional else 8) if cell in WIDE else 3
    numbers = width if frames else 0
    net = model(numbers, cell=cell, bidirectional=bidirectional, embedding=width)
    given, targets = source(4, 3, numbers), [[0, 1], [1, 1], [0]]
    scores = net.log_probabilities(given)
    each = [by_all_paths(scores[:S, b], target) for b, (S, target) in enumerate(zip(given[1], targets, strict=True))]
    same(net(given, padded(targets))[0], torch.stack(each).sum() / 5)


@pytest.mark.parametrize("frames", [0, 3])
def test_what_lies_past_a_length_counts_nowhere(frames: int) -> None:
    net, (x, lengths) = model(frames, num_layers=2), source(7, 3, frames)
    together = net.log_probabilities((x, lengths))
    for b, S in enumerate(lengths.tolist()):
        same(net.log_probabilities((x[:S, b : b + 1], lengths[b : b + 1]))[:, 0], together[:S, b])


def test_what_is_no_symbol_is_left_out_of_a_target() -> None:
    net, given = model(), source(6, 2)
    spoilt = torch.tensor([[0, -100], [-100, 1], [1, 2], [2, -100]])  # unseen in training, ends, padding
    same(net(given, spoilt)[0], net(given, padded([[0, 1], [1]]))[0])


@pytest.mark.parametrize("frames", [0, 3])
def test_gradients_reach_every_weight(frames: int) -> None:
    net = model(frames, num_layers=2)
    net(source(6, 2, frames), padded([[0, 1], [1]]))[0].backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert bool(weight.grad.abs().max() > 0), name


def test_a_search_of_one_beam_is_greedy_and_wider_ones_are_no_worse() -> None:
    net, given = model(), source(9, 4)
    scores = net.log_probabilities(given).detach().numpy()
    found = net.search(given, beams=1)
    assert [each[0].tokens for each in found] == greedy(scores, TARGETS, given[1].numpy())
    for one, wide in zip(found, net.search(given, beams=8, best=3), strict=True):
        assert len(wide) == 3
        assert wide[0].log_probability >= one[0].log_probability
        assert wide[0].log_probability >= wide[1].log_probability >= wide[2].log_probability


def test_a_wide_searchs_probability_is_that_of_the_loss() -> None:
    net, given = model(), source(5, 1)
    best = net.search(given, beams=200)[0][0]
    loss, _ = net(given, padded([list(best.tokens)]))
    same(torch.tensor(-best.log_probability), loss.double() * len(best.tokens))


def test_the_attention_is_where_the_likeliest_path_has_each_symbol() -> None:
    net, given = model(), source(9, 3)
    path = net.log_probabilities(given).argmax(-1)  # [S,B]
    for b, ((one,), S) in enumerate(zip(net.search(given, beams=1), given[1].tolist(), strict=True)):
        assert one.attention is not None
        assert one.attention.shape == (len(one.tokens), S)
        named = [one.tokens[k] for k in one.attention.argmax(0)] if one.tokens else []
        at = np.where(one.attention.any(0), named, TARGETS) if one.tokens else np.full(S, TARGETS)
        np.testing.assert_array_equal(at, path[:S, b].numpy())


def test_a_search_in_training_reads_as_outside_of_it() -> None:
    net, given = model(dropout=0.5), source(9, 3)
    expected = net.search(given)
    net.train()
    found = net.search(given)
    assert [each[0].score for each in found] == [each[0].score for each in expected]
    assert net.training
    assert net.dropout.training
