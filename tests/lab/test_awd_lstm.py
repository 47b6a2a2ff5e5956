"""The rival of language models: what its dropout, penalties and rates do."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.lab.awd_lstm import AwdLstm, Learner, Script

V, H = 11, 6


def network(strength: float = 1.0, layers: int = 2) -> AwdLstm:
    torch.manual_seed(0)
    return AwdLstm(V, H, layers, strength)


def tokens(steps: int = 7) -> Tensor:
    return torch.arange(3 * (steps + 1)).reshape(steps + 1, 3).square() % V


def plain(own: AwdLstm, inputs: Tensor) -> Tensor:
    """Its logits by layers of torch alone."""
    x = own.embedding(inputs)
    for layer in own.layers:
        copied = torch.nn.LSTM(H, H)
        copied.load_state_dict(layer.state_dict())
        x, _ = copied(x)
    return x @ own.embedding.weight.T + own.output.bias


def test_in_use_nothing_is_dropped_and_the_state_goes_on() -> None:
    own, inputs = network().eval(), tokens()
    torch.testing.assert_close(own.logits(inputs)[0], plain(own, inputs))
    first, state = own.logits(inputs[:4])
    second, _ = own.logits(inputs[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), own.logits(inputs)[0])


def test_without_strength_it_is_torchs_layers() -> None:
    own, inputs = network(0.0).train(), tokens()
    loss, _ = own(inputs[:-1], inputs[1:])
    torch.testing.assert_close(loss, F.cross_entropy(plain(own, inputs[:-1]).flatten(0, 1), inputs[1:].flatten()))


def test_in_training_words_and_recurrent_weights_are_dropped_by_the_seed() -> None:
    own, inputs = network().train(), tokens()
    before = [each.detach().clone() for each in own.parameters()]
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        loss, _ = own(inputs[:-1], inputs[1:])
        losses.append(loss.item())
    assert losses[0] == losses[1] != losses[2]
    assert all(map(torch.equal, before, own.parameters())), "the weights themselves stay"
    values = own._dropped(torch.ones(50, 40), 0.5, (-1, 1))
    assert set(values.unique().tolist()) == {0.0, 2.0} and bool((values == values[:, :1]).all()), "a row as a whole"


def test_large_outputs_and_those_that_change_cost_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AwdLstm, "_dropped", lambda _, values, *__: values)
    own, inputs = network().train(), tokens()
    loss, _ = own(inputs[:-1], inputs[1:])
    output, raw, _ = own._outputs(inputs[:-1], None)
    bare = F.cross_entropy(plain(own, inputs[:-1]).flatten(0, 1), inputs[1:].flatten())
    torch.testing.assert_close(loss, bare + 2 * output.square().mean() + raw.diff(dim=0).square().mean())


def test_the_rate_falls_twice_or_as_gateworks() -> None:
    rates: dict[bool, list[float]] = {True: [], False: []}
    for stepped, seen in rates.items():
        learner = Learner(network(), Script(stepped=stepped), 0.1, 10)
        for step in range(10):
            learner.update([(tokens()[:-1], tokens()[1:])], step, step / 100)
            seen.append(learner.optimizer.param_groups[0]["lr"])
    assert rates[True] == pytest.approx([0.1] * 5 + [0.01] * 2 + [0.001] * 3)
    assert rates[False] == [step / 100 for step in range(10)]
