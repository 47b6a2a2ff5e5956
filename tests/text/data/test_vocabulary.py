"""Text to ids and back loses nothing that is known."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatework.errors import InputError
from gatework.runs.parts import UNKNOWN
from gatework.text.data.vocabulary import PIECE, Vocabulary, count, pieces

LEVELS = ["byte", "char", "word"]
prose = st.text(st.sampled_from("aбé1_ \t\r\n\u2028.,-<>\u0301😀") | st.characters(codec="utf-8"))


def made_from(level, text, size=None):
    return Vocabulary.of(level, count(level, [text]), size)


def cut(text, places):
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(ends)]


@pytest.mark.parametrize("level", LEVELS)
@given(prose)
def test_a_text_comes_back_exactly(level, text):
    vocabulary = made_from(level, text, None if level == "byte" else 10_000)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@pytest.mark.parametrize("level", LEVELS)
@given(prose)
def test_a_text_decoded_token_by_token_comes_back_exactly(level, text):
    vocabulary = made_from(level, text)
    decoder = vocabulary.decoder()
    parts = [decoder.decode(token) for token in vocabulary.encode(text).tolist()]
    assert "".join(parts) + decoder.finish() == text


@given(prose)
def test_splitting_into_words_loses_nothing(text):
    assert "".join(PIECE.findall(text)) == text


@given(prose, st.lists(st.integers(0, 1000)))
def test_words_cut_by_the_end_of_a_block_come_whole(text, places):
    split = [piece for part in pieces("word", cut(text, places)) for piece in part]
    assert split == PIECE.findall(text)


@given(prose, st.lists(st.integers(0, 1000)))
def test_counts_do_not_depend_on_blocks(text, places):
    assert count("word", cut(text, places)) == Counter(PIECE.findall(text))
    assert count("char", cut(text, places)) == Counter(text)


def test_words_spaces_and_signs_are_pieces():
    assert PIECE.findall("def f_1(x):\n    it's  ½") == [
        *["def", " ", "f_1", "(", "x", ")", ":", "\n    ", "it", "'", "s", "  ", "½"]
    ]


def test_no_run_is_longer_than_a_hundred_so_memory_is_bounded():
    blocks = ["a" * 30] * 20 + [" " * 30] * 20
    split = [piece for part in pieces("word", blocks) for piece in part]
    assert split == ["a" * 100] * 6 + [" " * 100] * 6


def test_the_most_frequent_come_first_and_ties_are_sorted():
    assert made_from("char", "ccbbad").tokens == (UNKNOWN, "b", "c", "a", "d")
    assert made_from("word", "to be or not to be").tokens == (UNKNOWN, " ", "be", "to", "not", "or")


def test_the_size_counts_unknown_and_cuts_the_rest():
    vocabulary = made_from("char", "aaabbc", 3)
    assert vocabulary.tokens == (UNKNOWN, "a", "b")
    assert vocabulary.encode("abcx\0😀").tolist() == [1, 2, 0, 0, 0, 0]
    assert vocabulary.decode([1, 0, 2]) == "a<unk>b"


def test_the_default_sizes_are_1024_characters_and_10000_words():
    assert len(made_from("char", "".join(map(chr, range(5000))))) == 1024
    assert len(made_from("word", " ".join(map(str, range(20_000))))) == 10_000


@pytest.mark.parametrize("level", ["char", "word"])
def test_unknown_is_always_there_at_zero(level):
    vocabulary = made_from(level, "aa")
    assert (vocabulary.unknown, len(vocabulary)) == (0, 2)
    assert vocabulary.encode("b").tolist() == [0]
    assert Vocabulary(level, (UNKNOWN,)).encode("a").tolist() == [0]


def test_a_text_that_spells_unknown_is_not_unknown():
    vocabulary = made_from("word", UNKNOWN)
    assert 0 not in vocabulary.encode(UNKNOWN)
    assert vocabulary.decode(vocabulary.encode(UNKNOWN)) == UNKNOWN


def test_bytes_are_all_known():
    vocabulary = Vocabulary("byte")
    assert (len(vocabulary), vocabulary.unknown, vocabulary.unit) == (256, None, "bytes")
    assert vocabulary.encode("é\0").tolist() == [0xC3, 0xA9, 0]
    assert vocabulary.tokens[0xE9] == "é"


def test_bytes_that_are_no_character_are_shown_as_replacement():
    vocabulary = Vocabulary("byte")
    assert vocabulary.decode([0x61, 0xFF, 0xE2, 0x82]) == "a\ufffd\ufffd"


@given(st.binary())
def test_bytes_decoded_one_by_one_read_as_all_at_once(data):
    vocabulary = Vocabulary("byte")
    decoder = vocabulary.decoder()
    assert "".join(map(decoder.decode, data)) + decoder.finish() == vocabulary.decode([*data])


def test_a_character_appears_with_its_last_byte():
    decoder = Vocabulary("byte").decoder()
    assert [decoder.decode(token) for token in "a€".encode()] == ["a", "", "", "€"]
    assert decoder.decode(0xE2) == ""
    assert (decoder.finish(), decoder.finish()) == ("\ufffd", "")


def test_foreign_bytes_of_a_command_line_are_the_same_bytes():
    assert Vocabulary("byte").encode("a\udcff").tolist() == [0x61, 0xFF]


def test_half_a_character_is_an_input_error_in_bytes_and_unknown_elsewhere():
    with pytest.raises(InputError, match=r"the text has '\\ud800' at character 1, which is not text"):
        Vocabulary("byte").encode("a\ud800")
    assert made_from("char", "a").encode("a\ud800").tolist() == [1, 0]


@pytest.mark.parametrize(("tokens", "dtype"), [(256, "<u1"), (257, "<u2"), (1 << 16, "<u2"), ((1 << 16) + 1, "<u4")])
def test_ids_take_the_smallest_type_that_holds_them_all(tokens, dtype):
    vocabulary = Vocabulary("word", (UNKNOWN, *(f"w{k}" for k in range(tokens - 1))))
    last = vocabulary.encode(vocabulary.tokens[-1])
    assert last.dtype == vocabulary.dtype == np.dtype(dtype)
    assert last.tolist() == [tokens - 1]
    assert vocabulary.encode("").dtype == dtype


def test_ids_can_be_written_to_and_given_to_torch():
    for level in LEVELS:
        ids = torch.from_numpy(made_from(level, "abc").encode("abc"))
        assert made_from(level, "abc").decode(ids) == "abc"


def test_an_id_outside_the_vocabulary_is_an_input_error():
    for level in LEVELS:
        vocabulary = made_from(level, "ab")
        for wrong in [-1, len(vocabulary)]:
            with pytest.raises(InputError, match=f"token {wrong} is not in the vocabulary: ids are 0 to"):
                vocabulary.decode([0, wrong])
            with pytest.raises(InputError, match=f"token {wrong} is not in the vocabulary"):
                vocabulary.decoder().decode(wrong)


def test_equal_vocabularies_are_equal():
    assert made_from("char", "ab") == made_from("char", "ab") != made_from("char", "ac")
    assert len({made_from("char", "ab"), made_from("char", "ab"), made_from("word", "ab")}) == 2


@pytest.mark.parametrize("level", LEVELS)
@given(prose)
def test_json_gives_the_same_vocabulary(level, text):
    vocabulary = made_from(level, text)
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, 'expected an object with "level" and "tokens"'),
        ([], 'expected an object with "level" and "tokens"'),
        ({}, 'expected an object with "level" and "tokens"'),
        ({"level": ["char"], "tokens": []}, 'expected an object with "level" and "tokens"'),
        ({"level": "line", "tokens": [UNKNOWN]}, "unknown level 'line': choose byte, char or word"),
        ({"level": "char"}, 'expected "tokens" to be a list of strings'),
        ({"level": "char", "tokens": "abc"}, 'expected "tokens" to be a list of strings'),
        ({"level": "char", "tokens": [UNKNOWN, 3]}, 'expected "tokens" to be a list of strings'),
        ({"level": "char", "tokens": []}, "expected <unk> as the first token"),
        ({"level": "char", "tokens": ["a", UNKNOWN]}, "expected <unk> as the first token"),
        ({"level": "char", "tokens": [UNKNOWN, "a", "a"]}, "the token 'a' is listed twice"),
        ({"level": "char", "tokens": [UNKNOWN, "ab"]}, "the token 'ab' is not one character"),
        ({"level": "char", "tokens": [UNKNOWN, ""]}, "the token '' is not one character"),
        ({"level": "char", "tokens": [UNKNOWN, "\ud800"]}, r"the token '\ud800' is not one character"),
        ({"level": "word", "tokens": [UNKNOWN, "a b"]}, "the token 'a b' is not one word"),
        ({"level": "word", "tokens": [UNKNOWN, ""]}, "the token '' is not one word"),
        ({"level": "byte", "tokens": ["a"]}, "expected the 256 bytes"),
    ],
)
def test_a_damaged_vocabulary_is_an_input_error_that_names_its_place(data, message):
    with pytest.raises(InputError) as error:
        Vocabulary.from_json(data, "run/model.json")
    assert str(error.value).startswith("run/model.json is damaged: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("level", "size", "message"),
    [
        ("char", 1, "a vocabulary of 1 was asked for: it takes at least 2"),
        ("word", 0, "a vocabulary of 0 was asked for: it takes at least 2"),
        ("byte", 100, "a vocabulary of 100 bytes was asked for: there are always 256, give no size"),
        ("line", None, "unknown level 'line': choose byte, char or word"),
    ],
)
def test_sizes_and_levels_that_make_no_sense_are_input_errors(level, size, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.of(level, Counter("ab"), size)
