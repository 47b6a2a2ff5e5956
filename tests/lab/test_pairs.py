"""The study of pairs: a try is scored on words it did not learn from, saved at once, and not made again."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatework.lab import pairs as lab
from gatework.lab.pairs import Task, Try, outcome, run, tables
from gatework.lab.parts import Parts, parted
from gatework.pairs.data.examples import Levels

SMALL = Try("toy", 0.01, hidden=8, embedding=4, batch=64)


def reversed_words() -> Parts:
    """Words of three letters, each with its reverse, in capitals and spaced, and with itself; one that is longer."""
    words = {
        tuple(f"{a}{b}{c}"): [(c.upper(), b.upper(), a.upper()), (a, b, c)] for a in "abcd" for b in "abc" for c in "ab"
    }
    return replace(parted(words, random.Random(0)), beyond={tuple("abcd"): [("D", "C", "B", "A")]})


def made_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "TASKS", {"toy": Task(reversed_words, Levels("char", "symbol"))})
    monkeypatch.setattr(lab, "PROBED", 6)


@pytest.mark.parametrize("model", ["gatework", "torch"])
def test_a_try_has_the_updates_that_its_seconds_are_enough_for_and_is_judged(tmp_path: Path, model: str) -> None:
    came = outcome(replace(SMALL, model=model), reversed_words(), tmp_path)
    assert came["steps"] == max(1, int(1000 * SMALL.seconds / came["step_ms"]))
    rates = {key: rate for key, rate in came.items() if key.startswith(("test", "beyond"))}
    assert len(rates) == 8 and all(rate >= 0 for rate in rates.values())


@pytest.mark.parametrize("model", ["gatework", "torch"])
def test_more_updates_make_fewer_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setattr(lab, "_step_seconds", lambda *_: 0.01)
    parts = replace(reversed_words(), beyond={})
    sizes = {"hidden": 24, "learning_rate": 0.02}
    few, many = (
        outcome(replace(SMALL, model=model, seconds=seconds, **sizes), parts, made_folder(tmp_path / f"{seconds}"))
        for seconds in (0.02, 1.5)
    )
    assert (few["steps"], many["steps"]) == (2, 150)
    assert many["test, symbols 1"] < few["test, symbols 1"]
    assert not any(key.startswith("beyond") for key in many)


def test_what_is_saved_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Try] = []

    def count(trial: Try, *_: Any) -> dict[str, float]:
        made.append(trial)
        return {"test, words 1": 1.0 / len(made)}

    monkeypatch.setattr(lab, "outcome", count)
    wanted = [SMALL, replace(SMALL, model="torch")]
    first = run(wanted[:1], tmp_path / "saved.json")
    both = run(wanted, tmp_path / "saved.json")
    assert made == wanted
    assert both == [*first, (wanted[1], {"test, words 1": 0.5})]


def test_a_table_has_a_column_for_each_size_that_varies_and_each_rate() -> None:
    came = {"steps": 1200, "passes": 2.5, "step_ms": 31.25, "seconds_in_all": 40.0, "test, words 1": 0.25}
    came |= {"beyond, symbols 5": 0.125}
    found = [(SMALL, came), (replace(SMALL, model="torch", dropout=0.3), came)]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in tables(found).splitlines() if "|" in line]
    assert lines[0][-2:] == ["words wrong, greedily", "longer: symbols wrong, 5 beams"]
    assert lines[0][:-1] == [
        "model",
        "processor",
        "dropout",
        "updates",
        "passes",
        "ms each",
        "in all",
        "words wrong, greedily",
    ]
    assert lines[3] == ["torch", "0 s", "0.3", "1,200", "2.5", "31.2", "40 s", "25.00%", "12.50%"]


def test_what_is_saved_is_printed_without_a_run_beside_what_was_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.json"
    came = '"steps": 7, "passes": 1, "step_ms": 2, "seconds_in_all": 3, "test, words 1": 0.5'
    saved.write_text(f'{{"task": "toy", "seconds": 60.0, {came}}}\n')
    monkeypatch.setattr(lab, "tries", lambda: [Try("toy", 60.0), Try("toy", 90.0)])
    monkeypatch.setattr("sys.argv", ["pairs", "--print", "--save", str(saved)])
    monkeypatch.setattr(lab, "machine_line", lambda _: "a machine")
    lab.main()
    printed = capsys.readouterr().out
    assert "50.00%" in printed and "60 s" in printed and "90 s" not in printed
    assert "33.89 %" in printed and "Toshniwal & Livescu 2016" in printed


def test_no_try_is_listed_twice_and_the_rival_has_the_same_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    listed = lab.tries()
    assert len(set(listed)) == len(listed)
    assert {trial.task for trial in listed} <= set(lab.TASKS)
    rivals = {replace(trial, model="gatework") for trial in listed if trial.model == "torch"}
    assert rivals and rivals <= set(listed)
