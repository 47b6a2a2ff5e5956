import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatework.errors import InputError
from gatework.labels.data.examples import given_examples, read_examples, split


def written(folder: Path, *rows: Any) -> Path:
    """A file of lines: texts as they are, anything else as JSON."""
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


# -- what can be read


def test_a_text_with_a_label_is_a_class_and_its_steps_are_characters(tmp_path: Path) -> None:
    found = read_examples(written(tmp_path, {"text": "Wien", "label": "city"}, {"text": "Inn", "label": "river"}))
    assert (found.form, found.kind, found.labels) == ("char", "class", ["city", "river"])
    assert [list(text) for text in found.sequences] == [["W", "i", "e", "n"], ["I", "n", "n"]]


def test_a_text_by_words_leaves_out_what_is_between_them(tmp_path: Path) -> None:
    found = read_examples(written(tmp_path, {"text": "So, what  now?", "label": 1}), level="word")
    assert found.sequences == [["So", ",", "what", "now", "?"]]


def test_a_list_of_words_is_taken_as_it_is(tmp_path: Path) -> None:
    found = read_examples(written(tmp_path, {"text": ["New York", "don't"], "label": ["NAME", "VERB"]}), level="word")
    assert (found.form, found.kind, found.sequences) == ("list", "tag", [["New York", "don't"]])


def test_numbers_and_vectors_of_numbers(tmp_path: Path) -> None:
    found = read_examples(written(tmp_path, {"sequence": [1, 2.5, 3], "label": 4}, {"sequence": [7], "label": 5.5}))
    assert (found.form, found.kind, found.labels) == ("numbers", "number", [4, 5.5])
    assert [sequence.tolist() for sequence in found.sequences] == [[[1], [2.5], [3]], [[7]]]
    found = read_examples(written(tmp_path, {"sequence": [[1, 2], [3, 4]], "label": [True, False]}))
    assert found.kind == "tag"
    assert found.sequences[0].tolist() == [[1, 2], [3, 4]]
    assert found.sequences[0].dtype == np.float32


def test_numbers_are_classes_where_that_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, {"sequence": [1], "label": 3}, {"sequence": [1], "label": 4})
    assert read_examples(path, kind="class").kind == "class"


def test_labels_may_be_absent_altogether(tmp_path: Path) -> None:
    found = read_examples(written(tmp_path, {"text": "a"}, {"text": "b", "label": None}))
    assert (found.labels, found.kind) == (None, None)


def test_blank_lines_are_passed_over_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    found = read_examples(written(tmp_path, "", {"text": "a"}, "  ", {"text": "b"}))
    assert [found.at(0), found.at(1)] == [f"{tmp_path}/rows.jsonl, line 2", f"{tmp_path}/rows.jsonl, line 4"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a", "label": "x"}\n')))
    found = read_examples("-")
    assert (len(found), found.at(0)) == (1, "standard input, line 1")


@pytest.mark.parametrize("encoding", ["utf-16-le", "latin-1", "cp1252"])
def test_lines_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"text": "Größe", "label": "süß"}\n'.encode(encoding))
    found = read_examples(path, encoding=encoding)
    assert (found.sequences, found.labels) == (["Größe"], ["süß"])
    with pytest.raises(InputError, match=r"rows\.jsonl is not UTF-8.*name its encoding, such as .*--encoding"):
        read_examples(path)
    with pytest.raises(InputError, match=r"rows\.jsonl is not ascii: bytes \w\w at offset \d+; name its encoding"):
        read_examples(path, encoding="ascii")


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"text": "Größe", "label": "süß"}\n'.encode(mark))
    assert read_examples(path).labels == read_examples(path, encoding=mark).labels == ["süß"]


