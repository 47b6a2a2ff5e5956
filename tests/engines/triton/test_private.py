"""The folder for generated code belongs to the user alone, and its files appear whole."""

from pathlib import Path

import pytest

from gatework.engines.triton.private import private_folder, write_privately
from gatework.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_lies_in_the_users_cache_and_is_closed_to_others(cache: Path, monkeypatch: pytest.MonkeyPatch):
    assert private_folder() == private_folder() == cache / "gatework" / "triton"
    assert private_folder().stat().st_mode & 0o777 == 0o700
    for unset in ("", None):
        monkeypatch.setenv("HOME", str(cache))
        monkeypatch.setenv("XDG_CACHE_HOME", unset) if unset is not None else monkeypatch.delenv("XDG_CACHE_HOME")
        assert private_folder() == cache / ".cache" / "gatework" / "triton"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o702])
def test_a_folder_that_others_may_write_is_refused(mode: int):
    private_folder().chmod(mode)
    with pytest.raises(
        InputError, match=r"cache/gatework/triton must be a folder of yours that no other user can write"
    ):
        private_folder()


def test_a_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch):
    owner = private_folder().stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: owner + 1)
    with pytest.raises(InputError, match="must be a folder of yours"):
        private_folder()


def test_a_link_is_refused(cache: Path, tmp_path: Path):
    (cache / "gatework").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (cache / "gatework" / "triton").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="must be a folder of yours"):
        private_folder()


def test_a_file_appears_whole_and_is_the_users_own():
    path = private_folder() / "a.py"
    for data in (b"one", b"two"):
        write_privately(path, data)
        assert path.read_bytes() == data and path.stat().st_mode & 0o777 == 0o600
    assert list(private_folder().iterdir()) == [path]


def test_nothing_is_left_of_a_file_that_cannot_be_written():
    path = private_folder() / "a"
    path.mkdir()
    with pytest.raises(OSError):
        write_privately(path, b"one")
    assert list(private_folder().iterdir()) == [path]
