"""Addresses are taken of real eager tensors alone, whatever mode or kind of tensor torch knows."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch._vmap_internals import _vmap
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.flop_counter import FlopCounterMode

from gatework.engines.eager import is_eager, is_transformed

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.*:DeprecationWarning")  # torch's own


class Passing(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Named(Tensor):
    pass


@pytest.mark.parametrize(
    "mode",
    [
        nullcontext(),
        torch.no_grad(),
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16),
        torch.device("cpu"),
        Passing(),
        torch.autograd.graph.save_on_cpu(),
        torch.autograd.set_detect_anomaly(False),
    ],
    ids=lambda mode: type(mode).__name__,
)
def test_modes_that_leave_calls_as_they_are(mode):
    with mode:
        tensors = torch.ones(2), torch.nn.Parameter(torch.ones(2)), torch.ones(2, 2)[:, 0], torch.empty(0), None
        assert is_eager(*tensors, torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.int64))
        assert not is_transformed()


WATCHED = {
    "torch.jit.trace": lambda f, x: torch.jit.trace(f, x, check_trace=False),
    "make_fx": lambda f, x: make_fx(f)(x),
    "make_fx, pre-dispatch": lambda f, x: make_fx(f, pre_dispatch=True)(x),
    "vmap": lambda f, x: torch.vmap(f)(x),
    "grad": lambda f, x: torch.func.grad(lambda x: f(x).sum())(x),
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (x,)),
    "functionalize": lambda f, x: torch.func.functionalize(f)(x),
    "many gradients": lambda f, x: _vmap(f)(x),
    "torch.export": lambda f, x: torch.export.export(Module(f), (x,)),
    "torch.onnx's tracing": lambda f, x: torch.jit._get_trace_graph(Module(f), (x,)),
}


class Module(torch.nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


@pytest.mark.parametrize("look", WATCHED.values(), ids=WATCHED)
def test_whatever_looks_on_is_seen(look):
    seen = []

    def f(x: Tensor) -> Tensor:
        seen.append(is_eager(x) or is_eager(torch.ones(1)))
        return x * 2

    look(f, torch.randn(3, 2))
    assert seen and not any(seen)


@pytest.mark.parametrize(
    "mode", [FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False)], ids=["fake", "flops"]
)
def test_modes_of_dispatch_are_seen(mode):
    with mode:
        assert not is_eager(torch.ones(2))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2).as_subclass(Named),
        TwoTensor(torch.ones(2), torch.ones(2)),
        torch.ones(2, device="meta"),
        torch.ones(2).to_sparse(),
        torch._neg_view(torch.ones(2)),
        torch._efficientzerotensor(2),
        torch._to_functional_tensor(torch.ones(2)),
        torch.ones(2, dtype=torch.complex64).conj(),
        FakeTensorMode().from_tensor(torch.ones(2)),
    ],
    ids=["subclass", "wrapper", "meta", "sparse", "negated", "zero by name", "functional", "conjugated", "fake"],
)
def test_what_is_no_plain_memory_is_seen_anywhere_among_the_tensors(tensor):
    assert not is_eager(tensor)
    assert not is_eager(torch.ones(2), None, tensor)


@pytest.mark.parametrize(
    ("look", "transformed"),
    [("vmap", True), ("grad", True), ("jvp", True), ("many gradients", True), ("functionalize", False)],
)
def test_transforms_that_an_operator_does_not_take(look, transformed):
    seen = []
    WATCHED[look](lambda x: (seen.append(is_transformed()), x * 2)[1], torch.randn(3, 2))
    assert seen == [transformed]


def test_forward_mode_is_a_transform():
    with forward_ad.dual_level():
        assert is_transformed()
    assert not is_transformed()
