"""Models of pairs without torch give what they give with torch: of a run folder and of an exported file."""

from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatework.errors import InputError
from gatework.pairs.converter import Search
from gatework.pairs.data.examples import Examples, Levels, given_examples
from gatework.pairs.options import Options
from gatework.pairs.train import Data, train_pairs
from gatework.pairs.trained import Trained
from gatework.runtime import Model, PairSession, Session

SMALL = {"hidden": 8, "layers": 1, "embedding": 6, "batch": 200, "learning_rate": 0.01, "steps": 20}
OPTIONS: dict[str, dict[str, Any]] = {
    "attention": {},
    "additive, heads": {"attention": "additive", "heads": 2, "layers": 2, "cell": "gru"},
    "none": {"attention": "none", "bidirectional": False},
    "fed, coverage, window": {"input_feeding": True, "coverage": True, "window": 3},
    "ctc": {"align": "ctc"},
    "ctc, one way": {"align": "ctc", "bidirectional": False, "cell": "peephole_lstm"},
}


def trained(folder: Path, **chosen: Any) -> Path:
    """A run that learnt to write words in capital letters."""
    rng = np.random.default_rng(0)
    words = sorted({"".join(k for k, _ in groupby(rng.choice(list("abcde"), size))) for size in rng.integers(1, 9, 80)})
    (folder / "pairs.tsv").write_text("".join(f"{word}\t{word.upper()}\n" for word in words))
    run = folder / "run"
    train_pairs(Data(str(folder / "pairs.tsv")), run, Options(**{**SMALL, **chosen}))
    return run


def problem() -> Examples:
    """Words of many lengths, with a letter that the model has not seen, each with a target."""
    return given_examples(
        ["a", "badcab", "edx", "ccccccccccccc", "abc"],
        ["A", "BADCAB", "EDA", "CCC", "ABC"],
        levels=Levels("char", "char"),
    )


def check(expected: list[Any], found: list[Any]) -> None:
    for one, other in zip(expected, found, strict=True):
        assert [each.text for each in one] == [each.text for each in other]
        np.testing.assert_allclose([each.score for each in one], [each.score for each in other], atol=2e-5)
        for ours, theirs in zip(one, other, strict=True):
            if theirs.attention is not None:
                np.testing.assert_allclose(ours.attention, theirs.attention, atol=2e-5)


@pytest.mark.parametrize("chosen", OPTIONS)
def test_targets_and_scores_are_those_of_torch(chosen: str, tmp_path: Path) -> None:
    run = trained(tmp_path, **OPTIONS[chosen])
    with_torch, examples = Trained.load(run), problem()
    Model.open(run).save(tmp_path / "model.gw")
    for path in (run, tmp_path / "model.gw"):
        session = PairSession(path)
        for search in (None, Search(beams=1), Search(beams=4, best=3)):
            check(with_torch.convert(examples, search), session.convert(examples, search))
        ours, theirs = session.score(examples), with_torch.score(examples)
        assert ours.nats == pytest.approx(theirs.nats, rel=1e-5)
        assert ours.perplexity_interval == pytest.approx(theirs.perplexity_interval, rel=1e-5)
        same = {"nats": None, "perplexity_interval": None}
        assert replace(ours, **same) == replace(theirs, **same)


def test_a_sources_targets_do_not_depend_on_the_others(tmp_path: Path) -> None:
    session = PairSession(trained(tmp_path))
    every = session.convert(problem())
    for place, source in enumerate(problem().sources):
        alone = session.convert(given_examples(["".join(source)], levels=Levels("char", "char")))
        check([every[place]], alone)


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    model = Session(trained(tmp_path)).model
    with pytest.raises(InputError, match="is of task 'labels'; expected 'pairs'"):
        PairSession(Model(model.path, "labels", model.network, model.weights, model.about))


def test_weights_that_overflow_are_named(tmp_path: Path) -> None:
    model = Model.open(trained(tmp_path))
    weights = {name: np.full_like(values, 3e38) for name, values in model.weights.items()}
    session = PairSession(Model(model.path, model.task, model.network, weights, model.about))
    with pytest.raises(InputError, match="its weights overflow, the largest is 3e\\+38 in "):
        session.convert(problem())
