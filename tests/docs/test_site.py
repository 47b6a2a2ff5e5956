"""The site has every page and every public name; what it says of its own faults is what is wrong with it."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

import gatework
import gatework.runtime

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAVIGATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
REFERENCE = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
FAULTS = runpy.run_path(str(Path(__file__).with_name("site.py")))["faults"]


def pages(part: list | dict | str) -> list[str]:
    """The pages that a part of the navigation names, in order."""
    if isinstance(part, str):
        return [part]
    parts = part.values() if isinstance(part, dict) else part
    return [page for each in parts for page in pages(each)]


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(pages(NAVIGATION)) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", [each for each in gatework.__all__ if each not in ("cells", "onnx")])
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert f"      heading: gw.{name}\n" in REFERENCE


def test_so_are_the_names_of_the_rooms_that_are_public() -> None:
    assert re.findall(r"heading: gw\.onnx\.(\w+)", REFERENCE) == ["export", "translations"]
    for name in gatework.runtime.__all__:
        assert f"::: gatework.runtime.{name}\n" in REFERENCE
    assert "`gw.cells`" in REFERENCE


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="other/">', "page/index.html: no such file: other/"),
        ('<a href="../#end">', "page/index.html: no such place: ../#end"),
        ('<a href="#end">', "page/index.html: no such place: #end"),
        ('<img src="picture.svg">', "page/index.html: no such file: picture.svg"),
        ('<script src="https://cdn.example/x.js"></script>', "page/index.html: loads https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/x">', "page/index.html: loads //fonts.example/x"),
        ("<p>Such as:\n- a list</p>", "page/index.html: Markdown left as text: '<p>Such as:\\n- '"),
    ],
)
def test_faults_of_a_site_are_seen(html: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "index.html").write_text('<h1 id="start">')
    (tmp_path / "page" / "index.html").write_text(html)
    assert FAULTS(tmp_path) == [fault]


@pytest.mark.parametrize(
    "html",
    ['<a href="../#start">', '<a href="https://elsewhere.example/">', '<link rel="canonical" href="https://x/">'],
)
def test_what_is_right_is_no_fault(html: str, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "index.html").write_text('<h1 id="start">')
    (tmp_path / "page" / "index.html").write_text(html)
    assert FAULTS(tmp_path) == []
