"""gw.Recurrent: layers stacked, run in both directions, with the state given, carried and returned."""

import math

import pytest
import torch

import gatework as gw
from gatework.cells import cells
from numerics import all_same, gradients, random, randomise, same, weighed
from recurrents import UNTIED, by_hand, flat, made

EVERY = pytest.mark.parametrize("cell", cells)
SOME = pytest.mark.parametrize("cell", ["lstm", "gru", "projected_lstm", "slstm", "sru", "fgr"])


def agrees(layer: gw.Recurrent, x: torch.Tensor, state: tuple | None = None) -> None:
    """Values, and gradients by x and every parameter, are those of the layers run by hand."""
    x = x.requires_grad_()
    found, wanted = flat(layer(x, state)), by_hand(layer, x, state)
    all_same(found, wanted)
    all_same(gradients(layer, weighed(*found), x), gradients(layer, weighed(*wanted), x))


# -- stacks and directions


@EVERY
def test_stacked_layers_run_one_after_another(cell):
    layer = made(cell, 4, 5, 3)
    agrees(layer, random(6, 3, layer.input_size))


@EVERY
def test_the_reverse_direction_reads_the_sequence_from_its_end(cell):
    layer = made(cell, bidirectional=True)
    agrees(layer, random(6, 3, layer.input_size))
    assert layer.output_size == 2 * layer.sizes[0][layer.program.output_size]


@pytest.mark.parametrize("cell", UNTIED)
def test_stacked_layers_in_both_directions(cell):
    layer = made(cell, 4, 5, 2, bidirectional=True)
    x = random(4, 3, 4)
    agrees(layer, x, tuple(random(*value.shape).abs() + 0.1 for value in layer(x)[1]))


@SOME
def test_residual_layers_add_their_input(cell):
    layer = made(cell, 4, 5, 3, residual=True)
    agrees(layer, random(5, 2, layer.input_size))


def test_residual_connections_pass_over_the_first_layer():
    x = random(5, 2, 5)
    plain, residual = made("lstm", 5, 5), made("lstm", 5, 5, residual=True)
    residual.load_state_dict(plain.state_dict())
    assert torch.equal(plain(x)[0], residual(x)[0])


@SOME
@pytest.mark.parametrize("bidirectional", [False, True])
def test_batch_first_turns_x_and_output_but_not_the_state(cell, bidirectional):
    layers = 1 if bidirectional else 2
    time_first = made(cell, 4, 5, layers, bidirectional=bidirectional)
    batch_first = made(cell, 4, 5, layers, bidirectional=bidirectional, batch_first=True)
    batch_first.load_state_dict(time_first.state_dict())
    x = random(6, 3, time_first.input_size)
    output, state = time_first(x)
    all_same(flat(batch_first(x.transpose(0, 1))), (output.transpose(0, 1), *state))
    again = tuple(value.abs() + 0.1 for value in state)
    all_same(flat(batch_first(x.transpose(0, 1), again))[1:], time_first(x, again)[1])


@SOME
@pytest.mark.parametrize("batch_first", [False, True])
def test_without_a_batch(cell, batch_first):
    layer = made(cell, 4, 5, 2, batch_first=batch_first)
    x = random(6, layer.input_size)
    output, state = layer(x)
    wanted = layer(x[None] if batch_first else x[:, None])
    same(output, wanted[0].squeeze(0 if batch_first else 1))
    all_same(state, tuple(value[:, 0] for value in wanted[1]))
    again = tuple(value.abs() + 0.1 for value in state)
    same(
        layer(x, again)[0], layer(x[None] if batch_first else x[:, None], [v[:, None] for v in again])[0].reshape(6, -1)
    )


# -- state


@EVERY
def test_the_state_has_a_field_for_each_state_of_the_cell_output_first(cell):
    layer = made(cell)
    output, state = layer(random(3, 2, layer.input_size))
    states = layer.program.states
    assert state._fields == tuple(s.name for s in states)
    assert [value.shape for value in state] == [(1, 2, layer.sizes[0][s.size]) for s in states]
    if state._fields[0] == layer.program.output:
        same(state[0][0], output[-1])


def test_states_are_read_by_name():
    layer = made("lstm", 4, 5, 2, bidirectional=True)
    output, state = layer(random(3, 2, 4))
    assert state.h is state[0] and state.c is state[1]
    h, c = state
    same(output[-1, :, :5], h[2])
    same(output[0, :, 5:], h[3])
    assert c.shape == (4, 2, 5)


