"""`gatework cells NAME --svg FILE` draws a cell."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_toys import Command, tree


def test_a_cell_is_drawn_to_a_file(gatework: Command, place: Path) -> None:
    done = gatework("cells", "gru", "--svg", "gru.svg")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert ElementTree.parse(place / "gru.svg").getroot().tag.endswith("svg")


def test_ones_own_cell_is_drawn(gatework: Command, place: Path) -> None:
    assert gatework("cells", "--equations", "mine.txt", "--svg", "mine.svg").status == 0
    assert 'data-role="gate"' in (place / "mine.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--svg all.svg", "--svg is about one cell"),
        ("lstm --svg back.svg --backward", "leave out --backward"),
        ("lstm --svg missing/folder.svg", "missing/folder.svg"),
        ("lsmt --svg lsmt.svg", "unknown cell 'lsmt'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_line(gatework: Command, place: Path, arguments: str, said: str) -> None:
    before = tree(place)
    done = gatework("cells", *arguments.split())
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert said in done.err
    assert tree(place) == before
