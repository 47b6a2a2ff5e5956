"""What a diagram shows of a text: which factor is the valve, what is one gate, where signs stand."""

from collections.abc import Iterator

import pytest

from gatework.diagram import drawing
from gatework.diagram.elements import Element, elements
from gatework.diagram.labels import chain_label
from gatework.notation import Program, parse
from gatework.notation.stops import as_written


def found(text: str, kind: str) -> list[Element]:
    return [element for element in elements(parse(text)) if element.kind == kind]


def entering(program: Program, element: Element) -> Iterator[tuple[str, str, str]]:
    """What flows into an element: the operation it comes from, where it enters, its mark."""
    for each in element.inputs:
        yield program.nodes[each.source].op, each.port, each.mark


SIGMOID, SOFTMAX, EXP = "sigmoid(A @ x)", "softmax(B @ x)", "exp(C @ x)"
VALVES = {
    f"{EXP} * {SIGMOID}": ("sigmoid", "exp"),  # the surer one is the valve, wherever it stands
    f"{SIGMOID} * {EXP}": ("sigmoid", "exp"),
    f"{EXP} * {SOFTMAX}": ("softmax", "exp"),
    f"{SOFTMAX} * {SIGMOID}": ("sigmoid", "softmax"),
    f"{SIGMOID} * sigmoid(D @ x)": ("sigmoid", "sigmoid"),
    f"stop_gradient({SIGMOID}) * {EXP}": ("stop_gradient", "exp"),
    f"{EXP} * ({SIGMOID} * sigmoid(D @ x))": ("mul", "exp"),  # within 0 and 1
    f"{EXP} * max({SIGMOID}, sigmoid(D @ x))": ("max", "exp"),
    f"{EXP} * (1 - {SOFTMAX})": ("sub", "exp"),
    f"{EXP} * min({SIGMOID}, sigmoid(D @ x))": ("min", "exp"),
    f"{EXP} * (0.5 * {SIGMOID})": ("mul", "exp"),
    f"tanh(D @ x) * exp(-{EXP})": ("exp", "tanh"),
    f"tanh(D @ x) * ({SIGMOID} / ({SIGMOID} + {EXP}))": ("div", "tanh"),
    f"{SOFTMAX} * ({SIGMOID} + sigmoid(D @ x))": ("softmax", "add"),  # a sum of gates may pass 1
}


@pytest.mark.parametrize("product", VALVES)
def test_the_surest_gate_of_a_product_is_its_valve(product: str) -> None:
    program, _ = as_written(parse(f"h = {product} + h"))
    valve = next(e for e in reversed(elements(program)) if e.kind == "valve")
    value = next(each for each in valve.inputs if each.port == "main")
    assert (program.nodes[valve.opening].op, program.nodes[value.source].op) == VALVES[product]


@pytest.mark.parametrize(
    "product",
    [
        "tanh(W @ x) * tanh(h)",
        "h * x",
        f"tanh(h) * ({SIGMOID} + x)",
        f"h * tanh({SIGMOID} * {EXP})",
        f"tanh(D @ h) * {EXP}",  # may pass 1
        f"tanh(D @ h) * ({SIGMOID} + {SOFTMAX})",
        f"tanh(D @ h) * ({EXP} + exp(E @ x))",
        f"{EXP} * (1 - exp(D @ h))",
    ],
)
def test_a_product_without_a_gate_is_no_valve(product: str) -> None:
    (shown,) = found(f"h = {product}", "product")
    assert (shown.name, shown.label, shown.opening) == ("h", "mul", -1)


def test_what_a_valve_leaves_over_enters_from_the_gate_with_1_minus() -> None:
    program = parse("f = sigmoid(W @ x)\nh = f * h + (1 - f) * tanh(x)")
    marks = [mark for e in elements(program) if e.kind == "valve" for op, port, mark in entering(program, e) if mark]
    assert marks == ["1 −"]
    named = parse("f = sigmoid(W @ x)\ni = 1 - f\nh = f * h + i * tanh(x)")
    marks = [mark for e in elements(named) if e.kind == "valve" for op, port, mark in entering(named, e) if mark]
    assert marks == ["i = 1 −"]


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("h = tanh(W @ x) - h", [("state", "main", "−"), ("tanh", "side", "")]),  # the memory comes from the left
        ("h = h - 3 * x", [("state", "main", ""), ("input", "side", "−3")]),
        ("h = 0.5 * h + x", [("state", "main", "0.5"), ("input", "side", "")]),
        ("h = h - (x - tanh(x))", [("state", "main", ""), ("input", "side", "−"), ("tanh", "side", "")]),
        ("h = h - -tanh(x)", [("state", "main", ""), ("tanh", "side", "")]),
    ],
)
def test_terms_of_a_sum_have_their_signs_and_factors(text: str, inputs: list[tuple[str, str, str]]) -> None:
    program = parse(text)
    (shown,) = found(text, "sum")
    assert (shown.name, shown.label) == ("h", "+")
    assert list(entering(program, shown)) == inputs


def test_a_sum_of_more_than_three_terms_has_one_inside() -> None:
    three, four = "h = h + A @ x + B @ x", "h = h + A @ x + B @ x + C @ x"
    assert [len(e.inputs) for e in found(three, "sum")] == [3]
    assert sorted(len(e.inputs) for e in found(four, "sum")) == [2, 3]


def test_a_sign_before_the_value_from_the_left_stands_before_its_box() -> None:
    drawn = drawing(parse("h = tanh(W @ x) - h"))
    (sign,) = [mark for mark in drawn.marks if mark.kind == "before"]
    (box,) = [box for box in drawn.boxes if box.element.kind == "sum"]
    assert sign.text == "−"
    assert sign.x < box.x - box.width / 2 and abs(sign.y - box.y) < box.height


def test_a_state_that_is_made_of_parameters_is_a_constant() -> None:
    (constant,) = found("c = 2 * b\nh = prev(c) + h + x", "constant")
    assert (constant.name, constant.label, constant.inputs) == ("c", "(2 b)", ())


@pytest.mark.parametrize(
    ("text", "name", "label", "taps"),
    [
        ("h = 2 * (W @ x + U @ h)", "h", "2", ["matrix", "matrix"]),
        ("h = tanh(W @ x + p * h + b)", "h", "tanh", ["matrix", "vector"]),
        ("h = tanh(W @ x + h)", "h", "tanh", ["matrix", "plain"]),
        ("h = h + W @ x", "W", "linear", ["matrix"]),
        ("h = h + 4 * sigmoid(W @ x) - 2", "", "σ", ["matrix"]),
    ],
)
def test_a_gate_is_all_around_its_matrix_products(text: str, name: str, label: str, taps: list[str]) -> None:
    gate = found(text, "gate")[0]
    assert (gate.name, gate.label) == (name, label)
    assert [each.port for each in gate.inputs] == taps


def test_functions_one_inside_the_other_are_read_from_the_outermost() -> None:
    program = parse("a = tanh(sigmoid(W @ x))\nh = h + a")
    node = program.names["a"]
    assert chain_label(program, [node, program.nodes[node].args[0]]) == "tanh σ"
    assert chain_label(program, []) == ""
