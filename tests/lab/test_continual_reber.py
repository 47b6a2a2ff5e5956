import torch
from torch import nn

from gatework.lab import Size
from gatework.lab.continual_reber import EXPERIMENT, Endless, batch_of, first_mistakes
from gatework.lab.learning import Batch
from gatework.lab.reber import Stream


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Layer(nn.Module):
    """Counts the symbols that each stream has seen, as its state; hands the input on."""

    def forward(self, x, state):
        seen = torch.zeros(1, x.shape[1], 1) if state is None else state[0]
        return x, (seen + len(x),)


class Knowing(nn.Module):
    """Predicts what the batch says is legal; in the streams told, wrongly from a symbol on."""

    def __init__(self, wrong_from: dict[int, int]) -> None:
        super().__init__()
        self.layer, self.wrong_from, self.batch, self.seen = Layer(), wrong_from, None, 0

    def readout(self, output):
        outputs = self.batch.y[:, :, 1].clone()
        for stream, first in self.wrong_from.items():
            outputs[max(0, first - self.seen) :, stream] *= -1
        self.seen += len(output)
        return outputs


class Told(Endless):
    def forward(self, batch: Batch):
        self.network.batch = batch
        return super().forward(batch)


def test_pieces_of_a_stream_follow_one_another():
    stream, whole = Stream(2, seeded()), batch_of(Stream(2, seeded()), 1)
    first = batch_of(stream, 20)
    second = batch_of(stream, 20)
    assert torch.equal(first.x[:1], whole.x)
    assert torch.equal(first.y[-1, :, 0], second.x[0])


def test_the_state_is_carried_from_piece_to_piece():
    model, stream = Told(Knowing({})), Stream(2, seeded())
    for _ in range(3):
        model(batch_of(stream, 10))
    assert model.state[0].tolist() == [[[30.0], [30.0]]]


def test_a_stream_that_is_learnt_from_ends_with_a_mistake():
    stream = Stream(2, seeded())
    model = Told(Knowing({1: 15}), learnt_from=stream)
    model(batch_of(stream, 10))
    model(batch_of(stream, 10))
    assert model.state[0].flatten().tolist() == [20.0, 0.0]
    assert batch_of(stream, 1).x[0, 1].argmax() == 0  # B


def test_the_first_mistake_of_each_stream_is_found(monkeypatch):
    monkeypatch.setattr("gatework.lab.continual_reber.Endless", Told)
    found = first_mistakes(Knowing({1: 1500, 2: 0}), 4, 2500, seeded())
    assert found.tolist() == [2500, 1500, 0, 2500]


def test_a_tiny_run_of_each_network_ends_with_figures():
    for variant in EXPERIMENT.variants:
        trial = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        assert trial.figures["symbols learnt from"] == 800
        assert not trial.solved
