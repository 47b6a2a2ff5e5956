"""Continual embedded Reber grammar (Gers, Schmidhuber & Cummins 2000): endless streams, the state never reset."""

import torch
from torch import Tensor, nn

from gatework.lab.embedded_reber import judge
from gatework.lab.experiment import Experiment, Progress, Size, Trial, Variant
from gatework.lab.learning import Batch, Network, Plan, Stop, Task, learn, network, stream
from gatework.lab.published import cut
from gatework.lab.reber import SYMBOLS, Stream, legal_lead, one_hot

STREAMS, SYMBOLS_EACH = 10, 100_000  # of the test
PIECE = 1000  # symbols of the test at a time


def batch_of(stream: Stream, T: int) -> Batch:
    """The next T symbols x [T,B,7]; y [T,B,2,7] as for single strings."""
    given, after, legal = stream.take(T)
    return Batch(one_hot(given), torch.stack([one_hot(after), legal.float()], 2))


class Endless(nn.Module):
    """The network on pieces of streams that follow one another: the state is carried, its past cut off.

    A stream that is learnt from ends with a mistake, as in the paper: another begins, from the start state.
    """

    def __init__(self, network: Network, learnt_from: Stream | None = None) -> None:
        super().__init__()
        self.network, self.stream = network, learnt_from
        self.state: tuple[Tensor, ...] | None = None

    def forward(self, batch: Batch) -> Tensor:
        output, state = self.network.layer(batch.x, self.state)
        self.state = tuple(value.detach() for value in state)  # [1,B,H] each
        outputs: Tensor = self.network.readout(output)
        if self.stream is not None:
            mistaken = judge(outputs.detach(), batch).wrong  # [B]
            self.stream.restart(mistaken)
            self.state = tuple(value.masked_fill(mistaken[:, None], 0.0) for value in self.state)
        return outputs


@torch.no_grad()
def first_mistakes(network: Network, streams: int, symbols: int, generator: torch.Generator) -> Tensor:
    """How many symbols of each test stream come before the first wrong prediction, [B]; all of them where none is."""
    model, stream = Endless(network), Stream(streams, generator)
    right = torch.full((streams,), symbols)
    for start in range(0, symbols, PIECE):
        batch = batch_of(stream, min(PIECE, symbols - start))
        wrong = ~legal_lead(model(batch), batch.y[:, :, 1].bool())
        first = start + wrong.int().argmax(0)
        right = torch.where(wrong.any(0), right.minimum(first), right)
        if (right < start).all():
            break
    return right


def trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    options = variant.at(size)
    learnt_from, piece = Stream(options["batch"], stream("streams", seed)), options["piece"]
    task = Task(lambda _, __: batch_of(learnt_from, piece), judge, len(SYMBOLS), len(SYMBOLS), every_step=True)
    net = network(variant, task, options, seed)
    stop = Stop(window=options["without_error"] // piece)
    learnt = learn(Endless(net, learnt_from), task, Plan.of(options), stop, seed, progress)
    streams, symbols = options.get("streams", STREAMS), options.get("symbols", SYMBOLS_EACH)
    right = first_mistakes(net, streams, symbols, stream("test streams", seed))
    figures = {
        "symbols learnt from": float(learnt.sequences * piece),
        f"perfect streams of {streams}": float((right == symbols).sum()),
        "symbols before the first mistake": float(right.float().mean()),
    }
    curve = [(pieces * piece, error) for pieces, error in learnt.curve]
    return Trial(bool((right == symbols).all()), figures, curve)


PLAN = {
    "hidden": 8,
    "init": {"W_*": "uniform(-1, 1)"},
    "batch": 32,
    "piece": 50,
    "sequences": 100_000,
    "learning_rate": 0.02,
    "others": {"betas": [0.9, 0.98]},
    "without_error": 500_000,
    "quick": {"hidden": 16, "sequences": 40_000},
    "tiny": {"batch": 4, "sequences": 16, "symbols": 2000},
}

EXPERIMENT = Experiment(
    name="continual_reber",
    title="Continual embedded Reber grammar",
    task=(
        "Strings of the embedded Reber grammar follow one another without an end and without a mark; the state is "
        "never reset. At each step the next symbol is to be predicted. The network has to find out where a string "
        "begins, and to be rid of what it kept of the one before."
    ),
    criterion=(
        "in ten test streams of 100,000 symbols the symbols that may come next are the most active outputs at each step"
    ),
    source=(
        "Gers, Schmidhuber & Cummins 2000 (shares of networks read in the source; the course of training from memory)"
    ),
    batched=(
        "32 streams at once, Adam, an update every 50 symbols, through which the gradient goes back; online in the "
        "paper. A stream with a mistake ends there, as in the paper. Training ends when 500,000 symbols in a row had "
        "no mistake, or after 5 million. Eight cells as in the paper, which has them in blocks of two; quick runs have "
        "sixteen"
    ),
    shows=(
        "By the paper's own learning rule, which lets the gradient go back along the memory alone, the forget gate "
        "decides, as published: it empties the memory where a string ends, and the network without one errs sooner or "
        "later. But it was the rule that needed the gate. Where the gradient goes back along every path, as it does "
        "today, an LSTM without a forget gate learns to take away what it had added, the network of 1997 comes through "
        "too, and so do sixteen plain units, since no string is long."
    ),
    variants=(
        Variant("lstm (today)", "lstm", PLAN),
        Variant(
            "lstm, the paper's rule",
            cut("lstm"),
            PLAN,
            "62 % of networks (forget gate, learning-rate decay)",
            quick=False,
        ),
        Variant("lstm_no_forget, the paper's rule", cut("lstm_no_forget"), PLAN, "0 % of networks", quick=False),
        Variant("lstm_no_forget", "lstm_no_forget", PLAN, quick=False),
        Variant("lstm_1997", "lstm_1997", {**PLAN, "init": "uniform(-0.2, 0.2)"}, quick=False),
        Variant("rnn, 16 units", "rnn", {**PLAN, "hidden": 16}, quick=False),
    ),
    seeds=5,
    trial=trial,
    axes=("symbols", "share of wrong predictions"),
)
