"""verify: every cell passes on every engine of this machine, and an engine at fault is shown to be."""

import dataclasses
import inspect
import math
import random
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

import pytest
import torch
from torch import Tensor

from gatework.cells import Cell, cells
from gatework.core import _native
from gatework.engines import ENGINES, Arguments, reference, runs
from gatework.lowering import isa
from gatework.notation import parse
from gatework.verify import check as verification
from gatework.verify.check import BOUNDS, SIDES, SIZES, Result, Target, targets, verify
from gatework.verify.problems import Case

STATEMENTS = ["values", "gradients", "lengths", "resets", "masks and records"]
LSTM = cells["lstm"]


@pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
def test_every_cell_passes_on_every_engine_of_this_machine(cell: Cell):
    results = list(verify([cell]))
    assert [result for result in results if result.failed] == []
    made = [result for result in results if not result.lacks]
    assert [(r.engine, r.what) for r in made] == [
        *(
            (str(t), what)
            for t in targets()
            if not t.refusal(cell)
            for what in STATEMENTS[: 4 if t.engine == "torch" else 5]
        ),
        ("derived backward", "gradients"),
    ]
    assert all(result.passed and result.errors.within(BOUNDS[result.dtype]) for result in made)
    assert {result.engine for result in results if result.lacks} <= {"torch on cpu", "torch on cuda"}
    assert {result.cell for result in results} == {cell.name}


def test_a_cell_that_stops_gradients_passes_on_every_engine():
    """The learning rule of 1997, and a stopped value that is named, recorded and carried on as a state."""
    cut = re.sub(r"@ h\b", "@ stop_gradient(h)", LSTM.equations)
    named = "s = stop_gradient(a)\na = tanh(W @ x + U @ h + V @ s)\nh = a * stop_gradient(stop_gradient(s))"
    carried = "a = tanh(W @ x + U @ h + V @ s)\ns = stop_gradient(a)\nh = a * tanh(V @ s)"
    whole = "h = stop_gradient(W @ x + h)"
    for equations in (cut, named, carried, whole):
        cell = Cell("stopped", equations)
        assert [result for result in verify([cell]) if result.failed] == []


def test_the_errors_shown_are_those_of_rounding():
    *engine, derived = verify([LSTM])
    engine = [result for result in engine if not result.lacks]
    single = [result.errors.rms for result in engine if result.dtype == torch.float32]
    half = [result.errors.rms for result in engine if result.dtype == torch.bfloat16]
    double = [result.errors.rms for result in engine if result.dtype == torch.float64]
    assert len(single) + len(half) + len(double) == len(engine) and single and half and double
    assert all(1e-17 < rms < 1e-14 for rms in double)
    assert all(1e-8 < rms < 1e-5 for rms in single)
    assert all(1e-4 < rms < 3e-2 for rms in half)  # torch's own layers round more often without AVX-512
    assert 1e-17 < derived.errors.rms < 1e-13 and derived.dtype == torch.float64


def test_every_engine_of_this_machine_is_a_target():
    here = {name for name in ENGINES if runs(name, torch.device("cpu"), torch.float32) or torch.cuda.is_available()}
    assert {target.engine for target in targets()} == here


TORCH = [target for target in targets() if target.engine == "torch"]


def test_the_engine_torch_has_results_of_the_cells_that_it_recognises_alone():
    assert {target.dtype for target in TORCH} == {torch.float32, torch.bfloat16, torch.float64}
    *none, derived = verify([cells["peephole_lstm"]], TORCH)
    assert none == [] and derived.engine == "derived backward"
    mine = Cell("mine", "y = tanh(b + V @ y + A @ x)", output="y")
    assert {result.engine for result in verify([mine], TORCH)} == {str(TORCH[0]), "derived backward"}


def test_what_the_engine_torch_has_not_neither_passes_nor_fails():
    *results, _derived = verify([LSTM], TORCH[:1])
    lacks = {result.what: result.lacks for result in results}
    inside = {"masks and records": "masks and taps act inside the cell"}
    assert lacks == dict.fromkeys(STATEMENTS[:4], "") | inside
    assert all((result.passed, result.failed) == (not result.lacks, False) for result in results)


def test_a_size_that_the_engine_torch_has_not_is_a_result_beside_those_that_it_has():
    results = [result for result in verify([cells["projected_lstm"]], TORCH[:1]) if result.what == "values"]
    assert [(result.passed, result.lacks) for result in results] == [
        (True, ""),
        (False, "projection to as many units as the memory has"),
    ]


