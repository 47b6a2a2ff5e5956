"""The native engine's operators are what torch asks of operators, refuse what does not fit, and say what they lack."""

from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import gatework as gw
from gatework.cells import cells
from gatework.engines import Arguments, Frozen, native, reference
from gatework.engines.native import operators
from gatework.engines.native.call import Call
from gatework.errors import InputError
from gatework.lowering.call import Options, tensor_spec
from gatework.notation import EquationError
from gatework.verify.problems import Case, draw
from numerics import all_same, weighed

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script.*:DeprecationWarning")  # torch's own

CASES = [Case(4, 3, 4, 9, 5), Case(4, 7, 4, 9, 5, lengths=True, resets=True), Case(3, 2, 4, 5, 3, extras=True)]


def arguments(cell: str, case: Case, train: bool = True, dtype: torch.dtype = torch.float32) -> tuple:
    """What `scan` is called with for a random problem of a cell."""
    seen = []

    def watch(call: Call, *, eager: bool) -> tuple:
        seen.append(call)
        return operators.apply(call, eager=eager)

    problem = draw(cells[cell], case, dtype).to(dtype)
    with patch.object(native, "apply", watch):
        native.run(
            Arguments(
                problem.program,
                problem.params,
                problem.x,
                problem.state,
                start=problem.start,
                lengths=problem.lengths,
                resets=problem.resets,
                inputs=problem.inputs,
            )
        )
    [call] = seen
    tensors = [tensor.clone().requires_grad_(train) for tensor in call.tensors]
    return call.program.recipe, tensors, "", call.lengths, call.resets, train, False


def gradients(given: tuple, output: list[Tensor]) -> tuple:
    """What `scan_backward` is called with after `scan`."""
    recipe, tensors, _, lengths, resets, _, recompute = given
    states = len(operators.read(recipe).states)
    tensors, output = [value.detach() for value in tensors], [value.detach() for value in output]
    wanted = [index % 3 != 1 for index in range(len(tensors))]
    by = [torch.randn_like(value) for value in output[: 1 + states]]
    return recipe, tensors, output[1 + states :], [None, *by[1:]], wanted, lengths, resets, recompute


# -- operators


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_torch_finds_nothing_wrong_with_them(cell, case):
    given = arguments(cell, case)
    torch.library.opcheck(operators.scan, given)
    torch.library.opcheck(operators.scan, arguments(cell, case, train=False))
    torch.library.opcheck(operators.scan_backward, gradients(given, operators.scan(*given)))


def test_torch_finds_nothing_wrong_with_them_in_bfloat16():
    given = arguments("lstm", CASES[1], dtype=torch.bfloat16)
    output = operators.scan(*given)
    torch.library.opcheck(operators.scan, given)
    torch.library.opcheck(operators.scan_backward, gradients(given, output))
    long_term = [state.name != "h" for state in operators.read(given[0]).states]
    assert [value.dtype == torch.float32 for value in output] == [False] * 3 + long_term + [False]