@EVERY
def test_chunks_with_the_state_carried_are_one_run(cell):
    layer = made(cell, 4, 5, 2)
    x = random(8, 3, layer.input_size)
    whole = flat(layer(x))
    state, outputs = None, []
    for chunk in x.split([3, 1, 0, 4]):
        output, state = layer(chunk, state)
        outputs.append(output)
    all_same((torch.cat(outputs), *state), whole)


def test_a_state_may_be_any_sequence_of_tensors_and_for_one_state_a_tensor():
    x = random(3, 2, 4)
    lstm, gru = made("lstm"), made("gru")
    h, c = random(1, 2, 5), random(1, 2, 5)
    same(lstm(x, [h, c])[0], lstm(x, (h, c))[0])
    same(gru(x, h)[0], gru(x, (h,))[0])


def test_a_state_starts_where_its_cell_says():
    """The stabiliser of the sLSTM at minus infinity: before the first step nothing has been kept."""
    layer, x = made("slstm"), random(4, 2, 4)
    zeros = torch.zeros(1, 2, 5, dtype=torch.float64)
    infinite = torch.full_like(zeros, -math.inf)
    all_same(flat(layer(x)), flat(layer(x, (zeros, infinite, zeros, zeros))))
    found = layer(x)[0]
    assert found.isfinite().all() and not torch.equal(found, layer(x, (zeros, zeros, zeros, zeros))[0])
    assert all(g.isfinite().all() for g in gradients(layer, weighed(found)).values())


@EVERY
def test_a_learned_start_begins_as_the_cell_starts_and_is_learned(cell):
    layer = made(cell, initial="learned", bidirectional=True)
    layer.reset_parameters()
    x, plain = random(4, 3, layer.input_size), made(cell, bidirectional=True)
    plain.load_state_dict({n: v for n, v in layer.state_dict().items() if ".initial_" not in n})
    all_same(flat(layer(x)), flat(plain(x)))
    for state in layer.program.states:
        assert (layer.get_parameter(f"l0.initial_{state.name}") == state.start).all()
    randomise(layer)
    found = gradients(layer, weighed(layer(x)[0]))
    for place in ("l0", "l0_reverse"):
        for state in layer.program.states:
            gradient = found[f"{place}.initial_{state.name}"]
            assert gradient.shape == (layer.sizes[0][state.size],) and gradient.any(), state.name


def test_a_learned_start_is_the_state_of_every_sequence_and_its_gradient_the_sum():
    layer, x = made("lstm", initial="learned"), random(4, 3, 4)
    start = tuple(
        value.detach().expand(1, 3, 5).clone().requires_grad_() for value in (layer.l0.initial_h, layer.l0.initial_c)
    )
    same(layer(x)[0], layer(x, start)[0])
    each = torch.autograd.grad(weighed(layer(x, start)[0]), start)
    found = gradients(layer, weighed(layer(x)[0]))
    same(found["l0.initial_h"], each[0].sum((0, 1)))
    same(found["l0.initial_c"], each[1].sum((0, 1)))


def test_a_state_given_goes_before_a_learned_start():
    layer, x = made("gru", initial="learned"), random(4, 3, 4)
    assert not gradients(layer, weighed(layer(x, random(1, 3, 5))[0]))["l0.initial_h"].any()


# -- sizes


@EVERY
@pytest.mark.parametrize(
    ("T", "B", "I", "H"), [(0, 2, 3, 4), (1, 1, 1, 1), (3, 0, 2, 4), (2, 5, 33, 17), (2, 7, 1, 33)]
)
def test_at_odd_sizes(cell, T, B, I, H):
    layer = made(cell, I, H, bidirectional=True)
    x = random(T, B, layer.input_size, requires_grad=True)
    output, state = layer(x)
    assert output.shape == (T, B, layer.output_size) and all(value.shape[:2] == (2, B) for value in state)
    if T > 0:
        all_same((output, *state), by_hand(layer, x))
        found = gradients(layer, weighed(output, *state), x)
        assert all(gradient.isfinite().all() for gradient in found.values())


def test_no_steps_give_the_state_back():
    layer, h = made("gru"), random(1, 3, 5)
    output, state = layer(random(0, 3, 4), h)
    assert output.shape == (0, 3, 5) and torch.equal(state.h, h)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(("T", "B"), [(0, 3), (3, 0)])
