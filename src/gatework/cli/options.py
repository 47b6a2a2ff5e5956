"""What the options of a command mean: cells, numbers by name, and those that a run was started with."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.files.reading import whole
from gatework.layers.check import cell as find_cell
from gatework.notation import EquationError
from gatework.runs.parts import check_splits
from gatework.text.run import Run
from gatework.training.processes import under_torchrun

INTERRUPTED = 130  # the exit status of a command that Ctrl-C ended
MOST_EQUATIONS = 1 << 20  # bytes
CONSTANT_HELP = "A name in the equations that is a number: dt=0.1; repeatable."
# What may be said anew when a run goes on: how long, and how often it looks and saves.
RESUMABLE = ("steps", "epochs", "minutes", "evaluate_every", "patience", "save_every")
# What a run that begins from another one has of that one: all that its weights are made for.
KEPT = (
    *("level", "vocabulary", "documents", "cell", "equations", "constant", "hidden", "layers", "projection"),
    *("embedding", "one_hot", "tied", "residual", "learned_start", "init"),
)


def stopped() -> int:
    """The exit status of a training that a signal stopped in order.

    torchrun takes every status but 0 for a crash, with a traceback of its own: its processes end with 0.
    """
    return 0 if under_torchrun() else INTERRUPTED


def begun_with(run: Run) -> dict[str, Any]:
    """The options that shaped a run, as `named` gives them."""
    text, shape, settings = run.text, asdict(run.shape), run.settings.to_dict()
    return {
        **{name: value for name, value in settings.items() if name not in RESUMABLE},
        **shape,
        "clip": settings["clip"] or 0.0,
        "one_hot": run.shape.embedding is None,
        "learned_start": run.shape.initial == "learned",
        "streams": run.batching.streams,
        "bptt": run.batching.steps,
        "level": text.level,
        "suffix": text.suffixes,
        "exclude": text.exclude,
        "vocabulary": text.size,
        "splits": text.splits,
        "documents": text.documents,
        "cell": run.cell.name,
        "constant": dict(run.cell.constants),
        "equations": run.cell,
        "paths": text.paths,
        "from_run": None if run.origin is None else Path(run.origin["run"]),
    }


def refuse_other(given: Mapping[str, Any], begun: Mapping[str, Any], why: Callable[[str, str], str]) -> None:
    """Raises InputError for the first option that says something else than what was begun with.

    why: what the error says, from the option and what was begun with.
    """
    for name, value in given.items():
        if name in begun and value != begun[name]:
            option = {"paths": "the text", "from_run": "--from"}.get(name, "--" + name.replace("_", "-"))
            raise InputError(f"{option} {spelled(value)}: {why(option, spelled(begun[name]))}")


def tuned(run: Run, given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What `fine_tune_text` is to do otherwise than the run; InputError for what cannot be otherwise."""
    given = dict(given)
    begun = begun_with(run)
    if "constant" in given:
        given["constant"] = begun["constant"] | given["constant"]
    refuse_other(
        {name: given[name] for name in KEPT if name in given},
        begun,
        lambda option, was: (
            f"the model of {run.path} has {was}, and keeps it; leave out {option}, or train anew without --from"
        ),
    )
    if "clip" in given:
        given["clip"] = given["clip"] or None
    parts = {
        "settings": {name: name for name in run.settings.to_dict()},
        "shape": {name: name for name in ("dropout", "variational", "recurrent_dropout", "zoneout", "engine")},
        "batching": {"streams": "streams", "bptt": "steps"},
        "text": {"suffix": "suffixes", "exclude": "exclude", "splits": "splits"},
    }
    return {
        part: {field: given[option] for option, field in names.items() if option in given}
        for part, names in parts.items()
    }


def spelled(value: object) -> str:
    """The value of an option as the command line has it."""
    match value:
        case Cell():
            return repr(value.equations)
        case tuple():
            return " ".join(map(str, value)) or "none"
        case dict():
            return " ".join(f"{name}={number}" for name, number in value.items()) or "none"
    return "none" if value is None else str(value)


def chosen_cell(name: str, equations: Path | None, constant: Iterable[str] | None) -> Cell:
    """The cell by name or of a file of equations, with the constants that were given."""
    constants = by_name("--constant", constant)
    if equations is not None:
        return own_cell(equations, constants)
    cell = find_cell(name)
    return replace(cell, constants={**cell.constants, **constants}) if constants else cell


def starts(given: list[str] | None) -> str | dict[str, str] | None:
    """How weights start: one rule for all, or rules by name or pattern, as in ["g_*=1"]."""
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    if missing := [item for item in given if "=" not in item]:
        raise InputError(f"--init {missing[0]}: expected one rule, or name=rule each time, such as g_*=1")
    return {name.strip(): rule.strip() for name, _, rule in (item.partition("=") for item in given)}


def own_cell(path: Path, constants: Mapping[str, float] = MappingProxyType({})) -> Cell:
    """The cell whose equations stand in a file, named after it."""
    data = whole(path, MOST_EQUATIONS)
    name = re.sub(r"\W+", "_", path.stem)
    try:
        return Cell(name if name.isidentifier() else f"cell_{name}", data.decode(), constants=constants)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}: expected equations as text") from error
    except EquationError as error:
        raise InputError(f"{path}, {error}") from error


def by_name(option: str, given: Iterable[str] | None) -> dict[str, float]:
    """["g=0.1"] as {"g": 0.1}."""
    found: dict[str, float] = {}
    for item in given or ():
        name, _, number = item.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise InputError(f"{option} {item}: expected name=number, such as h=0.05") from None
    return found


def split(given: Iterable[str] | None) -> list[str]:
    """["a,b", "c"] as ["a", "b", "c"]."""
    return [name.strip() for item in given or () for name in item.split(",")]


def shares(given: str) -> tuple[float, float, float]:
    """ "0.9,0.05,0.05" as numbers."""
    try:
        return check_splits([float(share) for share in given.split(",")])
    except ValueError:
        raise InputError(
            f"--splits {given}: expected three shares, for training, validation and test, that add up to 1, the first "
            "above 0, such as 0.9,0.05,0.05"
        ) from None


def named(context: typer.Context) -> dict[str, Any]:
    """The options that were given, not defaulted, as values to compare."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }
    for name in ("recurrent_dropout", "zoneout", "constant"):
        if name in given:
            given[name] = by_name(f"--{name.replace('_', '-')}", given[name])
    if "equations" in given:
        given["equations"] = own_cell(Path(given["equations"]), given.get("constant", {}))  # text in older Typer
    if "init" in given:
        given["init"] = starts(given["init"])
    if "splits" in given:
        given["splits"] = shares(given["splits"])
    return given
