"""The fourth lesson: the page's counter counts as Python does in float64, and fails at the same n."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from page_toys import Seen, harness
from torch import Tensor
from torch.nn import functional as F

import gatework as gw
from gatework.files.tensors import read_tensors
from gatework.inspect.lessons import SHIPPED, layer_of, lessons
from gatework.inspect.model import layers_json
from gatework.lab.counting import judge, strings
from gatework.layers.description import network_of, tensors_of
from numerics import compare

Show = Callable[..., Seen]

N, SET = 31, 20  # of a^n b^n, and the count that is set at the turn
COUNTS = """
const tensor = (name) => ({ ...given.tensors[name], data: Float32Array.from(given.tensors[name].data) });
const network = new Network({ kind: "text", model: given.model }, tensor), unit = countingUnit(network, given.longest);
const value = unit.start + unit.slope * m, most = 4 * n;
window.found = JSON.stringify({
  unit, value,
  steps: countThrough(network, balanced(n)).map(({ state: [rows], scores }) => [...rows[0], ...rows[1], ...scores]),
  fails: failsFirst(network, given.furthest),
  short: failsFirst(network, 5),
  ends: [[], [[unit.state, unit.unit, value]], othersAfter(network, unit, m)].map(
    (settings) => endsAfterSetting(network, n, settings, most).ends),
  follow: strings.map((string) => mayFollow([...string].map((sign) => READS.indexOf(sign)))),
});
"""
STRINGS = {
    "aab": [[1, 1, 0], [1, 1, 0], [0, 1, 0]],
    "abb": [[1, 1, 0], [0, 0, 1], None],
    "aba": [[1, 1, 0], [0, 0, 1], None],
    "ba": [None, None],
}


class Counter:
    """The shipped network in float64."""

    def __init__(self) -> None:
        file = read_tensors(SHIPPED)
        self.about = json.loads(file.metadata["counter"])
        self.layer = layer_of(file, "counter", self.about)
        self.head = {k: torch.from_numpy(file.part("counter")[f"head.{k}"].copy()) for k in ("weight", "bias")}

    def given(self) -> dict[str, Any]:
        network = network_of(self.layer)
        weights = tensors_of(self.layer, network)
        model = layers_json(self.layer.cell, network, weights) | {"embedding": None}
        model["head"] = {name: f"head.{name}" for name in self.head}
        named = {**weights, **{f"head.{name}": value for name, value in self.head.items()}}
        tensors = {name: {"shape": list(v.shape), "data": v.flatten().tolist()} for name, v in named.items()}
        return {"model": model, "tensors": tensors, **self.about}

    @torch.no_grad()
    def run(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Scores [T,B,3] and the state after the last step."""
        output, state = self.layer.double()(x.double(), state)
        return F.linear(output, self.head["weight"].double(), self.head["bias"].double()), state

    def states(self, n: int) -> Tensor:
        """h and c along a^n b^n, [2n,4]."""
        x = strings(torch.tensor([n]), 2).x.double()
        with torch.no_grad(), gw.record(self.layer.double(), "h", "c") as trace:
            self.layer(x)
        return torch.cat([trace["l0.h"][:, 0], trace["l0.c"][:, 0]], -1)

    def ends(self, n: int, change: Callable[[Any], None]) -> int:
        """The b after which the string may end, where the state after n a's was changed."""
        _, state = self.run(strings(torch.tensor([n]), 2).x[:n])
        change(state)
        scores, _ = self.run(torch.tensor([0.0, 1.0]).expand(4 * n, 1, 2), state)
        return int((scores[:, 0, 2] > 0).nonzero()[0]) + 1

    def first_failure(self, furthest: int) -> int:
        for start in range(1, furthest + 1, 50):
            batch = strings(torch.arange(start, min(start + 50, furthest + 1)), 2)
            scores = self.run(batch.x)[0]
            if (wrong := judge(scores, batch._replace(y=batch.y.double())).wrong).any():
                return start + int(wrong.int().argmax())
        raise AssertionError("it never fails")


@pytest.fixture(scope="module")
def counter() -> Counter:
    return Counter()


def counted(show: Show, path: Path, given: dict[str, Any]) -> dict[str, Any]:
    seen = show(harness(path, "lessons.js", COUNTS, given=given, n=N, m=SET, strings=list(STRINGS)))
    seen.page.wait_for_function("window.found")
    assert not seen.complaints
    return json.loads(seen.page.evaluate("window.found"))


