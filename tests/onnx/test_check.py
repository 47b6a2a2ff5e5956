"""The command that prints the tables of docs/export.md."""

import re
from pathlib import Path

import pytest
from onnx_toys import needed

import gatework as gw

EXPORT = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.mark.parametrize(("cell", "kind"), [("cifg", "LSTM"), ("atr", "Scan"), ("rnn_relu", "RNN")])
def test_a_row_says_what_a_cell_becomes_and_how_exact_it_is(cell: str, kind: str) -> None:
    row = needed("gatework.onnx.check").row(gw.cells[cell])
    assert re.fullmatch(rf"\| {cell} \| {kind} \| \d+ \| \d\.\de-0\d \| \d\.\de-0\d \| (\d\.\de-0\d|-) \|", row)


def test_the_document_has_a_row_for_every_cell_and_names_its_operator() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (LSTM|GRU|RNN|Scan) \|", EXPORT.read_text(), re.MULTILINE))
    recognised = needed("gatework.onnx.recognise").recognised
    found = {name: recognised(cell.program) for name, cell in gw.cells.items()}
    assert rows == {name: pair[0].name if pair else "Scan" for name, pair in found.items()}


def test_two_calls_are_timed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    check, called = needed("gatework.onnx.check"), list[str]()
    monkeypatch.setattr(check, "SECONDS", 0.001)
    rounds = list(check.in_turns([lambda: called.append("a"), lambda: called.append("b")]))
    assert called == ["a", "b"] * (3 + len(rounds))
    assert all(len(seconds) == 2 for seconds in rounds)
