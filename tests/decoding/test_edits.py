"""Edits between sequences: the fewest, by trying all on tiny ones."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from gatework.decoding import edits as module
from gatework.decoding.edits import Edit, all_edits, distances, edits

Word = tuple[str, ...]


@cache
def fewest(a: Word, b: Word) -> int:
    """The definition, without a table."""
    if not a or not b:
        return len(a) + len(b)
    swapped = fewest(a[1:], b[1:]) + (a[0] != b[0])
    return min(swapped, fewest(a[1:], b) + 1, fewest(a, b[1:]) + 1)


def words(most: int, alphabet: str = "ab") -> list[Word]:
    return [word for length in range(most + 1) for word in product(alphabet, repeat=length)]


PAIRS = list(product(words(4), words(3)))


def test_distances_are_the_fewest_edits_of_all_short_words() -> None:
    found = distances([a for a, _ in PAIRS], [b for _, b in PAIRS])
    assert found.tolist() == [fewest(a, b) for a, b in PAIRS]


def test_edits_turn_one_into_the_other_and_are_the_fewest() -> None:
    for (a, b), made in zip(PAIRS, all_edits([a for a, _ in PAIRS], [b for _, b in PAIRS]), strict=True):
        assert tuple(edit.hypothesis for edit in made if edit.hypothesis is not None) == a
        assert tuple(edit.reference for edit in made if edit.reference is not None) == b
        assert sum(not edit.kept for edit in made) == fewest(a, b)


def test_one_symbol_in_the_place_of_another_is_one_edit() -> None:
    assert edits("kitten", "sitting") == [
        Edit("k", "s"),
        *(Edit(each, each) for each in "itt"),
        Edit("e", "i"),
        Edit("n", "n"),
        Edit(None, "g"),
    ]


def test_symbols_are_compared_as_wholes() -> None:
    assert distances([["AH0", "B"], [1, 2, 3]], [["AH1", "B"], [1, 3]]).tolist() == [1, 1]


@pytest.mark.parametrize("most", [1, 64, 700])
def test_how_many_are_compared_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 12, (2, 50))
    a, b = ([tuple(map(str, rng.integers(0, 3, size))) for size in each] for each in sizes)
    whole, made = distances(a, b), all_edits(a, b)
    monkeypatch.setattr(module, "MOST", most)
    np.testing.assert_array_equal(distances(a, b), whole)
    assert all_edits(a, b) == made
    assert [sum(not edit.kept for edit in each) for each in made] == whole.tolist()


def test_nothing_to_compare_is_no_distance() -> None:
    assert distances([], []).shape == (0,)
    assert all_edits([], []) == []
    assert edits((), ()) == []


def test_as_many_hypotheses_as_references_are_expected() -> None:
    with pytest.raises(ValueError, match="2 hypotheses and 1 references"):
        distances(["a", "b"], ["a"])
