"""`gw.load`: every kind of run comes back ready to use, and whatever is loaded is what its run says."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from forecast_toys import quick, seasonal, table
from label_toys import QUICK, sums, waves, words, write_waves
from pair_toys import reversals
from text_toys import start, write_text

import gatework as gw
from gatework.inspect.activity import watched
from gatework.labels.options import Options
from gatework.labels.train import resume_labels, train_labels
from gatework.text.run import Run
from gatework.text.scoring import score
from gatework.text.train import resume_text
from gatework.training.checkpoint import load_checkpoint, save_checkpoint

FEW: dict[str, Any] = QUICK | {"steps": 4}
ESTIMATORS = {
    "classes": (gw.SequenceClassifier, waves),
    "numbers": (gw.SequenceRegressor, sums),
    "tags": (gw.Tagger, words),
    "pairs": (gw.Transducer, reversals),
}
FIRST = {"pairs": "encoder"}  # what the first layers of a network are called, if not "recurrent"
KINDS = ["text", *ESTIMATORS, "series"]
NAMES = {"text": "TextModel", "series": "Forecaster"} | {kind: made.__name__ for kind, (made, _) in ESTIMATORS.items()}


def make(kind: str, folder: Path) -> None:
    """A small run of a kind."""
    if kind == "text":
        start(folder, write_text(folder.parent, name="learnt.txt"), steps=4)
    elif kind == "series":
        quick().fit(table(seasonal())).save(folder)
    else:
        made, data = ESTIMATORS[kind]
        made(**FEW).fit(*data()).save(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder, there = tmp_path_factory.mktemp("runs"), set[str]()

    def run(kind: str) -> Path:
        if kind not in there:
            make(kind, folder / kind)
            there.add(kind)
        return folder / kind

    return run


@pytest.fixture
def copy(made: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(made(kind), tmp_path / kind))


def use(loaded: Any, kind: str) -> Any:
    """What such a model is for, as numbers or text that can be compared."""
    if kind == "text":
        return loaded.sample("ab", 20, seed=3)
    if kind == "series":
        return loaded.predict()["forecast"].tolist()
    return [np.asarray(each).tolist() for each in loaded.predict(ESTIMATORS[kind][1](5)[0])]


def spoil(path: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Changes a tensor of a checkpoint and gives it the digest that fits."""
    held = load_checkpoint(path)
    held.tensors[name] = change(held.tensors[name])
    save_checkpoint(path, held.tensors, held.progress)


