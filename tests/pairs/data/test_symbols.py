"""Texts as symbols and back."""

import json

import numpy as np
import pytest

from gatework.pairs.data.symbols import BYTES, Level, Symbols, join, split

TEXTS = ["a", "Zoë", "3 March 2021", "2021-03-03", 'light.on("hall", 7)', "don't  stop", "\uffeda \uffed", "日本 語"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", ["char", "byte", "word", "symbol"])
def test_symbols_joined_are_the_text_again_but_for_the_width_of_spaces(text: str, level: Level) -> None:
    expected = text if level in ("char", "byte") else " ".join(text.split())
    assert join(split(text, level), level) == expected
    assert split(join(split(text, level), level), level) == split(text, level)


def test_what_a_symbol_is() -> None:
    text = "on, é"
    assert split(text, "char") == ("o", "n", ",", " ", "é")
    assert split(text, "byte") == ("o", "n", ",", " ", "Ã", "©")
    assert split(text, "word") == ("on", "\uffed,", "é")
    assert split(text, "symbol") == ("on,", "é")


def test_foreign_bytes_of_a_command_line_are_bytes() -> None:
    assert split("a\udcff", "byte") == ("a", "\xff")
    assert join(("a", "\xff"), "byte") == "a\ufffd"


def test_a_source_has_a_number_for_the_unknown_a_target_has_none() -> None:
    texts = [tuple("abc"), tuple("ab"), tuple("a")]
    sources, targets = Symbols.of_sources(texts, "char"), Symbols.of_targets(texts, "char")
    assert sources.symbols == ("<unk>", "a", "b", "c")
    assert targets.symbols == ("a", "b", "c")
    assert sources.encode([tuple("ba"), tuple("xc")]).tolist() == [2, 1, 0, 3]
    assert targets.encode([tuple("ba"), tuple("xc")]).tolist() == [1, 0, -1, 2]
    assert targets.texts([2, 0]) == ("c", "a")
    assert sources.unseen([tuple("xax"), tuple("y")]) == {"x": 2, "y": 1}


def test_the_most_frequent_symbols_are_known() -> None:
    texts = [tuple("ccbba")]
    assert Symbols.of_sources(texts, "char", 3).symbols == ("<unk>", "b", "c")
    assert Symbols.of_targets(texts, "char", 2).symbols == ("b", "c")


def test_all_bytes_are_known_whatever_occurs() -> None:
    assert Symbols.of_targets([("a",)], "byte").symbols == BYTES
    assert len(Symbols.of_sources([("a",)], "byte")) == 257


@pytest.mark.parametrize("level", ["char", "byte", "word", "symbol"])
@pytest.mark.parametrize("side", [Symbols.of_sources, Symbols.of_targets])
def test_symbols_come_back_from_json(level: Level, side) -> None:
    made = side([split(text, level) for text in TEXTS], level)
    again = Symbols.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    np.testing.assert_array_equal(again.encode([split(TEXTS[1], level)]), made.encode([split(TEXTS[1], level)]))


@pytest.mark.parametrize(
    "change",
    [
        {"level": "letters"},
        {"symbols": []},
        {"symbols": ["<unk>", "a", "a"]},
        {"symbols": ["<unk>", 7]},
        {"symbols": ["<unk>", ""]},
        {"unknown": False},
        {"unknown": 1},
        {"symbols": ["a"]},
    ],
)
def test_json_that_is_no_symbols_is_refused(change: dict[str, object]) -> None:
    good = Symbols.of_sources([("a", "b")], "char").to_json()
    with pytest.raises((ValueError, TypeError, KeyError)):
        Symbols.from_json({**good, **change})
