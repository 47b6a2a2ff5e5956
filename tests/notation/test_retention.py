"""States that keep something of themselves: those with a path to their new value that crosses no product."""

import pytest

from gatework.cells import cells
from gatework.notation.retention import retained


@pytest.mark.parametrize(("cell", "states"), [("lstm", ("c",)), ("gru", ("h",)), ("rnn", ())])
def test_the_states_with_a_direct_path_to_their_new_value(cell: str, states: tuple[str, ...]) -> None:
    assert retained(cells[cell].program) == states
