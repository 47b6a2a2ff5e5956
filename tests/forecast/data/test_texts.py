"""Columns of texts in arrays: side by side, or as objects where a few are far longer than most."""

import pytest

from gatework.forecast.data.texts import decoded, joined, packed

EVEN, UNEVEN = ["a", "bb"] * 500, ["a"] * 999 + ["b" * 10_000]


@pytest.mark.parametrize(("texts", "kind"), [(EVEN, "S"), (UNEVEN, "O")], ids=["even", "uneven"])
def test_texts_take_an_array_of_the_longest_ones_width_unless_that_is_mostly_empty(texts: list[str], kind: str) -> None:
    column = packed(texts)
    assert column.dtype.kind == kind
    assert decoded(column) == texts


def test_joined_texts_are_objects_where_one_part_has_far_longer_ones() -> None:
    both = joined([packed(EVEN * 20), packed(["c" * 10_000])])
    assert both.dtype.kind == "O"
    assert decoded(both) == [*EVEN * 20, "c" * 10_000]
