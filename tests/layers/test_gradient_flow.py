"""gw.gradient_flow: gradients by lag are autograd's, and a state's direct coefficient is read off the equations."""

import sys

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from gatework.cells import cells
from gatework.engines.evaluate import in_torch, leaves
from gatework.errors import InputError
from gatework.notation import EquationError, parse
from gatework.notation.ops import OPS
from gatework.notation.program import is_wide
from gatework.notation.retention import retained
from numerics import random, randomise, same
from recurrents import made

T, B, I = 6, 3, 4
EVERY = pytest.mark.parametrize("cell", cells)


def one_step(layer: gw.Recurrent, x: Tensor, old: dict[str, Tensor], cut: bool = False) -> dict[str, Tensor]:
    """The new states of a step, node by node; with `cut` no gradient crosses products and row functions."""
    program, params = layer.program, dict(layer.l0.named_parameters())
    values = leaves(program.nodes, input={"x": x}, state=old, vector=params)
    for index, node in enumerate(program.nodes):
        arguments = [values[arg] for arg in node.args]
        if node.op == "product":
            values[index] = arguments[0] @ params[node.name].T
        elif node.op in OPS:
            values[index] = in_torch(OPS[node.op])(*arguments)
        if cut and is_wide(node):
            values[index] = values[index].detach()
    new = {state.name: values[state.node] for state in program.states}
    return {program.output: values[program.names[program.output]]} | new


def start(layer: gw.Recurrent) -> dict[str, Tensor]:
    return dict(zip(layer.state_names, layer.start(0, "", B), strict=True))


def step_by_step(layer: gw.Recurrent, x: Tensor) -> list[dict[str, Tensor]]:
    """The states of each step, tensors whose gradient autograd keeps."""
    found = [start(layer)]
    for row in x:
        found.append(one_step(layer, row, found[-1]))
        for value in found[-1].values():
            value.retain_grad()
    return found[1:]


def kept_by_autograd(layer: gw.Recurrent, x: Tensor, old: dict[str, Tensor]) -> dict[str, Tensor]:
    """d(new)/d(old) of one step, unit by unit, by autograd along pointwise paths."""
    old = {name: value.detach().requires_grad_() for name, value in old.items()}
    new = one_step(layer, x, old, cut=True)
    return {
        name: torch.autograd.grad(new[name].sum(), old[name], retain_graph=True)[0] for name in retained(layer.program)
    }


@pytest.mark.parametrize("H", [1, 5, 17])
@EVERY
def test_norms_are_those_of_autograd_step_by_step(cell, H):
    layer = made(cell, H=H)
    x = random(T, B, layer.input_size)
    flow = gw.gradient_flow(layer, x)
    states = step_by_step(layer, x)
    weights = torch.randn(layer.output_size, generator=torch.Generator().manual_seed(0)).double()
    (states[-1][layer.program.output] * weights).sum().backward()
    for name in layer.state_names:
        gradients = [s[name].grad for s in reversed(states)]
        wanted = [torch.zeros(B).double() if g is None else g.norm(dim=-1) for g in gradients]
        same(flow.norms[f"l0.{name}"], torch.stack(wanted), name, floor=0.1)


@pytest.mark.parametrize("H", [1, 5, 17])
@EVERY
def test_retention_is_autograds_with_products_cut_off(cell, H):
    layer = made(cell, H=H)
    x = random(T, B, layer.input_size)
    flow, states = gw.gradient_flow(layer, x), step_by_step(layer, x)
    assert list(flow.retention) == [f"l0.{name}" for name in layer.state_names if name in retained(layer.program)]
    for lag in range(T):
        t = T - 1 - lag
        old = states[t - 1] if t else start(layer)
        for name, wanted in kept_by_autograd(layer, x[t], old).items():
            same(flow.retention[f"l0.{name}"][lag], wanted, name, floor=0.1)


@EVERY
def test_the_fast_engine_measures_what_the_reference_engine_does(cell):
    width = 5 if cells[cell].program.tied else I
    x, found = random(T, B, width, dtype=torch.float32), []
    layer = randomise(gw.Recurrent(cell, width, 5, engine="native"))
    other = gw.Recurrent(cell, width, 5, engine="reference")
    other.load_state_dict(layer.state_dict())
    for module in (layer, other):
        flow = gw.gradient_flow(module, x)
        found.append([*flow.norms.values(), *flow.direct.values(), *flow.retention.values()])
    for mine, wanted in zip(*found, strict=True):
        same(mine, wanted, floor=1e-2)


@pytest.mark.parametrize(
    ("cell", "state", "gate"),
    [("lstm", "c", "f"), ("gru", "h", "z"), ("coupled_lstm", "c", "f"), ("ran", "c", "f"), ("nested_lstm", "c2", "f2")],
)
def test_the_direct_coefficient_is_the_gate(cell, state, gate):
    layer = made(cell)
    with gw.record(layer, gate, f"retention({state})") as trace:
        layer(random(T, B, I))
    assert torch.equal(trace[f"l0.{gate}"], trace[f"l0.retention({state})"])


@pytest.mark.parametrize("cell", ["lstm_no_forget", "lstm_1997"])
def test_without_a_forget_gate_the_carousel_keeps_all(cell):
    flow = gw.gradient_flow(made(cell), random(T, B, I))
    assert (flow.retention["l0.c"] == 1).all()
    assert (flow.direct["l0.c"] == flow.norms["l0.c"][0]).all()


