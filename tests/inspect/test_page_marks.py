"""Labels of the reader's own: marked or loaded, and held against chance and an untrained network as Python does."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from page_toys import Seen, Toy, harness, toy
from torch import Tensor

from gatework.inspect.activity import watched
from gatework.inspect.hypotheses import DRAWS, Halves, search
from gatework.inspect.model import coarse
from gatework.inspect.payload import language_weights
from gatework.inspect.units import Units, looked_at
from gatework.verify.comparison import compare
from numerics import randomise

Show = Callable[..., Seen]
LENGTH = 800
TEXT = "".join(random.Random(5).choices("abc (def)\n", k=LENGTH))


@pytest.fixture(scope="module")
def model() -> Toy:
    return toy(text=TEXT)


@pytest.fixture(scope="module")
def untrained() -> Toy:
    """A network of the same size with other weights, those that the page's 8 bits leave."""
    other = toy(text=TEXT)
    torch.manual_seed(8)
    randomise(other.model, 0.4)
    other.payload["fresh"] = coarse(language_weights(other.model))
    with torch.no_grad():
        for parameter in other.model.parameters():
            scale = parameter.abs().max() / 127
            parameter.copy_((parameter / scale).round() * scale)
    return other


def opened(show: Show, model: Toy, folder: Path, address: str = "#t=5", **changes: Any) -> Seen:
    payload = {"fresh": None, "hypotheses": [each | {"label": None} for each in model.payload["hypotheses"]]}
    seen = show(model.page(folder / "page.html", **{**payload, **changes}), address)
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    return seen


def upload(seen: Seen, text: str, name: str = "mine.txt") -> str:
    """Loads a file; returns what the page says of it."""
    given = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    seen.page.set_input_files("#mark-file", given)
    seen.page.wait_for_selector("#mark-note:not(:empty)")  # the page's policy forbids functions that poll
    said: str = seen.page.inner_text("#mark-note")
    return said


def label_on(seen: Seen, name: str = "mine") -> list[int]:
    return json.loads(seen.page.evaluate(f"JSON.stringify(Array.from(gatework.label({json.dumps(name)})))"))


def test_an_own_label_is_held_against_what_python_holds_labels_against(
    show: Show, model: Toy, untrained: Toy, tmp_path: Path
) -> None:
    label = np.array([sign in "(d" for sign in TEXT], np.float32)
    seen = opened(show, model, tmp_path, fresh=untrained.payload["fresh"])
    upload(seen, "".join(str(int(value)) for value in label))
    assert label_on(seen) == label.tolist()
    seen.page.click("#mark-test-mine")
    seen.page.wait_for_selector("#marks ol li")
    names = looked_at(model.model.recurrent.program)
    units = Units.of({f"l0.{name}": model.values[f"l0.{name}"] for name in names})
    fresh = Units.of(watched(untrained.model, model.ids, names).values)
    (wanted,) = search(units.values, fresh.values, {"mine": label})
    found = json.loads(seen.page.evaluate("JSON.stringify(gatework.found.get('mine'))"))
    listed = json.loads(seen.page.evaluate(
        "JSON.stringify([...gatework.figures].map(([name, each]) => [name, each.labels.mine]))"))  # fmt: skip
    for half in ("a", "b"):
        values = torch.tensor([labels[half] for _, labels in listed], dtype=torch.float64)
        rows = getattr(wanted, half)[[units.names.index(name) for name, _ in listed]]
        compare(values, rows, rms=1e-4, peak=1e-4, what=half)
    assert found["untrained_best"] == pytest.approx(wanted.untrained, abs=1e-4)
    assert found["null95"] == pytest.approx(null_of(units.values, label), abs=1e-4)
    assert found["null95"] == pytest.approx(wanted.null, abs=0.04)  # other draws of the same chance
    assert (found["prevalence"], found["episodes"]) == (pytest.approx(wanted.prevalence), wanted.episodes)
    seen.page.fill("#search", "mine")
    assert seen.page.locator("#hits button").first.inner_text() == found["best"][0]
    least = max(found["null95"], found["untrained_best"])
    passed = (torch.minimum(wanted.a.abs(), wanted.b * wanted.a.sign()) > least).tolist()
    assert {name for name, labels in listed if labels["found"]} == {
        name for name, each in zip(units.names, passed, strict=True) if each
    } & {name for name, _ in listed}


