"""The page of a run that CTC aligned, in a browser: what each frame says, what that spells, where its symbols stand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from page_toys import Seen
from pair_toys import QUICK, capitals, frames

import gatework as gw
from gatework.errors import InputError
from gatework.inspect import ctc
from gatework.pairs.converter import Search
from gatework.pairs.data.examples import given_examples
from gatework.pairs.options import Options
from gatework.pairs.train import Data, train_pairs
from gatework.pairs.trained import Trained

FORMS = ("symbols", "frames")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs symbols and frames, and what they learnt from."""
    place = tmp_path_factory.mktemp("ctc")
    for form, (X, y) in zip(FORMS, (capitals(60), frames(60)), strict=True):
        rows = (
            {"source": x if form == "symbols" else x.tolist(), "target": text} for x, text in zip(X, y, strict=True)
        )
        (place / f"{form}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        data = Data(str(place / f"{form}.jsonl"), splits=(0.6, 0.2, 0.2))
        train_pairs(data, place / form, Options(**QUICK, align="ctc"))
    return place


@pytest.fixture
def seen(folder: Path, show: Callable[..., Seen], tmp_path: Path) -> Callable[[str], Seen]:
    def opened(form: str) -> Seen:
        gw.inspect(folder / form).write(tmp_path / f"{form}.html")
        made = show(tmp_path / f"{form}.html")
        made.page.wait_for_selector("body[data-ready=yes]")
        return made

    return opened


@pytest.mark.parametrize("form", FORMS)
def test_the_page_agrees_with_python_and_asks_for_nothing(seen: Callable[[str], Seen], form: str) -> None:
    page = seen(form)
    assert page.page.text_content("#check").startswith("Checked: on 3 sources")
    assert len(page.requests) == 1
    assert not page.complaints


def test_what_is_typed_becomes_the_targets_that_python_finds(seen: Callable[[str], Seen], folder: Path) -> None:
    page, model = seen("symbols"), gw.load(folder / "symbols")
    for word in ("abca", "b", "cdcdc", "aq"):
        page.page.fill("#source-box", word)
        said = page.page.eval_on_selector_all("#targets button", "all => all.map((each) => each.textContent)")
        best = model.candidates([word], best=5)[0]
        assert said == [each.text or "(nothing)" for each in best]
        chances = page.page.evaluate("gatework.found.map(({ logProbability }) => logProbability)")
        np.testing.assert_allclose(chances, [each.log_probability for each in best], atol=1e-4)
        likeliest = Trained.load(folder / "symbols").convert(given_examples([word]), Search(beams=1))[0][0].text
        assert f"spells “{likeliest}”" in page.page.text_content("#source-note")
    assert "has never seen “q”" in page.page.text_content("#source-note")
    page.page.fill("#source-box", "")
    assert page.page.text_content("#source-note") == "Type a source."
    assert not page.complaints


def test_frames_are_chosen_and_followed_by_pointer_and_keys(seen: Callable[[str], Seen], folder: Path) -> None:
    page, X, y = seen("frames"), *frames(60)
    model = gw.load(folder / "frames")
    listed = page.page.evaluate("gatework.payload.examples")
    texts = {"".join(each["targets"]): k for k, each in enumerate(listed)}
    k = texts[max(texts, key=len)]
    page.page.select_option("#examples", str(k))
    source = next(
        x
        for x, text in zip(X, y, strict=True)
        if text == listed[k]["targets"][0] and len(x) == len(listed[k]["frames"])
    )
    best = model.candidates([source], best=1)[0][0]
    assert page.page.text_content("#targets .chosen button") == best.text
    page.page.hover("#frame-spans button >> nth=1")
    assert page.page.evaluate("gatework.symbolAt(gatework.at.s)") == 1
    page.page.press("#frame-box", "Home")
    page.page.press("#frame-box", "ArrowDown")
    second = page.page.evaluate("gatework.spans.map(([first]) => first).find((first) => first > 0)")
    assert page.page.evaluate("gatework.at.s") == second
    page.page.press("#frame-box", "ArrowRight")
    assert page.page.evaluate("gatework.at.s") == second + 1
    said = page.page.text_content("#frame-note")
    assert said.startswith(f"frame {second + 2} of {len(source)} (read as ")
    assert not page.complaints


def test_units_of_both_directions_are_drawn(seen: Callable[[str], Seen]) -> None:
    page = seen("frames").page
    places = page.eval_on_selector_all("#where option", "all => all.map((each) => each.textContent)")
    assert places == ["layer 1, forwards", "layer 1, backwards"]
    for place in places:
        page.select_option("#where", label=place)
        for value in ("h", "f", "c"):
            page.select_option("#what", value)
            assert page.text_content("#inside-note").startswith("8 units of ")


@pytest.mark.parametrize("form", FORMS)
def test_a_page_may_leave_out_sources_or_weights(
    folder: Path, show: Callable[..., Seen], tmp_path: Path, form: str
) -> None:
    without = gw.inspect(folder / form, text=False)
    assert not without.payload["examples"]
    opened = show(without.write(tmp_path / "a.html"))
    opened.page.wait_for_selector("body[data-ready=yes]")
    assert not opened.complaints
    bare = show(gw.inspect(folder / form, weights=False).write(tmp_path / "b.html"))
    bare.page.wait_for_selector("body[data-ready=yes]")
    assert "without the weights" in bare.page.text_content("#check")
    assert not bare.complaints


def test_sources_longer_than_a_page_shows_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ctc, "LONGEST", 3)
    table = tmp_path / "pairs.tsv"
    table.write_text("abcd\tABCD\nab\tAB\n")
    assert [each["source"] for each in gw.inspect(folder / "symbols", table).payload["examples"]] == ["ab"]
    table.write_text("abcd\tABCD\n")
    with pytest.raises(InputError, match="each of the 1 sources has more than 3 steps"):
        gw.inspect(folder / "symbols", table)


def test_a_run_without_pairs_asks_for_a_file(tmp_path: Path) -> None:
    gw.Transducer(**QUICK | {"steps": 2}, align="ctc").fit(*capitals(20)).save(tmp_path / "run")
    with pytest.raises(InputError, match="holds no pairs that a page could show: name a file of them"):
        gw.inspect(tmp_path / "run")


def test_findings_say_how_many_steps_a_symbol_stands_for(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("abc\tABC\nbd\tBD\n")
    said = gw.inspect(folder / "symbols", tmp_path / "pairs.tsv").findings
    assert said[0].endswith("of 2 sources become one of the targets that are accepted for them")
    assert said[-1].startswith("On the likeliest path of its target a symbol stands for 1.0 steps")