def holding(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Puts a value into the middle of a tensor."""

    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[tensor.numel() // 2] = value
        return tensor

    return change


# -- what comes back


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_comes_back_ready_to_use(made: Callable[[str], Path], kind: str) -> None:
    loaded = gw.load(made(kind))
    assert type(loaded).__name__ == NAMES[kind]
    assert use(loaded, kind) == use(gw.load(str(made(kind))), kind)


def test_a_text_model_scores_as_its_run_does(made: Callable[[str], Path]) -> None:
    run, text = Run.open(made("text")), "abc\nfed" * 40
    model = gw.load(made("text"))
    assert model.score(text) == score(run.model(), run.vocabulary, run.vocabulary.encode(text))
    bits = [lost for _, lost in model.surprises(text)]
    assert sum(bits) == pytest.approx(model.score(text).bits_per_token * (len(text) - 1))


def test_log_probabilities_are_those_of_every_next_token(made: Callable[[str], Path]) -> None:
    model, text = gw.load(made("text")), "abc\nfed" * 40
    found = model.log_probabilities(text)
    assert found.shape == (len(text), len(model.vocabulary))
    assert np.exp(found).sum(1) == pytest.approx(1)
    ids = model.vocabulary.encode(text)
    surprises = -found[np.arange(len(text) - 1), ids[1:]] / np.log(2)
    assert surprises == pytest.approx([lost for _, lost in model.surprises(text)], abs=1e-5)
    assert model.log_probabilities("").shape == (0, len(model.vocabulary))


def test_text_comes_piece_by_piece_or_whole(made: Callable[[str], Path]) -> None:
    model = gw.load(made("text"))
    assert "".join(model.stream("ab", 30, seed=4)) == model.sample("ab", 30, seed=4)
    assert model.sample("ab", 5, temperature=0) == model.sample("ab", 5, top_k=1) == model.sample("ab", 5, top_p=1e-9)
    assert "vocabulary 8, char level" in repr(model)


def test_a_model_of_documents_writes_and_reads_on_a_condition(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "ab" * 9 if k % 2 else "ba" * 9, "condition": "xy"[k % 2]}) for k in range(60)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    start(tmp_path / "run", tmp_path / "all.jsonl", documents=True, steps=2)
    model = gw.load(tmp_path / "run")
    assert model.log_probabilities("abab", condition="x").shape == (5, len(model.vocabulary) + 1)
    assert model.score("abab", condition="x").tokens == 4
    assert len(model.sample("", 3, condition="y", seed=1)) <= 3
    with pytest.raises(gw.InputError, match="unknown condition 'z'; there are x, y"):
        model.sample(condition="z")


# -- what is refused


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for folder, said in (("none", "does not exist"), ("file", "is no folder"), ("empty", r"run\.json does not exist")):
        with pytest.raises(gw.InputError, match=rf"^[^\n]*{folder}[^\n]*{said}[^\n]*$"):
            gw.load(tmp_path / folder)
    with pytest.raises(gw.InputError, match="run is 7; expected the path"):
        gw.load(7)


def test_a_task_that_nobody_knows_is_named(copy: Callable[[str], Path]) -> None:
    run = copy("text")
    values = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(values | {"task": "cooking"}))
    with pytest.raises(gw.InputError, match="is a run of task 'cooking', which this gatework does not know"):
        gw.load(run)


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_is_not_there_is_refused(made: Callable[[str], Path], kind: str) -> None:
    with pytest.raises(gw.InputError, match=r"device.*nonsense"):
        gw.load(made(kind), device="nonsense")


SPOILED: list[tuple[str, Callable[[torch.Tensor], torch.Tensor], str]] = [
    ("nan", holding(float("nan")), "holds nan"),
    ("inf", holding(float("-inf")), "holds -inf"),
    ("int64", lambda tensor: tensor.to(torch.int64), "is of type int64, and the model needs float32"),
    ("float64", lambda tensor: tensor.double(), "is of type float64, and the model needs float32"),
    ("float8", lambda tensor: tensor.to(torch.float8_e4m3fn), "is of type float8_e4m3fn, and"),
    ("shape", lambda tensor: tensor.reshape(1, *tensor.shape), r"has shape \[1, "),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("change", "said"), [pair[1:] for pair in SPOILED], ids=[pair[0] for pair in SPOILED])
def test_a_weight_that_is_not_what_the_run_says_is_named(
    copy: Callable[[str], Path], kind: str, change: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    run, layers = copy(kind), FIRST.get(kind, "recurrent")
    spoil(run / "best.safetensors", f"model.{layers}.l0.U_f", change)
    with pytest.raises(gw.InputError, match=rf"^[^\n]*best\.safetensors [^\n]*{layers}\.l0\.U_f {said}[^\n]*$"):
        gw.load(run)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["l0.U_f", "l0.W_i", "all"])
def test_weights_that_overflow_end_in_one_line(copy: Callable[[str], Path], kind: str, which: str) -> None:
    run = copy(kind)
    weights = load_checkpoint(run / "best.safetensors").part("model")
    for name in weights if which == "all" else [f"{FIRST.get(kind, 'recurrent')}.{which}"]:
        spoil(run / "best.safetensors", f"model.{name}", lambda tensor: torch.full_like(tensor, 3e38))
    for call in uses_of(gw.load(run), kind):
        try:
            call()
        except gw.InputError as error:
            assert re.fullmatch(
                r"the model answers nan or inf: its weights overflow, the largest is 3e\+38 in .*", str(error)
            )
            continue
        assert which != "all", "gates may saturate, but not everything"


def uses_of(loaded: Any, kind: str) -> list[Callable[[], Any]]:
    if kind == "text":
        text = "abcdef\n" * 9
        return [
            lambda: loaded.sample("ab", 20),
            lambda: loaded.sample("ab", 20, temperature=0),
            lambda: loaded.score(text),
            lambda: loaded.surprises(text),
            lambda: loaded.log_probabilities(text),
            lambda: watched(loaded.network, torch.arange(1, 8), ["h"]),
        ]
    if kind == "series":
        return [loaded.predict]
    X, y = ESTIMATORS[kind][1](5)
    return [lambda: loaded.predict(X), lambda: loaded.score(X, y)]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("learned.linear", lambda tensor: tensor[:, 1:], "linear has shape"),
        ("learned.factors", lambda tensor: tensor.float(), "factors is of type float32, and the model needs float64"),
        ("learned.offsets", holding(float("nan")), "offsets holds nan"),
        ("history.y", holding(float("inf")), "y holds inf"),
        ("history.times", lambda tensor: tensor[1:], "times has shape"),
        ("history.lengths", lambda tensor: tensor.double(), "lengths is of type float64"),
        ("state.0", lambda tensor: tensor[..., 1:], "0 has shape"),
        ("state.1", holding(float("nan")), "1 holds nan"),
    ],
)
def test_what_a_forecaster_goes_on_from_is_what_its_run_says(
    copy: Callable[[str], Path], name: str, change: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    run = copy("series")
    spoil(run / "best.safetensors", name, change)
    with pytest.raises(gw.InputError, match=rf"^[^\n]*best\.safetensors [^\n]*{said}[^\n]*$"):
        gw.load(run)


@pytest.mark.parametrize("name", ["learned.linear", "learned.offsets", "learned.factors", "history.y", "state.0"])
def test_what_a_forecaster_learned_may_overflow_in_one_line(copy: Callable[[str], Path], name: str) -> None:
    run = copy("series")
    spoil(run / "best.safetensors", name, lambda tensor: tensor.sign() * (3e38 if name == "state.0" else 1.7e308))
    try:
        forecast = gw.load(run).predict()["forecast"]
    except gw.InputError as error:
        assert re.fullmatch(
            "series .*(is nan or inf, as its values, or what was learned of them,|its values) overflow.*"
            "|y of the series holds 1.7e[+]308: expected numbers up to 1e[+]100; divide the column",
            str(error),
        )
    else:
        assert np.isfinite(forecast).all()


def test_a_missing_value_in_a_history_is_one(copy: Callable[[str], Path]) -> None:
    run = copy("series")
    spoil(run / "best.safetensors", "history.y", holding(float("nan")))
    assert len(gw.load(run).predict()) == 6
    assert isinstance(gw.load(run).predict(), pd.DataFrame)


# -- going on


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("optimizer.recurrent.l0.U_f.exp_avg", holding(float("nan")), r"recurrent\.l0\.U_f\.exp_avg holds nan"),
        ("optimizer.output.bias.exp_avg_sq", lambda tensor: tensor.double(), r"output\.bias\.exp_avg_sq is of type"),
        ("optimizer.output.bias.step", lambda tensor: tensor.long(), r"output\.bias\.step is of type int64"),
        ("state.1", lambda tensor: tensor.long(), "1 is of type int64"),
        ("state.0", lambda tensor: tensor.double(), "0 is of type float64, and the model needs float32"),
        ("state.0", holding(float("inf")), "0 holds inf"),
        ("state.0", lambda tensor: tensor[..., :-1], r"0 has shape \[1, 3, 7\], and the model needs \[1, 3, 8\]"),
        ("model.embedding.weight", holding(float("inf")), r"embedding\.weight holds inf"),
    ],
)
def test_a_text_run_goes_on_only_from_what_it_says(
    copy: Callable[[str], Path], name: str, change: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    run = copy("text")
    spoil(run / "last.safetensors", name, change)
    with pytest.raises(gw.InputError, match=rf"^[^\n]*last\.safetensors [^\n]*{said}[^\n]*$"):
        resume_text(run, {"steps": 9}, device="cpu")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("training.values", holding(float("nan")), "holds nan"),
        ("training.values", lambda tensor: tensor.double(), "is of type float64, and the model needs float32"),
        ("test.values", lambda tensor: tensor[:-1], "has shape"),
        ("training.targets", holding(2), "holds numbers that are not from 0 to 1"),
        ("validation.targets", lambda tensor: tensor.int(), "is of type int32, and the model needs int64"),
        ("training.lengths", holding(-1), "holds numbers that are not from 1 to|training.values has shape"),
    ],
)
def test_labels_go_on_only_from_sequences_such_as_the_run_was_given(
    tmp_path: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    train_labels(
        str(write_waves(tmp_path / "w.jsonl", 150)), tmp_path / "run", Options(hidden=4, steps=2), device="cpu"
    )
    spoil(tmp_path / "run" / "data.safetensors", name, change)
    with pytest.raises(gw.InputError, match=rf"^[^\n]*data\.safetensors [^\n]*({name} {said})[^\n]*$"):
        resume_labels(tmp_path / "run", {"steps": 3}, device="cpu")
