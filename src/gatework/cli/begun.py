"""The options that shaped a run of text, and those that may be given anew."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.text.run import Run

# What may be said anew when a run goes on: how long, and how often it looks and saves.
RESUMABLE = ("steps", "epochs", "minutes", "evaluate_every", "patience", "save_every")
# What a run that begins from another one has of that one: all that its weights are made for.
KEPT = (
    *("level", "vocabulary", "documents", "cell", "equations", "constant", "hidden", "layers", "projection"),
    *("embedding", "one_hot", "tied", "residual", "learned_start", "init"),
)


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
