"""What was found is said in the figures that the page's table has."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from page_toys import Seen, harness

from gatework.inspect.figures import figure
from gatework.inspect.findings import finding
from gatework.inspect.hypotheses import Hypothesis

A, B = torch.tensor([0.1, -0.62449, 0.3]), torch.tensor([0.1, -0.5549, 0.3])
IT = Hypothesis("it", 0.2, 30, 20, 0.1, 0.2, A, B, 0.8, 0.3)
LISTED = {"meaning": "whether it is so", "untrained_best": 0.2, "null95": 0.1, "cost_bits": 0.0123}


def test_a_correlation_keeps_its_sign() -> None:
    told = finding(IT, LISTED, "l0.c.1", " bits a character")
    assert "Unit l0.c.1 follows whether it is so: correlation -0.62 where it was chosen, -0.56 on" in told
    assert told.endswith("An untrained network reaches 0.20, chance 0.10. Held still, it costs 0.012 bits a character.")


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"cost_bits": 0.0004}, "not always used."),
        ({"cost_bits": -0.01}, "not always used."),
        ({"cost_bits": None}, "chance 0.10."),
        ({"cost_bits": None, "cost_percent": 1.25}, "costs 1.3 of the error."),
    ],
)
def test_what_holding_a_unit_costs_is_said_where_it_costs_anything(changes: dict[str, float], end: str) -> None:
    assert finding(IT, LISTED | changes, "l0.c.1", " of the error").endswith(end)


def test_the_page_writes_numbers_in_the_same_way(show: Callable[..., Seen], tmp_path: Path) -> None:
    numbers = [0.125, -0.125, 0.375, -0.004, 0.005, 1.005, 2.5, 0.0, *(torch.arange(-999, 1000, 7) / 1000).tolist()]
    write = "window.written = numbers.map((number) => figure(number).replace('−', '-'));"
    seen = show(harness(tmp_path / "page.html", "dom.js", write, numbers=numbers))
    assert seen.page.evaluate("window.written") == [figure(number) for number in numbers]
