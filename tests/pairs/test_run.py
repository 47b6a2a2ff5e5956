"""A run of pairs on disk: what is damaged is refused in one line that names it, and nothing in it is executed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pair_toys import QUICK, capitals, frames, reversals, write_pairs

import gatework as gw
from gatework.errors import InputError
from gatework.files.tensors import as_bytes, read_tensors
from gatework.pairs.description import Described
from gatework.pairs.options import Options
from gatework.pairs.parts import save_parts
from gatework.pairs.run import Run
from gatework.pairs.train import Data, resume_pairs, train_pairs

SMALL = Options(**(QUICK | {"steps": 3}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    file = write_pairs(folder / "pairs.tsv", *reversals())
    train_pairs(Data(str(file)), folder / "run", SMALL, device="cpu")
    return folder / "run"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def change(run: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    values = json.loads((run / "run.json").read_text())
    edit(values)
    (run / "run.json").write_text(json.dumps(values))


EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no options": (lambda values: values.pop("options"), "'options' is missing"),
    "no outputs": (lambda values: values.pop("outputs"), "'outputs' is missing"),
    "open size": (lambda values: values["options"].update(hidden=None), "hidden is not settled"),
    "wrong size": (lambda values: values["options"].update(hidden="many"), "hidden is 'many'"),
    "unknown option": (lambda values: values["options"].update(magic=1), "magic"),
    "no form": (lambda values: values.update(form="smells"), "its sources are 'smells'"),
    "wrong form": (lambda values: values.update(form="frames"), "'mean' is missing"),
    "symbols": (lambda values: values["outputs"].update(symbols=["a", "a"]), "symbols"),
    "symbol": (lambda values: values["inputs"].update(symbols=[1, 2]), "symbols"),
    "longest": (lambda values: values.update(longest=-1), "its longest target has -1 symbols"),
    "counts": (lambda values: values.update(counts={"training": "all"}), "'validation' is missing"),
    "count": (lambda values: values["counts"].update(test=-1), "its parts are no numbers of sources"),
    "cell": (lambda values: values["options"]["cell"].update(equations="h ="), "run.json is damaged"),
    "files": (lambda values: values.update(files=[1]), "run.json is damaged"),
    "huge": (lambda values: values["options"].update(hidden=2**31 - 2, layers=1000), "run.json is damaged"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_description_that_is_damaged_is_named(run: Path, name: str) -> None:
    edit, said = EDITS[name]
    change(run, edit)
    with pytest.raises(
        InputError, match=rf"^[^\n]*run\.json is damaged: [^\n]*{said.removeprefix('run.json is damaged')}"
    ):
        Run.open(run)


def test_other_sizes_than_those_of_the_weights_are_refused(run: Path) -> None:
    change(run, lambda values: values["options"].update(hidden=18))
    with pytest.raises(InputError, match=r"best\.safetensors does not fit this model"):
        gw.load(run)


@pytest.mark.parametrize("name", ["data.safetensors", "last.safetensors", "best.safetensors"])
@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda data: data[:0], lambda data: data[:-1] + b"\7"])
def test_a_file_that_is_damaged_is_named(run: Path, name: str, spoil: Callable[[bytes], bytes]) -> None:
    (run / name).write_bytes(spoil((run / name).read_bytes()))
    with pytest.raises(InputError, match=rf"^[^\n]*{name} [^\n]*$"):
        if name == "best.safetensors":
            gw.load(run)
        else:
            resume_pairs(run, {"steps": 5}, device="cpu")


def test_pairs_that_were_exchanged_are_noticed(run: Path, tmp_path: Path) -> None:
    arrays = dict(read_tensors(run / "data.safetensors").arrays)
    arrays["target"] = arrays["target"][::-1].copy()
    (run / "data.safetensors").write_bytes(as_bytes(arrays, {}))
    with pytest.raises(InputError, match=r"data\.safetensors is damaged: its content does not match its digest"):
        Run.open(run).parts()


@pytest.mark.parametrize("name", ["source", "target"])
def test_symbols_that_there_are_not_are_noticed(run: Path, name: str) -> None:
    opened = Run.open(run)
    parts = opened.parts()
    whole = replace(parts.whole, **{name: np.full_like(getattr(parts.whole, name), 99)})
    digest = save_parts(run / "data.safetensors", replace(parts, whole=whole))
    with pytest.raises(InputError, match=rf"data\.safetensors is damaged: {name} holds numbers that are not from"):
        replace(opened, digest=digest).parts()


def test_a_run_without_pairs_cannot_go_on(tmp_path: Path) -> None:
    gw.Transducer(**QUICK, device="cpu").set_params(steps=2).fit(*reversals()).save(tmp_path / "run")
    with pytest.raises(InputError, match=r"last\.safetensors does not exist|holds no pairs to train on"):
        resume_pairs(tmp_path / "run", {"steps": 5}, device="cpu")


@pytest.mark.parametrize("chosen", [{}, {"align": "ctc"}], ids=str)
def test_what_a_model_is_comes_back(tmp_path: Path, chosen: dict[str, Any]) -> None:
    file = write_pairs(tmp_path / "pairs.tsv", *capitals())
    train_pairs(Data(str(file)), tmp_path / "run", Options(**(QUICK | {"steps": 2} | chosen)), device="cpu")
    job = Run.open(tmp_path / "run").job
    assert Described.from_json(json.loads(json.dumps(job.to_json()))) == Described(**vars(job))
    assert job.end == (None if chosen else len(job.outputs))


def test_the_scaling_of_frames_comes_back() -> None:
    fitted = gw.Transducer(**QUICK, align="ctc", device="cpu").set_params(steps=2).fit(*frames())
    job = fitted.trained_.job
    assert job.form == "frames"
    assert Described.from_json(json.loads(json.dumps(job.to_json()))) == Described(**vars(job))