@pytest.mark.parametrize("recompute", [False, True])
def test_they_compute_what_the_eager_engine_computes(recompute):
    recipe, tensors, record, lengths, resets, train, _ = arguments("lstm", CASES[1])
    call = Call(Options(operators.read(recipe), (), train, recompute), tensors, lengths, resets)
    output, states, _ = operators.apply(call, eager=True)
    direct = output, *states
    found = operators.scan(recipe, tensors, record, lengths, resets, train, recompute)[: len(direct)]
    all_same(found, direct)
    for one, other in zip(*(torch.autograd.grad(weighed(*values), tensors) for values in (found, direct)), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_are_the_same_where_the_backward_pass_alone_is_watched(recompute):
    """Lengths and resets reach the operator that a mode of dispatch sees."""
    layer = gw.LSTM(4, 5, 2, bidirectional=True, recompute=recompute)
    x, lengths, resets = torch.randn(6, 3, 4), torch.tensor([6, 0, 3]), torch.rand(6, 3) < 0.3
    loss = layer(x, lengths=lengths, resets=resets)[0].square().sum()
    expected = torch.autograd.grad(loss, tuple(layer.parameters()), retain_graph=True)
    with FlopCounterMode(display=False):
        found = torch.autograd.grad(loss, tuple(layer.parameters()))
    all_same(found, expected)


def test_what_is_watched_is_given_all_that_an_eager_call_is():
    recipe, tensors, _, lengths, resets, *_ = arguments("lstm", CASES[1])
    assert lengths is not None and bool(resets.any())
    call = Call(Options(operators.read(recipe), ("i", "c"), False), [t.detach() for t in tensors], lengths, resets)
    for watched, eager in zip(*(operators.apply(call, eager=eager) for eager in (False, True)), strict=True):
        all_same([watched] if isinstance(watched, Tensor) else watched, [eager] if isinstance(eager, Tensor) else eager)


def test_narrow_weights_are_refused_where_a_mode_watches():
    problem = draw(cells["lstm"], CASES[0], torch.float32)
    given = Arguments(problem.program, problem.params, problem.x, problem.state, frozen=Frozen("int8"))
    refusal = r"^weights='int8' are for eager calls, not for what torch traces$"
    with FlopCounterMode(display=False), pytest.raises(InputError, match=refusal):
        native.run(given)


def test_gradients_are_there_where_the_forward_pass_saved_nothing():
    recipe, tensors, *_ = arguments("lstm", CASES[0])
    both = [operators.scan(recipe, tensors, "", None, None, train, False)[:3] for train in (True, False)]
    all_same(*(torch.autograd.grad(weighed(*values), tensors) for values in both))


def test_tensors_without_memory_have_shapes():
    with FakeTensorMode():
        output, state = gw.LSTM(4, 5, 2, bidirectional=True, engine="native")(torch.randn(3, 2, 4))
        assert output.shape == (3, 2, 10) and state[0].shape == (4, 2, 5)


def test_a_traced_layer_is_one_node():
    layer, x = gw.Recurrent("gru", 4, 5), torch.randn(3, 2, 4)
    graph = make_fx(lambda x: layer(x)[0])(x)
    assert [node.target for node in graph.graph.nodes].count(torch.ops.gatework.scan.default) == 1
    y = torch.randn(3, 2, 4)
    assert torch.equal(graph(y), layer(y)[0])


# -- what does not fit


def changed(given: tuple, **changes) -> tuple:
    names = ("recipe", "tensors", "record", "lengths", "resets", "train", "recompute")
    return tuple((dict(zip(names, given, strict=True)) | changes).values())


def test_what_is_no_program_is_refused():
    with pytest.raises(EquationError, match=r"^expected a Program as JSON, found 'nonsense'"):
        operators.scan(*changed(arguments("lstm", CASES[0]), recipe="nonsense"))


def test_tensors_that_do_not_fit_are_refused():
    given = arguments("rnn", Case(4, 3, 4, 9, 5), train=False)
    recipe, (x, first, start, *params) = given[:2]
    names = list(map(str, tensor_spec(operators.read(recipe)).shapes))
    assert names == ["input x", "first h", "start h", "matrix W_h", "matrix U_h", "vector b_h"]
    wrong = {
        "5 tensors given; expected 6: input x, first h, .*": [x, first, start, *params[:-1]],
        r"input x is \[4, 3, 4\] torch.float64; expected .* torch.float32": [x.double(), first, start, *params],
        r"first h is \[2, 9\] .*; expected \[3, 9\]": [x, first[:2], start, *params],
        r"matrix W_h is \[9, 3\] .*; expected \[9, 4\]": [x, first, start, params[0][:, :3], *params[1:]],
        r"vector b_h is \[8\] .*; expected \[9\]": [x, first, start, *params[:-1], params[-1][:8]],
    }
    for message, tensors in wrong.items():
        with pytest.raises(gw.InputError, match=f"^gatework::scan: {message}"):
            operators.scan(*changed(given, tensors=tensors))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lengths", torch.ones(3), r"^gatework::scan: lengths is \[3\] torch.float32; expected \[3\] torch.int64"),
        ("lengths", torch.ones(4).long(), r"^gatework::scan: lengths is \[4\]"),
        ("lengths", torch.tensor([4, 5, 0]), r"^lengths holds \[4, 5, 0\]; expected 0 to T = 4$"),
        ("lengths", torch.tensor([4, -1, 0]), r"^lengths holds \[4, -1, 0\]; expected 0 to T = 4$"),
        ("resets", torch.ones(2, 3).byte(), r"^gatework::scan: resets is \[2, 3\] .* expected \[4, 3\] torch.uint8"),
    ],
)
def test_lengths_and_resets_that_do_not_fit_are_refused(name, value, message):
    with pytest.raises(gw.InputError, match=message):
        operators.scan(*changed(arguments("rnn", Case(4, 3, 4, 9, 5)), **{name: value}))


BACK = ("recipe", "tensors", "saved", "gradients", "wanted", "lengths", "resets", "recompute")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "saved",
            lambda values: [v.half() for v in values],
            r"what was saved is \[5, 3, 9\] torch.float16; .* torch.float32",
        ),
        ("saved", lambda values: [v[..., :-1] for v in values], r"what was saved is .*; expected \[5, 3, 9\]"),
        ("saved", lambda values: [*values[:-1], values[-1][:-1]], r"what was saved is .*; expected \[108\]"),
        ("saved", lambda values: values[:-1], "gatework::scan_backward: 1 tensors saved; expected 2"),
        ("gradients", lambda values: [v if v is None else v[:, :-1] for v in values], r"a gradient is \[3, 8\]"),
        (
            "gradients",
            lambda values: [v if v is None else v.double() for v in values],
            "a gradient is .* torch.float64",
        ),
        ("gradients", lambda values: values[:-1], "gatework::scan_backward: 1 gradients given; expected 2"),
    ],
)
def test_saved_values_and_gradients_that_do_not_fit_are_refused(name, change, message):
    given = arguments("rnn", Case(4, 3, 4, 9, 5))
    values = dict(zip(BACK, gradients(given, operators.scan(*given)), strict=True))
    with pytest.raises(gw.InputError, match=message):
        operators.scan_backward(*(values | {name: change(values[name])}).values())


