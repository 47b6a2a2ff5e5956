"""Which sizes of a language model suit a text and a time: each tried for the same time of one processor.

python -m gatework.lab.text --save docs/text.json      runs what the file has not, prints the tables of docs/text.md
python -m gatework.lab.text --print                    runs nothing

A try has so many steps as its seconds are enough for, by the processor's time of its first steps, and a rate that falls
to the last; so another load of the machine changes nothing. The weights that are best on the validation part are
scored on the test part.
"""

import argparse
import ast
import copy
import json
import random
import re
import sys
import sysconfig
import tempfile
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import numpy
import torch

from gatework.cells import find_cell
from gatework.files.writing import write_atomically
from gatework.lab.awd_lstm import AwdLstm
from gatework.lab.awd_lstm import Learner as ScriptLearner
from gatework.lab.bench.machine import machine
from gatework.lab.bench.report import table
from gatework.lab.report import machine_line
from gatework.lab.text_tries import ALWAYS, CELLS, CENTRE, NAMES, SCRIPTS, USUAL, Try, tries
from gatework.text.adaptation import adaptive
from gatework.text.data.batches import LanguageBatches, ScoringBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.prepare import prepare
from gatework.text.model import LanguageModel
from gatework.text.options import RUN, Batching, Draw, Level, Shape
from gatework.text.repetition import repeated
from gatework.text.run import language_model
from gatework.text.sampling import sample
from gatework.text.score import SCORING_STEPS
from gatework.text.scoring import mean_loss, score
from gatework.text.train import training_batches
from gatework.training.processes import launch
from gatework.training.settings import Settings, learning_rate
from gatework.training.update import Learner

MOST = 6_000_000  # characters of a text
PROBED, COLD = 20, 4  # steps at least that the cost is measured on, and those of them that find cold caches
PROBING = 0.03  # of the time goes into them, where that is more
LOOKS = 8  # validations of a try
STREAMS = 64  # that a part is scored as
SCORED = 60_000  # characters of the test part, and of them those that are adapted to
READ = 20_000
SAMPLES, LENGTH = 4, 500  # texts and characters of each that are written
LEFT_OUT = {"test", "tests", "idlelib", "site-packages", "dist-packages"}  # folders of Python's library
WORD = re.compile(r"[^\W\d_]{3,}")


# -- the texts, all made of what comes with Python and numpy


def code() -> str:
    """The source of Python's own library, without its tests."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in _python_files())[:MOST]


def prose() -> str:
    """The documentation in the source of Python's own library and of numpy: docstrings, in an order drawn once."""
    found = dict.fromkeys(doc for path in _python_files(numpy.__path__[0]) for doc in _docstrings(path))
    docs = list(found)
    random.Random(0).shuffle(docs)
    return "\n\n".join(docs)[:MOST]


def names() -> str:
    """The names of characters in Unicode, but for those that are numbers, in an order drawn once."""
    named = [unicodedata.name(chr(point), "") for point in range(sys.maxunicode + 1)]
    chosen = [name for name in named if name and not re.search(r"\d|HANGUL SYLLABLE", name)]
    random.Random(0).shuffle(chosen)
    return "\n".join(chosen)[:MOST]


TEXTS: dict[str, Callable[[], str]] = {"code": code, "prose": prose, "names": names, "words": prose}
LEVELS: dict[str, Level] = {"words": "word"}  # of the others, what a token is: a character


def _python_files(*more: str) -> list[Path]:
    """The source of Python's own library, and of the packages in more folders, without tests."""
    found = []
    for folder in map(Path, (sysconfig.get_path("stdlib"), *more)):
        inside = (path.relative_to(folder) for path in sorted(folder.rglob("*.py")))
        found += [folder / path for path in inside if not LEFT_OUT & set(path.parts)]
    return found


def _docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # among the tests of the parser
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node)
            if doc and len(doc) >= 100:
                yield doc


# -- what came of one


def outcome(trial: Try, corpus: Corpus, used: bool) -> dict[str, Any]:
    """Bits per character (of words per word) on the test part, and the cost; of a model that is used, what it does."""
    batches = training_batches(corpus, Batching(trial.streams, trial.bptt), 0, 1)
    each = _step_seconds(trial, corpus, batches)
    steps = trial.updates or max(1, int(trial.seconds / each))
    best = _trained(_learner(trial, corpus, steps), batches, _settings(trial, steps), corpus)
    scored = score(best, corpus.vocabulary, corpus.test[:SCORED], STREAMS)
    bits = scored.bits_per_token if scored.level == "word" else scored.bits_per_character
    came = {"bits": bits, "steps": steps, "step_ms": 1000 * each, "passes": steps / len(batches), "machine": _machine()}
    return came | ({"adapted": adapted(best, corpus), "written": written(best, corpus)} if used else {})


