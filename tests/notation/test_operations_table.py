"""Each row of the table: its derivative column against central differences of its value column, in plain Python."""

import ast
import math

import pytest

from gatework.notation.ops import OPS, Op, functions

Row = list[float]

POINTS = [-2.1, -0.6, 0.3, 1.7]
POSITIVE = {"log": 0, "sqrt": 0}  # operation -> the argument that must be positive
STEP = 1e-5


def evaluated(tree: ast.expr, names: dict[str, Row]) -> Row:
    """A derivative of the table on rows, by the table's own value column."""
    match tree:
        case ast.Name(id=name):
            return names[name]
        case ast.Constant(value=value):
            return [value] * len(names["g"])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return applied(OPS["neg"], evaluated(operand, names))
        case ast.BinOp(left=left, op=sign, right=right):
            op = OPS[{ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}[type(sign)]]
            return applied(op, evaluated(left, names), evaluated(right, names))
        case ast.Call(func=ast.Name(id=name), args=args):
            return applied(OPS[name], *(evaluated(arg, names) for arg in args))
    raise AssertionError(ast.unparse(tree))


def applied(op: Op, *args: Row) -> Row:
    return op.value(*args) if op.row else [op.value(*numbers) for numbers in zip(*args, strict=True)]


def slope(op: Op, args: list[Row], argument: int, place: int, weights: Row) -> float:
    """The central difference of sum(weights * op(args)) by one number of one argument."""

    def moved(by: float) -> float:
        rows = [list(row) for row in args]
        rows[argument][place] += by
        return sum(w * y for w, y in zip(weights, applied(op, *rows), strict=True))

    return (moved(STEP) - moved(-STEP)) / (2 * STEP)


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_a_derivative_is_the_slope_of_the_value(op: Op, length: int) -> None:
    for turn in range(len(POINTS)):
        turned = POINTS[turn:] + POINTS[:turn]
        args = [[-0.9 * a + 0.2 for a in turned][:length], turned[::-1][:length]][-op.arity :]
        if op.name in POSITIVE:
            args = [[abs(a) for a in row] for row in args]
        weights = [0.7, -1.3, 0.4, 2.0][:length]
        names = dict(zip("ab", args, strict=False)) | {"g": weights, "y": applied(op, *args)}
        for argument, derivative in enumerate(op.derivative):
            if not derivative:
                continue  # no gradient passes
            found = evaluated(ast.parse(derivative, mode="eval").body, names)
            wanted = [slope(op, args, argument, place, weights) for place in range(length)]
            assert found == pytest.approx(wanted, rel=1e-6, abs=1e-8), (derivative, args)


@pytest.mark.parametrize(("a", "b"), [(-1.5, 0.5), (0.5, -1.5)])
@pytest.mark.parametrize("name", ["max", "min"])
def test_the_gradient_of_max_and_min_goes_to_the_one_they_chose(name: str, a: float, b: float) -> None:
    names = {"g": [2.0], "a": [a], "b": [b], "y": applied(OPS[name], [a], [b])}
    shares = [evaluated(ast.parse(derivative, mode="eval").body, names)[0] for derivative in OPS[name].derivative]
    assert shares == [2.0 * (names["y"] == [a]), 2.0 * (names["y"] == [b])]


@pytest.mark.parametrize("name", ["max", "min"])
def test_where_max_and_min_meet_both_get_half(name: str) -> None:
    names = {"g": [2.0], "a": [0.5], "b": [0.5], "y": [0.5]}
    assert [evaluated(ast.parse(d, mode="eval").body, names) for d in OPS[name].derivative] == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("name", "at_minus_800", "at_plus_800"),
    [
        ("sigmoid", 0.0, 1.0),
        ("tanh", -1.0, 1.0),
        ("softplus", 0.0, 800.0),
        ("logsigmoid", -800.0, 0.0),
        ("relu", 0.0, 800.0),
    ],
)
def test_values_saturate_and_never_overflow(name: str, at_minus_800: float, at_plus_800: float) -> None:
    assert [OPS[name].value(-800.0), OPS[name].value(800.0)] == [at_minus_800, at_plus_800]


def test_row_functions_work_over_the_units() -> None:
    assert OPS["softmax"].value([800.0, 800.0, -800.0]) == [0.5, 0.5, 0.0]
    assert OPS["cumsum"].value([1.0, -2.0, 3.0]) == [1.0, -1.0, 2.0]
    assert OPS["cumsum_back"].value([1.0, -2.0, 3.0]) == [2.0, 1.0, 3.0]
    assert OPS["norm"].value([5.0, 5.0]) == [0.0, 0.0]
    normed = OPS["norm"].value([1.0, 2.0, 4.0])
    assert sum(normed) == pytest.approx(0, abs=1e-12) and math.hypot(*normed) == pytest.approx(math.sqrt(3), rel=1e-4)


def test_the_table_offers_what_the_notation_promises() -> None:
    promised = "sigmoid tanh relu exp log sqrt abs softplus logsigmoid max min norm softmax cumsum stop_gradient"
    assert set(functions()) == set(promised.split())
    assert {name for name, op in OPS.items() if op.row and op.is_function} == {"norm", "softmax", "cumsum"}


def test_a_row_of_the_table_is_whole() -> None:
    for name, op in OPS.items():
        assert op.name == name and op.arity == len(op.derivative) in (1, 2)
        assert [mark in op.in_latex("@1", "@2") for mark in ("@1", "@2")] == [True, op.arity == 2]
        for derivative in op.derivative:
            used = {node.id for node in ast.walk(ast.parse(derivative)) if isinstance(node, ast.Name)}
            assert used <= {"g", "y", "a", "b"[: op.arity - 1], *OPS}
