"""The lessons on the page: what they show is what Python computes with the same networks."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from page_toys import Seen, harness, tensors, toy
from torch import Tensor

import gatework as gw
from gatework.inspect.lessons import SHIPPED, lessons
from gatework.inspect.memory import half_lives
from gatework.inspect.model import layers_json
from gatework.inspect.payload import _model_json
from gatework.layers.description import network_of, tensors_of
from gatework.text.model import LanguageModel
from gatework.text.options import Shape
from numerics import compare, randomise, same

Show = Callable[..., Seen]

V, H, UNIT, FROM = 7, 5, 2, 10  # tokens, units, the unit that is held, from which step on
IDS = torch.randint(V, (30,), generator=torch.Generator().manual_seed(3))
RIDES = """
const rides = given.map(({ model, tensors }) => {
  const tensor = (name) => ({ ...tensors[name], data: Float32Array.from(tensors[name].data) });
  const network = new Network({ kind: "text", model }, tensor), first = network.start();
  const conveyor = conveyorOf(network, model.roles, 0, network.embed(ids[0]), first);
  const at = (value) => conveyor.holds.map((hold) => ({ ...hold, value: value ?? hold.value }));
  const run = (holds) => ride({ network, ids, first }, { layer: 0, unit }, conveyor, holds, from, ids.length);
  return conveyor && { conveyor, still: run(at(null)), half: run(at(0.5)) };
});
window.found = JSON.stringify(rides);
"""


def layer(cell: str) -> gw.Recurrent:
    torch.manual_seed(5)
    return randomise(gw.Recurrent(cell, V, H), 0.7)


def rides(show: Show, path: Path, layers: list[gw.Recurrent]) -> list[Any]:
    """What the page finds of the conveyor of each layer, and a unit's run on it; None where it has none."""
    given = []
    for each in layers:
        network = network_of(each)
        model = layers_json(each.cell, network, tensors_of(each, network)) | {"embedding": None}
        given.append({"model": model, "tensors": tensors(each)})
    seen = show(harness(path, "lessons.js", RIDES, given=given, ids=IDS.tolist(), unit=UNIT, **{"from": FROM}))
    seen.page.wait_for_function("window.found")
    assert not seen.complaints
    return json.loads(seen.page.evaluate("window.found"))


REACH = """
const tensor = (name) => ({ ...given.tensors[name], data: Float32Array.from(given.tensors[name].data) });
const network = new Network({ kind: "text", model: given.model }, tensor), first = network.start();
const conveyor = conveyorOf(network, given.model.roles, 0, network.embed(ids[0]), first);
const bias = keepingBias(network.cells[0], conveyor);
const subject = { network, model: given.model, tensor, ids, first };
const at = (value) => withBias(network.cells[0], bias, value, () => measuredReach(subject, 0, conveyor));
window.found = JSON.stringify({ bias, own: at(null), moved: at(3), again: at(null) });
"""


def reach_of(model: LanguageModel, ids: Tensor) -> dict[str, Any]:
    """Half-lives, the gradient by x at six places of the text, and its reach, by what gatework has for each."""
    recurrent, steps, lags = model.recurrent, len(ids) - 1, 60
    with torch.no_grad(), gw.record(recurrent, "f") as trace:
        model(ids[:-1, None], ids[1:, None])
    norms = []
    for t in [steps - 1 - math.floor(k * (steps - lags) / 6 + 0.5) for k in range(6)]:
        targets = torch.full((t + 1, 1), -100)
        targets[-1] = ids[t + 1]
        flow = gw.gradient_flow(model, (ids[: t + 1, None], targets), loss=lambda returned: returned[0])
        norms.append(flow.norms["recurrent.l0.x"][:lags, 0])
    norms = torch.stack(norms, 1)  # [K,B]
    sums = norms.cumsum(0)
    reach = (sums < 0.9 * sums[-1]).sum(0) + 1.0
    return {
        "lives": half_lives(trace["l0.f"][:, 0]).mean,
        "flow": (norms / norms[0]).quantile(0.5, 1),
        "reach": reach.quantile(0.5).item(),
    }


def held_lstm(weights: dict[str, Tensor], f: float, i: float) -> tuple[Tensor, Tensor]:
    """c and h of the held unit, by the equations of the LSTM."""
    h = c = torch.zeros(H, dtype=torch.float64)
    states, outputs = [], []
    for t, token in enumerate(IDS.tolist()):
        sums = {g: weights[f"l0.W_{g}"][:, token] + weights[f"l0.U_{g}"] @ h + weights[f"l0.b_{g}"] for g in "figo"}
        gates = {name: sums[name].sigmoid() for name in "fio"}
        if t >= FROM:
            gates["f"][UNIT], gates["i"][UNIT] = f, i
        c = gates["f"] * c + gates["i"] * sums["g"].tanh()
        h = gates["o"] * c.tanh()
        states.append(c[UNIT])
        outputs.append(h[UNIT])
    return torch.stack(states), torch.stack(outputs)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lessons().write(tmp_path_factory.mktemp("lessons") / "lessons.html")


@pytest.fixture
def opened(show: Show, page: Path) -> Iterator[Callable[..., Seen]]:
    """Opens the lessons; nothing is asked for and nothing complained of."""
    made = []

    def opened(**options: Any) -> Seen:
        made.append(show(page, **options))
        made[-1].page.wait_for_selector("body[data-ready]", state="attached")
        return made[-1]

    yield opened
    for seen in made:
        assert not seen.complaints
        assert seen.requests == [page.as_uri()]


