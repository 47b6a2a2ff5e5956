"""What is read from files, directories and standard input, and what is said when it cannot be."""

import codecs
import io
import json
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatework.errors import InputError
from gatework.files import reading
from gatework.files.reading import STDIN, sources


def names(paths, suffixes=(), root=None, exclude=()):
    with sources(paths, suffixes, exclude) as found:
        return [str(source.path.relative_to(root)) if root else source.name for source in found]


def read(path, block):
    with sources(path) as [source]:
        return "".join(source.text(block))


@pytest.fixture
def tree(tmp_path):
    """A directory with two kinds of text, hidden entries, a broken link and a link in a circle."""
    for name in ["b.py", "a.py", "B.PY", "sub/c.py", "sub/deep/d.txt", ".hidden.py", ".git/e.py", "notes.txt"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "broken.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    (tmp_path / "sub" / "circle").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.py")
    return tmp_path


def test_a_directory_is_read_recursively_in_sorted_order_without_what_is_hidden_or_broken(tree):
    assert names(tree, root=tree) == ["B.PY", "a.py", "b.py", "notes.txt", "sub/c.py", "sub/deep/d.txt"]


@pytest.mark.parametrize("suffixes", [(".py",), ("py",), [".PY"]])
def test_suffixes_choose_the_files_of_a_directory(tree, suffixes):
    assert names(tree, suffixes, tree) == ["B.PY", "a.py", "b.py", "sub/c.py"]


def test_several_suffixes_may_be_given(tree):
    assert len(names(tree, (".py", ".txt"))) == 6


def test_a_suffix_is_not_just_the_end_of_a_name(tmp_path):
    (tmp_path / "numpy").write_text("x")
    (tmp_path / "a.py").write_text("x")
    assert names(tmp_path, ("py",), tmp_path) == ["a.py"]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["sub"], ["B.PY", "a.py", "b.py", "notes.txt"]),
        (["deep", "[ab].py"], ["B.PY", "notes.txt", "sub/c.py"]),
        (["*.py", "?.PY"], ["notes.txt", "sub/deep/d.txt"]),
        (["su", "a"], ["B.PY", "a.py", "b.py", "notes.txt", "sub/c.py", "sub/deep/d.txt"]),
    ],
)
def test_files_and_folders_of_an_excluded_name_are_left_out(tree, exclude, left):
    assert names(tree, root=tree, exclude=exclude) == left


def test_what_is_named_by_itself_is_never_excluded(tree):
    assert names([tree / "sub", tree / "a.py"], root=tree, exclude=["sub", "a.py", "deep"]) == ["sub/c.py", "a.py"]


def test_a_directory_of_which_all_is_excluded_is_an_input_error(tree):
    with pytest.raises(InputError, match=r"holds no file to read \(hidden and excluded files are skipped\)"):
        names(tree, exclude=["*"])


def test_a_file_named_by_itself_is_read_whatever_its_name(tree):
    assert names([tree / ".hidden.py", tree / "notes.txt"], (".md",), tree) == [".hidden.py", "notes.txt"]


def test_a_hidden_directory_named_by_itself_is_read(tree):
    assert names(tree / ".git", root=tree) == [".git/e.py"]


def test_paths_are_read_in_the_order_given(tree):
    assert names([tree / "sub", tree / "a.py"], root=tree) == ["sub/c.py", "sub/deep/d.txt", "a.py"]


def test_a_file_reached_twice_is_read_once(tree):
    (tree / "sub" / "same.py").symlink_to(tree / "a.py")
    assert names([tree / "a.py", tree], (".py",), tree) == ["a.py", "B.PY", "b.py", "sub/c.py"]


def test_a_single_path_need_not_be_in_a_list(tree):
    assert names(str(tree / "a.py")) == names([tree / "a.py"]) == [str(tree / "a.py")]


def test_standard_input_is_read_once_and_can_be_read_again(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("é\r\nb".encode())))
    with sources([STDIN, STDIN]) as [source]:
        assert (source.name, source.size) == ("standard input", 5)
        assert "".join(source.text()) == "".join(source.text(1)) == "é\r\nb"
    assert not source.path.exists()


def test_a_pipe_can_be_read_again(tree):
    writer = threading.Thread(target=(tree / "pipe.py").write_bytes, args=[b"text"])
    writer.start()
    with sources(tree / "pipe.py") as [source]:
        assert [*source.blocks()] == [*source.blocks()] == [b"text"]
    writer.join()


def test_newlines_are_kept(tmp_path):
    text = "a\r\nb\rc\n\n\x85\u2028"
    (tmp_path / "a").write_bytes(text.encode())
    assert read(tmp_path / "a", 1 << 20) == text


MARKED = ["utf-8-sig", "utf-16", "utf-32"]
MARKED_BY_HAND = [("utf-16-be", codecs.BOM_UTF16_BE), ("utf-32-be", codecs.BOM_UTF32_BE)]
WITH_MARKS = [*(pytest.param(name, b"", id=name) for name in MARKED), *MARKED_BY_HAND]


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@pytest.mark.parametrize(("encoding", "mark"), WITH_MARKS)
def test_a_byte_order_mark_is_no_character_and_says_how_a_file_is_to_be_read(tmp_path, encoding, mark, block):
    text, heard = "é☃\ufeff😀 a\r\n", []
    (tmp_path / "a").write_bytes(mark + text.encode(encoding))
    assert read(tmp_path / "a", block) == text, "only the first is a mark"
    with sources(tmp_path / "a") as [source]:
        assert b"".join(source.utf8(block, heard.append)) == text.encode()
    assert sum(heard) == (tmp_path / "a").stat().st_size


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00\xd8", b"\xef\xbb\xbf\xff", b"\xff\xfea", b"\xff\xfe\x00\x00a", b"", b"\xff"]
)
def test_bytes_that_are_no_text_are_read_as_they_stand_whatever_they_begin_with(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with sources(tmp_path / "a") as [source]:
        assert b"".join(source.utf8()) == data


def test_where_a_marked_file_is_wrong_is_told_by_its_own_encoding_and_offset(tmp_path):
    for data, said in (
        (codecs.BOM_UTF8 + b"ab\xff", "is not UTF-8: bytes ff at offset 5"),
        ("ab".encode("utf-16") + b"\x00\xd8", "is not UTF-16-LE: bytes 00 d8 at offset 6"),
    ):
        (tmp_path / "a").write_bytes(data)
        for block in (1, 4, 1 << 20):
            with pytest.raises(InputError, match=said):
                read(tmp_path / "a", block)


@given(st.text(), st.integers(1, 5))
def test_the_block_size_changes_nothing(text, block):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a")
        path.write_bytes(text.encode())
        assert read(path, block) == text.removeprefix("\ufeff")


def test_advance_hears_of_every_byte(tmp_path):
    (tmp_path / "a").write_bytes(b"abcdefg")
    heard = []
    with sources(tmp_path) as [source]:
        assert [*source.blocks(3, heard.append)] == [b"abc", b"def", b"g"]
    assert heard == [3, 3, 1]


@pytest.mark.parametrize("block", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"abc\xffdef", "bytes ff at offset 3 are"),
        ("é€".encode() + b"\xe2\x82x", "bytes e2 82 at offset 5 are"),
        ("é€".encode() + b"\xe2\x82", "bytes e2 82 at offset 5 are"),
        ("é".encode("utf-16-le"), "bytes e9 at offset 0 are"),
        (b"\xed\xa0\x80", "bytes ed at offset 0 are"),
    ],
)
def test_what_is_not_utf8_is_named_by_file_offset_and_bytes(tmp_path, data, found, block):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(InputError) as error:
        read(tmp_path, block)
    expected = found.replace("bytes", f"{tmp_path / 'a.txt'} is not UTF-8: bytes").removesuffix(" are")
    assert str(error.value).startswith(expected + ";")
    assert str(error.value).endswith("leave it out (--exclude), or read it with --level byte")


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match=r"/nowhere does not exist: give an existing file or directory$"):
        names([tmp_path, tmp_path / "nowhere"][1:])


def test_a_path_through_a_file_or_in_a_circle_is_an_input_error(tree):
    with pytest.raises(InputError, match=r"cannot read .*a\.py/x: Not a directory"):
        names(tree / "a.py" / "x")
    with pytest.raises(InputError, match=r"cannot read .*loop\.py: Too many levels of symbolic links"):
        names(tree / "loop.py")


def test_no_path_at_all_is_an_input_error():
    with pytest.raises(InputError, match="no text was given: name a file, a directory"):
        names([])


def test_a_directory_without_a_matching_file_says_which_suffixes_there_are(tree):
    (tree / "README").write_text("x")
    expected = r"holds no file ending in \.md or \.rst; the suffixes there are .*: choose among these with --suffix"
    with pytest.raises(InputError, match=expected) as error:
        names(tree, ("md", ".rst"))
    for kind in [".py (3)", ".PY (1)", ".txt (2)", "none (1)"]:
        assert kind in str(error.value)


def test_an_empty_directory_is_an_input_error(tmp_path):
    (tmp_path / ".hidden").write_text("x")
    with pytest.raises(InputError, match="holds no file to read"):
        names(tmp_path)


def test_a_directory_that_cannot_be_listed_is_not_passed_over_in_silence(tree, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"cannot read directory .*deep: Permission denied"):
        names(tree)


def test_a_file_that_disappears_is_an_input_error(tree):
    with sources(tree / "a.py") as [source], pytest.raises(InputError, match=r"cannot read .*a\.py: No such file"):
        (tree / "a.py").unlink()
        [*source.blocks()]


# -- what has no end, or is nothing to read


def test_a_device_or_a_socket_is_not_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path, kind in ((tmp_path / "socket", "a socket"), (Path("/dev/zero"), "a device")):
            with pytest.raises(InputError, match=f"{path} is {kind}: expected a file"), reading.sources(path):
                pass
            with pytest.raises(InputError, match=f"{path} is {kind}"):
                reading.whole(path, 10)


def test_a_file_that_is_read_as_a_whole_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert reading.whole(path, 5) == b"12345"
    with pytest.raises(InputError, match="file has more than 4 bytes: expected a smaller file"):
        reading.whole(path, 4)
    with pytest.raises(InputError, match="cannot read"):
        reading.whole(tmp_path, 4)


def test_a_pipe_without_an_end_stops_before_the_disk_is_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading, "SMALL", 3 * reading.BLOCK)
    monkeypatch.setattr(reading, "RESERVE", 1 << 62)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(9 * reading.BLOCK))))
    with pytest.raises(InputError, match="standard input has no end after 4,194,304 bytes"), reading.sources("-"):
        pass


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading, "LINE", 40)
    (tmp_path / "file").write_text("short\n" + "x" * 41)
    with reading.sources(tmp_path / "file") as (source,), pytest.raises(InputError, match="a line of more than 40 ch"):
        list(source.lines(8))


# -- files that change


def test_a_file_that_is_no_longer_what_it_was_is_named(tmp_path: Path) -> None:
    names = ["same", "touched", "longer", "altered", "gone", "replaced"]
    for name in names:
        (tmp_path / name).write_text("abc")
    with reading.sources(tmp_path) as found:
        before = reading.marks(found)
    assert reading.changed(reading.check_marks(json.loads(json.dumps(before)))) == []
    os.utime(tmp_path / "touched", ns=(1, 1))
    (tmp_path / "longer").write_text("abcd")
    (tmp_path / "altered").write_text("abd")
    os.utime(tmp_path / "altered", ns=(1, 1))
    (tmp_path / "gone").unlink()
    (tmp_path / "replaced").unlink()
    (tmp_path / "replaced").mkdir()
    assert sorted(reading.changed(before)) == sorted(str(tmp_path / name) for name in names[2:])


@pytest.mark.parametrize("marks", [[1], [{}], [{"path": 1, "size": 1, "mtime": 1, "digest": ""}], 5])
def test_marks_that_are_none_are_refused(marks: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        reading.check_marks(marks)
