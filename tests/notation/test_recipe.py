"""A Program is made again from its recipe, a line of text; other text is refused."""

import json

import pytest

from gatework.cells import cells
from gatework.notation import EquationError, parse
from gatework.notation.recipe import read


def test_every_cell_is_made_again_from_its_line():
    for cell in cells.values():
        line = cell.program.recipe
        assert read(line) == cell.program
        assert "\n" not in line


def test_masks_taps_constants_and_infinite_starts_are_part_of_the_line():
    program = parse(
        "m = max(m, W @ x + a)\nh = tanh(m - b)",
        constants={"a": 0.1},
        start={"m": float("-inf")},
        dropout=["h"],
        taps=["m", "h"],
    )
    assert read(program.recipe) == program
    other = parse("m = max(m, W @ x + a)\nh = tanh(m - b)", constants={"a": 0.2}, start={"m": float("-inf")})
    assert read(other.recipe) == other != program


GOOD = json.loads(cells["gru"].program.recipe)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", r"^expected a Program as JSON, found '': "),
        ("[" * 100_000, r"^expected a Program as JSON, found '\[\[.*\.\.\.': "),
        ("[]", r"^expected a Program as JSON with equations, output, .*, retention, found '\[\]'$"),
        (json.dumps(GOOD | {"more": 1}), "^expected a Program as JSON with equations"),
        (json.dumps(GOOD | {"equations": 3}), "^equations: expected text, found 3$"),
        (json.dumps(GOOD | {"taps": "h"}), "^taps: expected a list of names, found 'h'$"),
        (json.dumps(GOOD | {"taps": [None]}), "^taps: expected text, found None$"),
        (json.dumps(GOOD | {"start": [["h"]]}), r"^start: expected a list of names with numbers, found \[\['h'\]\]$"),
        (json.dumps(GOOD | {"start": [[3, 0]]}), "^start: expected text, found 3$"),
        (json.dumps(GOOD | {"start": [["h", "0"]]}), "^start: 'h' is '0'; expected a number$"),
        (json.dumps(GOOD | {"equations": "h = __import__('os')"}), "^line 1: h = >>__import__<<"),
        (json.dumps(GOOD | {"output": "q"}), "q"),
    ],
)
def test_text_that_is_no_program_is_refused(line, message):
    with pytest.raises(EquationError, match=message):
        read(line)
