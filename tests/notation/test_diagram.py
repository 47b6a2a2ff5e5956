"""The diagram of a cell: everything in it once, nothing on top of anything else, the same every time."""

from itertools import combinations
from xml.etree import ElementTree

import pytest

from gatework.cells import cells
from gatework.notation.diagram import drawing, svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", list(cells))
def test_no_two_boxes_overlap(name: str) -> None:
    boxes = drawing(cells[name].program).boxes
    for a, b in combinations(boxes, 2):
        apart = abs(a.x - b.x) - (a.width + b.width) / 2, abs(a.y - b.y) - (a.height + b.height) / 2
        assert max(apart) > 4, (a.element, b.element)


@pytest.mark.parametrize("name", list(cells))
def test_the_file_is_xml_and_the_same_every_time(name: str) -> None:
    text = svg(cells[name].program, name)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == name
    if len(cells[name].program.nodes) < 30:
        assert svg(cells[name].program, name) == text
