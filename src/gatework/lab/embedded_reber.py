"""Embedded Reber grammar (Hochreiter & Schmidhuber 1997, experiment 1): which symbols may come next."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.lab.experiment import Experiment, Progress, Size, Trial, Variant
from gatework.lab.learning import Batch, Judged, Network, Plan, Task, learn, network, stream
from gatework.lab.published import Tested, start_biases
from gatework.lab.reber import SYMBOLS, legal_lead, may_follow, one_hot, strings

COUNT = 256  # strings to learn from, and as many others to test on


def batch_of(chosen: Sequence[Sequence[int]]) -> Batch:
    """Strings as a batch: x [T,B,7], y [T,B,2,7] with the next symbol and those that may come, 0 past the end."""
    lengths = torch.tensor([len(string) - 1 for string in chosen])  # nothing follows the last symbol
    symbols = torch.zeros(int(lengths.max()) + 1, len(chosen), dtype=torch.long)
    legal = torch.zeros(*symbols.shape, len(SYMBOLS))
    for b, string in enumerate(chosen):
        symbols[: len(string), b] = torch.tensor(string)
        legal[: len(string) - 1, b] = torch.tensor(may_follow(string[:-1]), dtype=torch.float)
    there = legal[:-1].any(-1, keepdim=True)
    y = torch.stack([one_hot(symbols[1:]) * there, legal[:-1]], 2)
    return Batch(one_hot(symbols[:-1]), y, lengths)


def part_of(whole: Batch, chosen: Tensor) -> Batch:
    """The chosen sequences of a batch, as long as the longest of them."""
    assert whole.lengths is not None
    lengths = whole.lengths[chosen]
    T = int(lengths.max())
    return Batch(whole.x[:T, chosen], whole.y[:T, chosen], lengths)


def judge(outputs: Tensor, batch: Batch) -> Judged:
    """outputs [T,B,7]: the cross entropy of the next symbol is minimised; the error is the share of wrong steps."""
    actual, legal = batch.y.unbind(-2)
    wrong = legal.any(-1) & ~legal_lead(outputs, legal.bool())
    steps = actual.sum((0, 2))
    loss = -(actual * F.log_softmax(outputs, -1)).sum((0, 2))
    return Judged(loss / steps.mean(), wrong.sum(0) / steps, wrong.any(0))


def task_of(known: Batch) -> Task:
    """Strings drawn from those that are known."""

    def draw(B: int, generator: torch.Generator) -> Batch:
        return part_of(known, torch.randint(known.x.shape[1], (B,), generator=generator))

    return Task(draw, judge, inputs=len(SYMBOLS), outputs=len(SYMBOLS), every_step=True)


@torch.no_grad()
def _mistaken(model: Network, batch: Batch) -> int:
    """How many strings of a batch have a wrong prediction."""
    return int(judge(model(batch), batch).wrong.sum())


def _trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    options = variant.at(size)
    drawn = strings(2 * COUNT, stream("strings", seed))
    known, others = batch_of(drawn[:COUNT]), batch_of(drawn[COUNT:])
    task = task_of(known)
    model = network(variant, task, options, seed)
    start_biases(model.layer, options.get("start", {}))
    stop = Tested(window=COUNT, passes=lambda: not _mistaken(model, known) and not _mistaken(model, others))
    learnt = learn(model, task, Plan.of(options), stop, seed, progress)
    figures = {
        "sequences": float(learnt.sequences),
        f"wrong of {COUNT} known": float(_mistaken(model, known)),
        f"wrong of {COUNT} others": float(_mistaken(model, others)),
    }
    return Trial(learnt.solved, figures, learnt.curve)


PLAN = {
    "batch": 16,
    "sequences": 60_000,
    "learning_rate": 0.02,
    "others": {"betas": [0.9, 0.98]},
    "quick": {"sequences": 30_000},
    "tiny": {"sequences": 64},
}

TODAY = {
    "hidden": 24,
    "init": {"W_*": "uniform(-1, 1)", "b_f": 2.0},
    "optimizer": "adamw",
    "others": {"betas": [0.9, 0.98], "weight_decay": 0.03},
}

EXPERIMENT = Experiment(
    name="embedded_reber",
    title="Embedded Reber grammar",
    task=(
        "Strings of the embedded Reber grammar, one symbol a step: B, then T or P, a string of the Reber grammar, the "
        "same T or P again, E. At each step the next symbol is to be predicted. The last but one symbol asks for the "
        "second, with a string of any length between. 256 strings to learn from, 256 others to test on."
    ),
    criterion=(
        "in all strings of both sets, at each step, the symbols that may come next are the most active outputs; the "
        "paper counts runs that come to this"
    ),
    source="Hochreiter & Schmidhuber 1997, experiment 1 (figures read in the source; architecture from memory)",
    batched=(
        "Adam in batches of 16 (for today's LSTM with weight decay, for the plain network 32), softmax and cross "
        "entropy, for single updates and squared error. lstm_1997 has four memory cells, weights from -0.2 to 0.2 and "
        "output gate biases -1 to -4 as published, and biases of the candidate, which the paper's network has not"
    ),
    shows=(
        "Today's LSTM learns which symbol to keep in fewer sequences than any network of the paper. The plain network "
        "learns the inner grammar, and guesses the symbol that it should have kept."
    ),
    variants=(
        Variant("lstm (today)", "lstm", {**PLAN, **TODAY}),
        Variant(
            "lstm_1997 (4 cells)",
            "lstm_1997",
            {
                "hidden": 4,
                "init": "uniform(-0.2, 0.2)",
                "start": {"b_o": [-1.0, -2.0, -3.0, -4.0]},
                **PLAN,
            },
            published="100 % of runs in 39,740 (rate 0.1), 97 % in 9,500 (0.5)",
        ),
        Variant(
            "rnn",
            "rnn",
            {"hidden": 15, **PLAN, "learning_rate": 0.005, "batch": 32, "sequences": 40_000},
            published="Elman 0 %, over 200,000",
        ),
    ),
    seeds=30,
    trial=_trial,
    axes=("sequences", "share of wrong predictions"),
)
