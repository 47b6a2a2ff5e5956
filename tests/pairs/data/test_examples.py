"""Pairs read from files and objects: what is right, and what is refused in one line that names the row."""

import gzip
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gatework.errors import InputError
from gatework.pairs.data import examples as module
from gatework.pairs.data.examples import Examples, Levels, check_frames, given_examples, read_examples, split_examples
from gatework.pairs.data.tables import Columns

SYMBOLS = Levels("char", "symbol")
PAIRS = [("cat", "K AE T"), ("dog", "D AO G"), ("cat", "K A T"), ("cat", "K AE T")]
READ = {
    ("c", "a", "t"): (("K", "AE", "T"), ("K", "A", "T")),
    ("d", "o", "g"): (("D", "AO", "G"),),
}


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_dict(read: Examples) -> dict[Any, Any]:
    assert read.targets is not None
    return dict(zip(read.sources, read.targets, strict=True))


def lines(between: str, header: str = "", pairs: list[tuple[str, str]] = PAIRS) -> str:
    return "\n".join([*([header] if header else []), *(between.join(pair) for pair in pairs)]) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", lines("\t")),
        ("a.tsv", lines("\t", "source\ttarget")),
        ("a.tsv", lines("\t", "Source\tTarget ")),
        ("a.txt", lines("\t").replace("\n", "\r\n\r\n")),
        ("a.csv", lines(",")),
        ("a.csv", lines(";", "source;target")),
        ("a", lines("|")),
        ("a.csv", lines(",", "target,n,source", [(b, f"9,{a}") for a, b in PAIRS])),
        ("a.jsonl", lines("", "", [(json.dumps({"source": a, "target": b}), "") for a, b in PAIRS])),
        ("a", lines("", "", [(json.dumps({"source": a, "target": b.split(), "n": 1}), "") for a, b in PAIRS[:0]])
         + '{"source": "cat", "target": ["K AE T", "K A T"]}\n{"source": "dog", "target": [["D", "AO", "G"]]}\n'),
    ],
)  # fmt: skip
def test_pairs_of_every_kind_of_text(tmp_path: Path, name: str, content: str) -> None:
    assert as_dict(read_examples(written(tmp_path, name, content), SYMBOLS)) == READ


def test_pairs_of_parquet(tmp_path: Path) -> None:
    table = pl.DataFrame({"source": [a for a, _ in PAIRS], "target": [b for _, b in PAIRS], "n": [1, 2, 3, 4]})
    table.write_parquet(tmp_path / "a.parquet")
    assert as_dict(read_examples(tmp_path / "a.parquet", SYMBOLS)) == READ
    lists = pl.DataFrame({"word": [["c", "a", "t"], ["dog"]], "said": [["K AE T", "K A T"], ["D AO G"]]})
    lists.write_parquet(tmp_path / "b.parquet")
    read = read_examples(tmp_path / "b.parquet", Levels("symbol", "symbol"), columns=Columns("word", "said"))
    assert as_dict(read) == {("c", "a", "t"): READ["c", "a", "t"], ("dog",): READ["d", "o", "g"]}


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'Word,said\n"a, b",A\n')
    assert as_dict(read_examples(path, columns=Columns("Word", "said"))) == {tuple("a, b"): (("A",),)}
    rows = written(tmp_path, "a.jsonl", '{"word": "x", "said": "A"}\n')
    assert as_dict(read_examples(rows, columns=Columns("word", "said"))) == {("x",): (("A",),)}


def test_quotes_between_tabs_are_characters(tmp_path: Path) -> None:
    assert as_dict(read_examples(written(tmp_path, "a.tsv", '"a\tb"\n'))) == {tuple('"a'): (tuple('b"'),)}


def test_quotes_of_csv_hold_separators_and_ends_of_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '"a,\nb","say ""x"""\nc,d\n')
    assert as_dict(read_examples(path)) == {tuple("a,\nb"): (tuple('say "x"'),), ("c",): (("d",),)}


def test_errors_after_a_row_of_several_lines_name_the_right_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv, line 3, column 2 is empty"):
        read_examples(written(tmp_path, "a.csv", '"a,\nb",x\nc,\n'))


def test_other_encodings_are_read_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", "é\tü\n".encode("latin-1"))
    assert as_dict(read_examples(path, encoding="latin-1")) == {("é",): (("ü",),)}
    with pytest.raises(InputError, match=r"a\.tsv is not UTF-8: bytes e9 at offset 0; name its encoding"):
        read_examples(path)
    marked = written(tmp_path, "b.tsv", "source\ttarget\né\tü\n".encode("utf-16"))
    assert as_dict(read_examples(marked)) == {("é",): (("ü",),)}


FRAMES = [np.arange(6.0).reshape(3, 2), np.arange(10.0).reshape(5, 2)]


