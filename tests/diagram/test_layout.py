"""The diagram of a cell: everything in it once, nothing on top of anything else, every line from end to end."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gatework.cells import cells
from gatework.diagram import Drawing, drawing, svg
from gatework.notation import Program, parse
from gatework.notation.stops import as_written

SVG = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).parents[2] / "docs" / "cells"
OWN = {
    "sums": "h = (h + W @ x + tanh(h) + sigmoid(U @ h) * h + exp(-h * h) + relu(h))",
    "three states": "f = sigmoid(W @ x + b)\nh = f * prev(c) + (1 - f) * prev(h) + prev(d)\nc = h + x\nd = c + h",
    "no matrix": "h = h + x",
    "old value twice": "h = h * h + W @ x",
    "gradient cut": "f = sigmoid(W @ x + U @ stop_gradient(h) + b)\nh = stop_gradient(f) * prev(h) + tanh(V @ x)",
}
PROGRAMS = {name: cell.program for name, cell in cells.items()} | {name: parse(text) for name, text in OWN.items()}
PROGRAMS["masked lstm"] = parse(cells["lstm"].equations, zoneout=("c", "h"), dropout=("g",), taps=("f", "c"))
PROGRAMS["gradient cut"], _ = as_written(PROGRAMS["gradient cut"])  # whose nodes the drawing speaks of

every_program = pytest.mark.parametrize("name", list(PROGRAMS))

Segment = tuple[float, float, float, float]


def is_gate(program: Program, index: int) -> bool:
    """A sigmoid of what the step computes, or 1 minus it."""
    node = program.nodes[index]
    if node.op == "stop_gradient":
        return is_gate(program, node.args[0])
    if node.op == "sub" and program.nodes[node.args[0]].value == 1 and program.nodes[node.args[0]].op == "number":
        return is_gate(program, node.args[1])
    return node.op == "sigmoid" and varies(program, index)


def varies(program: Program, index: int) -> bool:
    node = program.nodes[index]
    return node.op in {"input", "state"} or any(varies(program, arg) for arg in node.args)


def segments(drawn: Drawing, net: int) -> list[Segment]:
    """The stretches of all lines in which a value runs, each from its upper left end."""
    found = []
    for line in drawn.lines:
        if line.net == net:
            for (x1, y1), (x2, y2) in zip(line.points, line.points[1:], strict=False):
                found.append((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
    return found


def touch(a: Segment, b: Segment) -> bool:
    return a[0] <= b[2] + 0.01 and b[0] <= a[2] + 0.01 and a[1] <= b[3] + 0.01 and b[1] <= a[3] + 0.01


def connected(start: Segment, lines: Sequence[Segment]) -> list[Segment]:
    """All lines that hang together with `start`."""
    found, waiting = [start], [start]
    while waiting:
        here = waiting.pop()
        more = [line for line in lines if line not in found and touch(here, line)]
        found += more
        waiting += more
    return found


@every_program
def test_every_state_enters_once_and_leaves_once(name: str) -> None:
    program, boxes = PROGRAMS[name], drawing(PROGRAMS[name]).boxes
    read = [node.name for node in program.nodes if node.op == "state"]
    assert sorted(box.element.name for box in boxes if box.element.kind == "old") == sorted(read)
    handed_on = {state.name for state in program.states} | {program.output}
    assert sorted(box.element.name for box in boxes if box.element.kind == "new") == sorted(handed_on)


@every_program
def test_every_product_with_a_sigmoid_is_a_valve_once(name: str) -> None:
    program = PROGRAMS[name]
    valves = {box.element.node: box.element for box in drawing(program).boxes if box.element.kind == "valve"}
    for index, node in enumerate(program.nodes):
        factors = [arg for arg in node.args if varies(program, arg)]
        if node.op == "mul" and len(factors) == 2 and any(is_gate(program, arg) for arg in factors):
            assert valves[index].opening in factors
            assert is_gate(program, valves[index].opening)


@every_program
def test_every_element_stands_once(name: str) -> None:
    boxes = drawing(PROGRAMS[name]).boxes
    assert max(Counter((box.element.kind == "new", box.element.name, box.element.node) for box in boxes).values()) == 1
    assert max(Counter(box.element.node for box in boxes if box.element.kind != "new").values()) == 1


@every_program
def test_every_matrix_belongs_to_one_gate(name: str) -> None:
    """A gate reads what its matrices multiply."""
    program = PROGRAMS[name]
    gates = [box.element for box in drawing(program).boxes if box.element.kind == "gate"]
    for index, node in enumerate(program.nodes):
        if node.op == "product":
            assert sum(reads(program, gate.node, index) for gate in gates) == 1, node.name


def reads(program: Program, gate: int, product: int) -> bool:
    """Whether a gate's node is computed from the product by what is drawn inside the gate."""
    inside = {box.element.node for box in drawing(program).boxes} - {gate}
    waiting = [gate]
    while waiting:
        index = waiting.pop()
        if index == product:
            return True
        waiting += [arg for arg in program.nodes[index].args if arg not in inside]
    return False


