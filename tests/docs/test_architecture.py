"""The page on the architecture names rooms and functions that are there, the rooms in their order."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROOMS = sorted(path.name for path in (ROOT / "src" / "gatework").iterdir() if (path / "__init__.py").exists())
NAMED = sorted(set(re.findall(rf"\b(?:{'|'.join([*ROOMS, 'loading'])})(?:\.\w+)+", PAGE)))


@pytest.mark.parametrize("name", [name for name in NAMED if not name.endswith((".py", ".cpp", ".toml"))])
def test_what_it_names_is_there(name: str) -> None:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(["gatework", *parts[:end]]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return
    pytest.fail(f"docs/architecture.md names gatework.{name}, which is not there")


def test_the_rooms_are_those_that_the_imports_are_held_to() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    held = [sorted(re.findall(r"gatework\.(\w+)", layer)) for layer in layers]
    shown = [sorted(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| (`\w+`.*?) \|", PAGE, re.MULTILINE)]
    assert shown == held


def test_every_room_is_on_it() -> None:
    shown = " ".join(re.findall(r"^\| (`\w+`.*?) \|", PAGE, re.MULTILINE))
    assert [room for room in ROOMS if f"`{room}`" not in shown] == []
