"""The page of a run of pairs in a browser: what is typed, its targets, where attention looks, what the units do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_toys import Seen

import gatework as gw
from gatework.inspect.pairs import attention_findings
from gatework.pairs.options import Options
from gatework.pairs.train import Data, train_pairs

WORDS = sorted({a + b + c for a in "abc" for b in ("", "d", "ea") for c in "xyz"})
QUICK: dict[str, Any] = {"hidden": 12, "layers": 1, "embedding": 6, "batch": 200, "learning_rate": 0.02, "steps": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs.tsv, words and the same in capital letters, and a run that learnt from them."""
    place = tmp_path_factory.mktemp("pairs")
    (place / "pairs.tsv").write_text("".join(f"{word}\t{word.upper()}\n" for word in WORDS))
    data = Data(str(place / "pairs.tsv"), splits=(0.6, 0.2, 0.2))
    train_pairs(data, place / "run", Options(**QUICK))
    return place


@pytest.fixture
def seen(folder: Path, show: Callable[..., Seen], tmp_path: Path) -> Seen:
    gw.inspect(folder / "run").write(tmp_path / "page.html")
    opened = show(tmp_path / "page.html")
    opened.page.wait_for_selector("body[data-ready=yes]")
    return opened


def test_the_page_agrees_with_python_and_asks_for_nothing(seen: Seen) -> None:
    assert seen.page.text_content("#check").startswith("Checked: on 3 sources")
    assert len(seen.requests) == 1
    assert not seen.complaints


def test_what_is_typed_becomes_the_targets_that_python_finds(seen: Seen, folder: Path) -> None:
    model = gw.load(folder / "run")
    for word in ("aeax", "bz", "cdyy", "q"):
        seen.page.fill("#source-box", word)
        said = seen.page.eval_on_selector_all("#targets button", "all => all.map((each) => each.textContent)")
        assert said == [each.text or "(nothing)" for each in model.candidates([word], best=5)[0]]
    assert "has never seen “q”" in seen.page.text_content("#source-note")
    seen.page.fill("#source-box", "")
    assert seen.page.text_content("#source-note") == "Type a source."
    assert not seen.complaints


def test_attention_follows_the_pointer_and_the_keys(seen: Seen, folder: Path) -> None:
    seen.page.fill("#source-box", "bdz")
    shares = gw.load(folder / "run").candidates(["bdz"], best=1)[0][0].attention
    rows = seen.page.evaluate("gatework.steps.map(({ shares }) => [...shares])")[: len(shares)]
    assert (
        max(abs(a - b) for row, other in zip(rows, shares, strict=True) for a, b in zip(row, other, strict=True)) < 1e-4
    )
    seen.page.hover("#matrix rect >> nth=4")  # of the second row the second cell
    assert seen.page.evaluate("gatework.at") == {"t": 1, "s": 1}
    seen.page.press("#matrix", "ArrowUp")
    seen.page.press("#matrix", "ArrowRight")
    assert seen.page.evaluate("gatework.at") == {"t": 0, "s": 2}
    target = seen.page.evaluate("gatework.target[0]")
    assert seen.page.text_content("#matrix-note").startswith(f"{target}, probability")


def test_units_of_both_networks_are_drawn(seen: Seen) -> None:
    places = seen.page.eval_on_selector_all("#where option", "all => all.map((each) => each.textContent)")
    assert places == ["encoder, layer 1, forwards", "encoder, layer 1, backwards", "decoder, layer 1"]
    for place, units in zip(places, (6, 6, 12), strict=True):
        seen.page.select_option("#where", label=place)
        for value in ("h", "f", "c"):
            seen.page.select_option("#what", value)
            assert seen.page.text_content("#inside-note").startswith(f"{units} units of ")
    seen.page.click("#units", position={"x": 5, "y": 70})
    assert "Unit 5:" in seen.page.text_content("#inside-note")
    assert not seen.complaints


def test_a_page_may_leave_out_sources_or_weights(folder: Path, show: Callable[..., Seen], tmp_path: Path) -> None:
    without = gw.inspect(folder / "run", text=False).write(tmp_path / "a.html")
    assert not gw.inspect(folder / "run", text=False).payload["examples"]
    opened = show(without)
    opened.page.wait_for_selector("body[data-ready=yes]")
    opened.page.fill("#source-box", "ax")
    assert not opened.complaints
    bare = show(gw.inspect(folder / "run", weights=False).write(tmp_path / "b.html"))
    bare.page.wait_for_selector("body[data-ready=yes]")
    assert "without the weights" in bare.page.text_content("#check")
    assert "in your browser" not in bare.page.text_content("#about")
    assert not bare.complaints


def test_other_pairs_may_be_looked_at(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more.tsv").write_text("ax\tAX\nby\tBY\n")
    page = gw.inspect(folder / "run", tmp_path / "more.tsv")
    assert [each["source"] for each in page.payload["examples"]] == ["ax", "by"]
    assert page.findings[0].endswith("of 2 sources become one of the targets that are accepted for them")


def test_attention_is_said_in_sentences() -> None:
    straight = [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]]
    said = attention_findings([np.array(straight)])
    assert said[0].startswith("A target symbol takes 67% of")
    assert "moves on in 50% of cases, stays in 50%, and goes back in 0%" in said[1]
