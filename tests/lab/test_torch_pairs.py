"""The rival of pairs: what it computes is a function of each pair alone, and its search finds what it says."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.lab.torch_pairs import IGNORED, Learner, TorchPairs

SOURCES, TARGETS = 5, 3


def network(**options: float) -> TorchPairs:
    torch.manual_seed(0)
    return TorchPairs(SOURCES, TARGETS, 6, embedding=4, **options).eval()  # type: ignore[arg-type]


def batch(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Sources of these lengths, padded by a symbol that a source may have."""
    tokens = torch.randint(SOURCES, (max(lengths), len(lengths)), generator=torch.Generator().manual_seed(1))
    return tokens, torch.tensor(lengths)


@torch.no_grad()
def log_probability(model: TorchPairs, source: tuple[Tensor, Tensor], symbols: tuple[int, ...]) -> float:
    """Of a target and its end, read symbol by symbol."""
    memory = model.encode(source)
    state, read, total = memory.state, model.end, 0.0
    for symbol in (*symbols, model.end):
        logits, state = model.decode(memory, torch.tensor([[read]]), state)
        total += float(logits[0, 0].log_softmax(-1)[symbol])
        read = symbol
    return total


@pytest.mark.parametrize("layers", [1, 2])
def test_padding_of_either_side_changes_nothing(layers: int) -> None:
    model, (tokens, lengths) = network(layers=layers), batch([4, 1, 3])
    symbols = [(0, 2), (), (1, 1, 0)]
    targets = torch.full((4, 3), IGNORED)
    for k, each in enumerate(symbols):
        targets[: len(each) + 1, k] = torch.tensor([*each, model.end])
    alone = [
        log_probability(model, (tokens[:length, k : k + 1], lengths[k : k + 1]), each)
        for k, (length, each) in enumerate(zip(lengths.tolist(), symbols, strict=True))
    ]
    loss = model((tokens, lengths), targets)
    torch.testing.assert_close(loss, torch.tensor(-sum(alone) / 8), rtol=1e-5, atol=1e-6)


def test_smoothing_is_torchs() -> None:
    model, smoothed, source = network(), network(label_smoothing=0.3), batch([2])
    targets = torch.tensor([[1], [TARGETS]])
    logits, _ = model.decode(model.encode(source), torch.tensor([[TARGETS], [1]]), model.encode(source).state)
    expected = F.cross_entropy(logits[:, 0], targets[:, 0], label_smoothing=0.3)
    torch.testing.assert_close(smoothed(source, targets), expected)


def test_a_search_that_keeps_all_finds_the_best_of_all() -> None:
    model, longest = network(), 2
    tokens, lengths = batch([4, 2, 1])
    found = model.search((tokens, lengths), 40, longest)
    for k, length in enumerate(lengths.tolist()):
        source = tokens[:length, k : k + 1], lengths[k : k + 1]
        every = [each for n in range(longest + 1) for each in product(range(TARGETS), repeat=n)]
        means = {each: log_probability(model, source, each) / (len(each) + 1) for each in every}
        assert means[found[k]] == pytest.approx(max(means.values()))


def test_one_beam_takes_the_likeliest_symbol_at_each_step() -> None:
    model, source = network(), batch([3])
    [found] = model.search(source, 1, 6)
    memory = model.encode(source)
    state, read = memory.state, model.end
    for symbol in (*found, model.end)[:7]:
        logits, state = model.decode(memory, torch.tensor([[read]]), state)
        assert int(logits.argmax()) == symbol
        read = symbol


def test_it_learns_to_repeat_its_source() -> None:
    torch.manual_seed(0)
    model = TorchPairs(3, 3, 24, embedding=8)
    learner = Learner(model, 0.02, 150)
    tokens = torch.randint(3, (4, 64))
    source, targets = (tokens, torch.full((64,), 4)), torch.cat([tokens, torch.full((1, 64), model.end)])
    losses = [learner.update(source, targets) for _ in range(150)]
    assert losses[0] > 1 and losses[-1] < 0.05
    assert model.eval().search(source, 2, 8) == [tuple(row) for row in tokens.T.tolist()]
