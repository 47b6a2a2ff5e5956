"""How much a text repeats itself, and how long a repetition each next token would end."""

import random

import pytest

from gatework.text import repetition
from gatework.text.repetition import Written, repeated


def test_the_share_of_runs_that_repeat_an_earlier_one() -> None:
    assert repeated("abab", 2) == pytest.approx(1 / 3)
    assert repeated("aaaaa", 1) == pytest.approx(4 / 5)
    assert repeated("abcdef", 3) == 0
    assert repeated(["to", " ", "be", " ", "to", " "], 2) == pytest.approx(1 / 5)


@pytest.mark.parametrize("text", ["", "ab"])
def test_a_text_shorter_than_a_run_repeats_nothing(text: str) -> None:
    assert repeated(text, 3) == 0


def by_hand(tokens: list[int], token: int) -> int:
    """The longest end of tokens + [token] that stands in tokens, too, and ends there before the last place."""
    whole = [*tokens, token]
    for length in range(len(tokens), 0, -1):
        end = whole[-length:]
        if any(tokens[place : place + length] == end for place in range(len(tokens) - length + 1)):
            return length
    return 0


@pytest.mark.parametrize("seed", range(5))
def test_each_token_has_the_length_of_the_repetition_that_it_would_end(seed: int) -> None:
    drawn = random.Random(seed)
    tokens: list[int] = []
    written = Written()
    for _ in range(40):
        assert written.repeats(4).tolist() == [by_hand(tokens, token) for token in range(4)]
        tokens.append(drawn.choice([0, 1, 2, 2]))
        written.add(tokens[-1])
    assert written.repeats(4)[3] == 0, "it was never written"


def test_only_the_last_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repetition, "WINDOW", 5)
    written = Written([3, 0, 1, 0, 1, 0])
    assert len(written.tokens) == len(written.matched) == 5
    assert written.repeats(4).tolist() == [1, 4, 0, 0], "the 3 is forgotten"
