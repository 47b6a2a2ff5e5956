"""`gatework learn`: a page of lessons, without any run."""

from pathlib import Path

import pytest
from cli_toys import Command


@pytest.fixture
def gatework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gatework: Command) -> Command:
    monkeypatch.chdir(tmp_path)
    return gatework


def test_the_page_is_written_where_it_is_asked_for(gatework: Command, tmp_path: Path) -> None:
    done = gatework("learn", "--out", "gates.html")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("gates.html (")
    assert '"kind":"lessons"' in (tmp_path / "gates.html").read_text(encoding="utf-8")


def test_it_opens_the_page_on_request(gatework: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    gatework("learn", "--open")
    assert opened == [(tmp_path / "lessons.html").as_uri()]


def test_a_file_that_is_no_page_stays_as_it_is(gatework: Command, tmp_path: Path) -> None:
    (tmp_path / "lessons.html").write_text("mine")
    done = gatework("learn")
    assert done.status == 2
    assert "lessons.html exists and is no page that gatework wrote" in done.err
    assert (tmp_path / "lessons.html").read_text() == "mine"
