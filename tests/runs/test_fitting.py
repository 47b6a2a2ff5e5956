"""What estimators print while they learn."""

import sys
from types import SimpleNamespace

import pytest

from gatework.runs.fitting import printing
from gatework.training.events import Notice, Stopped, Validation

EVENTS = [
    Validation(10, 1, 1.25, best=True, seconds=0.1, elapsed=1.0),
    Validation(20, 1, 1.5, best=False, seconds=0.1, elapsed=2.0),
    Notice("train for longer"),
    Stopped(20, "finished", 3.0),
]


def test_each_validation_is_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))  # imported, not running
    report = printing("loss {:.2f}".format)
    for event in EVENTS:
        report(event)
    assert capsys.readouterr().out.splitlines() == [
        "step 10: validation loss 1.25, the best so far",
        "step 20: validation loss 1.50",
        "train for longer",
        "finished at step 20, after 3.0 s",
    ]


def test_in_a_notebook_they_are_one_line_written_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    report = printing("loss {:.2f}".format)
    for event in EVENTS:
        report(event)
    progress, *rest = capsys.readouterr().out.removesuffix("\n").split("\n")
    _, first, second = progress.split("\r")
    assert first.rstrip() == "step 10: validation loss 1.25, the best so far"
    assert second.rstrip() == "step 20: validation loss 1.50"
    assert len(second) >= len(first.rstrip()), "nothing of the longer line is left"
    assert rest == ["train for longer", "finished at step 20, after 3.0 s"]
