"""What `import gatework as gw` offers: these names, and no others by accident."""

import subprocess
import sys

import gatework
import gatework.layers

PUBLIC = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "EquationError",
    "Forecaster",
    "InputError",
    "Recurrent",
    "SequenceClassifier",
    "SequenceRegressor",
    "Tagger",
    "cells",
    "convert",
    "gradient_flow",
    "inspect",
    "load",
    "record",
]


def test_the_public_names_are_these():
    assert gatework.__all__ == PUBLIC


def test_every_public_name_is_there_and_says_what_it_is():
    for name in PUBLIC:
        assert getattr(gatework, name).__doc__ or name == "cells"


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


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(gatework, "Forecasters")
