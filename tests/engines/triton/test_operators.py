"""What torch's tools see of a scan on CUDA: the operators, by kernels, with what the core leaves on the CPU."""

import copy

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

import gatework as gw
from gatework.engines import reference
from gatework.engines.arguments import Arguments
from gatework.engines.native import operators as native
from gatework.verify.problems import Case, draw
from numerics import all_same, gradients, random, randomise, weighed

pytest.importorskip("triton")

from gatework.engines.triton import eager, operators

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
T, B, I, H = 4, 3, 3, 5
LENGTHS = torch.tensor([4, 0, 2])
RESETS = torch.arange(T)[:, None] == torch.tensor([2, T, 1])  # the operators get those within sequences alone


def given(cell, lengths, resets):
    problem = draw(gw.cells[cell], Case(T, B, I, H, H), torch.float32).to(torch.float32)
    tensors = problem.arguments().tensors()
    return problem.program, tensors, LENGTHS if lengths else None, RESETS.to(torch.uint8) if resets else None


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
@pytest.mark.parametrize(("lengths", "resets", "recompute"), [(False,) * 3, (True, True, False), (True, False, True)])
def test_they_return_what_the_cores_return(cell, lengths, resets, recompute):
    program, tensors, *cuts = given(cell, lengths, resets)
    call = program.recipe, tensors, "h", *cuts, True, recompute
    found, wanted = operators.scan_on_cuda(*call), native.scan(*call)
    shapes = native.scan_shapes(*call)
    for value, shape in zip(found, shapes, strict=True):
        assert (value.shape, value.dtype, value.stride()) == (shape.shape, shape.dtype, shape.stride())
    states = len(program.states)
    all_same(found[: 2 + states], wanted[: 2 + states])
    by = [random(*value.shape, dtype=torch.float32) for value in wanted[: 1 + states]]
    asked = [index % 3 > 0 for index in range(len(tensors))]
    for saved in (found[2 + states :], []):
        again = program.recipe, tensors, saved, by, asked, *cuts, recompute
        theirs = program.recipe, tensors, saved and wanted[2 + states :], by, asked, *cuts, recompute
        made = operators.scan_backward_on_cuda(*again)
        assert all(value.is_contiguous() for value in made)
        all_same(dict(enumerate(made)), dict(enumerate(native.scan_backward(*theirs))))


def test_where_kernels_are_not_trusted_the_core_computes(monkeypatch):
    program, tensors, *cuts = given("lstm", True, True)
    monkeypatch.setattr(operators, "_is_trusted", lambda _: False)
    monkeypatch.setattr("gatework.engines.triton.scan.forward", None)
    monkeypatch.setattr("gatework.engines.triton.scan.backward", None)
    call = program.recipe, tensors, "", *cuts, True, False
    found, wanted = operators.scan_on_cuda(*call), native.scan(*call)
    assert all(map(torch.equal, found, wanted))
    by, asked = [torch.ones_like(value) for value in found[:3]], [True] * len(tensors)
    again = program.recipe, tensors, found[3:], by, asked, *cuts, False
    assert all(map(torch.equal, operators.scan_backward_on_cuda(*again), native.scan_backward(*again)))


@pytest.fixture
def seen(monkeypatch):
    """As on CUDA: kernels run where the operators are called on the CPU, which are listed."""
    calls = []

    def noted(name, function):
        return lambda *args: calls.append(name) or function(*args)

    monkeypatch.setitem(native.scan._backend_fns, "cpu", noted("forward", operators.scan_on_cuda))
    monkeypatch.setitem(native.scan_backward._backend_fns, "cpu", noted("backward", operators.scan_backward_on_cuda))
    return calls


def pair():
    """A layer on the engine, and its equal on the reference engine."""
    layer = randomise(gw.Recurrent("peephole_lstm", I, H, bidirectional=True, engine="triton"))
    other = copy.deepcopy(layer)
    other.engine = "reference"
    return layer, other


@pytest.mark.parametrize("call", [{}, {"lengths": LENGTHS, "resets": RESETS}], ids=["whole", "lengths and resets"])
def test_a_compiled_layer_and_its_gradients(call, seen):
    torch._dynamo.reset()
    layer, other = pair()
    x = random(T, B, I, dtype=torch.float32, requires_grad=True)
    found = torch.compile(layer, backend="aot_eager", fullgraph=True)(x, **call)
    wanted = other(x, **call)
    all_same((found[0], *found[1]), (wanted[0], *wanted[1]))
    by = [gradients(m, weighed(v[0], *v[1]), x) for m, v in ((layer, found), (other, wanted))]
    all_same(*by)
    assert seen == ["forward"] * 2 + ["backward"] * 2


def test_an_exported_layer(seen):
    layer, other = pair()
    x = random(T, B, I, dtype=torch.float32)
    exported = torch.export.export(layer.requires_grad_(False), (x,)).module()
    assert "gatework.scan" in exported.code
    seen.clear()
    all_same((exported(x)[0],), (other(x)[0],))
    assert seen == ["forward"] * 2


def test_what_make_fx_writes_down(seen):
    layer, other = pair()
    x = random(T, B, I, dtype=torch.float32)
    layer.requires_grad_(False)
    written = make_fx(lambda x: layer(x, lengths=LENGTHS)[0])(x)
    seen.clear()
    all_same((written(x),), (other(x, lengths=LENGTHS)[0],))
    assert seen == ["forward"] * 2


def test_on_cuda_a_trace_has_the_operator():
    layer = gw.Recurrent("peephole_lstm", I, H, device="meta")
    with FakeTensorMode(allow_non_fake_inputs=True):
        params = {name: torch.empty(value.shape, device="cuda") for name, value in layer.named_parameters()}
        x = torch.empty(T, B, I, device="cuda")
        output, state = torch.func.functional_call(layer, params, (x,))
    assert output.shape == (T, B, H) and output.device.type == state.c.device.type == "cuda"


@pytest.mark.parametrize("how", ["create_graph", "is_grads_batched"])
def test_gradients_that_torch_goes_on_with_are_those_of_the_reference_engine(how):
    program, tensors, *cuts = given("lstm", False, False)
    leaves, by, found = [tensor.requires_grad_() for tensor in tensors], random(3, T, B, H, dtype=torch.float32), []
    asked = {how: True, "allow_unused": True}
    for run in (eager.run_untried, reference.run):
        output = run(Arguments.from_tensors(program, leaves, *cuts))[0]
        made = torch.autograd.grad(output, leaves, by if how == "is_grads_batched" else by[0], **asked)
        found.append({place: value for place, value in enumerate(made) if value is not None})
    all_same(*found)
