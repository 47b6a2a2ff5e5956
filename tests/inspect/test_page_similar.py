"""Similar places: the units that stay on one side over a stretch, and where else they do."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from page_toys import Seen, Toy, toy
from torch import Tensor

Show = Callable[..., Seen]
FROM, TO = 47, 49
LENGTH = TO - FROM + 1


@pytest.fixture(scope="module")
def model() -> Toy:
    return toy(text="".join(random.Random(5).choices("abc (def)\n", k=400)))  # nowhere the same for long


def sides(subject: Toy, name: str) -> Tensor:
    """Values [T,H] as the page compares them: c by its tanh, a gate from -1, shut, to 1, open."""
    values = subject.values[f"l0.{name}"]
    return {"c": values.tanh(), "f": 2 * values - 1, "h": values}[name]


def pattern(values: Tensor, threshold: float) -> tuple[list[int], Tensor]:
    """The units that stay on one side over FROM..TO, and how many of them do over the stretch from each step."""
    stretch = values[FROM : TO + 1]
    sign = stretch[0].sign()
    units = [u for u in range(values.shape[1]) if bool((sign[u] * stretch[:, u] >= threshold).all())]
    held = (sign * values >= threshold)[:, units].unfold(0, LENGTH, 1).all(-1)  # [T-L+1,U]
    return units, held.sum(1)


@pytest.mark.parametrize("name", ["h", "c", "f"])
def test_places_are_those_where_most_units_hold_the_pattern(show: Show, model: Toy, tmp_path: Path, name: str) -> None:
    seen = opened(show, model, tmp_path, name)
    values = sides(model, name)
    units, counts = pattern(values, 0.3)
    pressed = seen.page.locator("#similar-units button[aria-pressed='true']").all_inner_texts()
    assert sorted(int(text.split()[0].rsplit(".", 1)[1]) for text in pressed) == units
    places = seen.page.eval_on_selector_all("#similar li", "all => all.map(each => Number(each.dataset.from))")
    apart = (values[:, units].unfold(0, LENGTH, 1) - values[FROM : TO + 1, units].T).abs().mean((1, 2))
    ranked = sorted(range(len(counts)), key=lambda begin: (-int(counts[begin]), float(apart[begin])))
    wanted: list[int] = []
    for begin in ranked:
        if counts[begin] and all(abs(begin - other) >= LENGTH for other in [FROM, *wanted]):
            wanted.append(begin)
    assert places == wanted[:10]
    first = seen.page.locator("#similar li").first
    assert f"{int(counts[places[0]])} of {len(units)} unit" in first.inner_text()
    assert first.locator("mark").inner_text() == shown(model, places[0])


def test_a_unit_can_be_left_out_and_the_threshold_moved(show: Show, model: Toy, tmp_path: Path) -> None:
    seen = opened(show, model, tmp_path, "c")
    before = seen.page.locator("#similar-units button").count()
    button = seen.page.locator("#similar-units button").first
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert f"of {before - 1} unit" in seen.page.locator("#similar li").first.inner_text()
    seen.page.focus("#similar-threshold")
    for _ in range(20):
        seen.page.keyboard.press("ArrowRight")
    assert seen.page.locator("#similar-units button").count() == len(pattern(sides(model, "c"), 0.95)[0])


def test_a_place_is_jumped_to_and_the_stretch_stays(show: Show, model: Toy, tmp_path: Path) -> None:
    seen = opened(show, model, tmp_path, "h")
    begin = int(seen.page.locator("#similar li").first.get_attribute("data-from"))
    seen.page.locator("#similar button").first.press("Enter")
    view = seen.page.evaluate("({...gatework.view.values})")
    assert (view["t"], view["from"], view["to"]) == (begin + LENGTH - 1, FROM, TO)
    assert seen.page.evaluate("document.activeElement.id") == "grid"


@pytest.mark.parametrize(
    ("address", "said"),
    [("#t=5", "Mark a stretch of the text"), ("#from=10&to=200&t=5", "more than 100 characters"),
     ("#from=10&to=99&t=5&unit=l0.h.0", "No unit of this value stays beyond")],
)  # fmt: skip
def test_where_nothing_can_be_asked_it_is_said(show: Show, model: Toy, tmp_path: Path, address: str, said: str) -> None:
    seen = show(model.page(tmp_path / "page.html"), address)
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    assert said in seen.page.inner_text("#similar-note")
    assert seen.page.locator("#similar li").count() == 0


def opened(show: Show, subject: Toy, folder: Path, name: str) -> Seen:
    seen = show(subject.page(folder / "page.html"), f"#unit=l0.{name}.0&t=5&from={FROM}&to={TO}")
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    return seen


def shown(subject: Toy, begin: int) -> str:
    return "".join(subject.payload["text"]["pieces"][begin : begin + LENGTH]).replace(" ", "·").replace("\n", "↵")
