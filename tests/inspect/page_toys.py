"""Pages for tests: what a browser saw of one, and harnesses around single modules of the page."""

import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from torch import nn

from gatework.inspect.html import script


@dataclass
class Seen:
    """A page, and what a browser asked for and complained of while it was open."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def tensors(module: nn.Module) -> dict[str, Any]:
    """The weights of a module as shapes and lists of numbers."""
    return {name: {"shape": list(p.shape), "data": p.flatten().tolist()} for name, p in module.named_parameters()}


def harness(path: Path, entry: str, body: str, **values: Any) -> Path:
    """Writes a page that runs a script after a module of the page; the script finds `values` under their names."""
    given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    modules = script(files("gatework.inspect") / "page", entry)
    path.write_text(
        '<!doctype html><meta charset="utf-8"><title>harness</title>'
        f"<script type='module'>{modules}\n{given}{body}</script>"
    )
    return path