def test_arrays_of_an_npz(tmp_path: Path) -> None:
    X = np.arange(12.0).reshape(2, 3, 2)
    np.savez(tmp_path / "a.npz", X=X, y=np.array([1, 0]), lengths=np.array([3, 2]))
    found = read_examples(tmp_path / "a.npz")
    assert (found.kind, found.labels) == ("class", [1, 0])
    assert [len(sequence) for sequence in found.sequences] == [3, 2]
    assert found.at(1) == f"{tmp_path}/a.npz: X[1]"


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.array(["a", "b"]), "class"),
        (np.array([True, False]), "class"),
        (np.array([0.5, 1.0]), "number"),
        (np.array([[0, 1, 1], [1, 0, 0]]), "tag"),
    ],
    ids=["texts", "truths", "reals", "rows"],
)
def test_the_labels_of_an_npz_say_what_they_are(tmp_path: Path, y: Any, kind: str) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3)), y=y)
    found = read_examples(tmp_path / "a.npz")
    assert found.kind == kind
    assert found.sequences[0].shape == (3, 1)


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2], [3]],
        [np.array([1.0, 2.0]), np.array([3])],
        (np.array([[1], [2]]), torch.tensor([[3]])),
    ],
    ids=["lists", "arrays", "vectors"],
)
def test_sequences_of_any_lengths_as_python_objects(X: Any) -> None:
    found = given_examples(X, ["a", "b"])
    assert [sequence.tolist() for sequence in found.sequences] == [[[1.0], [2.0]], [[3.0]]]


def test_lengths_cut_the_rows_of_an_array_and_their_tags() -> None:
    found = given_examples(np.ones((2, 3, 1)), np.array([[1, 2, 9], [3, 9, 9]]), lengths=[2, 1], kind="tag")
    assert [len(sequence) for sequence in found.sequences] == [2, 1]
    assert found.labels == [[1, 2], [3]]


def test_examples_taken_keep_their_names() -> None:
    found = given_examples(["a", "bb", "ccc"], ["x", "y", "z"]).take(np.array([2, 0]))
    assert (found.sequences, found.labels, found.at(0)) == (["ccc", "a"], ["z", "x"], "X[2]")


# -- what cannot

ROWS: list[tuple[list[Any], str]] = [
    ([], "rows.jsonl is empty: expected lines such as"),
    (['{"text": "a"'], "line 1 is not JSON: Expecting"),
    (["[1, 2]"], 'line 1 is [1, 2]; expected {"text"'),
    ([{"name": "a", "label": "x"}], 'line 1 has "name", "label"; expected "text" or "sequence", and "label"'),
    ([{"text": "a"}, {"sequence": [1]}], 'line 2 has no "text", which '),
    ([{"text": 5}], '"text" is 5; expected a text or a list of words'),
    ([{"text": "a"}, {"text": ["a"]}], 'line 2: the text is ["a"]; expected a text, as in the first row'),
    ([{"text": ["a"]}, {"text": "a"}], 'line 2: the text is "a"; expected a list of words, as in the first row'),
    ([{"text": "a"}, {"text": ""}], "line 2: the text is empty: leave the row out"),
    ([{"sequence": [1]}, {"sequence": []}], "line 2: the sequence is empty: leave the row out"),
    ([{"sequence": [[], []]}], "line 1: the sequence is empty"),
    ([{"sequence": 5}], "line 1: the sequence is 5; expected a list of numbers"),
    ([{"sequence": {"a": 1}}], 'line 1: the sequence is {"a": 1}; expected a list of numbers'),
    ([{"sequence": [1, "two", 3]}], 'line 1: step 1 is "two"; expected a number'),
    ([{"sequence": ["1", "2"]}], 'line 1: step 0 is "1"; expected a number'),
    ([{"sequence": [[1, 2], [3, "x"]]}], 'line 1: step 1 is [3, "x"]; expected a vector of 2 numbers'),
    ([{"sequence": [[1, 2], [3]]}], "line 1: step 1 is a vector of 1, step 0 is a vector of 2; expected one width"),
    ([{"sequence": [[1], 2]}], "line 1: step 1 is a number, step 0 is a vector of 1"),
    ([{"sequence": [[[1]], [[2]]]}], "line 1: the sequence is [[[1]], [[2]]]; expected a list of numbers or of vec"),
    (
        [{"sequence": [[1, 2]]}, {"sequence": [[1, 2, 3]]}],
        "line 2: vectors of 3 numbers, and ",
    ),
    (['{"sequence": [1, Infinity]}'], "line 1: step 1 is inf; expected finite numbers"),
    (['{"sequence": [[NaN, 2], [3, Infinity]]}'], "line 1: step 1 is inf; expected finite numbers, or nan where one"),
    ([{"sequence": [1e300]}], "line 1: step 0 is 1e+300; expected finite numbers"),
    ([{"sequence": [10**400]}], "; expected numbers up to 3.4e38, as float32 holds"),
    ([{"text": "a", "label": "x"}, {"text": "b"}], "line 2 has no label: give every row one, or none"),
    (
        [{"text": "a", "label": "x"}, {"text": "b", "label": 1}],
        "line 2: the label 1 is a number, and that of ",
    ),
    ([{"text": "a", "label": {}}], "line 1: the label {} is a dict; expected a text, a number, a list, or targets by"),
    (
        [{"text": "a", "label": {"x": 1}}, {"text": "b", "label": {"y": 1}}],
        'line 2: the label is {"y": 1}, and that of ',
    ),
    (
        [{"text": "a", "label": {"x": 1, "y": "b"}}],
        'the targets are {"x": 1, "y": "b"}, numbers and others; expected one',
    ),
    (
        [{"text": "a", "label": {"x": [1]}}],
        'line 1: the target "x" is [1]; expected a number or a text or true or false',
    ),
    (
        [{"text": "a", "label": {"x": "u"}}, {"text": "b", "label": {"x": None}}],
        'line 2: the target "x" is null; expected a text, as in the first row',
    ),
    (['{"text": "a", "label": {"x": NaN}}'], 'line 1: the target "x" is NaN; expected a finite number'),
    (['{"text": "a", "label": NaN}'], "line 1: the label is nan; expected a finite number"),
    ([{"text": "abc", "label": ["x", "y"]}], "2 labels for a sequence of 3 steps; expected one for each step, or --as"),
    ([{"text": "ab", "label": ["x", 1]}], "line 1: the labels hold "),
    ([{"text": "ab", "label": [0.5, 1]}], "line 1: the labels hold 0.5; expected texts or whole numbers"),
    ([{"text": "ab", "label": [["x"], ["y"]]}], 'line 1: the labels hold ["x"]'),
]


