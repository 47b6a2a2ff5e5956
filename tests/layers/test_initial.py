"""How parameters start: the draws, which rule goes to which parameter, and what is said of a rule that cannot be."""

import math

import pytest
import torch

from gatework.cells import cells
from gatework.errors import InputError
from gatework.layers.initial import initialise, memory_biases
from gatework.notation import Program, parse

LSTM, GRU = cells["lstm"].program, cells["gru"].program
SIZES = {"I": 40, "H": 60, "R": 20}


def filled(
    program: Program, cell_init=None, layer_init=None, *, seed=0, dtype=torch.float32, device="cpu", sizes=SIZES
) -> dict[str, torch.Tensor]:
    """Parameters that held nan, after initialise."""
    parameters = {
        p.name: torch.full([sizes[side] for side in p.shape], math.nan, dtype=dtype, device=device)
        for p in program.parameters
    }
    torch.manual_seed(seed)
    initialise(program, parameters, sizes["H"], cell_init=cell_init, layer_init=layer_init)
    return parameters


def is_uniform(values: torch.Tensor, low: float, high: float) -> bool:
    """Within the bounds, reaching near both, mean and deviation as they should be (for a few thousand values)."""
    width = high - low
    return (
        low <= values.min() < low + 0.02 * width
        and high - 0.02 * width < values.max() <= high
        and abs(values.mean() - (low + high) / 2) < 0.03 * width
        and abs(values.std() - width / math.sqrt(12)) < 0.02 * width
    )


# -- what happens without a rule


def test_matrices_that_multiply_x_start_as_glorot():
    bound = math.sqrt(6 / (40 + 60))
    assert is_uniform(filled(LSTM)["W_f"], -bound, bound)


@pytest.mark.parametrize(("cell", "name"), [("lstm", "U_f"), ("projected_lstm", "U_f"), ("projected_lstm", "P_h")])
def test_other_matrices_start_orthogonal_square_or_not(cell, name):
    matrix = filled(cells[cell].program, dtype=torch.float64)[name]
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64), atol=1e-12, rtol=0)


def test_what_multiplies_x_is_told_by_the_equations_not_by_the_name():
    matrices = filled(parse("h = tanh(U @ x + W @ h)"), sizes={"I": 60, "H": 60})
    torch.testing.assert_close(matrices["W"] @ matrices["W"].T, torch.eye(60), atol=1e-5, rtol=0)
    assert is_uniform(matrices["U"], -math.sqrt(0.05), math.sqrt(0.05))


def test_orthogonal_matrices_are_drawn_evenly():
    """The signs that QR prefers would give the first entry one sign."""
    first = torch.stack([filled(cells["rnn"].program, seed=seed)["U_h"][0, 0] for seed in range(60)])
    assert 15 < (first > 0).sum() < 45


def test_vectors_start_at_zero():
    parameters = filled(cells["peephole_lstm"].program)
    assert not parameters["b_f"].any() and not parameters["p_i"].any()


@pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
@pytest.mark.parametrize("sizes", [{"I": 1, "H": 1, "R": 1}, {"I": 17, "H": 17, "R": 3}])
def test_every_cell_starts_finite(cell, sizes):
    for value in filled(cell.program, cell.init, sizes=sizes).values():
        assert value.isfinite().all()


# -- rules


def test_numbers_and_names_of_constants_fill_with_them():
    parameters = filled(LSTM, {"b_i": 1, "b_f": "ones", "b_o": "-0.5", "W_i": "zeros"})
    for name, value in {"b_i": 1, "b_f": 1, "b_o": -0.5, "W_i": 0}.items():
        assert (parameters[name] == value).all()


def test_identity_puts_ones_on_the_diagonal_square_or_not():
    parameters = filled(LSTM, {"U_i": "identity", "W_i": "identity"})
    assert torch.equal(parameters["U_i"], torch.eye(60))
    assert torch.equal(parameters["W_i"], torch.eye(60, 40))


@pytest.mark.parametrize("spelling", ["uniform(-2, 0.5)", " uniform( -2.0 ,5e-1 ) "])
def test_uniform_keeps_its_bounds(spelling):
    assert is_uniform(filled(LSTM, {"W_i": spelling})["W_i"], -2, 0.5)


def test_torch_for_a_layer_fills_everything_as_torch_nn_does():
    parameters = filled(LSTM, cells["lstm"].init, "torch")
    together = torch.cat([value.flatten() for value in parameters.values()])
    assert is_uniform(together, -1 / math.sqrt(60), 1 / math.sqrt(60))
    assert all(value.unique().numel() > 1 for value in parameters.values())