def test_the_counter_of_the_page_is_that_of_python(show: Show, tmp_path: Path, counter: Counter) -> None:
    found, longest = counted(show, tmp_path / "page.html", counter.given()), counter.about["longest"]
    scores = counter.run(strings(torch.tensor([N]), 2).x)[0][:, 0]
    expected = torch.cat([counter.states(N), scores], -1)
    compare(torch.tensor(found["steps"], dtype=torch.float64), expected, rms=1e-9, peak=1e-9, what="h, c, scores")

    values = counter.states(longest)
    count = torch.cat([torch.arange(1, longest + 1), torch.arange(longest - 1, -1, -1)]).double()
    r = torch.corrcoef(torch.cat([values.T, count[None]]))[-1, :-1]
    best = int(r.abs().argmax())
    line = torch.linalg.lstsq(torch.stack([count, torch.ones_like(count)], -1), values[:, best]).solution
    unit = found["unit"]
    assert (unit["state"], unit["unit"]) == divmod(best, counter.about["hidden"])
    assert [unit["r"], unit["slope"], unit["start"]] == pytest.approx([r[best].item(), *line.tolist()], rel=1e-9)
    on_a, on_b = (values[k + longest - 1, best] - values[k, best] for k in (0, longest))
    assert [unit["onA"], unit["onB"]] == pytest.approx([v.item() / (longest - 1) for v in (on_a, on_b)], rel=1e-9)

    def set_it(state: Any) -> None:
        state[unit["state"]][0, 0, unit["unit"]] = found["value"]

    def set_others(state: Any) -> None:
        after = counter.run(strings(torch.tensor([SET]), 2).x[:SET])[1][unit["state"]].clone()
        after[0, 0, unit["unit"]] = state[unit["state"]][0, 0, unit["unit"]]
        state[unit["state"]].copy_(after)

    assert found["ends"] == [counter.ends(N, change) for change in (lambda _: None, set_it, set_others)]
    assert found["ends"][:2] == [N, SET]
    assert found["fails"]["n"] == counter.first_failure(counter.about["furthest"]) > longest
    assert found["short"] is None


def test_what_may_come_next_is_known_as_far_as_the_string_can_be_one(
    show: Show, tmp_path: Path, counter: Counter
) -> None:
    found = counted(show, tmp_path / "page.html", counter.given())["follow"]
    assert dict(zip(STRINGS, found, strict=True)) == STRINGS


@pytest.fixture
def opened(show: Show, tmp_path: Path) -> Iterator[Any]:
    """The lessons; nothing is asked for and nothing complained of."""
    path = lessons().write(tmp_path / "lessons.html")
    seen = show(path)
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    yield seen.page
    assert not seen.complaints
    assert seen.requests == [path.as_uri()]


def test_the_page_says_what_is_measured_and_follows_slider_and_string(opened: Any, counter: Counter) -> None:
    fails = opened.locator("#counting-fails").text_content()
    n = counter.first_failure(counter.about["furthest"])
    assert f"all is right up to n = {n - 1}, and n = {n} is wrong" in fails
    said = opened.locator("#counting-said")
    reading = re.search(rf"After {N} a's: c = (\S+), a count of (\S+)\. After", said.text_content())
    c, count = (float(each.replace("−", "-")) for each in reading.groups())
    assert min(abs(counter.states(N)[N - 1, 2:] - c)) < 0.051
    assert abs(count - N) < 1
    opened.locator("#counting-n").focus()
    opened.keyboard.press("ArrowRight")
    assert f"After {N + 1} a's" in said.text_content()
    assert opened.locator("#counting-string").input_value() == "a" * (N + 1) + "b" * (N + 1)
    for string, expected in (("aabbb", "right up to step 4"), ("aab", "b may come next"), ("axb", "there is x")):
        opened.locator("#counting-string").fill(string)
        opened.locator("#counting-said", has_text=expected).wait_for()


def test_the_string_ends_where_the_unit_is_set(opened: Any) -> None:
    said = opened.locator("#counting-set-said")
    assert f"it says so after b number {SET}." in said.text_content()
    opened.locator("#counting-set").focus()
    opened.keyboard.press("ArrowRight")
    opened.locator("#counting-set-said", has_text=f"it says so after b number {SET + 1}.").wait_for()
