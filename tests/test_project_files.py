"""What the project says of itself in several files is the same in each."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
REPOSITORY = PROJECT["urls"]["Repository"]


def workflow(name: str) -> dict:
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())


def test_the_citation_is_of_this_version_under_this_licence_at_this_address():
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["repository-code"] == REPOSITORY


@pytest.mark.parametrize("tool", ["ruff", "clang-format", "check-jsonschema", "validate-pyproject"])
def test_a_hook_before_commits_runs_the_version_that_development_has(tool: str):
    revisions = [hook["rev"].removeprefix("v") for hook in HOOKS if hook["repo"].rpartition("/")[2].endswith(tool)]
    revisions += [hook["rev"].removeprefix("v") for hook in HOOKS if hook["repo"].endswith(f"{tool}-pre-commit")]
    assert revisions == [PINS[tool]]


def test_every_python_that_is_promised_is_tested():
    matrix = workflow("tests")["jobs"]["test"]["strategy"]["matrix"]
    tested = {*matrix["python"], *(each["python"] for each in matrix["include"])}
    prefix = "Programming Language :: Python :: "
    promised = {name.removeprefix(prefix) for name in PROJECT["classifiers"] if re.fullmatch(f"{prefix}3\\.\\d+", name)}
    assert tested == promised
    assert f">={min(promised, key=lambda version: int(version[2:]))}" == PROJECT["requires-python"]


def test_every_target_of_make_that_a_workflow_runs_is_there():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    jobs = workflow("tests")["jobs"]
    asked = set(jobs["processors"]["strategy"]["matrix"]["target"])
    asked |= {each["target"].split()[0] for each in jobs["dependencies"]["strategy"]["matrix"]["include"]}
    for job in jobs.values():
        for step in job["steps"]:
            if found := re.fullmatch(r"make ([\w -]+)", step.get("run", "")):
                asked |= set(found[1].split())
    assert asked <= targets


def test_addresses_of_the_project_are_all_the_same():
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        *(ROOT / ".github").rglob("*.yml"),
    ]:
        for address in re.findall(r"https://github\.com/[\w-]+/gatework", path.read_text()):
            assert address == REPOSITORY, path