def test_what_the_direct_path_brings_is_all_there_is_where_no_other_path_leads_back():
    cell = gw.Cell("leak", "f = sigmoid(W_f @ x)\nc = f * c + W_c @ x\nh = tanh(c)", output="h")
    flow = gw.gradient_flow(made(cell), random(T, B, I))
    same(flow.direct["l0.c"], flow.norms["l0.c"])


def test_zoneout_is_part_of_what_a_state_keeps():
    layer, x = made("lstm", zoneout={"c": 0.5}).eval(), random(T, B, I)
    with gw.record(layer, "f", "retention(c)") as trace:
        layer(x)
    same(trace["l0.retention(c)"], 0.5 + 0.5 * trace["l0.f"])


# -- modules, losses, directions


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, I)
        self.rnn = gw.GRU(I, 5, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.rnn(self.embed(tokens))[0])


def test_a_module_is_measured_with_a_loss_of_its_own_and_keeps_its_gradients():
    model, tokens = Tagger(), torch.randint(7, (B, T))
    flow = gw.gradient_flow(model, tokens, loss=lambda scores: scores[:, 2].logsumexp(-1).sum(), at=2)
    assert {key: norms.shape for key, norms in flow.norms.items()} == {
        f"rnn.{place}.{name}": (3 if place in ("l0", "l1") else T - 2, B)
        for place in ("l0", "l0_reverse", "l1", "l1_reverse")
        for name in ("x", "h")
    }
    assert all(parameter.grad is None for parameter in model.parameters())
    assert flow.norms["rnn.l0.x"].all() and flow.norms["rnn.l1_reverse.h"].all()


def test_gradients_by_the_input_are_autograds():
    layer, x = made("lstm"), random(T, B, I, requires_grad=True)
    flow = gw.gradient_flow(layer, x, loss=lambda returned: returned[0][-1].square().sum())
    layer(x)[0][-1].square().sum().backward()
    same(flow.norms["l0.x"], x.grad.flip(0).norm(dim=-1))


def test_several_arguments_come_as_a_tuple():
    layer, x, state = made("lstm"), random(T, B, I), (random(1, B, 5), random(1, B, 5))
    assert gw.gradient_flow(layer, (x, state)).norms["l0.c"].shape == (T, B)


def test_the_reach_is_the_number_of_lags_that_hold_a_share():
    flow = gw.gradient_flow(made("lstm"), random(T, B, I))
    for share in (0.5, 0.9, 0.99):
        reach, norms = flow.reach("l0.c", share), flow.norms["l0.c"]
        for b in range(B):
            assert norms[: reach[b], b].sum() >= share * norms[:, b].sum() > norms[: reach[b] - 1, b].sum()


def test_the_picture_has_a_curve_for_each_state_and_a_dashed_one_for_each_direct_path():
    pytest.importorskip("matplotlib", reason="no matplotlib to draw with")
    flow = gw.gradient_flow(made("lstm"), random(T, B, I))
    (axis,) = flow.plot().axes
    assert [line.get_label() for line in axis.lines if line.get_linestyle() == "-"] == ["l0.h", "l0.c"]
    assert [line.get_linestyle() for line in axis.lines].count("--") == 1
    _, memory, direct = axis.lines
    for line, norms in ((memory, flow.norms["l0.c"]), (direct, flow.direct["l0.c"])):
        assert list(line.get_xdata()) == list(range(T))  # lags
        same(torch.as_tensor(line.get_ydata()), norms.quantile(0.5, dim=1))
    assert direct.get_linewidth() < memory.get_linewidth() and direct.get_color() == memory.get_color()
    with pytest.raises(InputError, match=r"^'l0.q' was not measured; there are l0.x, l0.h, l0.c$"):
        flow.plot(["l0.q"])


def test_a_picture_without_matplotlib_names_what_to_install(monkeypatch):
    flow = gw.gradient_flow(made("lstm"), random(T, B, I))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"^a picture needs matplotlib: pip install 'gatework\[plot\]'$"):
        flow.plot()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": T}, r"^at=6: there are 6 steps; expected -6 to 5$"),
        ({"loss": lambda returned: returned[0]}, r"^loss: expected a tensor with one number, got shape \[6, 3, 5\]"),
        ({"loss": lambda _: 1.0}, r"^loss: expected a tensor with one number, got float"),
        ({"loss": lambda returned: returned[0].detach().sum()}, r"^loss: no gradient leads from it to the model"),
    ],
    ids=["step", "shape", "number", "cut off"],
)
def test_what_cannot_be_measured_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        gw.gradient_flow(made("lstm"), random(T, B, I), **options)


def test_a_module_without_a_layer_is_refused():
    with pytest.raises(InputError, match=r"^nothing to record: the module holds no gatework layer"):
        gw.gradient_flow(nn.LSTM(I, 5), random(T, B, I).float())


def test_a_state_without_a_direct_path_has_no_retention():
    with (
        pytest.raises(InputError, match=r"'retention\(h\)' cannot be recorded"),
        gw.record(made("lstm"), "retention(h)"),
    ):
        pass
    with pytest.raises(EquationError, match=r"^retention: h has no direct path from step to step"):
        parse("h = tanh(W @ x + U @ h)", retention=["h"])
