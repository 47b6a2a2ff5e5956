"""What cannot be used is refused in one line: what was given, what was expected."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import gatework as gw
from gatework.errors import InputError

T, B, I, H = 4, 3, 5, 7


def refused(message: str, kind: type[Exception] = InputError):
    return pytest.raises(kind, match=rf"^{message}")


def lstm(**options) -> gw.Recurrent:
    return gw.Recurrent("lstm", I, H, **options)


def x(*shape: int) -> torch.Tensor:
    return torch.zeros(*(shape or (T, B, I)))


def resets(*shape: int, dtype: torch.dtype = torch.bool) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype)


def test_errors_are_one_kind_and_value_errors():
    assert issubclass(InputError, ValueError) and issubclass(gw.EquationError, ValueError)


# -- the layer


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("lstmm", "unknown cell 'lstmm'; closest are lstm, "),
        ("LSTM", "unknown cell 'LSTM'; closest are lstm, "),
        ("peephole", "unknown cell 'peephole'; closest are peephole_lstm, full_peephole_lstm$"),
        ("zzz", "unknown cell 'zzz'; there are rnn, rnn_relu, lstm, "),
        (None, "cell is None; expected a name of gw.cells, a gw.Cell, or equations as text$"),
        (nn.LSTM, "cell is <class .*LSTM'>; expected a name of gw.cells, a gw.Cell, or equations as text$"),
    ],
)
def test_an_unknown_cell_is_refused_with_the_closest_names(cell, message):
    with refused(message):
        gw.Recurrent(cell, I, H)


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        ("", "the equations are empty"),
        ("h = tanhh(W @ x + h)", r"line 1: h = >>tanhh<<\(W @ x \+ h\): unknown function 'tanhh'; did you mean 'tanh'"),
        ("h = tanh(W @ x)", "no state: "),
        ("y = tanh(W @ x + y)", "the output h is never assigned"),
    ],
)
def test_equations_that_do_not_parse_quote_the_line(equations, message):
    with refused(message, gw.EquationError):
        gw.Recurrent(equations, I, H)


@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize("size", [0, -1, 2.0, "5", True, None])
def test_sizes_are_whole_numbers_of_at_least_1(name, size):
    with refused(rf"{name} is {size!r}; expected a whole number of at least 1$"):
        gw.Recurrent("lstm", **{"input_size": I, "hidden_size": H, name: size})


@pytest.mark.parametrize("size", [-1, 2.5])
def test_a_projection_has_a_size_of_at_least_0(size):
    with refused(rf"proj_size is {size}; expected a whole number of at least 0$"):
        lstm(proj_size=size)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, "a", True, None])
def test_probabilities_lie_between_0_and_1(value):
    for options, name in (
        ({"dropout": value}, "dropout"),
        ({"zoneout": {"h": value}}, r"zoneout\['h'\]"),
        ({"recurrent_dropout": {"g": value}}, r"recurrent_dropout\['g'\]"),
    ):
        with refused(rf"{name} is {value!r}; expected a probability between 0 and 1$"):
            lstm(**options)


@pytest.mark.parametrize("name", ["zoneout", "recurrent_dropout"])
@pytest.mark.parametrize("value", [0.1, [("h", 0.1)], {1: 0.1}])
def test_probabilities_are_given_by_name(name, value):
    with refused(rf"{name} is .*; expected probabilities by name, such as \{{\"h\": 0.1\}}$"):
        lstm(**{name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zoneout": {"f": 0.1}}, "zoneout: 'f' is not among the states: h, c$"),
        ({"zoneout": {"cc": 0.1}}, r"zoneout: 'cc' is not among the states; did you mean 'c'\?: h, c$"),
        ({"recurrent_dropout": {"q": 0.1}}, "dropout: 'q' is not among the values: i, f, g, o, c, h$"),
    ],
)
def test_names_that_the_cell_has_not_are_refused_when_the_layer_is_made(options, message):
    with refused(message, gw.EquationError):
        lstm(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "warp"}, "engine='warp' is not here; there are 'auto', 'native', 'torch', 'triton', 'reference'"),
        ({"initial": "learnt"}, "initial is 'learnt'; expected 'zero' or 'learned'$"),
        ({"init": "glorott"}, "init: unknown rule 'glorott'; did you mean 'glorot'"),
        ({"init": {"b_q": 1}}, "init 'b_q' matches no parameter; did you mean"),
        ({"batch_first": "no"}, "batch_first is 'no'; expected True or False$"),
        ({"bidirectional": 1}, "bidirectional is 1; expected True or False$"),
        ({"variational": None}, "variational is None; expected True or False$"),
        ({"residual": 0.5}, "residual is 0.5; expected True or False$"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with refused(message):
        lstm(**options)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((5, 7), {}, r"line 4: h = r \* c \+ \(1 - r\) \* x: .*input_size=5 and hidden_size=7; make them equal"),
        ((5, 5, 2), {"bidirectional": True}, r"line 4: .*input_size=10 and hidden_size=5; make them equal"),
        ((5, 5), {"proj_size": 3}, "proj_size=3: no state of this cell has a size of its own"),
    ],
)
def test_sizes_that_the_equations_contradict_are_refused(arguments, options, message):
    with refused(message, gw.EquationError):
        gw.Recurrent("sru", *arguments, **options)


def test_a_parameter_that_torch_modules_cannot_hold_is_refused():
    with refused("a parameter cannot be called 'training': torch modules use that name; rename it$"):
        gw.Recurrent("h = tanh(training * h + W @ x)", I, H)


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (gw.RNN, {"nonlinearity": "gelu"}, "nonlinearity is 'gelu'; expected 'tanh' or 'relu'$"),
        (gw.LSTM, {"bias": 0.5}, "bias is 0.5; expected True or False$"),
        (gw.LSTM, {"dropout": 2}, "dropout is 2; expected a probability between 0 and 1$"),
        (gw.GRU, {"num_layers": 0}, "num_layers is 0; expected a whole number of at least 1$"),
    ],
)
def test_the_drop_in_layers_refuse_as_well(cls, options, message):
    with refused(message):
        cls(I, H, **options)


# -- x


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0], r"x is list; expected a tensor \[T,B,I\]$"),
        (None, r"x is NoneType; expected a tensor \[T,B,I\]$"),
        (x(5), r"x has shape \[5\]; expected \[T,B,I\], or \[T,I\] without a batch$"),
        (x(1, 4, 3, 5), r"x has shape \[1, 4, 3, 5\]; expected \[T,B,I\], or \[T,I\] without a batch$"),
        (x(4, 3, 6), r"x has shape \[4, 3, 6\]; expected \[T,B,I\] with I = input_size = 5 as the last$"),
        (x(4, 6), r"x has shape \[4, 6\]; expected \[T,B,I\] with I = input_size = 5 as the last$"),
        (x().double(), r"x is torch.float64, the layer torch.float32; convert one with .to\(...\)$"),
        (x().long(), r"x is torch.int64, the layer torch.float32; convert one with .to\(...\)$"),
        (x().to("meta"), r"x is on meta, the layer on cpu; move one with .to\(...\)$"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(given, message):
    with refused(message):
        lstm()(given)


def test_the_order_in_the_message_is_the_layers():
    with refused(r"x has shape \[4, 3, 6\]; expected \[B,T,I\] with I = input_size = 5 as the last$"):
        lstm(batch_first=True)(x(4, 3, 6))


def test_packed_sequences_are_held_to_the_same():
    with refused("x is torch.float64, the layer torch.float32"):
        gw.LSTM(I, H)(pack_sequence([x(T, I).double()]))


# -- the state

h = torch.zeros(1, B, H)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (h, r"state is Tensor; expected a tensor for each state of the cell: \(h, c\)$"),
        ((h,), r"state is Tensor; expected a tensor for each state of the cell: \(h, c\)$"),
        ((h, h, h), r"state is Tensor, Tensor, Tensor; expected a tensor for each state of the cell: \(h, c\)$"),
        ((h, None), r"state is Tensor, NoneType; expected a tensor for each state of the cell: \(h, c\)$"),
        (5, r"state is int; expected a tensor for each state of the cell: \(h, c\)$"),
        ({"h": h, "c": h}, r"state is dict; expected a tensor for each state of the cell: \(h, c\)$"),
        ((h, h[:, :2]), r"state c has shape \[1, 2, 7\]; expected \[1, 3, 7\] for x of this batch$"),
        ((h.repeat(2, 1, 1), h), r"state h has shape \[2, 3, 7\]; expected \[1, 3, 7\] for x of this batch$"),
        ((h[0], h[0]), r"state h has shape \[3, 7\]; expected \[1, 3, 7\] for x of this batch$"),
        ((h, h.double()), r"state c is torch.float64, the layer torch.float32; convert one with .to\(...\)$"),
        ((h.to("meta"), h), r"state h is on meta, the layer on cpu; move one with .to\(...\)$"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(given, message):
    with refused(message):
        lstm()(x(), given)


def test_a_state_with_a_batch_does_not_fit_an_input_without():
    with refused(r"state h has shape \[1, 3, 7\]; expected \[1, 7\] for x of this batch$"):
        lstm()(x(T, I), (h, h))


def test_a_projected_state_has_the_projected_size():
    with refused(r"state h has shape \[1, 3, 7\]; expected \[1, 3, 2\]"):
        lstm(proj_size=2)(x(), (h, h))


# -- lengths and resets


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], r"lengths has shape \[2\] and torch.int64; expected \[3\] whole numbers$"),
        ([[1, 2, 3]], r"lengths has shape \[1, 3\] and torch.int64; expected \[3\] whole numbers$"),
        (3, r"lengths has shape \[\] and torch.int64; expected \[3\] whole numbers$"),
        ([1.0, 2.0, 3.0], r"lengths has shape \[3\] and torch.float32; expected \[3\] whole numbers$"),
        ([True, True, False], r"lengths has shape \[3\] and torch.bool; expected \[3\] whole numbers$"),
        ([1, None, 2], r"lengths is \[1, None, 2\]; expected \[3\] whole numbers$"),
        ("abc", r"lengths is 'abc'; expected \[3\] whole numbers$"),
        (torch.ones(3, device="meta").long(), r"lengths is .*meta.*; expected \[3\] whole numbers$"),
        ([1, 2, 5], r"lengths holds 5; expected 0 to T = 4$"),
        ([1, -1, 4], r"lengths holds -1; expected 0 to T = 4$"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(given, message):
    with refused(message):
        lstm()(x(), lengths=given)


@pytest.mark.parametrize("lengths", [[], (), torch.zeros(0, dtype=torch.int64)], ids=str)
def test_no_sequences_have_no_lengths(lengths):
    assert lstm()(x(T, 0, I), lengths=lengths)[0].shape == (T, 0, H)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    ("given", "what"),
    [
        (resets(T, B).tolist(), "list"),
        (resets(T, B, dtype=torch.long), r"\[4, 3\] torch.int64"),
        (resets(B, T), r"\[3, 4\] torch.bool"),
        (resets(T), r"\[4\] torch.bool"),
        (resets(T, B, 1), r"\[4, 3, 1\] torch.bool"),
        (resets(), r"\[\] torch.bool"),
    ],
)
def test_resets_that_do_not_fit_are_refused(batch_first, given, what):
    with refused(rf"resets is {what}; expected a bool tensor \[4, 3\], one value for each step of x$"):
        lstm(batch_first=batch_first)(x(T, B, I), resets=given)


@pytest.mark.parametrize(("given", "what"), [([False] * T, "list"), (resets(T, 1), r"\[4, 1\] torch.bool")])
def test_resets_without_a_batch_are_one_value_a_step(given, what):
    with refused(rf"resets is {what}; expected a bool tensor \[4\], one value for each step of x$"):
        lstm()(x(T, I), resets=given)


def test_resets_elsewhere_are_refused():
    with refused(r"resets is on meta, x on cpu; move one with .to\(...\)$"):
        lstm()(x(), resets=resets(T, B).to("meta"))


def test_nothing_is_left_behind_by_a_refusal():
    """A layer that refused one input takes the next."""
    layer = lstm()
    with refused("x has shape"):
        layer(x(5))
    assert layer(x())[0].shape == (T, B, H)
