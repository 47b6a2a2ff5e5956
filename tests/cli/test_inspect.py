"""`gatework inspect`: where the page is, what was found, and how it ends where it cannot be written."""

import shutil
from pathlib import Path

import pytest
from cli_toys import Command, tree


def test_it_says_what_was_found_and_where_the_page_is(gatework: Command, place: Path) -> None:
    done = gatework("inspect", "run", "other.txt", "--out", "seen.html")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0].startswith("The network needs ")
    assert done.lines[-1].startswith("seen.html (")
    assert done.lines[-1].endswith("it holds the model and the text: open it in a browser.")
    assert "seen from inside" in (place / "seen.html").read_text(encoding="utf-8")


def test_the_page_is_called_page_html_unless_told(gatework: Command, place: Path) -> None:
    assert gatework("inspect", "run", "other.txt", "--no-text", "--no-weights").lines[-1].startswith("page.html (")
    assert (place / "page.html").exists()


def test_standard_input_is_read(gatework: Command, place: Path) -> None:
    done = gatework("inspect", "run", "-", stdin=b"abcdef" * 50)
    assert done.status == 0
    assert "standard input" in (place / "page.html").read_text(encoding="utf-8")


def test_characters_never_seen_are_counted(gatework: Command, place: Path) -> None:
    (place / "new.txt").write_text("abcXYZ" * 50)
    done = gatework("inspect", "run", "new.txt")
    assert "note: 150 of the 300 tokens shown have never been seen by the model" in done.lines


def test_it_opens_the_page_on_request(gatework: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    gatework("inspect", "run", "other.txt", "--open")
    assert opened == [(place / "page.html").as_uri()]


def test_a_second_run_is_read_beside_it(gatework: Command, place: Path) -> None:
    shutil.copytree(place / "run", place / "second")
    done = gatework("inspect", "run", "other.txt", "--beside", "second")
    assert done.status == 0
    assert '"title":"second"' in (place / "page.html").read_text(encoding="utf-8")


REFUSED = {
    "no run": ("inspect nothing other.txt", "nothing/run.json does not exist: is nothing the folder of a run?"),
    "no such run": ("inspect none other.txt", "none does not exist: expected the folder of a run"),
    "no such run, no text": ("inspect none", "none does not exist: expected the folder of a run"),
    "no text": ("inspect run", "run reads text: name a file for it to read"),
    "no such text": ("inspect run none.txt", "none.txt does not exist"),
    "an empty text": ("inspect run empty.txt", "empty.txt has 0 characters: a page needs 2 at least"),
    "one character": ("inspect run one.txt", "one.txt has 1 characters: a page needs 2 at least"),
    "nothing but unseen": ("inspect run unseen.txt", "unseen.txt has nothing that the model has ever seen"),
    "no text file": ("inspect run latin.txt", "latin.txt is not UTF-8"),
    "a folder": ("inspect run folder", "folder is a folder of 3 files: name the one to look at"),
    "no such unit": ("inspect run other.txt --unit c17", "unit 'c17' is not there; expected one of l0.h.0 to l0.c.5"),
    "no such second run": ("inspect run other.txt --beside none", "none does not exist"),
    "another's file": ("inspect run other.txt --out text.txt", "text.txt exists and is no page that gatework wrote"),
    "a folder to write": ("inspect run other.txt --out folder", "folder is a folder: name a file"),
    "no folder to write in": ("inspect run other.txt --out no/page.html", "no is no folder: make it first"),
}


@pytest.mark.parametrize(("command", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_refused_in_one_line(gatework: Command, place: Path, command: str, said: str) -> None:
    (place / "unseen.txt").write_text("XYZ" * 20)
    before = tree(place)
    done = gatework(*command.split())
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert said in done.err
    assert tree(place) == before


def test_a_series_needs_no_file(gatework: Command, place: Path) -> None:
    rows = "".join(f"{t},{10 + t % 7 + t / 50}\n" for t in range(150))
    (place / "table.csv").write_text("ds,y\n" + rows)
    gatework("train", "series", "table.csv", "--horizon", 3, "--out", "weeks", "--steps", 3, "--members", 1)
    done = gatework("inspect", "weeks", "--out", "weeks.html")
    assert done.status == 0, done.err
    assert done.lines[0].startswith("The network corrects a simple forecast (")
    assert "it holds the model and the series" in done.lines[-1]


def test_half_precision_says_so_in_the_weights(gatework: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatework.inspect.model.LIMIT", 100)
    assert gatework("inspect", "run", "other.txt").status == 0
    assert '"dtype":"float16"' in (place / "page.html").read_text(encoding="utf-8")