def _machine() -> str:
    return machine_line(machine(1, "auto", 0))


def _settings(trial: Try, steps: int) -> Settings:
    named = {name: getattr(trial, name) for name in ("learning_rate", "final", "clip", "weight_decay")}
    return Settings(steps=steps, **named)


def _learner(trial: Try, corpus: Corpus, steps: int) -> Any:
    """What makes the updates, of a model with new weights."""
    torch.manual_seed(0)
    if (script := SCRIPTS.get(trial.model)) is None:
        return Learner(_model(trial, corpus), _settings(trial, steps), launch("float32", "cpu"))
    network = AwdLstm(len(corpus.vocabulary), trial.hidden, trial.layers, script.strength)
    return ScriptLearner(network, script, trial.learning_rate, steps)


def _model(trial: Try, corpus: Corpus) -> LanguageModel:
    torch.manual_seed(0)
    names = ("hidden", "layers", "dropout", "projection", "embedding", "tied", "softmax")
    shape = Shape(**{name: getattr(trial, name) for name in names}, init=trial.init or None)
    return language_model(find_cell(CELLS.get(trial.cell, trial.cell)), corpus.vocabulary, shape)


def _step_seconds(trial: Try, corpus: Corpus, batches: LanguageBatches) -> float:
    """The processor's time of a step: the least of several, which what else runs on the machine stretches least."""
    took: list[float] = []
    learner = _learner(trial, corpus, PROBED)
    while len(took) < PROBED or sum(took) < PROBING * trial.seconds:
        began = time.process_time()
        learner.update([batches[len(took) % len(batches)]], len(took), 1e-4, ())
        took.append(time.process_time() - began)
    return min(took[COLD:])


