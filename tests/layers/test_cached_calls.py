"""What a layer remembers of a call changes nothing: whatever is changed after it, the next call is a new layer's."""

import copy
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad
from torch.nn.utils import parametrizations, prune
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.flop_counter import FlopCounterMode

import gatework as gw
from gatework.core import _native
from gatework.engines import cache

T, B, I, H = 3, 2, 4, 5
Case = Callable[[gw.Recurrent, Tensor], tuple]


@pytest.fixture
def x() -> Tensor:
    return torch.randn(T, B, I)


@pytest.fixture
def layer(x) -> gw.Recurrent:
    """A layer that has been called, in training and outside."""
    made = gw.LSTM(I, H, 2, bidirectional=True)
    for _ in range(2):
        run(made, x)
        with torch.no_grad():
            made(x)
    return made


def flat(returned: tuple) -> list[Tensor]:
    output, state = returned
    return [output, *state]


def run(layer: gw.Recurrent, x: Tensor, **options) -> list[Tensor | None]:
    """Output and states; where there are gradients, those by input and parameters."""
    torch.manual_seed(3)
    results = flat(layer(x, **options))
    leaves = [value for value in (x, *layer.parameters()) if value.requires_grad]
    if not (leaves and results[0].requires_grad):
        return results
    return [*results, *torch.autograd.grad(results[0].sum() + results[-1].square().sum(), leaves, allow_unused=True)]