def test_frames_of_every_kind_of_file(tmp_path: Path) -> None:
    padded = np.zeros((2, 5, 2))
    for row, frames in zip(padded, FRAMES, strict=True):
        row[: len(frames)] = frames
    np.savez(tmp_path / "a.npz", X=padded, lengths=[3, 5], y=["ab", "c"])
    records = [{"source": frames.tolist(), "target": text} for frames, text in zip(FRAMES, ["ab", "c"], strict=True)]
    written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, records)))
    pl.DataFrame(records).write_parquet(tmp_path / "a.parquet")
    given = given_examples(FRAMES, ["ab", "c"])
    for read in [given, *(read_examples(tmp_path / f"a.{kind}") for kind in ("npz", "jsonl", "parquet"))]:
        assert read.form == "frames"
        assert read.targets == [(("a", "b"),), (("c",),)]
        for found, wanted in zip(read.sources, FRAMES, strict=True):
            np.testing.assert_array_equal(found, wanted.astype(np.float32))


def test_a_source_of_numbers_is_frames_of_one_number(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.ones((2, 4)), y=[["a", "b"], ["c", ""]])
    read = read_examples(tmp_path / "a.npz")
    assert read.sources[0].shape == (4, 1)
    assert read.targets == [(("a",), ("b",)), (("c",),)]


def test_equal_frames_are_sources_of_their_own() -> None:
    assert given_examples([[1, 2], [1, 2]], ["a", "b"]).targets == [(("a",),), (("b",),)]


def test_sources_alone_are_read_a_line_each_or_out_of_a_table(tmp_path: Path) -> None:
    plain = read_examples(written(tmp_path, "a.txt", "cat, or\tdog\r\n\r\ncat, or\tdog"), targets=False)
    assert plain.sources == [tuple("cat, or\tdog")] * 2
    assert plain.rows == [f"{tmp_path / 'a.txt'}, line 1", f"{tmp_path / 'a.txt'}, line 3"]
    assert plain.targets is None
    for name, content in [("a.csv", "x,1\n"), ("b.tsv", "n\tsource\n1\tx\n"), ("c.jsonl", '{"source": "x"}\n')]:
        assert read_examples(written(tmp_path, name, content), targets=False).sources == [("x",)]


@pytest.mark.parametrize(
    ("name", "content", "jq"),
    [
        ("a b.json", '[{"source": "x", "target": "y"}]', "'.[]'"),
        ("a.json", '\n[\n  {\n    "source": "x", "target": "y"}\n]', "'.[]'"),
        ("a", '[{"source": "x", "target": "y"}]', "'.[]'"),
        ("a.jsonl", '[["x", "y"], ["a", "b"]]', "'.[] | {source: .[0], target: .[1]}'"),
    ],
)
def test_an_array_of_rows_is_refused_with_what_makes_lines_of_it(
    tmp_path: Path, name: str, content: str, jq: str
) -> None:
    path = written(tmp_path, name, content)
    remedy = re.escape(f": jq -c {jq} {shlex.quote(str(path))} > rows.jsonl")
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))} is one array; expected .*{remedy}$"):
        read_examples(path)
    if "." in name:
        with pytest.raises(InputError, match=remedy):
            read_examples(path, targets=False)


def test_texts_that_begin_as_an_array_does_are_texts(tmp_path: Path) -> None:
    for name, source in [("a.tsv", '[{"x"'), ("a.txt", "[[x]]"), ("a.txt", "[{x")]:
        assert as_dict(read_examples(written(tmp_path, name, f"{source}\ty\n"))) == {tuple(source): (("y",),)}
    plain = read_examples(written(tmp_path, "a.txt", '[{"x": 1}]\n'), targets=False)
    assert plain.sources == [tuple('[{"x": 1}]')]


def test_objects_give_what_lines_of_json_give() -> None:
    given = given_examples(np.array(["cat", "dog", "cat"]), [["K AE T", "K A T"], "D AO G", "K A T"], SYMBOLS)
    assert as_dict(given) == READ
    assert given_examples(["a", "a"]).sources == [("a",), ("a",)]
    series = pl.DataFrame({"x": ["a", "b"], "y": ["c", "d"]})
    assert as_dict(given_examples(series["x"], series["y"])) == {("a",): (("c",),), ("b",): (("d",),)}