def test_a_mistake_of_the_engine_torch_is_seen():
    def halved(arguments):
        output, *others = verification.vendor.run(arguments)
        return output / 2, *others

    *results, _derived = verify([LSTM], [replace(TORCH[0], run=halved)])
    assert [result.what for result in results if result.failed] == STATEMENTS[:4]


def test_every_instruction_set_of_this_machine_is_a_target():
    assert {target.isa for target in targets() if target.engine == "native"} == set(isa.available())


def test_an_instruction_set_is_used_for_a_while():
    before = _native.isa()
    with isa.using("baseline"):
        assert _native.isa() == "baseline"
    assert _native.isa() == before


def test_thorough_adds_a_statement_about_all_sizes_for_fused_engines(monkeypatch):
    monkeypatch.setattr(verification, "SIZES", (Case(2, 3, 5, 5, 2), Case(1, 1, 17, 17, 8)))
    results = [result for result in verify([LSTM], thorough=True) if result.what == "all sizes"]
    assert [result.engine for result in results] == [str(t) for t in targets() if t.engine != "reference"]
    assert all(result.passed and result.errors.rms > 0 for result in results)
    assert {result.cell for result in results} == {"lstm"}


def test_a_size_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(verification, "SIZES", (Case(1, 1, 5, 5, 2), Case(1, 2, 5, 5, 2), Case(1, 3, 5, 5, 2)))

    def odd(arguments):
        output, *others = reference.run(arguments)
        return output * (2 if arguments.x.shape[1] == 2 else 1), *others

    *_, result, _derived = verify([LSTM], on=[Target("odd", torch.float32, "cpu", odd)], thorough=True)
    assert not result.passed and "B=2" in result.message


@pytest.mark.parametrize(("function", "passes"), [("relu", True), ("tanh", False)])
def test_one_value_alone_may_lie_far_out_where_the_cell_has_a_kink(function, passes, monkeypatch):
    """Rounding may take a sum to the other side of a kink."""
    monkeypatch.setattr(verification, "SIZES", (Case(2, 5, 64, 64, 2),))

    def far(arguments):
        output, *others = reference.run(arguments)
        error = torch.zeros_like(output)
        error[0, 0, 0] = 3 * BOUNDS[output.dtype].peak * max(output.square().mean().sqrt(), output[0, 0, 0].abs())
        return output + error, *others

    cell = Cell("one", f"h = {function}(W @ x + U @ h + b)")
    [result] = verification.sizes_results(cell, [Target("far", torch.float32, "cpu", far)])
    assert result.passed == passes, result.message


def test_a_draw_that_is_ill_conditioned_is_drawn_again(monkeypatch):
    monkeypatch.setattr(verification, "SIZES", (Case(1, 2, 5, 5, 2),))
    calls = []

    def fails_once(arguments):
        calls.append(arguments.x)
        output, *others = reference.run(arguments)
        return output * (2 if torch.equal(arguments.x, calls[0]) else 1), *others

    target = Target("odd", torch.float32, "cpu", fails_once)
    [result] = verification.sizes_results(LSTM, [target])
    assert result.passed and not torch.equal(calls[0], calls[-1])


def test_sizes_hold_every_pair_of_sizes():
    assert {(case.B, case.H) for case in SIZES} == set(product(SIDES, SIDES))
    assert {(case.T, case.H) for case in SIZES} == set(product((1, 2, 50), SIDES))
    assert {(case.T, case.B) for case in SIZES} == set(product((1, 2, 50), SIDES))


def test_answers_that_may_cancel_are_measured_by_a_part_of_the_largest_of_their_kind():
    small, large, slope = (torch.full((3,), size, dtype=torch.float64) for size in (1e-6, 1e-4, 10.0))
    found = verification.floors({"output": small, "final state h": large, "gradient by x": slope})
    expected = {"output": 1e-5, "final state h": 1e-5, "gradient by x": 1.0}
    assert found == {name: pytest.approx(floor) for name, floor in expected.items()}