def null_of(values: Tensor, label: Any) -> float:
    """What the best of all units reaches with the label turned by the page's shifts, 95 times of 100."""
    units, halves = Halves.of(values), Halves.of(torch.from_numpy(label)[:, None])
    middle = len(label) // 2
    turned = []
    for half, order in ((halves.a, range(DRAWS)), (halves.b, [37 * k % DRAWS for k in range(DRAWS)])):
        shifts = torch.tensor([int(middle / 10 + 0.8 * middle * k / DRAWS + 1e-9) for k in order])
        turned.append(half[(torch.arange(middle)[:, None] - shifts) % middle, 0])
    a, b = units.correlations(Halves(*turned))
    return float(torch.minimum(a.abs(), b * a.sign()).amax(0).clamp(min=0).quantile(0.95))


def test_stretches_are_marked_named_and_unmarked_by_keys(show: Show, model: Toy, tmp_path: Path) -> None:
    seen = opened(show, model, tmp_path, "#t=20")
    seen.page.focus("#grid")
    for _ in range(3):
        seen.page.keyboard.press("Shift+ArrowRight")
    seen.page.fill("#mark-name", "here")
    seen.page.press("#mark-add", "Enter")
    assert [t for t, there in enumerate(label_on(seen, "here")) if there] == [20, 21, 22, 23]
    assert seen.page.eval_on_selector_all("#grid .labelled", "all => all.map(each => each.dataset.t)") == [
        "20", "21", "22", "23",
    ]  # fmt: skip
    assert "marked “here”" in seen.page.inner_text("#text-note")
    seen.page.press("#mark-take", "Enter")
    assert not any(label_on(seen, "here"))
    seen.page.press("#mark-every", "Enter")
    text = TEXT[20:24]
    wanted = {t + k for t in range(LENGTH) if TEXT.startswith(text, t) for k in range(4)}
    assert {t for t, there in enumerate(label_on(seen, "here")) if there} == wanted
    seen.page.press("#mark-drop-here", "Enter")
    assert seen.page.locator("#marks li").count() == 0


def test_a_label_that_is_rare_is_said_to_be(show: Show, model: Toy, tmp_path: Path) -> None:
    seen = opened(show, model, tmp_path)
    upload(seen, "100 110\n500 505\n")
    seen.page.click("#mark-test-mine")
    seen.page.wait_for_selector("#marks ol li")
    said = seen.page.inner_text("#marks .said")
    assert said.startswith("Too rare to tell from chance") and "begins there once" in said
    assert "too large to hold an untrained network" in said
    assert seen.page.locator("#marks .yes").count() == 0


def test_a_saved_label_is_read_again(show: Show, model: Toy, tmp_path: Path) -> None:
    text = model.payload["text"] | {"start": 1000}
    seen = opened(show, model, tmp_path, text=text)
    said = upload(seen, "# mine\n990 1003 front\n1010\t1012\tfront\n5 9 front\n")
    assert "1 of its spans lie outside" in said
    assert [t for t, there in enumerate(label_on(seen, "front")) if there] == [0, 1, 2, 10, 11]
    with seen.page.expect_download() as given:
        seen.page.click("#mark-save-front")
    assert Path(given.value.path()).read_text() == "1000 1003 front\n1010 1012 front\n"


READ = """window.said = texts.map((text) => {
  try { return [...readMarks(text, 10, 6, "name").labels].map(([name, label]) => [name, [...label].join("")]).flat(); }
  catch (error) { return error.message; }
});"""


def test_files_of_marks_are_read_or_refused_in_one_line(show: Show, tmp_path: Path) -> None:
    texts = ["011\n010", "0" * 12 + "1101", "01", "9 12\n14 20, x y", "a b", "3 2 x", "0 5", "11 13;q\n15 99"]
    seen = show(harness(tmp_path / "page.html", "marks_file.js", READ, texts=texts))
    said = seen.page.evaluate("window.said")
    assert said[0] == ["name", "011010"] and said[1] == ["name", "001101"]
    assert said[2].startswith("it has 2 0s and 1s: expected one for each of the 6 shown")
    assert said[3] == ["name", "110000", "x y", "000011"]
    assert re.match("line 1: “a b”: expected FROM TO NAME", said[4]) and said[5].startswith("line 1: “3 2 x”")
    assert said[6].startswith("nothing is marked in the text that is shown, from 10 to before 16")
    assert said[7] == ["q", "011000", "name", "000001"]


@pytest.mark.parametrize(
    ("name", "said"), [("", "Give the label a name first."), ("upper", "“upper” is a label that the page has already")]
)
def test_a_name_that_cannot_be_is_refused(show: Show, model: Toy, tmp_path: Path, name: str, said: str) -> None:
    seen = opened(show, model, tmp_path, "#t=20&from=20&to=23")
    seen.page.fill("#mark-name", name)
    seen.page.click("#mark-add")
    assert said in seen.page.inner_text("#mark-note")
    assert seen.page.locator("#marks li").count() == 0