def outcome(call: Callable, *given, **options) -> list | str:
    try:
        return call(*given, **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def alike(one: list | str, other: list | str) -> bool:
    """Of the same kind, to the last bit; or the same error."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return all(map(same, one, other)) and len(one) == len(other)


def same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    kinds = [(type(v), v.dtype, v.shape, v.stride(), v.requires_grad) for v in (one, other)]
    without_numbers = isinstance(one, FakeTensor | TwoTensor) or one.is_meta
    return kinds[0] == kinds[1] and (without_numbers or torch.equal(one, other))


# -- what is remembered


@contextmanager
def nothing_decided() -> Iterator[None]:
    """No engine is chosen, no call bound."""
    with patch("gatework.layers.recurrent.choose", side_effect=AssertionError("an engine is chosen")):
        yield


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_call_like_the_last_is_not_decided_again(layer, x, grad, frozen):
    called = layer.frozen() if frozen else layer
    state = [torch.randn(4, B, H) for _ in range(2)]
    with torch.set_grad_enabled(grad):
        expected = [flat(called(x)), flat(called(x, state))]
        with nothing_decided():
            found = [flat(called(x)), flat(called(x, state))]
    assert all(alike(one, other) for one, other in zip(found, expected, strict=True))


def test_a_call_by_other_threads_is_decided_by_itself(layer, x):
    for many in (torch.get_num_threads() + 1, 1 if torch.get_num_threads() > 1 else 3):
        with threads(many), nothing_decided(), pytest.raises(AssertionError, match="an engine is chosen"):
            layer(x)


def test_a_backward_pass_like_the_last_is_not_bound_again(layer, x):
    with patch("gatework.engines.native.operators.bound_backward", side_effect=AssertionError("bound")):
        run(layer, x)


def test_that_no_engine_binds_calls_is_remembered_too(layer, x):
    layer.double()
    expected = flat(layer(x.double()))
    with patch.object(layer, "_bind", side_effect=AssertionError("bound")):
        assert alike(flat(layer(x.double())), expected)


def test_calls_of_a_few_shapes_are_remembered_and_of_many_the_last(layer):
    given = [torch.randn(steps, B, I) for steps in range(1, cache.MOST + 3)]
    expected = [run(layer, x) for x in given]
    assert all(alike(run(layer, x), wanted) for x, wanted in zip(given, expected, strict=True))
    with nothing_decided():
        run(layer, given[-1])
        run(layer, given[-2])
    assert all(len(calls._entries) <= cache.MOST for calls in layer.caches.values())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_remembers_nothing(layer, x, copied):
    twin = copied(layer)
    with nothing_decided(), pytest.raises(AssertionError, match="an engine is chosen"):
        twin(x)
    assert alike(run(twin, x), run(layer, x))


def test_a_layer_that_was_pickled_without_such_a_memory_has_one(layer, x):
    twin = pickle.loads(pickle.dumps(layer))
    state = {name: value for name, value in vars(twin).items() if name != "caches"}
    older = twin.__new__(type(twin))
    older.__setstate__(state)
    assert alike(run(older, x), run(layer, x))


def test_without_torchs_comparison_nothing_is_remembered(layer, x):
    with patch.object(cache, "TensorGuards", None):
        twin = copy.deepcopy(layer)
        twin(x)
        with nothing_decided(), pytest.raises(AssertionError, match="an engine is chosen"):
            twin(x)
    assert alike(run(twin, x), run(layer, x))


def test_what_is_returned_may_be_edited(layer, x):
    with torch.no_grad():
        expected = [value.clone() for value in flat(layer(x))]
        for given in (x, x[:0], x):
            for value in flat(layer(given)):
                value.fill_(7)
        assert alike(flat(layer(x)), expected)


# -- a change of the layer


def weight(layer: gw.Recurrent) -> nn.Parameter:
    return layer.get_parameter("l1_reverse.W_f")


def replace(layer: gw.Recurrent) -> None:
    layer.get_submodule("l0").W_i = nn.Parameter(torch.randn(H, I))


def set_data(make: Callable[[Tensor], Tensor]) -> Callable[[gw.Recurrent], None]:
    def change(layer: gw.Recurrent) -> None:
        weight(layer).data = make(weight(layer).data)

    return change


def add_noise(_module: nn.Module, given: tuple) -> tuple:
    use, *rest = given
    return (lambda tensors, *more: use({name: 2 * value for name, value in tensors.items()}, *more), *rest)


def edit(layer: gw.Recurrent) -> None:
    with torch.no_grad():
        weight(layer).mul_(2)


def share(layer: gw.Recurrent) -> None:
    place = layer.get_submodule("l0")
    place.W_f = place.W_i


CHANGES = {
    "a parameter without gradients": lambda layer: weight(layer).requires_grad_(False),
    "no parameter with gradients": lambda layer: layer.requires_grad_(False),
    "float64": lambda layer: layer.double(),
    "bfloat16": lambda layer: layer.bfloat16(),
    "the meta device": lambda layer: layer.to("meta"),
    "a parameter replaced": replace,
    "a parameter that is two": share,
    "a parameter edited": edit,
    "data of other numbers": set_data(lambda data: data + 1),
    "data of another order": set_data(lambda data: data.t().contiguous().t()),
    "data with gaps": set_data(lambda data: data.repeat(1, 3)[:, : 2 * H]),
    "data of another dtype": set_data(Tensor.double),
    "data by name alone negated": set_data(torch._neg_view),
    "loaded": lambda layer: layer.load_state_dict({n: v + 1 for n, v in layer.state_dict().items()}),
    "moved in and out of shared memory": lambda layer: layer.share_memory(),
    "another engine": lambda layer: setattr(layer, "engine", "reference"),
    "no such engine": lambda layer: setattr(layer, "engine", "warp"),
    "recompute": lambda layer: setattr(layer, "recompute", True),
    "residual": lambda layer: setattr(layer, "residual", True),
    "dropout": lambda layer: setattr(layer, "dropout", 0.5),
    "recurrent dropout": lambda layer: setattr(layer, "recurrent_dropout", {"g": 0.5}),
    "zoneout": lambda layer: setattr(layer, "zoneout", {"h": 0.5}),
    "eval": lambda layer: layer.eval(),
    "frozen": lambda layer: layer.requires_grad_(False).freeze("bfloat16"),
    "a hook on the layer": lambda layer: layer.register_forward_hook(lambda _m, _g, made: (2 * made[0], made[1])),
    "a hook on the weights": lambda layer: layer.get_submodule("l1").register_forward_pre_hook(add_noise),
    "weight norm": lambda layer: parametrizations.weight_norm(layer.get_submodule("l0"), "U_g"),
    "pruning": lambda layer: prune.random_unstructured(layer.get_submodule("l0"), "U_g", 0.5),
}


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_a_change_of_the_layer_a_call_is_a_new_layers(layer, x, change, grad):
    fresh = copy.deepcopy(layer)
    for each in (layer, fresh):
        torch.manual_seed(2)
        change(each)
    x = x.to(next(fresh.parameters()).dtype)
    with torch.set_grad_enabled(grad):
        expected = outcome(run, fresh, x)
        for _ in range(2):
            assert alike(outcome(run, layer, x), expected)


def test_weights_are_frozen_after_a_call_of_the_same_tensors(layer, x):
    layer.requires_grad_(False)
    exact = flat(layer(x))
    layer.freeze("int8")
    found, fresh = flat(layer(x)), copy.deepcopy(layer)
    assert not torch.equal(found[0], exact[0]) and alike(found, flat(fresh(x)))


def test_the_order_in_which_parameters_are_registered_does_not_matter(layer, x):
    expected, place = flat(layer(x)), layer.get_submodule("l0")
    again = place.W_i
    del place.W_i
    place.W_i = again  # the last one now
    for called in (layer, copy.deepcopy(layer)):
        assert alike(flat(called(x)), expected)


def test_learned_starts_are_those_of_the_call(x):
    layer = gw.Recurrent("lstm", I, H, initial="learned")
    before = run(layer, x)
    with torch.no_grad():
        layer.get_parameter("l0.initial_h").fill_(0.5)
    after = run(layer, x)
    assert not torch.equal(before[0], after[0]) and alike(after, run(copy.deepcopy(layer), x))


# -- another input

INPUTS: dict[str, Callable[[Tensor], dict]] = {
    "another batch": lambda x: {"x": x.repeat(1, 4, 1)},
    "another length": lambda x: {"x": x.repeat(2, 1, 1)},
    "no step": lambda x: {"x": x[:0]},
    "no sequence": lambda x: {"x": x[:, :0]},
    "no batch": lambda x: {"x": x[:, 0]},
    "rows apart": lambda x: {"x": x.repeat(1, 1, 3)[:, :, :I]},
    "units apart": lambda x: {"x": x.mT.contiguous().mT},
    "one row for all": lambda x: {"x": x[:1, :1].expand(T, B, I)},
    "gradients": lambda x: {"x": x.clone().requires_grad_()},
    "another dtype": lambda x: {"x": x.double()},
    "another device": lambda x: {"x": x.to("meta")},
    "another size": lambda x: {"x": x.repeat(1, 1, 2)},
    "a subclass": lambda x: {"x": TwoTensor(x, x)},
    "negated by name": lambda x: {"x": torch._neg_view(x)},
    "lengths": lambda x: {"x": x, "lengths": [T, 1]},
    "resets": lambda x: {"x": x, "resets": torch.ones(T, B, dtype=torch.bool)},
    "a state": lambda x: {"x": x, "state": (torch.randn(4, B, H), torch.randn(4, B, H))},
    "one tensor as both states": lambda x: {"x": x, "state": (torch.ones(4, B, H),) * 2},
    "a state of another dtype": lambda x: {"x": x, "state": (torch.randn(4, B, H), torch.randn(4, B, H).double())},
}


def given_by_keywords(layer: gw.Recurrent, x: Tensor, state: tuple | None = None, **options) -> list:
    return run(layer, x, **options) if state is None else run(layer, x, hx=state, **options)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("make", INPUTS.values(), ids=INPUTS)
def test_with_another_input_a_call_is_a_new_layers(layer, x, make, grad):
    options = make(x)
    with torch.set_grad_enabled(grad):
        expected = outcome(given_by_keywords, copy.deepcopy(layer), **options)
        for _ in range(2):
            assert alike(outcome(given_by_keywords, layer, **options), expected)
        assert alike(outcome(run, layer, x), outcome(run, copy.deepcopy(layer), x))


# -- what else torch does with a call


def compiled(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    torch._dynamo.reset()  # after a number of compilations, by whichever test, torch compiles no more
    return flat(torch.compile(layer, backend="eager", fullgraph=True)(x))


class Flat(nn.Module):
    def __init__(self, layer: gw.Recurrent) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(flat(self.layer(x)))


def traced(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    graph = torch.jit.trace(Flat(layer), x, check_trace=False)
    assert "gatework::scan" in str(graph.inlined_graph)
    return list(graph(torch.zeros(T + 1, B, I)))


def faked(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        return run(layer, mode.from_tensor(x))


def mapped(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    return flat(torch.vmap(lambda x: layer(x[:, None]), 1, 1)(x))


def recorded(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    with gw.record(layer, "f", gradients=True) as trace:
        results = run(layer, x)
    assert len(trace) == 4
    return [*results, *trace.values()]


def dual(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    with forward_ad.dual_level():
        output, _ = layer(forward_ad.make_dual(x, x))
        return [forward_ad.unpack_dual(output).tangent]


def counted(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    with FlopCounterMode(display=False) as counter:
        results = run(layer, x)
    return [*results, torch.tensor(counter.get_total_flops())]


def saved_elsewhere(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
    seen = []
    with torch.autograd.graph.saved_tensors_hooks(lambda value: (seen.append(value), value.clone())[1], lambda v: v):
        results = run(layer, x)
    return [*results, torch.tensor(len(seen))]


def within(context: Callable) -> Case:
    def call(layer: gw.Recurrent, x: Tensor) -> list[Tensor]:
        with context():
            return run(layer, x)

    return call


@contextmanager
def threads(many: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(many)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def inference_but_with_gradients() -> Iterator[None]:
    with torch.inference_mode(), torch.enable_grad():
        yield


TOOLS: dict[str, Case] = {
    "compiled": compiled,
    "traced": traced,
    "fake": faked,
    "vmap": mapped,
    "gradients of functions": lambda layer, x: [torch.func.grad(lambda x: layer(x)[0].sum())(x)],
    "functionalized": lambda layer, x: flat(torch.func.functionalize(layer)(x)),
    "forward mode": dual,
    "recorded": recorded,
    "counted": counted,
    "saved elsewhere": saved_elsewhere,
    "autocast": within(lambda: torch.autocast("cpu", torch.bfloat16)),
    "inference mode": within(torch.inference_mode),
    "inference mode with gradients": within(inference_but_with_gradients),
    "no gradients": within(torch.no_grad),
    "anomalies": within(lambda: torch.autograd.set_detect_anomaly(True)),
    "a thread": within(lambda: threads(1)),
    "threads": within(lambda: threads(2)),
    "nothing": within(nullcontext),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.*:DeprecationWarning", "ignore:Anomaly Detection")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_under_a_tool_a_call_is_a_new_layers(layer, x, tool):
    fresh = copy.deepcopy(layer)
    expected = outcome(tool, fresh, x)
    assert not isinstance(expected, str) or "inference" in expected.lower()
    for _ in range(2):
        assert alike(outcome(tool, layer, x), expected)
    for called in (layer, fresh):
        assert alike(run(called, x), run(copy.deepcopy(layer), x))
        with nothing_decided():
            run(called, x)


@pytest.mark.parametrize("isa", [*_native.isas(), "mmx"])
def test_the_instruction_set_is_that_of_the_call(layer, x, isa, monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    expected = outcome(run, copy.deepcopy(layer), x)
    assert isinstance(expected, str) == (isa == "mmx")
    assert alike(outcome(run, layer, x), expected)


# -- the backward pass

LOSSES: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "output": lambda made: made[0].sum(),
    "part of it": lambda made: made[0][1, :, 2].sum(),
    "units apart": lambda made: (made[0].mT * torch.arange(float(B))).square().sum(),
    "a state": lambda made: made[2].square().sum(),
    "all": lambda made: sum(value.sum() for value in made),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_after_other_losses_gradients_are_a_new_layers(layer, x, loss):
    def gradients(layer: gw.Recurrent, loss: Callable) -> list[Tensor]:
        leaves = tuple(layer.parameters())
        return list(torch.autograd.grad(loss(flat(layer(x))), leaves, materialize_grads=True))

    expected = gradients(copy.deepcopy(layer), loss)
    for other in LOSSES.values():
        gradients(layer, other)
        assert alike(gradients(layer, loss), expected)


BACKWARDS: dict[str, Callable[[Tensor, list[Tensor]], list[Tensor]]] = {
    "twice": lambda loss, leaves: [
        *torch.autograd.grad(loss, leaves, retain_graph=True),
        *torch.autograd.grad(loss, leaves),
    ],
    "some": lambda loss, leaves: list(torch.autograd.grad(loss, leaves[2:5])),
    "recorded": lambda loss, leaves: list(
        torch.autograd.grad(torch.autograd.grad(loss, leaves, create_graph=True)[3].square().sum(), leaves)
    ),
    "batched": lambda loss, leaves: list(torch.autograd.grad(loss, leaves, torch.arange(3.0), is_grads_batched=True)),
}


@pytest.mark.parametrize("backward", BACKWARDS.values(), ids=BACKWARDS)
def test_other_ways_to_take_gradients_are_a_new_layers(layer, x, backward):
    def gradients(layer: gw.Recurrent) -> list[Tensor]:
        return backward(layer(x)[0].square().sum(), list(layer.parameters()))

    expected = gradients(copy.deepcopy(layer))
    for _ in range(2):
        assert alike(gradients(layer), expected)
    run(layer, x)


def turned(value: Tensor) -> Tensor:
    """The same numbers in another order in memory."""
    return value.mT.contiguous().mT if value.dim() > 1 else value


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("unpack", [lambda value: value, turned], ids=["as they were", "in another order"])
def test_an_edited_output_is_noticed_where_a_backward_pass_is_remembered(x, unpack, first):
    def gradients(layer: gw.Recurrent, edit: Callable[[Tensor], Tensor]) -> list[Tensor]:
        with torch.autograd.graph.saved_tensors_hooks(lambda value: value, unpack):
            return list(torch.autograd.grad(edit(layer(x)[0]).square().sum(), tuple(layer.parameters())))

    layer = gw.LSTM(I, H)  # whose output is what the engine returned
    for edits in (first, not first) * 2:
        expected = gradients(copy.deepcopy(layer), lambda output, by=1 + edits: by * output)
        assert alike(gradients(layer, lambda output, edits=edits: output.mul_(2) if edits else 1 * output), expected)
