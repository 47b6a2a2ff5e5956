"""Run folders of every kind: data that changed meanwhile, descriptions that ask for too much."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_toys import SMALL, Command

from gatework.runs.new_run import open_to_write

LABELS = "--hidden 3 --steps 4 --device cpu"
MADE = {
    "text": f"train text data.txt --out made {shlex.join(SMALL)}",
    "labels": f"train labels data.jsonl --out made {LABELS}",
    "tags": f"train labels data.jsonl --out made {LABELS}",
    "series": "train series data.csv --out made --horizon 2 --hidden 2 --members 1 --steps 2",
}
USE = {"text": "sample made --length 3", "labels": "predict made data.jsonl", "tags": "predict made data.jsonl"}
USE["series"] = "forecast made"


def write_data(job: str) -> Path:
    rows = [{"text": "ab"[k % 2] * 5, "label": [str(k % 2)] * 5 if job == "tags" else str(k % 2)} for k in range(40)]
    data = {"text": "abcdef\n" * 100, "series": "ds,y\n" + "".join(f"{k},{k * 7 % 5}\n" for k in range(40))}
    path = Path({"text": "data.txt", "series": "data.csv"}.get(job, "data.jsonl"))
    path.write_text(data.get(job) or "".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def made(gatework: Command, place: Path, request: pytest.FixtureRequest) -> Path:
    """The data that a run `made` of the job was trained on."""
    path = write_data(request.param)
    done = gatework(*shlex.split(MADE[request.param]))
    assert done.status == 0, done.err
    return path


def going_on(job: str) -> str:
    return f"train {'text' if job == 'text' else 'labels'} --resume --out made --steps"


@pytest.mark.parametrize(("job", "made"), [(job, job) for job in ("text", "labels", "tags")], indirect=["made"])
def test_data_that_changed_between_stop_and_resume_is_named(gatework: Command, made: Path, job: str) -> None:
    made.touch()
    assert "is not what it was" not in gatework(*shlex.split(going_on(job)), 10).out
    made.write_bytes(made.read_bytes() * 2)
    done = gatework(*shlex.split(going_on(job)), 12)
    assert done.status == 0
    told = (
        f"{made.absolute()} is not what it was when the run began, and the run goes on with what it read then; to learn"
    )
    assert told in done.out
    assert "--overwrite" in done.out
    if job == "text":
        done = gatework(*shlex.split(going_on(job)), 14, made)
        assert done.status == 2
        assert "is not what it was when the run in made began: leave the text out" in done.err


def test_tokens_that_changed_between_stop_and_resume_are_named(gatework: Command, place: Path) -> None:
    data = bytearray(Path("run/tokens.bin").read_bytes())
    data[100], data[200] = data[200], data[100] ^ 1
    Path("run/tokens.bin").write_bytes(data)
    done = gatework("train", "text", "--resume", "--out", "run", "--steps", 10)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "run/tokens.bin is damaged: its content does not match its digest" in done.err


def huge(*keys: str, value: Any = 10**7) -> Callable[[Any], None]:
    def change(values: Any) -> None:
        for key in keys[:-1]:
            values = values[key]
        values[keys[-1]] = value

    return change


NAME = "n" * 10**6
DAMAGES = {
    "text": [
        (huge("shape", "layers"), "layers is 10000000; expected a whole number of at least 1 (and at most 1,000)"),
        (huge("shape", "hidden", value=30_000), "does not fit this model"),
        (huge("task", value=NAME), "is a run of task 'nnn"),
        (huge("format", value=NAME), "is no run that this gatework reads"),
        (huge("vocabulary", "level", value=NAME), "unknown level 'nnn"),
        (huge("files", value=[{"path": "/dev/zero"}]), "files"),
    ],
    "labels": [
        (huge("options", "layers"), "layers is 10000000"),
        (huge("options", "hidden", value=30_000), "does not fit this model"),
        (huge("options", "summary", value=NAME), "summary is 'nnn"),
        (huge("kind", value=NAME), "kind 'nnn"),
    ],
    "series": [
        (huge("options", "members"), "made/best.safetensors"),
        (huge("options", "hidden", value=30_000), "made/best.safetensors"),
        (huge("spacing", "unit", value=NAME), "is damaged"),
        (huge("horizon", value=10**9), "is damaged"),
    ],
}


@pytest.mark.parametrize(("job", "made"), [(job, job) for job in DAMAGES], indirect=["made"])
def test_a_description_that_asks_for_too_much_is_refused_before_anything_is_built(
    gatework: Command, made: Path, job: str
) -> None:
    path = Path("made/run.json")
    whole = path.read_text()
    for change, said in DAMAGES[job]:
        values = json.loads(whole)
        change(values)
        path.write_text(json.dumps(values))
        commands = [USE[job]] if job == "series" else [USE[job], f"{going_on(job)} 20"]
        for command in commands:
            done = gatework(*shlex.split(command))
            assert (done.status, done.err.count("\n")) == (2, 1), command
            assert said in done.err
            assert len(done.err) < 1600


@pytest.mark.parametrize(("job", "made"), [(job, job) for job in MADE], indirect=["made"])
def test_a_run_in_use_can_be_read_and_not_written(gatework: Command, made: Path, job: str) -> None:
    with open_to_write(Path("made")):
        for command in [f"{MADE[job]} --overwrite", *([] if job == "series" else [f"{going_on(job)} 20"])]:
            done = gatework(*shlex.split(command))
            assert (done.status, done.err.count("\n")) == (2, 1)
            assert "made is in use by process" in done.err
        assert gatework(*shlex.split(USE[job])).status == 0
