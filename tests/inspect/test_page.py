"""The page as its reader has it: opened from disk, offline, with keys, pointer and screen."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from page_toys import SEEN, TEXT, Seen, Toy, harness, toy

from gatework.inspect.clamping import Clamp, costs
from gatework.inspect.figures import figure

Show = Callable[..., Seen]
HEAT = [(0xB3, 0x58, 0x06), (0xF7, 0xF7, 0xF7), (0x54, 0x27, 0x88)]
GATE = [(0xF7, 0xF7, 0xF7), (0x01, 0x66, 0x5E)]
INK = [(0xF1, 0xA3, 0x40), (0xF7, 0xF7, 0xF7), (0x99, 0x8E, 0xC3)]
DARK_INK = [(0x7F, 0x3B, 0x08), (0x1E, 0x1E, 0x1E), (0x54, 0x27, 0x88)]


@pytest.fixture(scope="module")
def model() -> Toy:
    return toy()


@pytest.fixture
def opened(show: Show, model: Toy, tmp_path: Path) -> Iterator[Callable[..., Seen]]:
    """Opens the page of the model and waits until its text is read; nothing is asked for and nothing complained of."""
    made = []

    def opened(address: str = "", changes: dict[str, Any] | None = None, subject: Toy = model, **options: Any) -> Seen:
        seen = show(subject.page(tmp_path / f"page{len(made)}.html", **(changes or {})), address, **options)
        made.append(seen)
        seen.page.wait_for_selector("body[data-ready]", state="attached")
        return seen

    yield opened
    for seen in made:
        assert not seen.complaints
        assert [url.split("#")[0] for url in seen.requests if not url.startswith(("data:", "blob:"))] == [
            seen.page.url.split("#")[0]
        ]


def between(stops: list[tuple[int, ...]], share: float) -> torch.Tensor:
    """The colour at a share of a scale."""
    colours = torch.tensor(stops, dtype=torch.float64)
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    left = min(int(place), len(stops) - 2)
    return colours[left] + (colours[left + 1] - colours[left]) * (place - left)


def view(seen: Seen) -> dict[str, Any]:
    return seen.page.evaluate("({...gatework.view.values})")


def same_colour(found: Any, stops: list[tuple[int, ...]], share: float) -> None:
    assert (torch.tensor(found, dtype=torch.float64) - between(stops, share)).abs().max() <= 2


def test_it_checks_itself_against_python(opened: Callable[..., Seen], model: Toy) -> None:
    assert "computes what Python computed" in opened().page.text_content("#check.good")
    wrong = model.payload["check"] | {"p": [value + 0.01 for value in model.payload["check"]["p"]]}
    assert "does not compute" in opened(changes={"check": wrong}).page.text_content("#check.bad")


def test_it_is_as_surprised_as_python(opened: Callable[..., Seen], model: Toy) -> None:
    found = torch.tensor(json.loads(opened().page.evaluate("JSON.stringify([...gatework.reading.surprise.slice(1)])")))
    assert (found * torch.log(torch.tensor(2.0)) + model.log_p).abs().max() < 1e-4


def test_every_section_has_its_heading_and_a_place_in_the_list(opened: Callable[..., Seen]) -> None:
    page = opened().page
    sections = page.eval_on_selector_all("main section", "all => all.map(each => each.id)")
    first = ["about", "live", "text", "why", "finder", "heat", "cell", "saturation", "memory"]
    assert sections == [*first, "lesson-conveyor", "lesson-bias", "methods"]
    assert page.eval_on_selector_all("nav a", "all => all.map(each => each.hash)") == [f"#{name}" for name in sections]


def test_the_heat_map_has_the_colour_of_each_value(opened: Callable[..., Seen], model: Toy) -> None:
    places = ((5, 0), (17, 3), (200, 11))
    pixels = """(places) => {
      const map = document.getElementById("map"), pen = map.getContext("2d");
      const { data } = pen.getImageData(0, 0, map.width, map.height);
      return places.map(([t, y]) => [...data.slice(4 * (y * map.width + t), 4 * (y * map.width + t) + 3)]);
    }"""
    for name, stops, share in (
        ("h", HEAT, lambda value: (value + 1) / 2),
        ("c", HEAT, lambda value: (value.tanh() + 1) / 2),
        ("f", GATE, lambda value: value),
    ):
        page = opened(f"#unit=l0.{name}.0&t=5").page
        for found, (t, unit) in zip(page.evaluate(pixels, places), places, strict=True):
            same_colour(found, stops, float(share(model.values[f"l0.{name}"][t, unit])))


@pytest.mark.parametrize(("scheme", "stops"), [("light", INK), ("dark", DARK_INK)])
def test_the_text_has_the_colours_of_a_unit(opened: Callable[..., Seen], model: Toy, scheme: str, stops: Any) -> None:
    page = opened("#unit=l0.h.3&t=5", color_scheme=scheme).page
    for t in (5, 60):
        style = page.eval_on_selector(f"#grid [data-t='{t}']", "each => getComputedStyle(each).backgroundColor")
        found = [int(part) for part in style.removeprefix("rgb(").rstrip(")").split(",")]
        same_colour(found, stops, (float(model.values["l0.h"][t, 3]) + 1) / 2)


@pytest.mark.parametrize("crosses", [True, False])
def test_a_scale_of_its_own_goes_from_the_least_to_the_most(
    opened: Callable[..., Seen], model: Toy, crosses: bool
) -> None:
    of_unit = model.values["l0.h"].unbind(1)
    unit, values = next((u, v) for u, v in enumerate(of_unit) if bool(v.min() * v.max() < 0) == crosses)
    low, high = float(values.min()), float(values.max())
    page = opened(f"#unit=l0.h.{unit}&t=5&rescale=1").page
    for t, share in ((int(values.argmin()), 0.0), (int(values.argmax()), 1.0), (60, (values[60] - low) / (high - low))):
        style = page.eval_on_selector(f"#grid [data-t='{t}']", "each => each.style.backgroundColor")
        same_colour([int(part) for part in style[4:-1].split(",")], INK, float(share))
    legend = page.text_content("#bar .legend").replace("−", "-")
    if crosses:
        assert legend == f"{figure(low)}0{figure(high)}"
        zero = page.eval_on_selector("#bar .legend b", "each => each.style.left")
        assert float(zero[:-1]) == pytest.approx(100 * -low / (high - low), abs=0.1)
    else:
        assert legend == f"{figure(low)}{figure(high)} (0 is not on it)"


def test_numbers_close_to_each_other_are_told_apart(show: Show, tmp_path: Path) -> None:
    path = harness(tmp_path / "page.html", "dom.js", "window.told = pairs.map((pair) => apart(...pair));",
                   pairs=[[-0.5, 0.25], [0.9981, 0.99834], [0.5, 0.5]])  # fmt: skip
    assert show(path).page.evaluate("window.told") == [["−0.50", "0.25"], ["0.99810", "0.99834"], ["0.50", "0.50"]]


def test_a_legend_has_the_colours_of_what_it_stands_beside(opened: Callable[..., Seen]) -> None:
    page = opened("#unit=l0.h.3&t=5").page
    for legend, stops in (("#bar .legend", INK), ("#heat-legend", HEAT)):
        shown = page.eval_on_selector(f"{legend} i", "each => getComputedStyle(each).backgroundImage")
        assert shown == f"linear-gradient(to right, {', '.join(f'rgb{stop}' for stop in stops)})"
        assert page.text_content(legend) == "−10+1"


def test_arrows_move_in_time_and_among_units(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.c.4&t=20")
    seen.page.focus("#grid")
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown"):
        seen.page.keyboard.press(key)
    assert {key: view(seen)[key] for key in ("t", "unit", "name")} == {"t": 21, "unit": 5, "name": "c"}
    seen.page.keyboard.press("End")
    assert view(seen)["t"] == len(TEXT) - 1
    assert "t=" in seen.page.url and "unit=l0.c.5" in seen.page.url


def test_shift_and_arrows_mark_a_stretch_and_rank_units(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.c.4&t=20")
    seen.page.focus("#heat-box")
    for _ in range(3):
        seen.page.keyboard.press("Shift+ArrowRight")
    assert (view(seen)["from"], view(seen)["to"], view(seen)["t"]) == (20, 23, 23)
    assert seen.page.locator("#stretch li").count() == 12
    assert seen.page.locator("#grid .brushed").count() == 4


def test_all_of_the_text_leaves_nothing_to_compare_with(opened: Callable[..., Seen]) -> None:
    page = opened("#unit=l0.c.4&t=20").page
    page.fill("#from", "0")
    page.fill("#to", "100000")
    page.keyboard.press("Enter")
    assert page.text_content("#finder p.small:has(+ #stretch)").startswith("All of the text is marked")
    assert page.locator("#stretch li").count() == 0


def test_a_unit_that_is_not_there_is_said_to_be_missing(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.c.4&t=20")
    last = int(seen.page.get_attribute("#unit", "max"))
    for number, wanted, note in ((last + 1, last, f"There is no unit {last + 1}: "), (3, 3, "")):
        seen.page.fill("#unit", str(number))
        seen.page.keyboard.press("Enter")
        assert view(seen)["unit"] == wanted
        assert seen.page.text_content("#no-unit").startswith(note) and bool(note) == bool(
            seen.page.text_content("#no-unit")
        )


def test_a_hit_leads_to_where_its_own_unit_follows_the_label(opened: Callable[..., Seen], model: Toy) -> None:
    seen = opened("#unit=l0.c.4&t=20")
    label = seen.page.evaluate("Array.from(gatework.label('upper'), Number)")
    for unit in (2, 7):
        r = seen.page.evaluate(f"gatework.known(0, 'c', {unit}).labels.upper.a")
        seen.page.evaluate(f"gatework.goTo({{layer: 0, name: 'c', unit: {unit}}}, 'upper')")
        side = model.values["l0.c"][:, unit] * (1 if r > 0 else -1)
        steps = [t for t, true in enumerate(label) if true > 0]
        assert view(seen)["unit"] == unit and view(seen)["t"] == max(steps, key=lambda t: float(side[t]))


def test_space_plays(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.c.4&t=20")
    seen.page.focus("#grid")
    seen.page.keyboard.press("Space")
    seen.page.wait_for_selector("#grid .pinned:not([data-t='20'], [data-t='21'], [data-t='22'])")
    seen.page.keyboard.press("Space")


def test_a_slash_searches_units_and_meanings(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.c.4&t=20")
    seen.page.focus("#grid")
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("capital")
    seen.page.keyboard.press("Enter")
    assert (view(seen)["name"], view(seen)["unit"], view(seen)["mark"]) == ("h", 3, "upper")
    seen.page.fill("#search", "l0.f.7")
    seen.page.keyboard.press("Enter")
    assert (view(seen)["name"], view(seen)["unit"]) == ("f", 7)
    seen.page.fill("#search", "nonsense")
    assert "No such unit" in seen.page.text_content("#hits")


def test_a_click_pins_and_hovering_previews(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.c.4&t=20")
    seen.page.hover("#grid [data-t='30']")
    assert (view(seen)["t"], view(seen)["hover"]) == (20, 30)
    assert seen.page.get_attribute("#grid .hovered", "data-t") == "30"
    seen.page.click("#grid [data-t='40']")
    assert view(seen)["t"] == 40
    seen.page.select_option("#zoom", "8")
    seen.page.mouse.move(0, 0)  # off the text, which scrolls the map to the character under the pointer
    seen.page.click("#map", position={"x": 8 * 25 + 4, "y": 1})
    assert (view(seen)["t"], view(seen)["unit"]) == (25, 0)


def test_a_wrong_address_is_passed_over(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l9.zz.4000&t=-3&from=abc&sort=nonsense&held=l0.c.99")
    assert (view(seen)["layer"], view(seen)["from"], view(seen)["held"]) == (0, None, "")


@pytest.mark.parametrize("button", [".findings button", "#finder td button"])
def test_a_button_leads_to_its_unit_and_where_it_shows_something(opened: Callable[..., Seen], button: str) -> None:
    seen = opened("#unit=l0.c.4&t=20", viewport={"width": 1280, "height": 700})
    seen.page.click(button)
    assert [view(seen)[key] for key in ("name", "unit", "mark", "t")] == ["h", 3, "upper", 130]
    assert seen.page.locator("#grid .labelled").count() > 0
    top = seen.page.eval_on_selector("#grid", "each => each.getBoundingClientRect().top")
    bar = seen.page.eval_on_selector("#bar", "each => each.getBoundingClientRect().bottom")
    assert bar <= top < 700
    assert seen.page.evaluate("document.activeElement.id") == "grid"
    assert "l0.h.3 (output: what the cell says). Its correlation with “whether it is a capital” is 0.50 and 0.45" in (
        seen.page.text_content("#text-shown")
    )
    assert "l0.h.3 after" in seen.page.text_content("#status")


def test_a_pointer_that_rests_while_the_page_moves_points_at_nothing(opened: Callable[..., Seen]) -> None:
    """A browser tells of a resting pointer, too, when something else comes to lie under it."""
    seen = opened("#unit=l0.c.4&t=20")
    place = "window.addEventListener('pointermove', ({ screenX, screenY }) => { window.place = { screenX, screenY }; })"
    told = """(by) => ["pointerover", "pointermove"].forEach((kind) =>
      document.querySelector("#grid [data-t='140']").dispatchEvent(
        new PointerEvent(kind, { ...window.place, screenX: window.place.screenX + by, bubbles: true })))"""
    seen.page.evaluate(place)
    seen.page.hover("#grid [data-t='30']")
    seen.page.evaluate("gatework.goTo({ layer: 0, name: 'h', unit: 3 }, 'upper')")
    seen.page.evaluate(told, 0)
    assert view(seen)["hover"] is None
    assert "(130)" in seen.page.text_content("#readout")
    seen.page.evaluate(told, 1)
    assert view(seen)["hover"] == 140


def test_the_numbers_beside_the_curve_keep_clear_of_it(opened: Callable[..., Seen]) -> None:
    painted = """() => {
      const trace = document.getElementById("trace"), pen = trace.getContext("2d"), sharp = devicePixelRatio;
      const { data, width } = pen.getImageData(0, 0, trace.width, Math.round(128 * sharp));
      const columns = new Set();
      for (let k = 0; k < data.length / 4; k++) if (data[4 * k + 3]) columns.add(Math.floor((k % width) / sharp));
      return [...columns];
    }"""
    columns = set(opened("#unit=l0.h.3&t=5").page.evaluate(painted))
    assert columns & set(range(30))  # the numbers
    assert not columns & set(range(38, 44))
    assert 48 in columns


def test_what_a_page_did_not_find_it_says(opened: Callable[..., Seen], model: Toy) -> None:
    missed = [model.payload["hypotheses"][0] | {"found": False, "enough": False, "episodes": 14, "needed": 20}]
    page = opened(changes={"hypotheses": missed, "findings": []}).page
    assert "2.0 minutes" in page.text_content("#none-found")
    assert "too rare here: 14 times in a half, 20 needed" in page.text_content("#finder table")


def test_a_valve_is_open_as_far_as_its_gate(opened: Callable[..., Seen], model: Toy) -> None:
    page = opened("#unit=l0.c.4&t=20").page
    found = page.eval_on_selector_all("#cell [data-gate]", "all => all.map(each => Number(each.dataset.open))")
    wanted = [float(model.values[f"l0.{gate}"][20, 4]) for gate in "fio"]
    assert sorted(found) == pytest.approx(sorted(wanted), abs=1e-3)


def test_gates_are_put_into_words_with_their_numbers(opened: Callable[..., Seen], model: Toy) -> None:
    page = opened("#unit=l0.c.4&t=20").page
    values = {name: float(model.values[f"l0.{name}"][20, 4]) for name in "figoch"}
    before = float(model.values["l0.c"][19, 4])
    said = [line.replace("−", "-") for line in page.locator("#gates-said li").all_inner_texts()]
    keeps, writes, outcome, shows = said
    numbers = [[float(number) for number in re.findall(r"-?\d+\.\d+", line)] for line in said]
    assert keeps.startswith("Forget gate f ") and " of cell state c; " in keeps
    assert numbers[0] == pytest.approx([values["f"], before, values["f"] * before], abs=0.0051)
    assert writes.startswith("Input gate i ") and " of candidate g; " in writes
    assert numbers[1] == pytest.approx([values["i"], values["g"], values["i"] * values["g"]], abs=0.0051)
    assert outcome.startswith("So cell state c ") and values["c"] == pytest.approx(numbers[2][-1], abs=0.0051)
    assert shows.startswith("Output gate o ") and numbers[3][-1] == pytest.approx(values["h"], abs=0.0051)


def test_a_strip_shows_each_gate_over_time(opened: Callable[..., Seen], model: Toy) -> None:
    page = opened("#unit=l0.c.4&t=20").page
    found = page.eval_on_selector_all(
        "#role-strip rect", "all => all.map(each => Number(each.getAttribute('fill-opacity')))"
    )
    steps = len(found) // 3
    wanted = [float(model.values[f"l0.{gate}"][t, 4]) for gate in "fio" for t in range(steps)]
    assert found == pytest.approx(wanted, abs=1e-3) and steps == 69


def test_a_cell_without_gates_is_said_to_keep_nothing(opened: Callable[..., Seen]) -> None:
    page = opened(subject=toy("rnn")).page
    assert page.locator("#gates-said").inner_text().startswith("h is made anew at each step")
    assert page.locator("#role-strip").count() == 0


def test_a_gate_never_wears_the_diverging_scale(opened: Callable[..., Seen], model: Toy) -> None:
    page = opened("#unit=l0.c.4&t=20").page
    names = model.model.recurrent.program.names
    strokes = {
        name: page.eval_on_selector(f"#cell path[data-node='{names[name]}']", "each => each.style.stroke")
        for name in "fioc"
    }
    assert {strokes[name] for name in "fio"} == {"rgb(1, 102, 94)"}
    assert strokes["c"] != strokes["f"]


@pytest.mark.parametrize("cell", ["gru", "on_lstm", "slstm", "cornn", "rnn"])
def test_any_cell_has_a_page(opened: Callable[..., Seen], cell: str) -> None:
    page = opened(subject=toy(cell, layers=2)).page
    assert page.locator("#check.good").count() == 1
    page.focus("#grid")
    page.keyboard.press("ArrowRight")


def test_holding_a_unit_costs_what_python_finds(opened: Callable[..., Seen]) -> None:
    short = toy(text=TEXT[:100])
    seen = opened("#unit=l0.c.4&t=20", subject=short)
    before = seen.page.evaluate("gatework.reading.bits()")
    seen.page.click("#clamp")
    seen.page.wait_for_selector("#let-go:visible")
    mean = float(short.values["l0.c"][:, 4].mean())
    (wanted,) = costs(short.model, short.ids, [Clamp("l0.c", 4, mean)])
    assert seen.page.evaluate("gatework.reading.bits()") - before == pytest.approx(wanted, abs=1e-4)
    assert "held at" in seen.page.text_content("#clamp-result")
    seen.page.click("#let-go")
    assert seen.page.evaluate("gatework.reading.bits()") == before


def test_the_live_box_expects_what_the_model_does(opened: Callable[..., Seen], model: Toy) -> None:
    page = opened().page
    page.uncheck("#warm")
    page.fill("#live-box", TEXT[:20])
    with torch.no_grad():
        p = model.model.logits(model.ids[:20, None])[0][-1, 0].softmax(-1)
    shown = page.text_content("#bars li .number")
    assert shown == f"{100 * p.max():.0f} %"


def test_the_live_box_takes_anything(opened: Callable[..., Seen]) -> None:
    page = opened().page
    page.uncheck("#warm")
    for text in ("", "😀", "</script><b>x", "\t\n\u2028", SEEN):
        page.fill("#live-box", text)
        assert page.locator("#strip span").count() == len(text)
        assert page.locator("#strip .unseen").count() == sum(sign not in SEEN for sign in text)
    page.fill("#live-box", "")
    assert "Type a character" in page.text_content("#bars")
    page.click("#step")
    page.click("#step")
    assert len(page.input_value("#live-box")) == 2


def test_it_looks_inside_what_is_typed(opened: Callable[..., Seen]) -> None:
    page = opened().page
    page.fill("#live-box", "def f")
    page.click("#look")
    page.wait_for_selector("#grid [data-t='4']")
    assert page.locator("#grid span").count() == 5
    assert page.locator("#back").is_visible()


def test_a_button_leads_back_from_what_is_typed_to_the_text(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.h.3&t=77&mark=upper")
    assert seen.page.locator("#back").is_hidden()
    for typed in ("def f", "(x)"):
        seen.page.fill("#live-box", typed)
        seen.page.click("#look")
    seen.page.click("#back")
    assert seen.page.locator("#grid span").count() == len(TEXT)
    assert (view(seen)["t"], view(seen)["mark"]) == (77, "upper")
    assert seen.page.locator("#back").is_hidden()
    assert seen.page.locator("#check.good").count() == 1


def test_text_is_shown_as_text(opened: Callable[..., Seen]) -> None:
    page = opened().page
    assert page.evaluate("window.broken") is None
    assert page.text_content("#grid").replace("·", " ").count("</script><script>window.broken") == 4
    assert page.locator("#grid .unseen").count() == sum(sign not in SEEN for sign in TEXT)


def test_a_cold_start_is_greyed(opened: Callable[..., Seen], model: Toy) -> None:
    assert opened().page.locator("#grid .cold").count() == 50
    state = [[[[0.0] * 12, [0.0] * 12]]]
    warm = model.payload["text"] | {"start_state": state}
    assert opened(changes={"text": warm}).page.locator("#grid .cold").count() == 0


def test_a_long_text_is_turned_over_in_pages(opened: Callable[..., Seen]) -> None:
    seen = opened("#unit=l0.c.1&t=100", subject=toy(text=(TEXT * 20)[:5000], hidden=3))
    assert seen.page.locator("#grid span").count() == 4000
    seen.page.click("text=later ▸")
    assert seen.page.locator("#grid span").count() == 1000


def test_without_text_or_weights_it_shows_what_it_has(opened: Callable[..., Seen]) -> None:
    page = opened(changes={"text": None, "check": None}).page
    assert page.locator("#text").count() == 0 and page.locator("#live-box").count() == 1
    for button in ("#step", ".findings button", "#finder td button"):
        page.click(button)
    assert page.evaluate("gatework.view.get('unit')") == 3
    page = opened(changes={"weights": [], "check": None}).page
    assert "without the weights" in page.text_content("#check")
    assert page.locator("#live").count() == 0 and page.locator("#saturation .chart").count() == 3


def test_two_runs_stand_side_by_side(opened: Callable[..., Seen], model: Toy) -> None:
    surprise = [None, *[1.0] * (len(model.ids) - 1)]
    other = {"title": "second run", "surprise": surprise, "flow": model.payload["flow"], "results": {}}
    seen = opened(changes={"other": other})
    page = seen.page
    assert "second run, 1.00" in page.text_content("#compare-note")
    assert page.locator("#memory .line.second").count() == 2
    places = []
    for button in page.locator("#differences button").all():
        button.click()
        places.append(view(seen)["t"])
    assert len(places) == 8
    assert all(abs(a - b) >= 20 for a, b in itertools.combinations(places, 2))
    page.click("#look")
    page.click("#differences button >> nth=0")
    assert view(seen)["t"] == places[0] and page.locator("#grid span").count() == len(TEXT)


def test_it_gives_its_data_away(opened: Callable[..., Seen], model: Toy) -> None:
    page = opened("#unit=l0.c.4&t=20").page
    with page.expect_download() as given:
        page.click("#save-unit")
    lines = Path(given.value.path()).read_text("utf-8").split("\n")
    assert lines[0] == "step,piece,value,shown,surprise_bits"
    assert float(lines[1].split(",")[2]) == pytest.approx(float(model.values["l0.c"][0, 4]), abs=1e-4)


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen(opened: Callable[..., Seen], width: int) -> None:
    page = opened(viewport={"width": width, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wider = page.eval_on_selector("#finder .scroll", "each => each.scrollWidth > each.clientWidth")
    assert page.locator("#finder .sideways").is_visible() == wider


def test_it_is_still_for_those_who_want_it(opened: Callable[..., Seen]) -> None:
    page = opened(reduced_motion="reduce").page
    assert page.eval_on_selector("#bars i", "each => getComputedStyle(each).transitionDuration") == "0s"


def test_forced_colours_keep_the_colours_that_mean_something(opened: Callable[..., Seen]) -> None:
    page = opened("#unit=l0.h.3&t=5", forced_colors="active").page
    colours = page.eval_on_selector_all("#grid span", "all => all.map(each => getComputedStyle(each).backgroundColor)")
    assert len(set(colours)) > 5


def test_the_bar_takes_the_focus_where_the_page_stands(opened: Callable[..., Seen]) -> None:
    page = opened().page
    page.evaluate("document.getElementById('heat').scrollIntoView()")
    before = page.evaluate("scrollY")
    page.focus("#unit")
    page.keyboard.press("Tab")
    assert page.evaluate("scrollY") == before > 0
    bar = page.eval_on_selector("#bar", "each => each.getBoundingClientRect().bottom")
    assert page.eval_on_selector("#heat h2", "each => each.getBoundingClientRect().top") >= bar


def test_a_grid_is_one_tab_stop(opened: Callable[..., Seen]) -> None:
    page = opened().page
    assert page.locator("#grid [tabindex], #heat-box [tabindex]").count() == 0
    assert "after" in page.get_attribute("#grid", "aria-valuetext")
