"""The softmax's loss is torch's, whether it is taken at once or in parts, and so are its gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.errors import InputError
from gatework.text.model import LanguageModel
from gatework.text.options import Shape
from gatework.text.softmax import LEAST, ROWS, Softmax
from gatework.verify.comparison import compare
from numerics import random

H = 5


def made(V: int, T: int, B: int = 1, dtype: torch.dtype = torch.float64) -> tuple[Softmax, Tensor, Tensor]:
    layer = Softmax(H, V, dtype=dtype)
    return layer, random(T, B, H, dtype=dtype, requires_grad=True), torch.randint(V, (T, B))


def gradients(layer: Softmax, h: Tensor, loss: Tensor) -> list[Tensor]:
    return [*torch.autograd.grad(3 * loss, (h, layer.weight, layer.bias))]


def expected(layer: Softmax, h: Tensor, targets: Tensor) -> Tensor:
    logits = F.linear(h, layer.weight, layer.bias)
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


@pytest.mark.parametrize("steps", [1, ROWS - 1, ROWS, 2 * ROWS + 1])
@pytest.mark.parametrize("classes", [2, LEAST - 1, LEAST, LEAST + 70])
def test_the_loss_and_its_gradients_are_those_of_cross_entropy(classes: int, steps: int):
    layer, h, targets = made(classes, steps, 2)
    targets[torch.rand(targets.shape) < 0.3] = -100
    targets[0, 0] = classes - 1
    loss, right = layer(h, targets), expected(layer, h, targets)
    compare(loss, right, rms=1e-13, peak=1e-13)
    for one, other in zip(gradients(layer, h, loss), gradients(layer, h, right), strict=True):
        compare(one, other, rms=1e-12, peak=1e-11)


def test_large_logits_overflow_nothing():
    layer, h, targets = made(LEAST, 3, dtype=torch.float32)
    with torch.no_grad():
        layer.bias[7], layer.bias[8] = 1e4, -1e30
    loss = layer(h, targets)
    compare(loss, expected(layer, h, targets), rms=1e-6, peak=1e-6)
    assert all(gradient.isfinite().all() for gradient in gradients(layer, h, loss))


def test_nothing_of_all_steps_by_all_classes_is_kept():
    layer, h, targets = made(LEAST, 2 * ROWS)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda value: kept.append(value.numel()) or value, lambda value: value
    ):
        layer(h, targets)
    assert kept and max(kept) < LEAST * ROWS


@pytest.mark.parametrize("classes", [3, LEAST])
def test_the_mean_over_nothing_is_no_number(classes: int):
    layer, h, targets = made(classes, 4)
    assert layer(h, torch.full_like(targets, -100)).isnan()
    assert layer(h[:0], targets[:0]).isnan()


def test_without_gradients_and_under_autocast_it_is_the_same_loss():
    layer, h, targets = made(LEAST, 300, dtype=torch.float32)
    right = expected(layer, h, targets)
    with torch.no_grad():
        compare(layer(h, targets), right, rms=1e-6, peak=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        compare(layer(h, targets), right, rms=1e-2, peak=1e-2)


def test_gradients_of_its_gradients_are_refused():
    layer, h, targets = made(LEAST, 3)
    with pytest.raises(InputError, match=r"take cross_entropy of model\.logits"):
        torch.autograd.grad(layer(h, targets), h, create_graph=True)


def test_a_language_model_of_many_words_learns_by_it():
    """Its hooks run, and its gradients are those of its logits' cross-entropy."""
    model = LanguageModel("gru", LEAST, Shape(hidden=6, embedding=4, dropout=0.0))
    inputs, targets = torch.randint(LEAST, (2, 5, 3))
    calls: list[int] = []
    model.output.register_forward_hook(lambda *_: calls.append(1))
    loss, _ = model(inputs, targets)
    assert calls == [1]
    loss.backward()
    found = [parameter.grad for parameter in model.parameters()]
    logits, _ = model.logits(inputs)
    right = torch.autograd.grad(F.cross_entropy(logits.flatten(0, 1), targets.flatten()), [*model.parameters()])
    for one, other in zip(found, right, strict=True):
        compare(one, other, rms=1e-5, peak=1e-4)