@pytest.mark.parametrize(("rows", "said"), ROWS, ids=[f"{k} {said[:30]}" for k, (_, said) in enumerate(ROWS)])
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as error:
        read_examples(written(tmp_path, *rows))
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "a", "label": "x"}\n{"text": "Gru\xdf", "label": "x"}\n')
    with pytest.raises(
        InputError, match=r"rows\.jsonl is not UTF-8: bytes df at offset 41; name its encoding, .*--encoding"
    ):
        read_examples(path)


@pytest.mark.parametrize(
    ("kind", "label", "said"),
    [
        ("number", "x", 'the label "x" is a text; expected one number for each sequence'),
        ("class", ["x"], 'the label ["x"] is a list of a text; expected one label for each sequence'),
        ("tag", "x", 'the label "x" is a text; expected a list of labels, one a step, for each sequence'),
        ("number", True, "the label true is true or false; expected one number"),
    ],
)
def test_labels_that_are_not_what_was_asked_for(tmp_path: Path, kind: Any, label: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        read_examples(written(tmp_path, {"text": "a", "label": label}), kind=kind)


@pytest.mark.parametrize("between", ["", "\n  "])
def test_an_array_of_rows_is_refused_with_what_makes_lines_of_it(tmp_path: Path, between: str) -> None:
    path = written(tmp_path, f'{between}[{between}{{"text": "a", "label": "b"}}]')
    remedy = f"rows.jsonl is one array; expected an object a line: jq -c '.[]' {path} > rows.jsonl"
    with pytest.raises(InputError, match=re.escape(remedy)):
        read_examples(path)


ARRAYS: list[tuple[dict[str, Any], str]] = [
    ({"x": np.zeros(2)}, "has no X; it has x: expected X [N,T,I] and y"),
    ({}, "has no X; it has nothing: expected X"),
    ({"X": np.zeros(2)}, "X is float64 [2]; expected numbers [N,T,I] or [N,T]"),
    ({"X": np.array([["a"]])}, "X is <U1 [1, 1]; expected numbers"),
    ({"X": np.zeros((2, 3, 1)), "y": np.zeros(3)}, "y has 3 labels, X 2 sequences; expected as many of both"),
    ({"X": np.zeros((2, 3, 1)), "lengths": np.array([1, 4])}, "lengths[1] is 4; expected 1 to 3"),
    ({"X": np.zeros((2, 3, 1)), "lengths": np.array([0, 1])}, "lengths[0] is 0; expected 1 to 3"),
    ({"X": np.zeros((2, 3, 1)), "lengths": np.zeros(2)}, "lengths has shape [2] and float64; expected a whole number"),
    ({"X": np.full((2, 3, 1), np.inf)}, "X[0]: step 0 is inf; expected finite numbers"),
    ({"X": np.zeros((2, 3)), "y": np.zeros((2, 2, 2))}, "X[0]: the target 0 is [0.0, 0.0]; expected a number"),
    ({"X": np.zeros((0, 3))}, "X is empty; expected at least one sequence"),
    ({"X": np.zeros((2, 0))}, "X[0]: the sequence is empty"),
    ({"X": np.array([[object()]])}, "is damaged, or no .npz of numbers"),
]


@pytest.mark.parametrize(("arrays", "said"), ARRAYS, ids=[f"{k}" for k, _ in enumerate(ARRAYS)])
def test_arrays_that_cannot_be_used(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=re.escape(said)) as error:
        read_examples(tmp_path / "a.npz")
    assert str(error.value).startswith(f"{tmp_path}/a.npz")


def test_a_damaged_npz_is_named(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(20, 3)))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    cases = [bytes(data[:-30]), b"", b"no archive", bytes(data[:100] + bytes(50) + data[150:])]
    for case in cases:
        (tmp_path / "a.npz").write_bytes(case)
        with pytest.raises(InputError, match=r"a\.npz is damaged"):
            read_examples(tmp_path / "a.npz")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name, said in (("a.npz", "cannot read .*/a.npz: No such file"), ("a.jsonl", "/a.jsonl does not exist")):
        with pytest.raises(InputError, match=said):
            read_examples(tmp_path / name)


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        ("abc", None, 'X is "abc"; expected several sequences'),
        (5, None, "X is 5; expected several sequences"),
        ([], None, "X is empty"),
        (["a"], ["x", "y"], "y has 2 labels, X 1 sequences"),
        ([[1, 2], ["a", "b"]], None, 'X[1]: step 0 is "a"; expected a number'),
        ([[1, 2], 3], None, "X[1]: the sequence is 3; expected a list of numbers"),
        (["a", "b"], ["x", 1], "X[1]: the label 1 is a number, and that of X[0] is a text"),
    ],
)
def test_python_objects_that_cannot_be_used(X: Any, y: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        given_examples(X, y)


def test_an_unknown_level() -> None:
    with pytest.raises(InputError, match="level is 'byte'; expected 'char' or 'word'"):
        given_examples(["a"], level="byte")  # type: ignore[arg-type]


# -- parts


def test_parts_are_disjoint_and_have_their_shares_of_each_class() -> None:
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    parts = split(given_examples(["t"] * 100, labels), (0.7, 0.1, 0.2))
    assert sorted(np.concatenate(parts)) == list(range(100))
    assert [len(part) for part in parts] == [70, 10, 20]
    assert [[labels[k] for k in part].count("b") for part in parts] == [21, 3, 6]


def test_a_class_of_one_example_is_trained_on() -> None:
    labels = ["a"] * 9 + ["rare"]
    for seed in range(5):
        training = split(given_examples(["t"] * 10, labels), (0.1, 0.0, 0.9), seed)[0]
        assert 9 in training


def test_many_small_classes_keep_the_shares_of_the_whole() -> None:
    labels = [str(k // 3) for k in range(300)]
    parts = split(given_examples(["t"] * 300, labels), (0.8, 0.1, 0.1))
    assert [len(part) for part in parts] == [240, 30, 30]


def test_parts_follow_the_seed_alone() -> None:
    examples = given_examples([[k] for k in range(20)], [float(k) for k in range(20)])
    first, again, other = (split(examples, (0.5, 0.5), seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again != other
