"""A backward pass in pieces of a sequence is that of the whole, whatever is saved and wherever the pieces end."""

from dataclasses import replace

import pytest

from gatework.cells import cells
from gatework.engines import Arguments, Results, native
from gatework.engines.native import backward
from gatework.verify.problems import Case, answer, draw
from numerics import all_same

CASES = [Case(7, 3, 5, 6, 4), Case(8, 3, 5, 6, 4, lengths=True, resets=True, extras=True)]


@pytest.fixture
def short_pieces(monkeypatch):
    """Pieces of two steps of three sequences."""
    monkeypatch.setattr(backward, "LARGE", 1)
    monkeypatch.setattr(backward, "ENOUGH", 6)
    backward.bind.cache_clear()
    yield
    backward.bind.cache_clear()


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("name", cells)
def test_pieces_give_the_gradients_of_the_whole(name, case, reverse, recompute, request):
    def run(arguments: Arguments) -> Results:
        return native.run(replace(arguments, reverse=reverse, recompute=recompute))

    problem = draw(cells[name], case).to(native.DTYPES[0])
    whole = answer(run, problem)
    request.getfixturevalue("short_pieces")
    all_same(answer(run, problem), whole)


def test_pieces_are_as_long_as_memory_allows_and_never_shorter_than_is_worth_it():
    steps = backward.LARGE // (4 * 64 * 1024)
    assert list(backward._pieces(2 * steps + 1, 64, 1024, False)) == [
        (steps + 1, 2 * steps + 1),
        (1, steps + 1),
        (0, 1),
    ]
    assert list(backward._pieces(100, 1, 10, False)) == [(0, 100)]
    assert len(list(backward._pieces(1024, 1, 10**7, False))) == 2
    assert list(backward._pieces(0, 1, 10, False)) == [(0, 0)]