@pytest.mark.parametrize("longest", [{"I": 400}, {"H": 400}, {"R": 400}, {"T": 40, "B": 10}], ids=str)
def test_what_roundings_move_grows_with_the_longest_sum(longest):
    """Of a product's terms, and of a parameter's gradient over all steps and sequences."""
    case = Case(2, 1, 3, 4, 4)
    problem, right = verification.solved(LSTM, case, torch.float32)
    few, many = (
        verification._moved(problem, right, summed, torch.float32)["output"].rms
        for summed in (case, replace(case, **longest))
    )
    assert many / few == pytest.approx((1 + math.sqrt(400)) / (1 + math.sqrt(4)), rel=0.01)


def test_what_is_verified_by_default_is_the_registry():
    assert inspect.signature(verify).parameters["chosen"].default == tuple(cells.values())


# -- engines at fault


def altered(alter: Callable, arguments: Arguments):
    return alter(*reference.run(arguments))


def without(option: str, arguments: Arguments):
    return reference.run(replace(arguments, **{option: None}))


def refusing(arguments: Arguments):
    raise RuntimeError("no room for a tile")


def judge(run: Callable, cell: Cell = LSTM) -> dict[str, Result]:
    """The results of an engine with this run, by what they state."""
    target = Target("faulty", torch.float32, "cpu", run)
    return {result.what: result for result in verify([cell], on=[target]) if result.engine == "faulty on cpu"}


def failures(run: Callable) -> set[str]:
    return {what for what, result in judge(run).items() if not result.passed}


def test_a_sound_engine_passes():
    assert failures(reference.run) == set()


@pytest.mark.parametrize("option", ["lengths", "resets"])
def test_an_engine_that_ignores_an_option_fails_that_statement(option):
    expected = {option, "resets"} if option == "resets" else {"lengths", "resets", "masks and records"}
    assert failures(partial(without, option)) == expected


def test_an_engine_that_is_off_by_a_little_fails():
    def nudge(output: Tensor, final: tuple, recorded: dict):
        return output * (1 + 1e-4), final, recorded

    assert failures(partial(altered, nudge)) == set(STATEMENTS)


def test_an_engine_with_one_wrong_number_fails():
    def spoil(output: Tensor, final: tuple, recorded: dict):
        spoiled = output.clone()
        spoiled[-1, -1, -1] += 1e-3
        return spoiled, final, recorded

    results = judge(partial(altered, spoil))
    assert not results["values"].passed and results["gradients"].passed
    assert "output, T=4 B=1 I=1 H=1 R=1: [4, 1, 1] torch.float32: rms" in results["values"].message


def test_an_engine_that_loses_a_gradient_fails():
    def cut(output: Tensor, final: tuple, recorded: dict):
        return output, tuple((value + value.detach()) / 2 for value in final), recorded

    assert failures(partial(altered, cut)) == set(STATEMENTS) - {"values"}


def test_an_engine_that_records_wrongly_fails():
    def shift(output: Tensor, final: tuple, recorded: dict):
        return output, final, {name: value.roll(1, 0) for name, value in recorded.items()}

    assert failures(partial(altered, shift)) == {"masks and records"}


def test_an_engine_that_gives_another_shape_fails():
    def widen(output: Tensor, final: tuple, recorded: dict):
        return output, tuple(value[None] for value in final), recorded

    assert failures(partial(altered, widen)) == set(STATEMENTS)


def test_an_engine_that_gives_nan_fails():
    def poison(output: Tensor, final: tuple, recorded: dict):
        return output * math.nan, final, recorded

    results = judge(partial(altered, poison))
    assert math.isinf(results["values"].errors.rms) and "nan where" in results["values"].message


def test_an_engine_that_raises_is_reported_and_the_rest_goes_on():
    results = list(verify([LSTM, cells["gru"]], on=[Target("broken", torch.float32, "cpu", refusing), *targets()]))
    for result in results:
        assert result.failed == (result.engine == "broken on cpu")
        assert not result.failed or result.message == "RuntimeError: no room for a tile"
    takers = [target for cell in (LSTM, cells["gru"]) for target in targets() if not target.refusal(cell)]
    assert len(results) == 2 * (5 + 1) + 5 * len(takers)


# -- cells of one's own


def test_a_cell_of_ones_own_is_verified():
    own = Cell("own", "u = sigmoid(k * x + U @ h)\nh = u * h + (1 - u) * tanh(W @ x)")
    assert all(result.passed for result in verify([own]))


