"""The study of sizes: a try is scored on the test part, saved at once, and not made again; tables hold them all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatework.lab import text as lab
from gatework.lab.text import adapted, outcome, run, tables, written
from gatework.lab.text_tries import CENTRE, USUAL, Try, tries

SMALL = Try("letters", 0.02, streams=2, bptt=8, hidden=4)


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that costs nothing."""
    monkeypatch.setattr(lab, "TEXTS", {"letters": lambda: "some words, and some words again\n" * 60})
    monkeypatch.setattr(lab, "LENGTH", 20)
    monkeypatch.setattr(lab, "PROBED", 6)


def test_a_try_has_the_steps_that_its_seconds_are_enough_for(tmp_path: Path) -> None:
    came = outcome(SMALL, lab._corpus("letters", tmp_path), used=False)
    assert came["steps"] == max(1, int(1000 * SMALL.seconds / came["step_ms"]))
    assert came["passes"] == pytest.approx(came["steps"] / ((1782 - 1) // 16))
    assert 0 < came["bits"] < 10
    assert "adapted" not in came


def test_a_try_of_counted_updates_makes_so_many(tmp_path: Path) -> None:
    counted = replace(SMALL, seconds=0.0, updates=5)
    came = outcome(counted, lab._corpus("letters", tmp_path), used=False)
    assert came["steps"] == 5
    assert tables([(counted, came)]).startswith("5 updates\n")


def test_a_model_in_use_is_adapted_and_writes(tmp_path: Path) -> None:
    corpus = lab._corpus("letters", tmp_path)
    model = lab._model(SMALL, corpus).eval()
    assert set(adapted(model, corpus)) == {"as it is", "learning"}
    rows = written(model, corpus)
    assert rows[0]["how"] == "" and rows[0]["words"] > 0.7, "the true text comes first"
    assert len(rows) == 1 + len(lab.DRAWS)


def test_what_is_saved_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Try] = []

    def count(trial: Try, *_: Any) -> dict[str, float]:
        made.append(trial)
        return {"bits": 1.0 + len(made)}

    monkeypatch.setattr(lab, "outcome", count)
    wanted = [SMALL, replace(SMALL, hidden=5)]
    first = run(wanted[:1], tmp_path / "saved.json")
    both = run(wanted, tmp_path / "saved.json")
    assert made == wanted
    assert both == [*first, (wanted[1], {"bits": 3.0})]


def test_a_table_for_each_time_has_a_column_for_each_text() -> None:
    found = [
        (replace(CENTRE, text=text, seconds=3.0), {"bits": bits, "steps": 1200})
        for text, bits in (("a", 1.5), ("b", 2.25))
    ]
    found += [
        (replace(USUAL, text="b", seconds=3.0), {"bits": 2.5, "steps": 7}),
        (replace(USUAL, text="b", seconds=9), {"bits": 2, "steps": 7}),
    ]
    first, second = tables(found).split("9 seconds")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in first.splitlines() if line.startswith("|")]
    assert rows[0] == ["streams", "bptt", "hidden", "layers", "learning rate", "cell", "a", "b"]
    assert rows[2:] == [
        ["8", "64", "256", "1", "0.004", "lstm", "1.500 (1,200)", "2.250 (1,200)"],
        ["32", "64", "256", "1", "0.004", "lstm", "", "2.500 (7)"],
    ]
    assert "2.000 (7)" in second


def test_columns_are_those_of_what_varies() -> None:
    found = [(replace(CENTRE, text="a", seconds=1.0, dropout=dropout), {"bits": 1, "steps": 1}) for dropout in (0, 0.5)]
    head = tables(found).splitlines()[2]
    assert [cell.strip() for cell in head.split("|")[7:-1]] == ["dropout", "a"]


@pytest.mark.parametrize("model", [*lab.SCRIPTS])
def test_a_rival_is_tried_as_ours_are(tmp_path: Path, model: str) -> None:
    came = outcome(replace(SMALL, model=model), lab._corpus("letters", tmp_path), used=False)
    assert came["steps"] == max(1, int(1000 * SMALL.seconds / came["step_ms"]))
    assert 0 < came["bits"] < 10


def test_what_was_saved_before_a_choice_was_there_has_its_default(tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text('{"text": "letters", "seconds": 3.0, "hidden": 5, "bits": 2.5}\n')
    [(trial, came)] = run([Try("letters", 3.0, hidden=5)], tmp_path / "saved.json")
    assert (trial.model, came) == ("gatework", {"bits": 2.5})


def test_what_is_saved_is_printed_without_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.json"
    lines = [
        {"text": "code", "seconds": 60.0, "bits": 2.5, "steps": 7, "machine": "that machine"},
        {"text": "code", "seconds": 30.0, "bits": 2.6, "steps": 3, "machine": "another"},
    ]
    saved.write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setattr("sys.argv", ["text", "--print", "--least", "60", "--save", str(saved)])
    lab.main()
    printed = capsys.readouterr().out
    assert "60 seconds" in printed and "2.500 (7)" in printed and "30 seconds" not in printed
    assert printed.endswith("\nthat machine\n"), "where it was measured, not where it is printed"


def test_no_try_is_listed_twice() -> None:
    listed = tries()
    assert len(set(listed)) == len(listed)