def test_a_rule_for_matrices_leaves_the_vectors_of_a_layer_as_the_cell_has_them():
    parameters = filled(LSTM, cells["lstm"].init, "glorot")
    assert (parameters["b_f"] == 1).all() and not parameters["b_i"].any()
    assert is_uniform(parameters["U_i"], -math.sqrt(0.05), math.sqrt(0.05))


def test_the_layer_goes_over_the_cell_and_the_cell_over_the_defaults():
    parameters = filled(LSTM, {"b_f": 1, "b_i": 2}, {"b_f": 3})
    assert [parameters[name][0] for name in ("b_f", "b_i", "b_o")] == [3, 2, 0]


def test_a_name_goes_before_a_pattern_and_an_earlier_pattern_before_a_later():
    parameters = filled(LSTM, {"b_*": 1, "b_[if]": 2, "b_f": 3})
    assert [parameters[name][0] for name in ("b_i", "b_f", "b_o")] == [1, 3, 1]


def test_patterns_tell_capital_letters():
    parameters = filled(cells["on_lstm"].program, {"b_F": 1})
    assert (parameters["b_F"] == 1).all() and not parameters["b_f"].any()


def test_a_pattern_for_a_matrix_rule_passes_vectors_over():
    parameters = filled(cells["rnn"].program, {"*_h": "identity"})
    assert torch.equal(parameters["U_h"], torch.eye(60)) and not parameters["b_h"].any()


# -- seeds, types, devices