def _trained(learner: Any, batches: LanguageBatches, settings: Settings, corpus: Corpus) -> Any:
    """The model with the least loss on the validation part, of `LOOKS` that are spread over the steps."""
    assert settings.steps is not None
    judge = ScoringBatches(corpus.validation[:SCORED], STREAMS, SCORING_STEPS)
    least, best = float("inf"), None
    looks = {settings.steps * look // LOOKS for look in range(1, LOOKS + 1)}
    for step in range(settings.steps):
        if step % len(batches) == 0:
            learner.state = None
        learner.update([batches[step % len(batches)]], step, learning_rate(settings, step, settings.steps), ())
        if step + 1 in looks:
            model = learner.model.eval()
            if (loss := mean_loss(model, judge)) < least or best is None:
                least, best = loss, copy.deepcopy(model)
    assert best is not None
    return best.eval()


# -- a model in use


def adapted(model: LanguageModel, corpus: Corpus) -> dict[str, float | None]:
    """Bits per character on the beginning of the test part, as the model is, and learning from what it has scored."""
    learner, tokens = adaptive(model, corpus), corpus.test[:READ]
    as_it_is = score(model, corpus.vocabulary, tokens)
    learning = score(model, corpus.vocabulary, tokens, read=learner)
    return {"as it is": as_it_is.bits_per_character, "learning": learning.bits_per_character}


DRAWS = [
    Draw(temperature, min_p=min_p, repetition=repetition)
    for temperature in (0.0, 0.5, 1.0)
    for min_p, repetition in ((0.0, 1.0), (0.0, 1.2), (0.05, 1.2), (0.1, 1.2))
    if temperature or not min_p  # at 0 the likeliest is taken, whatever else is left in
]


def written(model: LanguageModel, corpus: Corpus) -> list[dict[str, Any]]:
    """What is written with each of `DRAWS`, and first a true text: how much repeats, and how many words are words."""
    known = set(WORD.findall(corpus.vocabulary.decode(corpus.train)))
    test = corpus.vocabulary.decode(corpus.test)
    texts = {"": [test[place : place + LENGTH] for place in range(0, len(test) - LENGTH, len(test) // SAMPLES)]}
    for draw in DRAWS:
        drawn = (sample(model, corpus.vocabulary, "\n", LENGTH, draw=draw, seed=seed) for seed in range(SAMPLES))
        texts[f"{draw.temperature:g}, {draw.min_p:g}, {draw.repetition:g}"] = ["".join(pieces) for pieces in drawn]
    return [{"how": how, **_habits(each, known)} for how, each in texts.items()]


def _habits(texts: Sequence[str], known: set[str]) -> dict[str, float]:
    words = [word for text in texts for word in WORD.findall(text)]
    return {
        "repeated": mean(repeated(text, RUN["char"]) for text in texts),
        "words": sum(word in known for word in words) / max(1, len(words)),
    }


# -- all of them


def run(wanted: Sequence[Try], saved: Path, used: Collection[Try] = ()) -> list[tuple[Try, dict[str, Any]]]:
    """What came of each, from the file where it is there already; a try that ends is saved at once."""
    known = _known(saved)
    with tempfile.TemporaryDirectory() as folder:
        corpus = cache(lambda text: _corpus(text, Path(folder)))
        for number, trial in enumerate(wanted, 1):
            if trial in known:
                continue
            known[trial] = outcome(trial, corpus(trial.text), trial in used)
            lines = (json.dumps({**asdict(each), **came}) for each, came in known.items())
            write_atomically(saved, ("\n".join(lines) + "\n").encode())
            print(f"{number}/{len(wanted)} {trial}: {known[trial]['bits']:.3f} bits", file=sys.stderr, flush=True)
    return [(trial, known[trial]) for trial in wanted]


def _known(saved: Path) -> dict[Try, dict[str, Any]]:
    own = [field.name for field in fields(Try)]
    lines = saved.read_text().splitlines() if saved.exists() else []
    known = {}
    for line in lines:
        values: dict[str, Any] = json.loads(line)
        trial = Try(**{name: values.pop(name) for name in own if name in values})
        known[trial] = values
    return known


def _corpus(text: str, folder: Path) -> Corpus:
    path = folder / f"{text}.txt"
    path.write_text(TEXTS[text](), encoding="utf-8")
    return prepare([path], folder / f"{text}.bin", level=LEVELS.get(text, "char"))


def tables(found: Sequence[tuple[Try, dict[str, Any]]]) -> str:
    """A table for each time: a line for each choice of sizes, for each text bits per character and (steps)."""
    times: dict[tuple[float, int], dict[Try, dict[str, Any]]] = {}
    for trial, came in found:
        times.setdefault((trial.seconds, trial.updates), {})[trial] = came
    heads = (f"{updates:,} updates" if updates else f"{seconds:g} seconds of a processor" for seconds, updates in times)
    return "\n\n".join(f"{head}\n\n{_table(own)}" for head, own in zip(heads, times.values(), strict=True))


def _table(own: Mapping[Try, Mapping[str, Any]]) -> str:
    texts = list(dict.fromkeys(trial.text for trial in own))
    by_sizes = {(trial.text, trial.sizes): came for trial, came in own.items()}
    rows = list(dict.fromkeys(trial.sizes for trial in own))
    columns = [
        name for name in NAMES if name in ALWAYS or any(getattr(row, name) != getattr(USUAL, name) for row in rows)
    ]
    lines = []
    for row in rows:
        at = [by_sizes.get((text, row)) for text in texts]
        lines.append(
            [
                *(str(getattr(row, name)) for name in columns),
                *("" if came is None else f"{came['bits']:.3f} ({came['steps']:,})" for came in at),
            ]
        )
    return table([*(name.replace("_", " ") for name in columns), *texts], lines)


def in_use(text: str, came: dict[str, Any]) -> str:
    """What a model reads and writes."""
    bits = came["adapted"]
    lines = [
        [each["how"] or "true text", f"{each['repeated']:.0%}", f"{each['words']:.0%}"] for each in came["written"]
    ]
    head = (
        f"\n{text}: {bits['as it is']:.3f} bits as it is, {bits['learning']:.3f} learning from what it has scored\n\n"
    )
    return head + table(["temperature, min-p, repetition", "repeated", "words that are words"], lines)


def main() -> None:
    """Runs what is missing and prints the tables."""
    asked = argparse.ArgumentParser(prog="python -m gatework.lab.text", description=(__doc__ or "").split("\n", 1)[0])
    asked.add_argument("--save", type=Path, default=Path("docs/text.json"), help="results, a line each")
    asked.add_argument("--least", type=float, default=0.0, help="seconds of a processor of the shortest tries")
    asked.add_argument("--most", type=float, default=300.0, help="seconds of a processor of the longest tries")
    asked.add_argument("--print", action="store_true", help="run nothing, print the tables of what is saved")
    options = asked.parse_args()
    torch.set_num_threads(1)
    wanted = [trial for trial in tries() if options.least <= trial.seconds <= options.most]
    if options.print:
        known = _known(options.save)
        wanted = [trial for trial in wanted if trial in known]
    used = [replace(CENTRE, text="code", seconds=30.0)]
    found = run(wanted, options.save, used)
    print(tables(found))
    for trial, came in found:
        if trial in used:
            print(in_use(trial.text, came))
    print("", *dict.fromkeys(came["machine"] for _, came in found), sep="\n")


if __name__ == "__main__":
    main()