JSONL = "\n".join(['{{"source": "a", "target": "b"}}', "{}"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "", r"a\.tsv is empty: expected a source and a target in each line"),
        ("a.tsv", "\n\n", r"a\.tsv is empty"),
        ("a.csv", ",\n", r"a\.csv is empty"),
        ("a.tsv", "source\ttarget\n", r"a\.tsv has no pairs; expected a source and a target in each row"),
        ("a.tsv", "a\tb\nhello\n",
         r'a\.tsv, line 2 has 1 column, "hello"; expected a source and a target with a tab between them'),
        ("a.tsv", "hello\n", r'line 1 has 1 column, "hello"; expected a source and a target with a tab'),
        ("a.csv", "a,b\nc,d,e\n", r'line 2 has 3 columns, \["c", "d", "e"\]; expected a source and a target'),
        ("a.csv", "a,b,c\n", r"3 columns, .*; expected a source and a target, or a line of names and --source NAME"),
        ("a.csv", "n,source,target\n1,x\n", r"line 2 has 2 columns, .*; expected 3, as in the first row"),
        ("a.csv", "source,source,target\na,b,c\n", r"line 1 has more than one column 'source'"),
        ("a.tsv", "a\tb\n\tc\n", r"line 2, column 1 is empty: leave the row out"),
        ("a.tsv", "source\ttarget\na\t\n", r"line 2, column target is empty: leave the row out"),
        ("a.csv", 'a,b\n"c,d\n', r"a\.csv, line 2 is no CSV: unexpected end of data"),
        ("a.jsonl", JSONL.format('{"source": "c"}'), r'line 2 has no "target"; it has "source"'),
        ("a.jsonl", JSONL.format('{"source": null, "target": "b"}'), r'line 2: source is null; expected a value'),
        ("a.jsonl", JSONL.format('{"source": 7, "target": "b"}'),
         r"line 2, column source: the source is 7; expected a text, as in the first row"),
        ("a.jsonl", JSONL.format('{"source": "c", "target": 7}'),
         r"line 2, column target: the target is 7; expected a text, or a list of those that are accepted"),
        ("a.jsonl", JSONL.format('{"source": "c", "target": []}'), r"line 2, column target: the list of .* is empty"),
        ("a.jsonl", JSONL.format('{"source": ["c"], "target": "b"}'), r"a list of symbols; expected a text, or the"),
        ("a.jsonl", JSONL.format('{"source": "\\ud800", "target": "b"}'), r'line 2, column source has .*half a char'),
        ("a.jsonl", JSONL.format("[]"), r"line 2 is \[\]; expected"),
        ("a.jsonl", '{"source": [1, "x"], "target": "b"}', r'line 1, column source: step 1 is "x"; expected a number'),
        ("a.jsonl", '{"source": [[1, 2], [3]], "target": "b"}', r"step 1 is a vector of 1, step 0 is a vector of 2"),
        ("a.jsonl", '{"source": [[1, 2]], "target": "b"}\n{"source": [[1]], "target": "b"}',
         r"line 2, column source: frames of 1 numbers, and .*line 1 has frames of 2; expected one width in all rows"),
        ("a.jsonl", '{"source": [1, null], "target": "b"}', r"step 1 is nan; expected finite numbers: fill the gap"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_row(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_examples(written(tmp_path, name, content))


def test_a_column_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "word,said\na,b\n")
    with pytest.raises(
        InputError, match=r"line 1 has no column 'source'; it has \"word\", \"said\": choose among these"
    ):
        read_examples(path, columns=Columns(target="said"))
    pl.DataFrame({"word": ["a"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet has no column 'target'; it has \"word\""):
        read_examples(tmp_path / "a.parquet", columns=Columns("word"))


@pytest.mark.parametrize(("level", "unit"), [("char", "characters"), ("symbol", "symbols")])
def test_sources_and_targets_too_long_for_memory_are_refused(tmp_path: Path, level: Any, unit: str) -> None:
    path = written(tmp_path, "a.tsv", f"a\tb\n{'a ' * module.MOST_SYMBOLS}b\tc\n")
    with pytest.raises(InputError, match=rf"line 2, column 1 has .* {unit}; expected 4,096 at most: cut it"):
        read_examples(path, Levels(level, "char"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": ["a"]}, r"has no X; it has y: expected X \[N,S,I\], y \[N\] of texts"),
        ({"X": np.ones((2, 3))}, r"has no y"),
        ({"X": np.ones((2, 3)), "y": ["a"]}, r"y is <U1 \[1\]; expected texts \[2\]"),
        ({"X": np.ones((2, 3)), "y": [1, 2]}, r"y is int64 \[2\]; expected texts"),
        ({"X": np.array([["a"]]), "y": ["a"]}, r"X is <U1 \[1, 1\]; expected numbers \[N,T,I\] or \[N,T\]"),
        ({"X": np.ones((2, 3)), "y": ["a", "b"], "lengths": [3, 4]}, r"lengths\[1\] is 4; expected 1 to 3"),
        ({"X": np.ones((2, 3)), "y": ["a", "b"], "lengths": [0, 3]}, r"lengths\[0\] is 0; expected 1 to 3"),
        (
            {"X": np.ones((2, 3)), "y": ["a", "b"], "lengths": [3]},
            r"lengths has shape \[1\] and int64; expected a whole number for each of the 2 sequences",
        ),
        ({"X": np.full((1, 3), np.inf), "y": ["a"]}, r"a\.npz: X\[0\]: step 0 is inf"),
        ({"X": np.ones((1, 3)), "y": [""]}, r"a\.npz: y\[0\] is empty"),
        ({"X": np.array([None]), "y": ["a"]}, r"is damaged, or no \.npz of numbers and texts"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        read_examples(tmp_path / "a.npz")


def test_what_is_no_file_of_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory: name one file, or - for standard input"):
        read_examples(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_examples(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="is damaged, or no"):
        read_examples(written(tmp_path, "a.npz", b"PK"))
    with pytest.raises(InputError, match="is a damaged Parquet file"):
        read_examples(written(tmp_path, "a.parquet", b"PAR1 and no more"))
    with pytest.raises(InputError, match="is not UTF-8"):
        read_examples(written(tmp_path, "a.tsv.gz", gzip.compress(b"a\tb\n")))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ("abc", None, r'X is "abc"; expected several, such as a list of texts'),
        (["a"], "b", r'y is "b"; expected several'),
        (["a", "b"], ["c"], r"y has 1 targets, X 2 sources; expected as many of both"),
        ([], [], r"X has no pairs"),
        (["a", ""], ["b", "c"], r"X\[1\] is empty"),
        (["a", "b"], ["c", ""], r"y\[1\] is empty"),
        (np.array([["ab"]]), ["c"], r'X\[0\] is \["ab"\], a list of symbols; expected a text, or the level symbol'),
        (["a", "b"], ["c", ["d", 7]], r"y\[1\]: the target is \[\"d\", 7\]"),
    ],
)
def test_objects_that_cannot_be_used_are_refused(X: Any, y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        given_examples(X, y)


def test_delimiters_within_quotes_do_not_count(tmp_path: Path) -> None:
    read = read_examples(written(tmp_path, "a.csv", '"a; b; c",x\nd,y\n'))
    assert as_dict(read) == {tuple("a; b; c"): (("x",),), ("d",): (("y",),)}


def test_a_null_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl, line 1: target is null; expected a value: leave the row out"):
        read_examples(written(tmp_path, "a.jsonl", '{"source": "a", "target": null}\n'))


def test_nothing_to_convert_is_said_of_sources_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"X has no sources; expected one in each row"):
        given_examples([])
    with pytest.raises(InputError, match=r"a\.csv is empty: expected a source in each line"):
        read_examples(written(tmp_path, "a.csv", ""), targets=False)


def test_a_symbol_of_a_list_has_no_white_space() -> None:
    with pytest.raises(InputError, match=r'X\[0\] has the symbol "a b"; expected symbols without white space'):
        given_examples([["a b", "c"]], ["d"], Levels("symbol", "char"))


def test_levels_are_those_that_there_are() -> None:
    with pytest.raises(InputError, match="level is 'letters'; expected char, byte, word, symbol"):
        Levels("letters", "char")  # type: ignore[arg-type]


def test_ctc_wants_a_frame_for_each_symbol_and_one_between_two_alike() -> None:
    check_frames(given_examples(["abc", "abc"], ["xyz", "xx"]))
    with pytest.raises(InputError, match=r"X\[1\]: 3 target symbols for 2 source steps; CTC needs 3 or more: align by"):
        check_frames(given_examples(["abc", "ab"], ["xyz", "xyz"]))
    with pytest.raises(InputError, match=r"X\[0\]: 3 target symbols, some repeated, for 4 source steps; CTC needs 5"):
        check_frames(given_examples(["abcd"], ["xxx"]))


def test_parts_have_their_shares_and_every_source_once() -> None:
    parts = split_examples(100, (0.8, 0.15, 0.05), seed=3)
    assert [len(part) for part in parts] == [80, 15, 5]
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    assert [part.tolist() for part in parts] == [part.tolist() for part in split_examples(100, (0.8, 0.15, 0.05), 3)]
    assert parts[0].tolist() != split_examples(100, (0.8, 0.15, 0.05), 4)[0].tolist()


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.1, 0.9, 0.0), (0.9, 0.05, 0.05)])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_there_is_always_one_to_learn_from(count: int, shares: tuple[float, ...]) -> None:
    parts = split_examples(count, shares)
    assert len(parts[0]) >= 1
    assert sum(map(len, parts)) == count


def test_examples_are_taken_by_number() -> None:
    read = given_examples(["a", "b", "c"], ["x", "y", "z"]).take(np.array([2, 0]))
    assert as_dict(read) == {("c",): (("z",),), ("a",): (("x",),)}
    assert read.rows == ["X[2]", "X[0]"]