def test_a_seed_gives_the_same_values():
    first, again, other = filled(LSTM, seed=3), filled(LSTM, seed=3), filled(LSTM, seed=4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["W_i"], other["W_i"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_seed_gives_the_same_values_in_every_dtype_up_to_rounding(dtype):
    expected = filled(LSTM, layer_init="chrono(9)")
    for name, value in filled(LSTM, layer_init="chrono(9)", dtype=dtype).items():
        assert value.dtype == dtype
        torch.testing.assert_close(value.float(), expected[name], atol=1e-2, rtol=1e-2)


def test_the_meta_device_is_passed_over_and_uses_up_no_random_numbers():
    torch.manual_seed(0)
    expected = torch.rand(3)
    assert all(value.is_meta for value in filled(LSTM, layer_init="chrono(9)", device="meta").values())
    assert torch.equal(torch.rand(3), expected)


def test_gradients_do_not_see_the_filling():
    weight = torch.nn.Parameter(torch.zeros(5, 5))
    initialise(parse("h = tanh(x + U @ h)"), {"U": weight}, 5)
    assert weight.is_leaf and weight.grad_fn is None and weight.any()


# -- chrono


def test_chrono_draws_the_logarithm_of_a_uniform_number():
    draws = torch.cat([filled(LSTM, layer_init="chrono(50)", seed=seed)["b_f"] for seed in range(60)])
    assert is_uniform(draws.exp(), 1, 49)


def test_chrono_gives_the_input_gate_the_opposite_of_the_same_draw():
    parameters = filled(LSTM, cells["lstm"].init, "chrono(50)")
    assert torch.equal(parameters["b_i"], -parameters["b_f"])
    assert parameters["b_f"].unique().numel() > 1
    assert not parameters["b_g"].any() and not parameters["b_o"].any()


def test_chrono_for_a_layer_leaves_the_matrices_alone():
    plain, chrono = filled(LSTM, {"U_*": "identity"}), filled(LSTM, {"U_*": "identity"}, "chrono(50)")
    assert torch.equal(plain["U_f"], chrono["U_f"]) and is_uniform(chrono["W_f"], -math.sqrt(0.06), math.sqrt(0.06))


def test_chrono_can_be_given_beside_other_rules():
    parameters = filled(LSTM, None, {"W_*": "zeros", "b_f": "chrono(50)"})
    assert not parameters["W_f"].any() and not parameters["b_i"].any() and (parameters["b_f"] > 0).any()


@pytest.mark.parametrize(
    ("cell", "signs"),
    [
        ("lstm", {"b_f": 1, "b_i": -1}),
        ("coupled_lstm", {"b_f": 1}),
        ("cifg", {"b_i": -1}),
        ("nested_lstm", {"b_f2": 1, "b_i2": -1}),
        ("on_lstm", {"b_f": 1, "b_i": -1}),
        ("slstm", {"b_f": 1, "b_i": -1}),
        ("gru", {"b_z": 1}),
        ("gru_reset_after", {"b_z": 1}),
        ("mut1", {"b_z": -1}),
        ("mgu", {"b_f": -1}),
        ("mingru", {"b_z": -1}),
        ("minlstm", {"b_f": 1, "b_i": -1}),
        ("janet", {"b_s": 1}),
        ("ugrnn", {"b_g": 1}),
        ("rhn_3", {"b_t1": -1, "b_t2": -1, "b_t3": -1}),
        ("lem", {"b_s": -1, "b_t": -1}),
        ("sru", {"b_f": 1}),
        ("fastgrnn", {"b_z": 1}),
    ],
)
def test_chrono_finds_the_biases_that_keep_the_memory(cell, signs):
    assert memory_biases(cells[cell].program) == signs


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm_no_forget", "lstm_1997", "nfg", "indrnn", "cornn"])
def test_chrono_is_refused_where_no_gate_keeps_the_memory(cell):
    with pytest.raises(InputError, match=r"init '\*': chrono\(T_max\) is for the biases of gates .* this cell none"):
        filled(cells[cell].program, layer_init="chrono(50)")


def test_chrono_is_refused_for_a_parameter_that_keeps_nothing():
    with pytest.raises(InputError, match=r"init 'b_o': .* in this cell b_f, b_i"):
        filled(LSTM, layer_init={"b_o": "chrono(50)"})


def test_chrono_reads_the_equations_of_a_cell_it_never_saw():
    swapped = parse("u = sigmoid(A @ x + B @ h + keep)\nh = (1 - u) * tanh(C @ x) + u * h")
    assert memory_biases(swapped) == {"keep": 1}


def test_chrono_passes_over_a_bias_of_no_gate():
    """Where relu cuts off, a bias decides what is kept, but nothing multiplies the state."""
    assert memory_biases(parse("h = relu(h + W @ x + b)")) == {}


# -- what cannot be


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("glorott", r"init b_f: unknown rule 'glorott'; did you mean 'glorot'\?; there are glorot, .*a finite number"),
        ("chronos(5)", r"unknown rule 'chronos\(5\)'; did you mean 'chrono\(T_max\)'\?"),
        ("", r"unknown rule ''"),
        ("__import__('os')", r"unknown rule"),
        (None, r"unknown rule None"),
        (True, r"unknown rule True"),
        (math.nan, r"unknown rule nan.*finite number"),
        ("inf", r"unknown rule 'inf'"),
        ("uniform", r"'uniform': expected uniform\(a, b\), finite numbers"),
        ("uniform(1)", r"'uniform\(1\)': expected uniform\(a, b\)"),
        ("uniform(0, inf)", r"expected uniform\(a, b\), finite numbers"),
        ("uniform(0, 1 + 1)", r"expected uniform\(a, b\), finite numbers"),
        ("uniform(2, 1)", r"the lower bound comes first"),
        ("zeros(3)", r"'zeros\(3\)': expected zeros$"),
        ("chrono(2)", r"T_max, the longest memory in steps, must be more than 2"),
        ("orthogonal", r"init 'b_f': orthogonal is for matrices, but b_f can only be vectors"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_one_line(rule, message):
    with pytest.raises(InputError, match=message) as caught:
        filled(LSTM, {"b_f": rule})
    assert "\n" not in str(caught.value)


def test_a_rule_for_the_layer_that_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"^init: unknown rule 'Torch'; did you mean 'torch'\?"):
        filled(LSTM, layer_init="Torch")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("b_ff", r"init 'b_ff' matches no parameter; did you mean 'b_f'\?; there are W_r, U_r, b_r, W_z"),
        ("P_*", r"init 'P_\*' matches no parameter.* there are W_r"),
    ],
)
@pytest.mark.parametrize("place", ["cell_init", "layer_init"])
def test_a_name_or_pattern_that_matches_nothing_is_refused(key, message, place):
    with pytest.raises(InputError, match=message):
        filled(parse(str(GRU).replace("b_z", "b_f")), **{place: {key: 0}})


def test_nothing_is_filled_when_something_is_refused():
    weight = torch.full((3, 3), 7.0)
    with pytest.raises(InputError):
        initialise(parse("h = tanh(x + U @ h)"), {"U": weight}, 3, layer_init={"U": "nothing"})
    assert (weight == 7).all()