def test_nothing_to_run_over_has_shapes_and_gradients_of_0(engine, T, B):
    layer = gw.Recurrent("lstm", 4, 5, initial="learned", engine=engine)
    output, state = layer(torch.zeros(T, B, 4, requires_grad=True))
    assert output.shape == (T, B, 5) and state.c.shape == (1, B, 5)
    (state.c.sum() + output.sum()).backward()
    assert layer.l0.initial_c.grad.eq(float(B)).all()
    assert layer.l0.U_f.grad is None or not layer.l0.U_f.grad.any()


# -- projections

PROJECTABLE = [
    "rnn", "rnn_relu", "lstm", "lstm_no_forget", "lstm_1997", "peephole_lstm", "full_peephole_lstm", "coupled_lstm",
    "nig", "nfg", "nog", "niaf", "noaf", "np", "cifg", "fgr",
    "projected_lstm", "layer_norm_lstm", "multiplicative_lstm", "nested_lstm", "on_lstm", "slstm", "ran",
]  # fmt: skip


@pytest.mark.parametrize("cell", PROJECTABLE)
def test_an_output_that_only_matrices_read_can_be_projected(cell):
    layer = made(cell, 4, 5, 2, proj_size=3, bidirectional=True)
    x = random(4, 2, 4)
    assert layer(x)[0].shape == (4, 2, 6) and layer.l1.P_h.shape == (3, 5)
    agrees(layer, x)


@pytest.mark.parametrize("cell", [name for name in cells if name not in PROJECTABLE])
def test_an_output_that_is_read_unit_by_unit_cannot_be_projected(cell):
    with pytest.raises(
        gw.EquationError, match=r"proj_size=3: no state of this cell has a size of its own; a projection reads \w = P"
    ):
        made(cell, 5, 5, proj_size=3)


def test_a_projected_lstm_is_the_cell_of_that_name():
    given, own = made("lstm", proj_size=3), made("projected_lstm", proj_size=3)
    own.load_state_dict(given.state_dict())
    x = random(4, 2, 4)
    all_same(flat(own(x)), flat(given(x)))


def test_a_projection_is_of_the_whole_new_output():
    layer, x = made("rnn", proj_size=2), random(1, 3, 4)
    w = layer.l0
    same(layer(x)[0][0], torch.tanh(x[0] @ w.W_h.T + w.b_h) @ w.P_h.T)


# -- cells of one's own


def test_a_cell_is_a_name_a_cell_or_its_equations():
    x = random(4, 2, 4)
    layers = [made("gru"), made(cells["gru"]), gw.Recurrent(cells["gru"].equations, 4, 5, dtype=torch.float64)]
    for layer in layers[1:]:
        layer.load_state_dict(layers[0].state_dict())
        same(layer(x)[0], layers[0](x)[0])


def test_constants_starts_and_output_of_a_cell_are_kept():
    cell = gw.Cell("leaky", "s = k * s + W @ x\ny = tanh(s)", output="y", constants={"k": 0.5}, start={"s": 2.0})
    layer, x = made(cell), random(2, 1, 4)
    w = layer.l0.W
    first = 1.0 + x[0] @ w.T
    same(layer(x)[0], torch.stack([first.tanh(), (0.5 * first + x[1] @ w.T).tanh()]))


def test_a_cell_without_parameters_runs():
    layer = gw.Recurrent("h = 0.5 * h + x", 3, 3, dtype=torch.float64)
    assert not list(layer.parameters())
    same(layer(torch.ones(3, 2, 3, dtype=torch.float64))[0][:, 0, 0], torch.tensor([1.0, 1.5, 1.75]).double())


def test_parameters_are_named_as_in_the_equations():
    layer = gw.Recurrent("gru", 4, 5, 2, bidirectional=True)
    names = [f"{letter}_{gate}" for gate in "rzn" for letter in "WUb"]
    places = ("l0", "l0_reverse", "l1", "l1_reverse")
    assert [name for name, _ in layer.named_parameters()] == [f"{place}.{name}" for place in places for name in names]
    assert layer.l1.W_r.shape == (5, 10) and layer.l0.W_r.shape == (5, 4)
    assert list(layer.state_dict()) == [name for name, _ in layer.named_parameters()]


# -- seeds


def test_a_seed_gives_the_same_layer_and_the_same_run():
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        layer = gw.Recurrent(
            "lstm", 4, 5, 2, dropout=0.3, recurrent_dropout={"g": 0.3}, zoneout={"h": 0.2, "c": 0.1}, bidirectional=True
        )
        x = torch.randn(6, 3, 4)
        runs.append((layer.l0.W_i, *flat(layer(x)), *flat(layer(x))))
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    assert not torch.equal(runs[0][1], runs[0][4])  # the second call draws masks of its own
