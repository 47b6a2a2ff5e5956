"""A user's own module of torch with layers in it, exported by torch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_toys import by_onnxruntime, needed, recurrent_operators
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

import gatework as gw

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)
ANY = {0: "T", 1: "B"}


@pytest.fixture(autouse=True)
def exporter() -> None:
    """torch.onnx.export(dynamo=True) needs onnxscript."""
    needed("onnxscript")


class Model(nn.Module):
    """Tokens to classes, with a layer of gatework between torch's own."""

    def __init__(self, cell: str, **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.recurrent = gw.Recurrent(cell, 4, 4, **options)
        self.output = nn.Linear(self.recurrent.output_size, 2)

    def forward(
        self, tokens: Tensor, lengths: Tensor | None = None, resets: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        y, state = self.recurrent(self.embedding(tokens), lengths=lengths, resets=resets)
        return self.output(y), *state


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "many"), [("lstm", 1), ("layer_norm_lstm", 3), ("mut1", 1)])
def test_a_module_is_what_it_is_in_torch(cell: str, many: int, tmp_path: Path) -> None:
    options = {} if cell == "mut1" else {"bidirectional": True}
    model = Model(cell, **options).eval()
    given = torch.randint(0, 9, (5, 2)), torch.tensor([5, 2]), torch.rand(5, 2) < 0.4
    shapes = (ANY, {0: "B"}, ANY)[:many]
    written = gw.onnx.export(model, tmp_path / "model.onnx", example=given[:many], dynamic_shapes=shapes)
    assert recurrent_operators(written) == {"LSTM" if cell == "lstm" else "Scan"}
    others = torch.randint(0, 9, (7, 3)), torch.tensor([7, 3, 1]), torch.rand(7, 3) < 0.4
    feeds = {v.name: t.numpy() for v, t in zip(written.graph.input, others[:many], strict=True)}
    read = needed("onnx").load(tmp_path / "model.onnx")
    for found, expected in zip(by_onnxruntime(read, feeds), model(*others[:many]), strict=True):
        np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-5)


@pytest.mark.slow
def test_torchs_own_exporter_takes_the_translations(tmp_path: Path) -> None:
    model, tokens = Model("gru").eval(), torch.randint(0, 9, (5, 2))
    table = gw.onnx.translations(model)
    program = torch.onnx.export(model, (tokens,), dynamo=True, custom_translation_table=table, verbose=False)
    assert program is not None
    found, *_ = by_onnxruntime(program.model_proto, {"tokens": tokens.numpy()})
    np.testing.assert_allclose(found, model(tokens)[0].detach().numpy(), atol=2e-6)


REFUSED = {
    "zoneout h has no translation": Model("gru", zoneout={"h": 0.1}),
    "resets to a learnt start": Model("gru", initial="learned"),
    "computed in the model": Model("gru"),
    "recurrent runs in torch.float64 on cpu, engine reference": Model("gru").double(),
}
weight_norm(REFUSED["computed in the model"].recurrent.l0, "U_z")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_translation_is_refused_in_a_line(what: str, tmp_path: Path) -> None:
    given = torch.randint(0, 9, (5, 2)), torch.tensor([5, 2]), torch.rand(5, 2) < 0.4
    with pytest.raises(gw.InputError, match=what):
        gw.onnx.export(REFUSED[what].eval(), tmp_path / "model.onnx", example=given)


def test_torchs_old_exporter_names_the_remedy(tmp_path: Path) -> None:
    assert gw.onnx.export
    with pytest.raises(gw.InputError, match=r"use gw\.onnx\.export\(model, path, example="):
        torch.onnx.export(Model("gru").eval(), (torch.randint(0, 9, (5, 2)),), tmp_path / "model.onnx", dynamo=False)


def test_a_module_without_inputs_to_trace_it_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(gw.InputError, match=r"a Model is traced with inputs: gw\.onnx\.export\(model, path, example="):
        gw.onnx.export(Model("gru"), tmp_path / "model.onnx")
