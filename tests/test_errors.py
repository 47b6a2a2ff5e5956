import pickle

import pytest

from gatework.errors import LONGEST, InputError, field, one_line, printable, shortened

SHOWN = [
    ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    ("\x9b31m", "\\x9b31m"),
    ("a\r\nb\tc", "a\\r\\nb\\tc"),
    ("\x00\x7f", "\\x00\\x7f"),
    ("abc\u202etxt", "abc\\u202etxt"),
    ("line\u2028end", "line\\u2028end"),
    ("name\udcff", "name\\xff"),
    ("\ud800", "\\ud800"),
    ("Gruß 日本 👩\u200d🔬 \\n", "Gruß 日本 👩\u200d🔬 \\n"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_control_characters_are_escaped_and_nothing_else(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_those_that_lay_out_a_text_can_be_kept() -> None:
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


def test_long_texts_are_cut_in_the_middle() -> None:
    assert shortened("x" * 60) == "x" * 60
    cut = shortened("a" * 500 + "b" * 500)
    assert len(cut) == 60
    assert (cut[:10], cut[-10:]) == ("a" * 10, "b" * 10)
    assert "..." in cut
    assert field("\x1b" * 1000).startswith("\\x1b\\x1b")
    assert len(field("\x1b" * 1000)) == 60


def test_a_message_is_one_line_that_keeps_its_beginning_and_its_remedy() -> None:
    message = one_line(f"unknown cell {'x' * 10**6!r}\n\x1b[2J; closest\tis lstm")
    assert message.startswith("unknown cell 'xxx")
    assert message.endswith("xxx' \\x1b[2J; closest is lstm")
    assert len(message) < 500
    assert len(one_line("many words " * 10**5)) == LONGEST


def test_an_error_shows_what_was_given_so_that_it_can_be_read() -> None:
    error = InputError(f"task {'y' * 10**6} and \x1b]0;z\x07")
    assert len(str(error)) < 500
    assert str(error).endswith("and \\x1b]0;z\\x07")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
