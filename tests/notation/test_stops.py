"""stop_gradient(a) is a property of the edges that read a: no engine sees it, and whoever reads the equations does."""

import pytest

from gatework.notation import Program, parse
from gatework.notation.adjoint import adjoint
from gatework.notation.program import is_wide
from gatework.notation.show import latex, text
from gatework.notation.stops import as_written, on_edges

TEXTS = {
    "gates": "f = sigmoid(W @ x + U @ stop_gradient(h) + b)\nh = stop_gradient(f) * prev(h) + tanh(V @ x)",
    "named": "a = tanh(W @ x + U @ h)\ns = stop_gradient(a)\nh = a * s + V @ s",
    "old value": "s = stop_gradient(a)\na = tanh(W @ x + U @ h + V @ s)\nh = a * stop_gradient(stop_gradient(s))",
    "state": "o = sigmoid(W @ x + U @ h)\nh = stop_gradient(o)",
    "input": "h = tanh(stop_gradient(x) + U @ h)",
    "parameter": "h = tanh(W @ x + stop_gradient(b) * h)",
    "both": "a = tanh(W @ x)\nh = a * stop_gradient(a) + stop_gradient(a + h)",
}
every_text = pytest.mark.parametrize("equations", TEXTS.values(), ids=TEXTS)


def read(equations: str, **options: object) -> Program:
    return parse(equations, **options)  # type: ignore[arg-type]


@every_text
@pytest.mark.parametrize("options", [{}, {"zoneout": ("h",), "taps": ("h",)}], ids=["plain", "zoneout and tap"])
def test_no_node_stops_gradients_and_what_is_shown_does(equations: str, options: dict[str, object]) -> None:
    program = read(equations, **options)
    assert "stop_gradient" not in {node.op for node in (*program.nodes, *adjoint(program).nodes)}
    assert any(node.stopped for node in program.nodes)
    assert "stop_gradient(" in text(program) and r"\mathrm{sg}(" in latex(program)
    if not options:
        again = read(text(program))
        assert (again.nodes, again.named, again.states) == (program.nodes, program.named, program.states)


@every_text
def test_as_written_and_as_run_are_one_program(equations: str) -> None:
    program = read(equations)
    written, run = as_written(program)
    assert on_edges(written) == program
    assert as_written(written) == (written, tuple(range(len(written.nodes))))
    for node, index in zip(written.nodes, run, strict=True):
        assert node.op == "stop_gradient" or node.op == program.nodes[index].op


def test_a_text_without_it_is_as_it_was() -> None:
    program = parse("h = tanh(W @ x + U @ h + b)")
    assert as_written(program)[0] == on_edges(program) == program


def test_what_reads_past_it_waits_for_nothing() -> None:
    """A product with an old value is part of the first stage, with or without gradients."""
    program = read(TEXTS["gates"])
    assert len(program.stages) == 1
    assert sum(is_wide(program.nodes[index]) for index in program.stages[0].products) == 3


def test_a_line_that_nothing_reads_is_doubted_whatever_it_copies() -> None:
    with pytest.warns(UserWarning, match="does not depend on s"):
        parse("a = tanh(W @ x + U @ h)\ns = stop_gradient(a)\nh = a * prev(h)")
