"""Every cell as ONNX, by two runtimes, held to gatework's own float64: other T and B than any that was exported."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_toys import RUNTIMES, Arrays, by_onnxruntime, recurrent_operators

import gatework as gw
from recurrents import made

TOLERANCE = 2e-6  # of float32 beside float64, relative to 1 plus the value
OPERATORS = {
    **dict.fromkeys(["rnn", "rnn_relu"], "RNN"),
    **dict.fromkeys(["lstm", "np", "peephole_lstm", "coupled_lstm", "cifg"], "LSTM"),
    **dict.fromkeys(["gru", "gru_reset_after", "mgu"], "GRU"),
}


@dataclass(frozen=True)
class Case:
    """Options of the layer and of the export."""

    num_layers: int = 1
    bidirectional: bool = False
    lengths: bool = False
    resets: bool = False
    states: bool = True
    operators: bool = True

    def __str__(self) -> str:
        changed = [f"{name}={value}" for name, value in vars(self).items() if value != getattr(Case, name)]
        return " ".join(changed) or "plain"


PLAIN = Case()
CASES = [
    PLAIN,
    Case(lengths=True),
    Case(resets=True),
    Case(2, lengths=True, resets=True, states=False),
    Case(2, bidirectional=True),
    Case(1, bidirectional=True, lengths=True, resets=True),
    Case(1, bidirectional=True, lengths=True),
]


def feeds_of(layer: gw.Recurrent, case: Case, T: int, B: int) -> tuple[dict[str, np.ndarray], tuple[torch.Tensor, ...]]:
    """Random inputs as ONNX takes them, in float32, and what the layer makes of the same numbers in float64."""
    x = torch.randn(T, B, layer.input_size).double()
    state = tuple(torch.rand(slots, B, size).float().double() for slots, size in layer.state_shapes.values())
    x = x.float().double()
    lengths = torch.arange(B) * T // max(B - 1, 1) if case.lengths else None  # from 0 to T
    resets = torch.rand(T, B) < 0.4 if case.resets else None
    with torch.no_grad():
        output, final = layer(x, state if case.states else None, lengths=lengths, resets=resets)
    values = {"x": x, **(dict(zip(layer.state_names, state, strict=True)) if case.states else {})}
    feeds = {name: value.float().numpy() for name, value in values.items()}
    marks = {"lengths": lengths, "resets": resets}
    feeds |= {name: mark.numpy() for name, mark in marks.items() if mark is not None}
    return feeds, (output, *(final if case.states else ()))


def exported(layer: gw.Recurrent, case: Case, path: Path, **options: Any) -> Any:
    wanted = {name: getattr(case, name) for name in ("states", "lengths", "resets", "operators")}
    return gw.onnx.export(layer, path, **wanted, **options)


def assert_same(actual: Arrays, expected: tuple[torch.Tensor, ...], what: str) -> None:
    assert len(actual) == len(expected)
    for found, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=TOLERANCE, atol=TOLERANCE, err_msg=what)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cell", gw.cells)
def test_every_cell_is_what_it_is_in_gatework(cell: str, case: Case, tmp_path: Path) -> None:
    if gw.cells[cell].program.tied and (case.num_layers > 1 and case.bidirectional):
        pytest.skip("x of the second layer is twice as wide as a state, and the cell wants them equal")
    layer = made(cell, 3, 5, case.num_layers, bidirectional=case.bidirectional)
    model = exported(layer, case, tmp_path / "model.onnx")
    expected = "Scan" if case.resets else OPERATORS.get(cell, "Scan")
    assert recurrent_operators(model) == {expected}
    for T, B in ((4, 3), (1, 1)):
        feeds, wanted = feeds_of(layer, case, T, B)
        for name, run in RUNTIMES.items():
            if name != "onnxruntime" and expected != "Scan" and (case.lengths or cell == "rnn_relu"):
                continue  # onnx's evaluator reads no sequence_lens, and its RNN knows tanh alone
            assert_same(run(model, feeds), wanted, f"{name} T={T} B={B}")


@pytest.mark.parametrize("cell", OPERATORS)
def test_a_cell_that_is_an_operator_is_the_same_as_a_scan(cell: str, tmp_path: Path) -> None:
    case = Case(2, bidirectional=True, lengths=True, operators=False)
    layer = made(cell, 3, 5, 2, bidirectional=True)
    model = exported(layer, case, tmp_path / "model.onnx")
    assert recurrent_operators(model) == {"Scan"}
    feeds, wanted = feeds_of(layer, case, 4, 3)
    for name, run in RUNTIMES.items():
        assert_same(run(model, feeds), wanted, name)


@pytest.mark.parametrize("opset", [11, 12, 13, 17, 18, 21])
@pytest.mark.parametrize("cell", ["layer_norm_lstm", "on_lstm", "lstm", "gru"])
def test_every_version_of_the_operators_will_do(cell: str, opset: int, tmp_path: Path) -> None:
    case = Case(bidirectional=True, lengths=True)
    layer = made(cell, 3, 5, bidirectional=True)
    model = exported(layer, case, tmp_path / "model.onnx", opset=opset)
    assert [each.version for each in model.opset_import] == [opset]
    feeds, wanted = feeds_of(layer, case, 4, 3)
    assert_same(by_onnxruntime(model, feeds), wanted, str(opset))
