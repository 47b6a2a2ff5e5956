"""Two sequences (Hochreiter & Schmidhuber 1997, experiment 3): the class stands in the first values, then noise."""

import math
from dataclasses import dataclass
from functools import partial
from itertools import count

import torch
from torch import Tensor

from gatework.lab.experiment import Experiment, Progress, Size, Trial, Variant
from gatework.lab.learning import TEST, Batch, Judged, Plan, Stop, Task, learn, network, test
from gatework.lab.published import Tested, start_biases

SPREAD = math.sqrt(0.2)  # of the noise after the first N values, of variance 0.2; in 3b and 3c on those too
RECENT = 256  # sequences of training that have to do well before fresh ones are tried
TARGET_SPREAD = math.sqrt(0.1)  # 3c: of the noise on the targets


def draw(T: int, N: int, B: int, generator: torch.Generator, noisy: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Values [1.1 T,B,1], classes [B], lengths [B] from T to 1.1 T.

    The first N values are 1 in class 1 and -1 in class 2 (0 here), with noise on them where `noisy`; then noise alone.
    """
    lengths = torch.randint(T, T + T // 10 + 1, (B,), generator=generator)
    first = torch.randint(2, (B,), generator=generator)
    values = SPREAD * torch.randn(int(lengths.max()), B, generator=generator)
    values[:N] = 2.0 * first - 1 + (values[:N] if noisy else 0)
    return values[..., None], first, lengths


def draw_3c(T: int, N: int, B: int, generator: torch.Generator) -> Batch:
    """3c: targets 0.2 for class 1 and 0.8 for class 2; y [B,2] is what is learnt, with noise, and what is right."""
    values, first, lengths = draw(T, N, B, generator)
    right = 0.8 - 0.6 * first
    learnt = right + TARGET_SPREAD * torch.randn(B, generator=generator)
    return Batch(values, torch.stack([learnt, right], -1), lengths)


def draw_classes(T: int, N: int, noisy: bool, B: int, generator: torch.Generator) -> Batch:
    """3a, and where `noisy` 3b: targets 1 for class 1 and 0 for class 2; y [B,2] as in 3c, the same twice."""
    values, first, lengths = draw(T, N, B, generator, noisy)
    return Batch(values, first[:, None].float().expand(-1, 2), lengths)


def judge(limit: float, outputs: Tensor, batch: Batch) -> Judged:
    """outputs [B,1], through a sigmoid: the squared error to what is learnt is minimised; wrong from `limit` on."""
    learnt, right = batch.y.unbind(-1)
    output = outputs[:, 0].sigmoid()
    error = (output - right).abs()
    return Judged((output - learnt).square(), error, error >= limit)


@dataclass(frozen=True)
class Rule:
    """When a form of the task counts as solved.

    Of fresh sequences at most the share `wrong` is wrong, and their mean error is below `error`. A sequence is wrong
    where the output is `limit` or more from what is right.
    """

    limit: float
    wrong: float
    error: float

    def stop(self, count: int) -> Stop:
        """The rule for so many sequences."""
        return Stop(self.error, 1 + int(self.wrong * count), count)


RULES = {"3a": Rule(0.2, 0.0, 0.01), "3b": Rule(0.2, 5 / 256, 0.04), "3c": Rule(0.1, 0.0, 0.015)}


def _task_of(name: str, T: int, N: int) -> Task:
    drawn = partial(draw_3c, T, N) if name == "3c" else partial(draw_classes, T, N, name == "3b")
    return Task(drawn, partial(judge, RULES[name].limit), inputs=1, outputs=1)


def _trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    options = variant.at(size)
    task, rule = _task_of(options["task"], options["T"], options["N"]), RULES[options["task"]]
    model = network(variant, task, options, seed)
    start_biases(model.layer, options.get("start", {}))
    recent, fresh = rule.stop(RECENT), rule.stop(options["fresh"])
    sets = count(2**20 * (seed + 1))  # another set at each try

    def passes() -> bool:
        judged = test(model, task, next(sets), fresh.window)
        return fresh.holds(judged.error, judged.wrong)

    stop = Tested(recent.error, recent.wrong, recent.window, passes)
    learnt = learn(model, task, Plan.of(options), stop, seed, progress)
    judged = test(model, task, seed, options.get("test", TEST))
    figures = {
        "sequences": float(learnt.sequences),
        f"wrong of {len(judged.wrong):,}": float(judged.wrong.sum()),
        "mean error": float(judged.error.mean()),
    }
    return Trial(learnt.solved, figures, learnt.curve)


COMMON = {"T": 100, "N": 3, "fresh": TEST, "batch": 32, "sequences": 40_000, "learning_rate": 0.01}
SMALL = {"quick": {"sequences": 30_000}, "tiny": {"T": 10, "batch": 8, "sequences": 80, "test": 100}}
START_1997 = {"b_i": [-1.0, -3.0, -5.0], "b_o": [-2.0, -4.0, -6.0]}


def _variants(name: str, published: str) -> list[Variant]:
    """Today's network, the published one and the plain one on a form of the task."""
    options = {"task": name, **COMMON, **SMALL}
    form = f"{name}, T = 100, N = 3"
    return [
        Variant("lstm (today)", "lstm", {**options, "hidden": 8, "init": "chrono(100)"}, form=form),
        Variant("lstm_1997 (3 cells)", "lstm_1997", {**options, "hidden": 3, "start": START_1997}, published, form),
        Variant("rnn", "rnn", {**options, "hidden": 16, "sequences": 20_000}, form=form),
    ]


EXPERIMENT = Experiment(
    name="two_sequences",
    title="Two sequences",
    task=(
        "One input. The first N values are 1 in class 1 and -1 in class 2, all others noise of mean 0 and variance "
        "0.2; the length is drawn from T to 1.1 T. At the end the class is asked for: 1 or 0. 3b: with noise of the "
        "same kind on the first N values too. 3c: as 3a, but the targets are 0.2 and 0.8 with noise of variance 0.1 "
        "on them."
    ),
    criterion=(
        "of 2,560 fresh sequences none is off by 0.2 and the mean error is below 0.01 (3a); at most 5 in 256 are, and "
        "it is below 0.04 (3b); none is off by 0.1 from the target without its noise, and the mean is below 0.015 "
        "(3c). The paper stops on 256, which a network can pass that is wrong on some of 2,560. Then 2,560 others are "
        "counted"
    ),
    source=(
        "Hochreiter & Schmidhuber 1997, experiment 3 (figures of the first rule, ST1, read in the source; the second "
        "rule, ST2, which is used here, networks and starts from memory)"
    ),
    batched=(
        "Adam in batches of 32 for single updates. lstm_1997 has the three cells and the biases of gates of the paper: "
        "input -1, -3, -5, output -2, -4, -6"
    ),
    shows=(
        "The memory is kept over a hundred steps of noise on the same line, in fewer sequences than in 1997. Training "
        "ends by 2,560 fresh sequences, and 2,560 others are counted then: in 3a today's LSTM is wrong on 0 to 7 of "
        "them, lstm_1997 on none, and in 3c today's on 0 to 4. Of lstm_1997 one seed of five does not learn 3b, and "
        "two do not meet the rule of 3c in 40,000 sequences; today's LSTM does all three with every seed."
    ),
    variants=(
        *_variants("3a", "27,380 sequences (ST1), 39,850 (ST2, from memory)"),
        *_variants("3b", "41,740 sequences (ST1), 43,250 (ST2, from memory)"),
        *_variants("3c", "269,650 sequences"),
    ),
    seeds=5,
    trial=_trial,
)
