"""What gatework is compared with computes the same: another function would be no comparison."""

import numpy as np
import pytest
import torch

import gatework as gw
from gatework.core import _native
from gatework.errors import InputError
from gatework.lab.bench.measure import Shape
from gatework.lab.bench.rivals import bare_lstm, extra, jax_peephole, onnx_layer, peephole_loop, peephole_weights
from gatework.lab.bench.work import draw

SHAPE = Shape(6, 3, 4, 5)


@pytest.fixture
def x() -> torch.Tensor:
    return draw(SHAPE)


@pytest.fixture
def peephole() -> gw.Recurrent:
    return gw.Recurrent("peephole_lstm", SHAPE.I, SHAPE.H, init={"*": "uniform(-0.5, 0.5)"})


def gradients(layer: gw.Recurrent, x: torch.Tensor) -> list[torch.Tensor]:
    """Of the output's sum by x and by the packed weights, through the layer."""
    x = x.clone().requires_grad_()
    layer(x)[0].sum().backward()
    for parameter in layer.parameters():
        parameter.data = parameter.grad
    return [x.grad, *peephole_weights(layer)]


def test_the_eager_loop_is_the_peephole_lstm_with_its_gradients(peephole: gw.Recurrent, x: torch.Tensor):
    arguments = [tensor.requires_grad_() for tensor in (x.clone(), *peephole_weights(peephole))]
    output = peephole_loop(*arguments)
    output.sum().backward()
    torch.testing.assert_close(output, peephole(x)[0])
    torch.testing.assert_close([argument.grad for argument in arguments], gradients(peephole, x))


def test_the_scan_of_jax_is_the_peephole_lstm_with_its_gradients(peephole: gw.Recurrent, x: torch.Tensor):
    pytest.importorskip("jax", reason="jax of the extra bench is not installed")
    (loss, output), found = jax_peephole(x, peephole_weights(peephole), threads=1)()
    torch.testing.assert_close(torch.tensor(np.array(output)), peephole(x)[0])
    assert float(loss) == pytest.approx(float(output.sum()), rel=1e-5)
    torch.testing.assert_close([torch.tensor(np.array(gradient)) for gradient in found], gradients(peephole, x))


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm", "gru_reset_after"])
def test_the_model_of_onnx_is_the_cell(cell: str, x: torch.Tensor):
    for module in ("onnx", "onnxruntime"):
        pytest.importorskip(module, reason=f"{module} of the extra bench is not installed")
    layer = gw.Recurrent(cell, SHAPE.I, SHAPE.H, init={"*": "uniform(-0.5, 0.5)"})
    torch.testing.assert_close(torch.tensor(onnx_layer(layer, x, threads=1)()), layer(x)[0].detach())


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("shape", [Shape(1, 1, 1, 32), Shape(7, 1, 5, 96), Shape(12, 1, 64, 128)], ids=str)
def test_the_bare_loop_is_the_lstm(isa: str, shape: Shape, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    layer, x = gw.LSTM(shape.I, shape.H, engine="reference", init={"*": "uniform(-0.5, 0.5)"}), draw(shape)
    seconds, h = bare_lstm(layer, x, 1e-3)
    torch.testing.assert_close(h, layer(x)[0].detach())
    assert seconds > 0


def test_the_bare_loop_refuses_what_it_cannot_run():
    def run(T: int = 2, I: int = 3, H: int = 32, gates: int = 4, seconds: float = 1e-3) -> None:
        sizes = [(T, I), (I, gates * H), (H, gates * H), (gates * H,), (T, H)]
        _native.bare_lstm(*(np.zeros(size, np.float32) for size in sizes), seconds)

    for sizes in ({"T": 0}, {"I": 0}, {"H": 0}, {"H": 48}):
        with pytest.raises(ValueError, match=r"^expected at least one step, one input, and a multiple of 32 units$"):
            run(**sizes)
    with pytest.raises(ValueError, match=r"^expected x \[T,I\], W \[I,4H\], U \[H,4H\], b \[4H\] and h \[T,H\]$"):
        run(gates=3)
    for seconds in (0.0, 60.0, float("nan")):
        with pytest.raises(ValueError, match=r"^expected 0 to 60 seconds$"):
            run(seconds=seconds)


def test_what_is_not_installed_is_named_with_the_extra_that_brings_it():
    with pytest.raises(InputError, match=r"^no_such_module is not installed: pip install 'gatework\[bench\]'$"):
        extra("no_such_module.part")
