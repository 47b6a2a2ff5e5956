"""What gatework is compared with computes the same: another function would be no comparison."""

import numpy as np
import pytest
import torch

import gatework as gw
from gatework.errors import InputError
from gatework.lab.bench.measure import Shape
from gatework.lab.bench.rivals import extra, jax_peephole, onnx_layer, peephole_loop, peephole_weights
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


def test_what_is_not_installed_is_named_with_the_extra_that_brings_it():
    with pytest.raises(InputError, match=r"^no_such_module is not installed: pip install 'gatework\[bench\]'$"):
        extra("no_such_module.part")
