"""What is compiled for one instruction set runs under that one alone, whatever the linker makes of the objects."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gatework as gw
from gatework.core import _native
from numerics import same

BUILDS = Path(__file__).parents[2] / "build"
OBJECTS = sorted(BUILDS.glob("**/isa_*.o"))
each_object = pytest.mark.parametrize("path", OBJECTS, ids=lambda path: str(path.relative_to(BUILDS)))
needs_objects = pytest.mark.skipif(not OBJECTS, reason="the core was not built here: no build/**/isa_*.o")


def tool(*words: str | Path) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def shown(path: Path) -> list[str]:
    """The symbols that an object defines for others."""
    lines = [line.split(" ", 2) for line in tool("nm", "--defined-only", "--extern-only", path).splitlines()]
    return [name for _, _, name in lines]


@needs_objects
@each_object
def test_an_instruction_set_shows_its_own_namespace_alone(path):
    name = path.stem.removeprefix("isa_")
    own = re.compile(rf"_ZN8gatework{len(name)}{name}\w+")
    names = shown(path)
    assert [other for other in names if not own.fullmatch(other)] == []
    for entry in ("prepare", "multiply", "map", "ceiling", "bandwidth"):
        assert sum(f"{name}{len(entry)}{entry}E" in symbol for symbol in names) == 1


@needs_objects
@each_object
def test_the_linker_finds_nothing_to_merge_with_another(path):
    """Sections of a group are dropped where another object has a group of the same name, whoever may see them."""
    assert "There are no section groups" in tool("readelf", "--section-groups", "--wide", path)


def test_what_cannot_be_read_over_and_over_is_refused():
    assert _native.bandwidth(1000, 1e-3) > 0
    for amount, seconds in ((511, 1e-3), (2**32 + 1, 1e-3), (4096, 0.0), (4096, 60.0)):
        with pytest.raises(ValueError, match=r"^expected 0 to 60 seconds and 512 to 2\^32 bytes$"):
            _native.bandwidth(amount, seconds)


@needs_objects
def test_every_instruction_set_has_its_object():
    built = {path.stem.removeprefix("isa_") for path in OBJECTS}
    assert built >= set(_native.isas())


@pytest.mark.parametrize("isa", _native.isas())
def test_a_name_in_the_environment_chooses(isa):
    """In a process of its own, from its first call on."""
    code = (
        "import torch, gatework as gw; from gatework.core import _native; torch.manual_seed(3);"
        "print(_native.isa(), *gw.LSTM(5, 9)(torch.ones(3, 2, 5))[0].flatten().tolist())"
    )
    found, *numbers = tool_in({"GATEWORK_ISA": isa}, sys.executable, "-c", code).split()
    torch.manual_seed(3)
    assert found == isa
    same(torch.tensor([float(n) for n in numbers]), gw.LSTM(5, 9)(torch.ones(3, 2, 5))[0].flatten())


def tool_in(variables: dict[str, str], *words: str) -> str:
    environment = os.environ | variables
    return subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout
