"""Files written whole or not at all: what fails leaves no trace and says why."""

from pathlib import Path

import pytest

from gatework.errors import InputError
from gatework.files.writing import write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for data in (b"old and long", b"new"):
        write_atomically(tmp_path / "file", data)
        assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("place", "why"),
    [("nowhere/file", "No such file or directory"), ("x" * 300, "File name too long"), ("folder", "Is a directory")],
    ids=["no folder", "long", "a folder"],
)
def test_what_cannot_be_written_is_named_with_the_reason(tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=rf"^cannot write {tmp_path / place}: {why}; what was there before is unchang"):
        write_atomically(tmp_path / place, b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
