"""What is made of a pronouncing dictionary, a small one here."""

import random

import pytest

from gatework.lab import pronunciation
from gatework.lab.parts import parted

ENTRIES = [
    ("read", ["R", "EH1", "D"]),
    ("record", ["R", "AH0", "K", "AO1", "R", "D"]),
    ("read", ["R", "IY1", "D"]),
    ("record", ["R", "AH2", "K", "AO0", "R", "D"]),
]


def test_every_pronunciation_of_a_word_is_accepted() -> None:
    found = pronunciation.pairs(ENTRIES, stress=True)
    assert found[tuple("read")] == [("R", "EH1", "D"), ("R", "IY1", "D")]
    assert found[tuple("record")] == [("R", "AH0", "K", "AO1", "R", "D"), ("R", "AH2", "K", "AO0", "R", "D")]


def test_without_stress_those_that_are_then_alike_are_one() -> None:
    found = pronunciation.pairs(ENTRIES, stress=False)
    assert found[tuple("read")] == [("R", "EH", "D"), ("R", "IY", "D")]
    assert found[tuple("record")] == [("R", "AH", "K", "AO", "R", "D")]


def test_words_are_parted_by_the_seed_nine_of_ten_to_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [(f"word{number}", ["W", "ER1", "D"]) for number in range(200)]
    monkeypatch.setattr(pronunciation, "entries", lambda: words)
    parts = pronunciation.parts(stress=False, seed=3)
    sizes = [len(each) for each in (parts.training, parts.validation, parts.test, parts.beyond)]
    assert sizes == [180, 10, 10, 0]
    assert len(parts.training | parts.validation | parts.test) == 200, "no word stands in two"
    assert parts == pronunciation.parts(stress=False, seed=3) != pronunciation.parts(stress=False, seed=4)


def test_the_order_of_entries_does_not_change_the_parts() -> None:
    words = {tuple(f"{number}"): [("N",)] for number in range(100)}
    backwards = dict(reversed(words.items()))
    assert parted(words, random.Random(0)) == parted(backwards, random.Random(0))


def test_what_was_published_says_where_it_was_read() -> None:
    assert all(0 < each.words < 100 and each.split and each.read for each in pronunciation.PUBLISHED)
