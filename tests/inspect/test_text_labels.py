"""What could be kept in mind of a text, character by character."""

import numpy as np
import pytest

from gatework.inspect.labels import MEANINGS, labels

PYTHON = 'if f(a, [b]):  # say "x"\n    s = "(#" + Abc\n'


def marked(text: str, label: str, name: str = "a.py") -> str:
    """The text with a dot wherever a label is 0."""
    values = labels(text, name)[0][label]
    return "".join(character if value else "." for character, value in zip(text, values, strict=True))


def numbered(text: str, label: str, name: str = "a.py") -> list[int]:
    return labels(text, name)[0][label].astype(int).tolist()


def test_strings_and_comments_are_those_of_the_language() -> None:
    assert marked(PYTHON, "in_quote") == "." * 33 + '"(#"' + "." * 7
    assert marked(PYTHON, "comment") == "." * 15 + '# say "x"' + "." * 20
    assert marked('x = """a\n"b" # c"""\n', "in_quote").strip(".") == '"""a\n"b" # c"""'
    assert marked("a // b\n/* c */ d\n", "comment", "a.c") == "..// b\n/* c */..."


def test_brackets_in_strings_and_comments_do_not_count() -> None:
    assert numbered("f(a, [b]) # (\n", "depth") == [0, 1, 1, 1, 1, 2, 2, 1, 0, 0, 0, 0, 0, 0]
    assert max(numbered('x = "((("\n', "depth")) == 0


def test_an_indent_is_what_was_read_of_it() -> None:
    assert numbered("a\n  b c\n\n c\n", "indent") == [0, 0, 1, 2, 2, 2, 2, 0, 0, 1, 1, 0]


def test_words_lines_and_capitals() -> None:
    text = "Ab cD\ne_1"
    assert numbered(text, "line_pos") == [1, 2, 3, 4, 5, 0, 1, 2, 3]
    assert numbered(text, "word_pos") == [1, 2, 0, 1, 2, 0, 1, 2, 3]
    assert numbered(text, "after_space") == [0, 0, 1, 0, 0, 1, 0, 0, 0]
    assert numbered(text, "upper") == [1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert numbered(text, "in_cap_word") == [1, 1, 0, 0, 0, 0, 0, 0, 0]


def test_prose_has_quotation_marks_and_a_blank_line_ends_what_was_left_open() -> None:
    text = 'He: "yes (no\n\nShe said “so”.'
    assert marked(text, "in_quote", "a.txt") == "...." + '"yes (no' + "." * 11 + "“so”."
    assert numbered(text, "depth", "a.txt")[-1] == 0


def test_the_suffixes_trained_on_say_the_language_where_the_name_does_not() -> None:
    assert labels("# a\n", "standard input", [".py"])[1] == "Python"
    assert labels("# a\n", "standard input")[1] == "plain text"


@pytest.mark.parametrize("text", ["", "\n", "a", "\r\n\t", "😀\u2028 \x00", '"' * 5])
def test_any_text_has_a_number_for_every_character(text: str) -> None:
    for name in ("a.py", "a.txt"):
        found, _ = labels(text, name)
        assert set(found) == set(MEANINGS)
        assert all(len(values) == len(text) and np.isfinite(values).all() for values in found.values())