def test_lessons_are_small_and_need_no_run() -> None:
    assert SHIPPED.stat().st_size < 300_000
    assert lessons().size < 1_000_000


def test_a_unit_of_an_lstm_runs_with_its_gates_held_as_the_equations_have_it(show: Show, tmp_path: Path) -> None:
    lstm = layer("lstm")
    (found,) = rides(show, tmp_path / "page.html", [lstm])
    assert [(hold["name"], hold["value"]) for hold in found["conveyor"]["holds"]] == [("f", 1), ("i", 0)]
    weights = {name: value.double() for name, value in lstm.state_dict().items()}
    for run, f, i in ((found["still"], 1.0, 0.0), (found["half"], 0.5, 0.5)):
        c, h = held_lstm(weights, f, i)
        same(torch.tensor(run["state"], dtype=torch.float64), c, "c")
        same(torch.tensor(run["output"], dtype=torch.float64), h, "h")
    assert len(set(found["still"]["state"][FROM - 1 :])) == 1
    assert len(set(found["still"]["output"][FROM:])) == len(IDS) - FROM


def test_half_lives_and_the_reach_of_the_gradient_follow_the_bias_as_in_python(show: Show, tmp_path: Path) -> None:
    torch.manual_seed(2)
    ids = torch.randint(V, (150,))
    model = randomise(LanguageModel("lstm", V, Shape(hidden=6, embedding=None)), 0.8).eval()
    given = {"model": _model_json(model), "tensors": tensors(model)}
    seen = show(harness(tmp_path / "page.html", "lessons.js", REACH, given=given, ids=ids.tolist()))
    seen.page.wait_for_function("window.found")
    found = json.loads(seen.page.evaluate("window.found"))
    assert (found["bias"]["name"], found["bias"]["rises"]) == ("b_f", True)
    assert found["again"] == found["own"]
    model = model.double()
    for name in ("own", "moved"):
        if name == "moved":
            model.recurrent.get_parameter("l0.b_f").data.fill_(3)
        expected = reach_of(model, ids)
        for key in ("lives", "flow"):
            compare(torch.tensor(found[name][key], dtype=torch.float64), expected[key], rms=1e-9, peak=1e-9, what=key)
        assert found[name]["reach"] == expected["reach"]


def test_whatever_cell_has_a_conveyor_stands_still_on_it(show: Show, tmp_path: Path) -> None:
    names = [name for name, cell in gw.cells.items() if "R" not in cell.program.sizes and not cell.program.tied]
    found = dict(zip(names, rides(show, tmp_path / "page.html", [layer(name) for name in names]), strict=True))
    for name, each in found.items():
        assert each is None or len({round(c, 9) for c in each["still"]["state"][FROM - 1 :]}) == 1, name
    assert {"lstm", "gru", "lstm_no_forget"} <= {name for name, each in found.items() if each}
    assert found["rnn"] is None


def test_a_slider_is_moved_by_keys_and_the_state_leaves_the_conveyor(opened: Callable[..., Seen]) -> None:
    page = opened().page
    said = page.locator("#conveyor-said")
    assert "Cell state c stands still" in said.text_content()
    page.locator("#lesson-gate-f").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("label:has(#lesson-gate-f) output").text_content() == "0.99"
    assert "Cell state c goes from" in said.text_content()
    assert f"{round(100 * 0.99**35)} % is left" in said.text_content()


def test_the_bias_of_the_forget_gate_moves_what_is_measured(opened: Callable[..., Seen]) -> None:
    page = opened().page
    said = page.locator("#bias-said")
    assert said.text_content().startswith("b_f = 1.00")
    page.locator("#lesson-bias-slider").focus()
    page.keyboard.press("End")
    page.locator("#bias-said", has_text="b_f = 4.00").wait_for()


def test_the_page_of_a_run_has_the_lessons_that_its_own_network_can_show(show: Show, tmp_path: Path) -> None:
    seen = show(toy("gru").page(tmp_path / "page.html"), "#unit=l0.h.3")
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    assert seen.page.locator("#lesson-unit").input_value() == "3"
    seen.page.evaluate("gatework.choose({ unit: 5 })")
    assert seen.page.locator("#lesson-unit").input_value() == "5"
    assert "Hidden state h stands still" in seen.page.locator("#conveyor-said").text_content()
    assert seen.page.locator("#bias-said").text_content().startswith("b_z = 1.00")
    assert not seen.complaints


def test_a_cell_without_gates_is_said_to_have_no_conveyor(show: Show, tmp_path: Path) -> None:
    seen = show(toy("rnn").page(tmp_path / "page.html"))
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    assert "no gates at which a state stands still" in seen.page.locator("#lesson-conveyor").text_content()
    assert not seen.complaints


@pytest.mark.parametrize("width", [390, 1280])
def test_lessons_fit_a_screen_of_any_width(opened: Callable[..., Seen], width: int) -> None:
    page = opened(viewport={"width": width, "height": 800}, color_scheme="dark", reduced_motion="reduce").page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    unnamed = "[...document.querySelectorAll('input, [role=img], section')].filter((e) => !(e.labels?.length ||"
    assert page.evaluate(f"{unnamed} e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')))") == []
