"""Pages for tests: what a browser saw of one, and harnesses around single modules of the page."""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from torch import nn

import gatework as gw
from gatework.inspect.activity import watched
from gatework.inspect.html import assemble, script
from gatework.inspect.model import drawn, packed
from gatework.inspect.payload import Stretch, language_weights, text_parts
from gatework.inspect.reading import Reading
from gatework.notation.gates import gates
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.model import LanguageModel
from gatework.text.options import Shape
from numerics import randomise


@dataclass
class Seen:
    """A page, and what a browser asked for and complained of while it was open."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def absent(what: str) -> NoReturn:
    """Skips a test for want of a browser; where a test must not go unseen, as in CI, fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


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


TEXT = (
    "def f(x):\n    return 'a b' + x  # </script><script>window.broken = 1</script> \u2028 {{title}}\n" * 4 + "été 😀\n"
)
SEEN = "".join(sorted(set(TEXT) - set("😀é")))


@dataclass(frozen=True)
class Toy:
    """A small model, the text it reads, what Python found of both, and the payload of a page on them."""

    model: LanguageModel
    ids: torch.Tensor
    values: dict[str, torch.Tensor]
    log_p: torch.Tensor
    payload: dict[str, Any]

    def page(self, path: Path, **changes: Any) -> Path:
        """Writes the page, with some parts of the payload changed."""
        listed, data = packed(language_weights(self.model))
        path.write_text(assemble({**self.payload, "weights": listed, **changes}, data), "utf-8")
        return path


def toy(cell: str = "lstm", text: str = TEXT, hidden: int = 12, **options: Any) -> Toy:
    """A model that nobody trained, with weights large enough to do something."""
    torch.manual_seed(3)
    vocabulary = Vocabulary.of("char", Counter(SEEN))
    embedding = hidden if gw.cells[cell].program.tied else 6
    shape = Shape(**{"hidden": hidden, "embedding": embedding, **options})
    model = randomise(LanguageModel(cell, len(vocabulary), shape), 0.6).eval()
    ids = torch.from_numpy(vocabulary.encode(text).astype("int64"))
    names = list(model.recurrent.program.names)
    activity = watched(model, ids, names, gates(model.recurrent.program))
    reading = Reading("toy.py", text, vocabulary.encode(text), tuple(text), len(text))
    payload = text_parts("toy", model, vocabulary, reading, activity, Stretch(0, len(ids)))
    payload |= {
        "gatework": "0",
        "untrained": True,
        "results": {"bits": 2.5, "minutes": 2.0, "blind": 4.0},
        "other": None,
    }
    payload |= {"findings": ["Unit l0.h.3 follows whether it is a capital: correlation 0.5."], "unit": None}
    payload |= {
        "units": units(model),
        "hypotheses": [HYPOTHESIS | {"label": {"values": [t % 7 < 3 for t in range(len(ids))]}}],
    }
    payload |= {
        "gates": activity.saturation.to_json(),
        "flow": FLOW,
        "cell_svg": drawn(model.recurrent.cell, model.description()),
    }
    return Toy(model, ids, activity.values, activity.log_p, payload)


HYPOTHESIS = {
    "name": "upper", "meaning": "whether it is a capital", "prevalence": 0.2, "episodes": 30, "null95": 0.1,
    "untrained_best": 0.2, "best": ["l0.h.3"], "found": True, "probe": 0.8, "cost_bits": 0.01,
    "place": 130,
}  # fmt: skip
FLOW = {
    "lags": [0, 1, 2, 3], "median": [1.0, 0.5, 0.1, 0.01], "low": [1.0, 0.3, 0.05, 0.001], "high": [1.0, 0.7, 0.2, 0.1],
    "gates": [1.0, 0.6, 0.3, 0.1], "share": {"50": 1, "90": 2, "99": 3},
}  # fmt: skip


def units(model: LanguageModel) -> list[dict[str, Any]]:
    """Figures of units as Python would have found them."""
    label = {"upper": {"a": 0.5, "b": 0.45, "score": 0.25, "found": True}}
    return [
        {
            "name": f"l0.{state}.{unit}",
            "half_life": unit + 0.5,
            "half_median": unit + 1.0,
            "censored": unit == 2,
            "labels": label,
        }
        for state in model.recurrent.state_names
        for unit in range(model.recurrent.hidden_size)
    ]