@every_program
def test_no_two_boxes_overlap(name: str) -> None:
    for a, b in combinations(drawing(PROGRAMS[name]).boxes, 2):
        apart = abs(a.x - b.x) - (a.width + b.width) / 2, abs(a.y - b.y) - (a.height + b.height) / 2
        assert max(apart) > 4, (a.element, b.element)


@every_program
def test_all_lies_on_the_paper(name: str) -> None:
    drawn = drawing(PROGRAMS[name])
    places = [(box.x + dx, box.y + dy) for box in drawn.boxes for dx in (-box.width / 2, box.width / 2)
              for dy in (-box.height / 2, box.height / 2)]  # fmt: skip
    places += [point for line in drawn.lines for point in line.points]
    assert all(0 < x < drawn.width and 0 < y < drawn.height for x, y in places)


@every_program
def test_every_value_arrives_where_it_is_read(name: str) -> None:
    """From the right edge of its box an unbroken line to each box that has it as an input."""
    drawn = drawing(PROGRAMS[name])
    for source in drawn.boxes:
        if source.element.kind == "new":
            continue
        edge = source.x + source.width / 2
        lines = segments(drawn, source.element.node)
        reached = connected((edge, source.y, edge, source.y), lines)
        assert set(lines) <= set(reached), source.element
        for box in drawn.boxes:
            entering = [i for i in box.element.inputs if i.source == source.element.node]
            for port in entering:
                left = box.x - box.width / 2
                frame = (box.x, box.y - box.height / 2, box.x, box.y + box.height / 2)
                place = frame if port.port == "side" else (left, box.y, left, box.y)
                assert any(touch(line, place) for line in reached), (source.element, box.element)


@every_program
def test_no_line_runs_through_a_box(name: str) -> None:
    drawn = drawing(PROGRAMS[name])
    for box in drawn.boxes:
        inner = (box.x - box.width / 2 + 2, box.y - box.height / 2 + 2, box.x + box.width / 2 - 2,
                 box.y + box.height / 2 - 2)  # fmt: skip
        controls = {i.source for i in box.element.inputs} if box.element.kind == "valve" else set()
        for net in {line.net for line in drawn.lines} - controls:
            assert not any(touch(line, inner) for line in segments(drawn, net)), (box.element, net)


@every_program
def test_no_two_values_run_in_one_line(name: str) -> None:
    """Lines of different values cross, or join before a gate that reads both, and nowhere lie on one another."""
    drawn = drawing(PROGRAMS[name])
    gates = {box.y for box in drawn.boxes if box.element.kind == "gate"}
    for one, other in combinations(sorted({line.net for line in drawn.lines}), 2):
        for a in segments(drawn, one):
            for b in segments(drawn, other):
                level = a[1] == a[3] and b[1] == b[3] and abs(a[1] - b[1]) < 2
                upright = a[0] == a[2] and b[0] == b[2] and abs(a[0] - b[0]) < 2
                if level and a[1] not in gates:
                    assert min(a[2], b[2]) <= max(a[0], b[0]) + 1, (one, other, a, b)
                if upright:
                    assert min(a[3], b[3]) <= max(a[1], b[1]) + 1, (one, other, a, b)


@pytest.mark.parametrize("name", ["rnn", "lstm", "coupled_lstm", "rhn_3", "minlstm", "mingru", "projected_lstm"])
def test_nothing_crosses_where_nothing_must(name: str) -> None:
    assert drawing(PROGRAMS[name]).crossings == 0


@pytest.mark.parametrize("name", list(cells))
def test_the_memory_runs_straight_along_the_top(name: str) -> None:
    drawn = drawing(PROGRAMS[name])
    memory = {y for line in drawn.lines if line.style == "memory" for _, y in line.points}
    if memory:
        assert min(memory) == min(y for line in drawn.lines for _, y in line.points)


# -- the file


@every_program
def test_the_file_is_xml_that_says_what_is_what(name: str) -> None:
    root = ElementTree.fromstring(svg(PROGRAMS[name], f"{name} <1>"))
    assert root.findtext(f"{SVG}title") == f"{name} <1>"
    roles: dict[str, list[dict[str, str]]] = {}
    for element in root.iter():
        if "data-role" in element.attrib:
            roles.setdefault(element.attrib["data-role"], []).append(element.attrib)
            assert int(element.attrib["data-node"]) in range(len(PROGRAMS[name].nodes))
    valves = [box.element for box in drawing(PROGRAMS[name]).boxes if box.element.kind == "valve"]
    assert [(int(v["data-node"]), int(v["data-gate"])) for v in roles.get("valve", [])] == [
        (valve.node, valve.opening) for valve in valves
    ]
    assert {state["data-time"] for state in roles["state"]} >= {"old", "new"}


@pytest.mark.parametrize("name", list(cells))
def test_the_documents_show_the_diagram_as_it_is_drawn(name: str) -> None:
    """Drawn in another process: the same equations give the same file."""
    assert (DOCS / f"{name}.svg").read_text() == svg(PROGRAMS[name], name), "run: python docs/generate.py"


def test_it_is_drawn_for_light_and_for_dark_paper() -> None:
    assert "prefers-color-scheme: dark" in svg(PROGRAMS["rnn"])
