"""docs/experiments.md and the costs that are listed say what the results in docs/experiments say."""

import json
import runpy
from pathlib import Path

from gatework.lab import EXPERIMENTS, Size
from gatework.lab.costs import measured
from gatework.lab.results import file_name, load

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "experiments"
REMEDY = "run: python docs/generate.py --experiments"


def test_the_document_is_made_from_the_results() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert (ROOT / "docs" / "experiments.md").read_text() == generate["experiments"](), REMEDY


def test_every_result_is_of_an_experiment_as_it_is_now_and_has_its_picture() -> None:
    names = {file_name(name, size): (name, size) for name in EXPERIMENTS for size in Size}
    for path in RESULTS.glob("*.json"):
        name, size = names[path.name]
        kept = [arm["name"] for arm in json.loads(path.read_text())["arms"]]
        assert sorted(arm.name for arm in load(path, EXPERIMENTS[name]).arms) == sorted(kept), (
            f"{path.name}: run it again"
        )
        assert size is not Size.FULL or path.with_suffix(".svg").exists(), REMEDY


def test_costs_are_those_of_the_results() -> None:
    found = {
        (name, size.value): round(load(path, EXPERIMENTS[name]).seconds)
        for name in EXPERIMENTS
        for size in Size
        if (path := RESULTS / file_name(name, size)).exists()
    }
    assert {(name, size): seconds for name, sizes in measured().items() for size, seconds in sizes.items()} == found, (
        REMEDY
    )
