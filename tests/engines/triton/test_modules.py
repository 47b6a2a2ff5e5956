"""Kernels run from their own text: what somebody wrote into the cache is replaced."""

import pytest

pytest.importorskip("triton")

from gatework.engines.triton import modules


def test_a_file_that_was_edited_is_written_anew_before_it_is_imported(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    modules._load.cache_clear()
    assert modules.load("answer = 41\n").answer == 41
    (file,) = tmp_path.rglob("kernels_*.py")
    written = file.read_text()
    file.write_text("answer = 0\n")
    modules._load.cache_clear()
    assert modules.load("answer = 41\n").answer == 41
    assert file.read_text() == written
