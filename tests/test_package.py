"""What `import gatework as gw` offers: these names, and no others by accident."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

import gatework
import gatework.layers

PUBLIC = [
    "GRU",
    "LSTM",
    "RNN",
    "Attention",
    "Cell",
    "EncoderDecoder",
    "EquationError",
    "Forecaster",
    "InputError",
    "Recurrent",
    "SequenceClassifier",
    "SequenceRegressor",
    "Tagger",
    "Transducer",
    "cells",
    "convert",
    "export",
    "gradient_flow",
    "inspect",
    "load",
    "onnx",
    "record",
]


def test_the_public_names_are_these():
    assert gatework.__all__ == PUBLIC


def test_every_public_name_is_there_and_says_what_it_is():
    for name in PUBLIC:
        assert getattr(gatework, name).__doc__ or name == "cells"


def public(name: str) -> Callable:
    """What `gatework.name` calls: the room `gatework.inspect` is called by its function, `onnx` has one."""
    value = getattr(gatework, name)
    return getattr(value, {"onnx": "export"}.get(name, name)) if isinstance(value, ModuleType) else value


def explained(value: Callable) -> list[str]:
    """The arguments that a docstring's section Args names: one by one, or as those of another."""
    section = re.search(r"^Args:\n((?:    .*\n)+)", f"{inspect.getdoc(value)}\n", re.MULTILINE)
    assert section, f"{value.__name__} has no section Args"
    if other := re.fullmatch(r"    Those of (\w+), but ([\w, ]+)\.\n", section[1]):
        without = re.split(r", | and ", other[2])
        return [name for name in explained(public(other[1])) if name not in without]
    heads = re.findall(r"^    (\S[^:]*):", section[1], re.MULTILINE)
    return [name for head in heads for name in head.split(", ")]


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in ("cells", "EquationError")])
def test_a_docstring_explains_every_argument_and_no_other(name: str) -> None:
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    arguments = inspect.signature(public(name)).parameters.values()
    assert sorted(explained(public(name))) == sorted(marks.get(each.kind, "") + each.name for each in arguments)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "cells"])
def test_a_docstring_begins_with_one_sentence(name: str) -> None:
    first, *_ = (inspect.getdoc(public(name)) or "").partition("\n\n")
    assert first.endswith(".") and "\n" not in first


def test_the_layers_offer_the_same_things():
    for name in gatework.layers.__all__:
        assert getattr(gatework, name) is getattr(gatework.layers, name)


WITHOUT_TORCH = ["", ".cells", ".diagram", ".errors", ".files.lock", ".files.reading", ".files.writing", ".notation"]
WITHOUT_TORCH += [".runs.folder", ".training.events", ".training.interruption", ".training.progress"]
WITHOUT_TORCH += [".training.settings", ".training.torchrun"]


def test_equations_diagrams_and_the_description_of_a_run_need_neither_torch_nor_numpy():
    imports = "; ".join(f"import gatework{module}" for module in WITHOUT_TORCH)
    uses = "gatework.cells['lstm'].program; gatework.__version__; dir(gatework)"
    code = f"import sys; {imports}; {uses}; print({{'torch', 'numpy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_layers_bring_torch_and_no_library_that_only_some_tasks_need():
    heavy = {"pandas", "polars", "narwhals", "sklearn", "scipy", "matplotlib"}
    heavy |= {f"gatework.{room}" for room in ("text", "labels", "forecast", "runs", "training", "inspect", "lab")}
    code = (
        "import sys, torch; had = set(sys.modules); import gatework; gatework.LSTM, gatework.record;"
        f"print({heavy!r} & set(sys.modules) - had)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("module", ["engines", "engines.native.operators", "layers.recurrent", "training.loop"])
def test_what_needs_torch_brings_it_itself(module):
    subprocess.run([sys.executable, "-c", f"import gatework; import gatework.{module}"], check=True)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(gatework, "Forecasters")