# Right, and far beyond what roundings leave of most cells: each with a mistake that must be seen all the same.
HARD = {
    "a difference of two large numbers": (
        "h = tanh(1000 * (W @ x + 0.001 * (U @ h)) - 1000 * (W @ x))",
        "h = tanh(1000 * (W @ x - 0.001 * (U @ h)) - 1000 * (W @ x))",
    ),
    "a quotient of two small ones": (
        "a = W @ x\nh = tanh((a * a * a * (U @ h) + 0.00001) / (a * a * a + 0.0001 * a * a + 0.00001))",
        "a = W @ x\nh = tanh((a * a * a * (U @ h) + 0.00002) / (a * a * a + 0.0001 * a * a + 0.00001))",
    ),
    "growth from step to step": (
        "c = 20 * c - 19 * tanh(c) + W @ x\nh = tanh(c) + sigmoid(U @ h)",
        "c = 20 * c - 18 * tanh(c) + W @ x\nh = tanh(c) + sigmoid(U @ h)",
    ),
    "units of nearly one value": (
        "h = norm(1 + 0.0001 * (W @ x)) * tanh(U @ h + b)",
        "h = norm(1 + 0.0001 * (W @ x)) * tanh(U @ h - b)",
    ),
    "beyond what float32 holds": (
        "h = tanh(U @ h + exp(60 * (W @ x)) / (1 + exp(60 * (W @ x))))",
        "h = tanh(U @ h - exp(60 * (W @ x)) / (1 + exp(60 * (W @ x))))",
    ),
}


@pytest.mark.parametrize(("right", "wrong"), HARD.values(), ids=HARD)
def test_no_right_cell_fails_however_it_magnifies_roundings(right, wrong):
    assert [result for result in verify([Cell("hard", right)]) if not result.passed] == []


@pytest.mark.parametrize(("right", "wrong"), HARD.values(), ids=HARD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_mistake_in_such_a_cell_is_seen(right, wrong, dtype):
    def mistaken(arguments):
        asked = {name: getattr(arguments.program.options, name) for name in ("dropout", "zoneout", "taps")}
        return reference.run(replace(arguments, program=parse(wrong, output="h", **asked)))

    results = verify([Cell("hard", right)], on=[Target("faulty", dtype, "cpu", mistaken)])
    failed = {result.what for result in results if not result.passed}
    assert {"values", "gradients"} <= failed


@pytest.mark.parametrize("number", range(8))
def test_cells_at_random_pass(number):
    dice = random.Random(number)
    cell = Cell("random", f"c = W @ x + U @ h + {written(dice, 4)}\nh = tanh(c) * sigmoid({written(dice, 3)})")
    assert [result for result in verify([cell]) if not result.passed] == [], str(cell.equations)


def written(dice: random.Random, deep: int) -> str:
    """An expression at random that is a number wherever its operands are."""
    if deep == 0:
        return dice.choice(["W @ x", "U @ h", "V @ c", "c", "h", "b", "p"])
    a, b = written(dice, deep - 1), written(dice, dice.randrange(deep))
    kinds = ["({a}) + {b}", "({a}) - ({b})", "({a}) * ({b})", "tanh({a})", "sigmoid({a})", "norm({a})", "softmax({a})"]
    kinds += [
        "({a}) / (1 + exp({b}))",
        "relu({a})",
        "max({a}, {b})",
        "log(1 + abs({a}))",
        "softplus({a})",
        "cumsum({a})",
    ]
    return dice.choice(kinds).format(a=a, b=b)


def test_a_cell_that_is_no_number_somewhere_does_not_pass():
    cell = Cell("negative", "h = sqrt(-1 - h * h) + W @ x")
    results = list(verify([cell]))
    assert not any(result.passed for result in results)
    assert "output, T=4 B=1 I=1 H=1 R=1: not finite in float64 either" in results[0].message


# -- habits


def test_results_come_one_at_a_time():
    ran = []

    def counted(arguments):
        ran.append(arguments)
        return reference.run(arguments)

    results = verify(on=[Target("counted", torch.float32, "cpu", counted)])
    assert not ran
    assert next(results).cell == "rnn" and len(ran) == 3  # the three sizes of the first statement


def test_a_second_time_gives_the_same_figures():
    assert list(verify([LSTM])) == list(verify([LSTM]))


def test_results_are_values():
    result = next(verify([LSTM]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.message = "x"  # type: ignore[misc]
