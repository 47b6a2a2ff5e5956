"""The tools of torch that layers are used with: a row each, in the order of docs/layers.md."""

import copy
import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, distributed, nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.checkpoint import checkpoint

from numerics import all_same, weighed
from torch_tools import modules
from torch_tools.frame import TRANSFORMED, WATCHED, B, Case, I, T, Table, parts

table = Table()
tool = table.tool


# -- compiled


@tool(
    "`torch.compile(fullgraph=True)`", vendor_refuses=WATCHED, torch_fails="Dynamo does not support RNN, GRU, or LSTM"
)
def compiled(case: Case) -> None:
    case.holds(torch.compile(case.layer, fullgraph=True, backend="aot_eager"))


class Positional(nn.Module):
    """A layer whose lengths, if it is given some, come as its second argument: torch.jit knows no keywords."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, *lengths: Tensor) -> tuple:
        output, state = self.module(x, **dict(zip(["lengths"], lengths, strict=False)))
        return output, *parts(state)


def by_position(module: nn.Module) -> Callable:
    """The same call with keywords again."""

    def call(x: Tensor, **options: Tensor) -> tuple:
        output, *states = module(x, *options.values())
        return output, states

    return call


LONGER = torch.randn(T + 3, B + 2, I)


def longer(case: Case) -> tuple[Tensor, ...]:
    """Arguments of another T and B than those on which a row is held."""
    return (LONGER,) if case.lengths is None else (LONGER, torch.tensor([T + 3, 0, 2, 5, 1]))


@tool(
    "`torch.export`",
    vendor_refuses=WATCHED,
    says="returns the state as a plain tuple",
    torch_fails="Constraints violated",
)
def exported(case: Case) -> None:
    steps, batch = torch.export.Dim("T", min=1, max=99), torch.export.Dim("B", min=1, max=99)
    given = longer(case)
    dynamic = ({0: steps, 1: batch}, *([({0: batch},)] if given[1:] else []))
    module = torch.export.export(Positional(case.layer), given, dynamic_shapes=dynamic).module()
    case.holds_call(by_position(module), dict(module.named_parameters()))


@tool(
    "`torch.jit.trace`, `torch.jit.save`",
    vendor_refuses=WATCHED,
    says="right at every T and B; its gradients run the forward pass again",
)
def traced(case: Case) -> None:
    torch.jit.save(torch.jit.trace(Positional(case.layer), longer(case)), file := io.BytesIO())
    file.seek(0)
    module = torch.jit.load(file)
    case.holds_call(by_position(module), dict(module.named_parameters()))


@tool("`torch.fx.symbolic_trace`", says="one call of a module")
def symbolically_traced(case: Case) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = case.layer

        def forward(self, x: Tensor) -> tuple:
            output, state = self.module(x, **case.options)
            return output, state

    graph = torch.fx.symbolic_trace(Model())
    assert [node.target for node in graph.graph.nodes if node.op == "call_module"] == ["module"]
    case.holds_call(lambda x, **_options: graph(x), dict(graph.named_parameters()))


@tool("`make_fx`", vendor_refuses=WATCHED)
def made_fx(case: Case) -> None:
    lengths = () if case.lengths is None else (case.lengths,)
    graph = make_fx(Positional(case.layer))(case.x.detach(), *lengths)
    case.holds_call(by_position(graph), dict(case.layer.named_parameters()))


def same_outlines(found: tuple, expected: tuple) -> None:
    """Outputs and states have one shape and dtype."""
    for value, wanted in zip((found[0], *parts(found[1])), (expected[0], *parts(expected[1])), strict=True):
        assert (value.shape, value.dtype) == (wanted.shape, wanted.dtype)


@tool("`FakeTensorMode`", vendor_refuses=WATCHED)
def fake(case: Case) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        options = {name: mode.from_tensor(value) for name, value in case.options.items()}
        found = case.layer(mode.from_tensor(case.x), **options)
    assert isinstance(found[0], FakeTensor)
    same_outlines(found, case.bare(case.x, **case.options))


@tool('device "meta"')
def on_meta(case: Case) -> None:
    options = {name: value.to("meta") for name, value in case.options.items()}
    found = case.layer.to("meta")(case.x.to("meta"), **options)
    assert found[0].is_meta
    same_outlines(found, case.bare(case.x, **case.options))


class Named(Tensor):
    """A tensor of another class, and nothing else."""


@tool("subclasses of `Tensor`")
def subclass(case: Case) -> None:
    def call(x: Tensor, **options: Tensor) -> tuple:
        output, state = case.layer(x.as_subclass(Named), **options)
        assert type(output) is Named
        return output.as_subclass(Tensor), tuple(value.as_subclass(Tensor) for value in parts(state))

    case.holds_call(call, dict(case.layer.named_parameters()))


@tool("subclasses that wrap tensors (`__torch_dispatch__`)", vendor_refuses=WATCHED)
def wrapper(case: Case) -> None:
    x = case.x.detach()
    output, state = case.layer(TwoTensor(x, 2 * x), **case.options)
    expected, twice = case.expected(), case.bare(2 * x, **case.options)[0]
    all_same(
        (output.a, output.b, *(s.a for s in parts(state))),
        (expected["output"], twice, *(expected[f"state {k}"] for k in range(len(parts(state))))),
    )


@tool("`torch.func.functionalize`", vendor_refuses=WATCHED)
def functionalised(case: Case) -> None:
    def call(x: Tensor, **options: Tensor) -> tuple:
        output, *states = torch.func.functionalize(Positional(case.layer))(x, *options.values())
        return output, states

    case.holds_call(call, dict(case.layer.named_parameters()))


# -- derivatives


def loss_of(case: Case, values: dict[str, Tensor], x: Tensor) -> Tensor:
    output, state = functional_call(case.layer, values, (x,), case.options)
    return weighed(output, *parts(state))


def values_of(case: Case) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in case.layer.named_parameters()}


BY_REFERENCE = "on the reference engine"


@tool("`torch.func.grad`, `vjp`", vendor_refuses=TRANSFORMED, says=BY_REFERENCE)
def func_grad(case: Case) -> None:
    expected = case.expected()
    by_names, by_x = torch.func.grad(lambda *given: loss_of(case, *given), (0, 1))(values_of(case), case.x.detach())
    found = {f"gradient of {name}": g for name, g in ({"x": by_x} | by_names).items()}
    all_same(found, {name: expected[name] for name in found})


@tool(
    "`torch.func.vmap`, per-sample gradients",
    vendor_refuses=TRANSFORMED,
    says=BY_REFERENCE,
    torch_fails="Batching rule not implemented",
)
def func_vmap(case: Case) -> None:
    many = torch.randn(4, T, B, I)
    outputs = torch.vmap(lambda x: case.layer(x, **case.options)[0])(many)
    all_same((outputs,), (torch.stack([case.bare(x, **case.options)[0] for x in many]),))
    by_names = torch.func.grad(lambda *given: loss_of(case, *given))
    gradients = torch.vmap(by_names, (None, 0), randomness="same")(values_of(case), many)
    for k, x in enumerate(many):
        expected = case.answers(case.bare, dict(case.bare.named_parameters()), x.clone().requires_grad_())
        found = {f"gradient of {name}": g[k] for name, g in gradients.items()}
        all_same(found, {name: expected[name] for name in found})


@tool(
    "forward mode, `torch.func.jvp`",
    vendor_refuses=TRANSFORMED,
    says=BY_REFERENCE,
    torch_fails="has not been implemented yet",
)
def forward_mode(case: Case) -> None:
    x, tangent = case.x.detach(), torch.randn(T, B, I)
    expected = (case.expected()["gradient of x"] * tangent).sum()
    with forward_ad.dual_level():
        output, state = case.layer(forward_ad.make_dual(x, tangent), **case.options)
        found = forward_ad.unpack_dual(weighed(output, *parts(state))).tangent
    _, again = torch.func.jvp(lambda x: loss_of(case, values_of(case), x), (x,), (tangent,))
    all_same((found, again), (expected, expected))


@tool("gradients of gradients", says=BY_REFERENCE)
def twice(case: Case) -> None:
    direction = torch.randn(T, B, I)
    x = case.x
    output, state = case.layer(x, **case.options)
    (first,) = torch.autograd.grad(weighed(output, *parts(state)), x, create_graph=True)
    (found,) = torch.autograd.grad((first * direction).sum(), x)

    precise, step = copy.deepcopy(case.bare).double(), 1e-4 * direction.double()
    either = [case.answers(precise, {}, (x.detach().double() + side * step).requires_grad_()) for side in (1, -1)]
    slope = (either[0]["gradient of x"] - either[1]["gradient of x"]) / 2e-4
    all_same((found,), (slope.float(),))


@tool("gradients for many losses at once")
def many_losses(case: Case) -> None:
    call = lambda x: case.layer(x, **case.options)[0].sum((1, 2))  # noqa: E731
    found = torch.autograd.functional.jacobian(call, case.x.detach(), vectorize=True)
    all_same((found,), (torch.autograd.functional.jacobian(call, case.x.detach()),))


@tool("`torch.utils.checkpoint`")
def checkpointed(case: Case) -> None:
    case.holds_call(partial(checkpoint, case.layer, use_reentrant=False), dict(case.layer.named_parameters()))
    expected, x = case.expected(), case.x.detach().clone().requires_grad_()
    output, *states = checkpoint(Positional(case.layer), x, *case.options.values(), use_reentrant=True)
    weighed(output, *states).backward()
    found = {"x": x, **dict(case.layer.named_parameters())}
    all_same(
        {f"gradient of {n}": v.grad for n, v in found.items()},
        {f"gradient of {n}": expected[f"gradient of {n}"] for n in found},
    )


@tool("saved-tensor hooks, `save_on_cpu`")
def saved_tensor_hooks(case: Case) -> None:
    with torch.autograd.graph.save_on_cpu():
        case.holds()
    packed, unpacked = itertools.count(), Counter()

    def pack(value: Tensor) -> tuple[int, Tensor]:
        return next(packed), value

    def unpack(given: tuple[int, Tensor]) -> Tensor:
        unpacked[given[0]] += 1
        return given[1]

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        case.answers(case.layer, dict(case.layer.named_parameters()))
    assert unpacked == Counter(range(next(packed))), "each tensor once"


@tool("outputs edited in place")
def edited(case: Case) -> None:
    def call(layer: nn.Module, edit: Callable[[Tensor], Tensor]) -> Callable:
        def run(x: Tensor, **options: Tensor) -> tuple:
            output, state = layer(x, **options)
            return edit(output), tuple(map(edit, parts(state)))

        return run

    for in_place, apart in [(lambda y: y.add_(1), lambda y: y + 1), (partial(dropout, inplace=True), dropout)]:
        expected = case.answers(call(case.bare, apart), dict(case.bare.named_parameters()))
        found = case.answers(call(case.layer, in_place), dict(case.layer.named_parameters()))
        all_same(found, expected)


def dropout(values: Tensor, inplace: bool = False) -> Tensor:
    return nn.functional.dropout(values, 0.5, inplace=inplace)


@tool("`torch.autograd.detect_anomaly`")
def anomalies(case: Case) -> None:
    with torch.autograd.detect_anomaly():
        case.holds()


@tool("`torch.inference_mode`")
def inference(case: Case) -> None:
    with torch.inference_mode():
        output, state = case.layer(case.x.detach(), **case.options)
    expected = case.expected()
    found = {"output": output} | {f"state {k}": value for k, value in enumerate(parts(state))}
    all_same(found, {name: expected[name] for name in found})


# -- arguments as they were


@tool("arguments resized after a call")
def resized(case: Case) -> None:
    x = case.x.detach().clone()
    case.answers(case.layer, dict(case.layer.named_parameters()), x.requires_grad_())
    x.detach_()
    for value in (x, *(p.detach() for p in case.layer.parameters())):
        value.untyped_storage().resize_(0)
        assert value.untyped_storage().nbytes() == 0


@contextmanager
def one_process() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@tool("`DistributedDataParallel`")
def data_parallel(case: Case) -> None:
    with one_process():
        case.holds(nn.parallel.DistributedDataParallel(case.layer, find_unused_parameters=True))


@tool("`fully_shard` (FSDP2)")
def sharded(case: Case) -> None:
    with one_process():
        expected = case.expected()
        mesh = init_device_mesh("cpu", (1,))
        for place in case.layer.children():
            fully_shard(place, mesh=mesh)
        layer = fully_shard(case.layer, mesh=mesh)
        for _ in range(2):
            x = case.x.detach().clone().requires_grad_()
            output, state = layer(x, **case.options)
            weighed(output, *parts(state)).backward()
            found = {"output": output, "gradient of x": x.grad}
            found |= {f"gradient of {name}": p.grad.full_tensor() for name, p in layer.named_parameters()}
            all_same(found, {name: expected[name] for name in found})
            layer.zero_grad()


TOOLS = table.rows | modules.table.rows
