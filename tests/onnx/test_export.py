"""What users see of an export: the file, its names, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_toys import by_onnxruntime, by_reference, needed, recurrent_operators

import gatework as gw


def names(values: Any) -> dict[str, list[str | int]]:
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def test_inputs_and_outputs_have_the_names_and_shapes_of_the_layer(tmp_path: Path) -> None:
    model = gw.onnx.export(gw.LSTM(3, 4, 2), tmp_path / "model.onnx", lengths=True, resets=True)
    states = {"h": [2, "B", 4], "c": [2, "B", 4]}
    assert names(model.graph.input) == {"x": ["T", "B", 3], "lengths": ["B"], "resets": ["T", "B"]} | states
    out = {f"{name}_out": shape for name, shape in states.items()}
    assert names(model.graph.output) == {"output": ["T", "B", 4]} | out
    assert (model.opset_import[0].version, model.ir_version) == (11, 6)
    assert needed("onnx").load(tmp_path / "model.onnx") == model


def test_names_that_a_cell_shares_with_the_network_are_told_apart(tmp_path: Path) -> None:
    cell = "lengths = tanh(W @ x + U @ lengths + b)\nh = lengths * tanh(V @ h)"
    model = gw.onnx.export(gw.Recurrent(cell, 3, 4), tmp_path / "model.onnx", lengths=True)
    assert list(names(model.graph.input)) == ["x", "lengths", "h", "lengths_2"]


def test_a_layer_that_takes_batches_first_is_one_in_onnx(tmp_path: Path) -> None:
    layer = gw.GRU(3, 4, batch_first=True)
    model = gw.onnx.export(layer, tmp_path / "model.onnx", resets=True)
    x, h, resets = torch.randn(2, 5, 3), torch.randn(1, 2, 4), torch.rand(2, 5) < 0.5
    output, final = layer(x, h, resets=resets)
    found = by_onnxruntime(model, {"x": x.numpy(), "h": h.numpy(), "resets": resets.numpy()})
    for ours, theirs in zip((output, final), found, strict=True):
        np.testing.assert_allclose(theirs, ours.detach().numpy(), atol=2e-6)


LSTM = """\
open = sigmoid(b1 + A1 @ x + B1 @ out)
keep = sigmoid(B2 @ out + A2 @ x + b2)
new = tanh(A3 @ x + b3 + B3 @ out)
memory = new * open + memory * keep
show = sigmoid(A4 @ x - B4 @ out - b4)
out = tanh(memory) * show"""
GRU = """\
z = sigmoid(A @ x + B @ h)
r = sigmoid(C @ x + D @ h)
n = tanh(E @ x + F @ (h * r))
h = n * z + h * (1 - z)"""
OWN = {  # equations of one's own by names of one's own, and the operator that they are
    LSTM: "LSTM",
    LSTM.replace("tanh(memory)", "memory"): "Scan",
    LSTM.replace("new * open", "new * open * keep"): "Scan",
    LSTM.replace("A4 @ x", "A3 @ x"): "LSTM",  # gates may share a matrix
    GRU: "GRU",
    GRU.replace("h * (1 - z)", "h * z"): "Scan",
    GRU.replace("h = n * z", "h = n * r"): "Scan",
    "h = tanh(A @ x - B @ h)": "RNN",
    "h = tanh(A @ x + B @ h + b) * 2": "Scan",
    "h = tanh(A @ x + b * h)": "Scan",
    "c = tanh(A @ x + B @ h)\nh = tanh(c)": "Scan",
}


@pytest.mark.parametrize("equations", OWN, ids=lambda text: text.replace("\n", "; "))
def test_a_cell_is_known_as_an_operator_by_its_equations_and_not_by_names(equations: str, tmp_path: Path) -> None:
    output = "out" if "out =" in equations else "h"
    layer = gw.Recurrent(gw.Cell("own", equations, output=output), 3, 4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.5)
    model = gw.onnx.export(layer, tmp_path / "model.onnx")
    assert recurrent_operators(model) == {OWN[equations]}
    x = torch.randn(5, 2, 3)
    state = tuple(torch.randn(1, 2, 4) for _ in layer.state_names)
    output, final = layer(x, state)
    feeds = {"x": x.numpy()} | {n: s.numpy() for n, s in zip(layer.state_names, state, strict=True)}
    for run in (by_onnxruntime, by_reference):
        for ours, theirs in zip((output, *final), run(model, feeds), strict=True):
            np.testing.assert_allclose(theirs, ours.detach().numpy(), atol=2e-6)


def test_a_layer_without_biases_is_the_operator_without_them(tmp_path: Path) -> None:
    model = gw.onnx.export(gw.LSTM(3, 4, bias=False), tmp_path / "model.onnx")
    (node,) = (node for node in model.graph.node if node.op_type == "LSTM")
    assert node.input[3] == ""


@pytest.mark.parametrize("cell", ["lstm", "slstm", "gru"])
def test_zoneout_and_learnt_starts_are_those_outside_training(cell: str, tmp_path: Path) -> None:
    state = gw.cells[cell].program.states[-1].name
    zoneout = {} if cell == "slstm" else {state: 0.3}
    layer = gw.Recurrent(cell, 3, 4, 2, zoneout=zoneout, initial="learned", residual=True).eval()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "initial" in name and parameter.isfinite().all():
                parameter.normal_()
    model = gw.onnx.export(layer, tmp_path / "model.onnx", states=False, resets=True)
    x, resets = torch.randn(5, 2, 3), torch.rand(5, 2) < 0.4
    (found,) = by_onnxruntime(model, {"x": x.numpy(), "resets": resets.numpy()})
    np.testing.assert_allclose(found, layer(x, resets=resets)[0].detach().numpy(), atol=2e-6)


def test_cells_whose_values_need_no_sequence_come_out_for_each(tmp_path: Path) -> None:
    layer = gw.Recurrent("c = sigmoid(b)\nh = tanh(W @ x + U @ h + V @ prev(c))", 3, 4)
    model = gw.onnx.export(layer, tmp_path / "model.onnx")
    feeds = {"x": np.ones((3, 2, 3), np.float32)} | {n: np.zeros((1, 2, 4), np.float32) for n in layer.state_names}
    output, state = layer(torch.ones(3, 2, 3))
    for ours, theirs in zip((output, *state), by_onnxruntime(model, feeds), strict=True):
        np.testing.assert_allclose(theirs, ours.detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("opset", [1, 10, 1000])
def test_an_opset_that_is_not_there_is_refused(opset: int, tmp_path: Path) -> None:
    with pytest.raises(gw.InputError, match=rf"opset={opset}: expected 11 to \d+"):
        gw.onnx.export(gw.GRU(3, 4), tmp_path / "model.onnx", opset=opset)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    with pytest.raises(gw.InputError, match="a dict cannot be exported; expected a layer"):
        gw.onnx.export({}, tmp_path / "model.onnx")
    with pytest.raises(gw.InputError, match="this Forecaster has learned nothing yet"):
        gw.onnx.export(gw.Forecaster(3), tmp_path / "model.onnx")


def test_without_the_package_a_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatework.onnx.exported.import_module", _missing)
    with pytest.raises(gw.InputError, match=r"onnx is not installed: pip install 'gatework\[onnx\]'"):
        gw.onnx.export(gw.GRU(3, 4), tmp_path / "model.onnx")


def _missing(name: str) -> Any:
    raise ModuleNotFoundError(name="onnx")


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_an_operator_begins_where_its_layer_does(cell: str, tmp_path: Path) -> None:
    start = {"c": 0.5} if cell == "lstm" else {"h": -0.5}
    layers = [
        gw.Recurrent(cell, 3, 4, 2, bidirectional=True, initial="learned"),
        gw.Recurrent(gw.Cell("own", gw.cells[cell].equations, start=start), 3, 4, bidirectional=True),
    ]
    with torch.no_grad():
        for name, parameter in layers[0].named_parameters():
            parameter.normal_(0, 0.5) if "initial" in name else None
    for layer in layers:
        model = gw.onnx.export(layer, tmp_path / "model.onnx", states=False, lengths=True)
        assert recurrent_operators(model) == {cell.upper()}
        x, lengths = torch.randn(5, 3, 3), torch.tensor([5, 2, 0])
        (found,) = by_onnxruntime(model, {"x": x.numpy(), "lengths": lengths.numpy()})
        np.testing.assert_allclose(found, layer(x, lengths=lengths)[0].detach().numpy(), atol=2e-6)
