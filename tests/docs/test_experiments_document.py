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
    names = {file_name(name, Size.FULL): name for name in EXPERIMENTS}
    for path in RESULTS.glob("*.json"):
        saved = [variant["name"] for variant in json.loads(path.read_text())["variants"]]
        found = load(path, EXPERIMENTS[names[path.name]])
        assert sorted(variant.name for variant in found.variants) == sorted(saved), f"{path.name}: run it again"
        assert path.with_suffix(".svg").exists(), REMEDY


def test_costs_are_those_of_the_results() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generate["with_costs"](measured()) == measured(), REMEDY


def test_results_are_small_and_a_trial_is_a_line() -> None:
    paths = sorted(RESULTS.glob("*.json"))
    assert sum(path.stat().st_size for path in paths) < 450_000
    for path in paths:
        variants = json.loads(path.read_text())["variants"]
        trials = sum(len(variant["trials"]) for variant in variants)
        assert len(path.read_text().splitlines()) == 2 + len(variants) + trials, path