def test_operators_read_strided_lengths_and_resets():
    case = Case(4, 3, 4, 9, 5, lengths=True, resets=True)
    given = arguments("lstm", case, train=False)
    lengths, resets = given[3], given[4]
    strided = torch.stack([lengths, -lengths], 1)[:, 0], resets.t().contiguous().t()
    assert not strided[0].is_contiguous() and not strided[1].is_contiguous()
    expected = operators.scan(*given)
    all_same(tuple(operators.scan(*changed(given, lengths=strided[0], resets=strided[1]))), tuple(expected))


# -- further derivatives


@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rhn_3", "slstm"])
def test_second_derivatives_are_the_references(cell, extras):
    problem = draw(cells[cell], Case(4, 3, 4, 5, 3, lengths=True, resets=True, extras=extras), torch.float32)
    problem = problem.to(torch.float32)
    found = []
    for run in (native.run, reference.run):
        leaves = [value.clone().requires_grad_() for value in (problem.x, *problem.params.values())]
        output, final, _ = run(
            Arguments(
                problem.program,
                dict(zip(problem.params, leaves[1:], strict=True)),
                leaves[0],
                problem.state,
                start=problem.start,
                lengths=problem.lengths,
                resets=problem.resets,
                inputs=problem.inputs,
            )
        )
        first = torch.autograd.grad(weighed(output, *final), leaves, create_graph=True)
        found.append((*first, *torch.autograd.grad(weighed(*first), leaves, materialize_grads=True)))
    all_same(*found)


def test_a_compiled_second_derivative_names_the_reference_engine():
    given = arguments("lstm", CASES[0])
    results = operators.scan(*given)
    (first,) = torch.autograd.grad(results[0].square().sum(), given[1][0], create_graph=True)
    with pytest.raises(gw.InputError, match=r"gradients of gradients .* build the layer with engine='reference'"):
        first.sum().backward()


@pytest.mark.parametrize("grad", [True, False])
def test_forward_mode_is_refused_by_name(grad):
    layer, x = gw.LSTM(4, 5, engine="native"), torch.randn(3, 2, 4)
    with torch.set_grad_enabled(grad), forward_ad.dual_level(), pytest.raises(gw.InputError, match=LACKS):
        layer(forward_ad.make_dual(x, x))


LACKS = "for torch.func and forward mode build the layer with engine='auto' or 'reference'"
TRANSFORMS = {
    "vmap": torch.vmap,
    "grad": torch.func.grad,
    "jacrev": torch.func.jacrev,
    "hessian": torch.func.hessian,
    "jvp": lambda f: lambda x: torch.func.jvp(f, (x,), (x,))[1],
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_transformed_functions_run_on_the_reference_engine(transform):
    layer = gw.LSTM(4, 5)
    slow = gw.LSTM(4, 5, engine="reference")
    slow.load_state_dict(layer.state_dict())
    by_name = gw.LSTM(4, 5, engine="native")
    x = torch.randn(3, 2, 4)
    found, expected = (transform(lambda x, made=made: made(x)[0].square().sum())(x) for made in (layer, slow))
    all_same((found,), (expected,))
    with pytest.raises(gw.InputError, match=LACKS):
        transform(lambda x: by_name(x)[0].sum())(x)


def test_gradients_of_many_losses_at_once():
    layer, x = gw.LSTM(4, 5), torch.randn(3, 2, 4, requires_grad=True)
    output = layer(x)[0]
    by = torch.randn(6, *output.shape)
    (found,) = torch.autograd.grad(output, x, by, is_grads_batched=True, retain_graph=True)
    expected = torch.stack([torch.autograd.grad(output, x, one, retain_graph=True)[0] for one in by])
    all_same((found,), (expected,))


def test_the_default_dtype_changes_no_float32_layer():
    layer, x = gw.LSTM(4, 5, engine="native"), torch.randn(3, 2, 4)
    expected = torch.autograd.grad(layer(x)[0].sum(), tuple(layer.parameters()))
    try:
        torch.set_default_dtype(torch.float64)
        found = torch.autograd.grad(layer(x)[0].sum(), tuple(layer.parameters()))
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
