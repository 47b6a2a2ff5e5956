"""The table of operations is the one place that knows an operation: a made-up row of it works everywhere."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from page_toys import Seen, harness

import gatework
from gatework.core import _native
from gatework.diagram.elements import elements
from gatework.engines import reference
from gatework.engines.arguments import Arguments
from gatework.engines.evaluate import in_torch
from gatework.inspect.operations import filled
from gatework.notation import EquationError, parse
from gatework.notation.gates import gates
from gatework.notation.ops import NORM_EPSILON, OPS, Op
from gatework.notation.ranges import Range, increasing
from gatework.notation.show import latex, text
from gatework.verify.adjoint import gradients

SOURCES = Path(gatework.__file__).parent
CUBE = Op(
    "cube", 1, lambda a: a**3, ("3 * g * a * a",), "a ** 3", "a * a * a", "Mul(a, Mul(a, a))",
    range=increasing(lambda a: a**3), latex="{{{a}}}^3", label="x³",
)  # fmt: skip
CELL = "z = cube(sigmoid(W @ x + U @ h))\nh = z * h + (1 - z) * cube(tanh(V @ x))"
ROW = [-1.5, -0.25, 0.5, 2.0]


def test_a_made_up_row_of_the_table_works_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EquationError, match="unknown function 'cube'"):
        parse(CELL)
    monkeypatch.setitem(OPS, "cube", CUBE)
    program = parse(CELL)

    kind: Any = {"dtype": torch.float64}
    params = {p.name: torch.randn(2, 2, requires_grad=True, **kind) for p in program.parameters}
    x, state = torch.randn(3, 2, 2, requires_grad=True, **kind), (torch.randn(2, 2, **kind),)
    output, _, _ = reference.run(Arguments(program, params, x, state))
    h = state[0]
    for step in x:
        z = (step @ params["W"].T + h @ params["U"].T).sigmoid() ** 3
        h = z * h + (1 - z) * (step @ params["V"].T).tanh() ** 3
    torch.testing.assert_close(output[-1], h)
    output.sum().backward()
    still = {name: value.detach() for name, value in params.items()}
    derived = gradients(program, still, x.detach(), state, torch.ones_like(output), (torch.zeros_like(h),))
    torch.testing.assert_close(derived.x, x.grad)
    for name, value in params.items():
        torch.testing.assert_close(derived.params[name], value.grad)

    assert gates(program) == ["z"]
    assert parse(text(program)).nodes == program.nodes
    assert r"z_t &= {\sigma(" in latex(program) and ")}^3" in latex(program)
    assert [element.label for element in elements(program) if element.kind == "gate"] == ["x³ σ", "x³ tanh"]
    assert "y[i] = a * a * a;" in filled("/* {{pointwise}} */")


def test_the_core_computes_every_operation_of_the_table() -> None:
    codes = _native.codes()
    run = {name for name in OPS if name != "stop_gradient"}  # no node of a Program
    assert run <= {*codes["pointwise"], *codes["rows"]}
    assert set(codes["rows"]) == {name for name, op in OPS.items() if op.row}
    for numbers in codes.values():
        assert sorted(numbers.values()) == list(range(len(numbers)))


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("softplus", {"notation/ops.py"}),
        ("logsigmoid", {"notation/ops.py", "cells/library.py"}),
        ("stop_gradient", {"notation/ops.py", "notation/stops.py", "lab/published.py"}),
    ],
)
def test_an_operation_is_known_to_the_table_alone(name: str, places: set[str]) -> None:
    files = [path for ending in ("py", "js", "pyi") for path in SOURCES.rglob(f"*.{ending}")]
    found = {str(path.relative_to(SOURCES)) for path in files if re.search(rf"\b{name}\b", path.read_text("utf-8"))}
    assert found == places


# -- each column, held to the column of values


def value(op: Op, *rows: list[float]) -> list[float]:
    return op.value(*rows) if op.row else [op.value(*units) for units in zip(*rows, strict=True)]


def arguments(op: Op) -> list[list[float]]:
    rows = [ROW, ROW[::-1]][: op.arity]
    return [[abs(a) for a in row] for row in rows] if op.name in {"log", "sqrt"} else rows


def test_the_page_computes_what_the_table_says(show: Callable[..., Seen], tmp_path: Path) -> None:
    body = """
    const found = Object.fromEntries(Object.entries(given).map(([name, rows]) => {
      const [a, b] = rows.map((row) => Float64Array.from(row)), y = new Float64Array(a.length);
      if (name in ROWS) {
        const whole = ROWS[name](a);
        if (typeof whole === "number") y.fill(whole); else y.set(whole);
      } else POINTWISE[name](y, a, b);
      return [name, [...y]];
    }));
    window.found = JSON.stringify(found);
    """
    given = {name: arguments(op) for name, op in OPS.items()}
    page = show(harness(tmp_path / "operations.html", "ops.js", body, given=given)).page
    found = page.evaluate("JSON.parse(window.found)")
    for name, op in OPS.items():
        assert found[name] == pytest.approx(value(op, *given[name]), rel=1e-12, abs=1e-12), name


ONNX: dict[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Neg": np.negative, "Abs": np.abs,
    "Max": np.maximum, "Min": np.minimum, "Exp": np.exp, "Log": np.log, "Sqrt": np.sqrt, "Sign": np.sign,
    "Tanh": np.tanh, "Reciprocal": np.reciprocal, "Identity": lambda a: a, "Relu": lambda a: np.maximum(a, 0),
    "Sigmoid": lambda a: 1 / (1 + np.exp(-a)), "Softplus": lambda a: np.log(np.exp(a) + 1),
    "ReduceSum": lambda a, axes: np.sum(a, tuple(axes), keepdims=True),
    "ReduceMean": lambda a, axes: np.mean(a, tuple(axes), keepdims=True),
    "Softmax": lambda a, axis: np.exp(a) / np.exp(a).sum(axis, keepdims=True),
    "CumSum": lambda a, axis, reverse=0: a[::-1].cumsum(axis)[::-1] if reverse else a.cumsum(axis),
}  # fmt: skip


def by_operators(tree: ast.expr, names: dict[str, Any]) -> Any:
    """An expression of the column `onnx`, by what the operators of ONNX are defined to do."""
    match tree:
        case ast.Name(id=name):
            return names[name]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            values = [by_operators(arg, names) for arg in args]
            if name in OPS:
                return by_operators(
                    parsed(OPS[name]), dict(zip("ab", values, strict=False)) | {"EPSILON": NORM_EPSILON}
                )
            return ONNX[name](*values, **{str(k.arg): ast.literal_eval(k.value) for k in keywords})
    return ast.literal_eval(tree)


def parsed(op: Op) -> ast.expr:
    return ast.parse(op.onnx, mode="eval").body


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_its_operators_in_onnx_compute_what_the_table_says(op: Op) -> None:
    given = arguments(op)
    names = dict(zip("ab", map(np.array, given), strict=False)) | {"EPSILON": NORM_EPSILON}
    np.testing.assert_allclose(np.broadcast_to(by_operators(parsed(op), names), 4), value(op, *given), rtol=1e-12)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_values_lie_in_the_range_of_the_table(op: Op) -> None:
    given = arguments(op)
    plain = op.range(*(Range(min(row), max(row), sum(map(abs, row))) for row in given))
    found = value(op, *given)
    assert plain.low <= min(found) and max(found) <= plain.high
    assert np.isfinite(plain.high) or op.name in {"div", "norm"}
    unknown = op.range(*(Range() for _ in given))
    assert unknown.low <= plain.low and plain.high <= unknown.high


def test_torch_takes_numbers_beside_tensors() -> None:
    assert in_torch(OPS["max"])(torch.tensor([-1.0, 2.0]), 0.5).tolist() == [0.5, 2.0]
