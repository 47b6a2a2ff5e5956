"""A trained network without torch: numpy and the compiled core.

`model` reads it from one file, `folders` from a run folder; `steps` runs each step of its network over sequences, what
has weights in the core (`packed`), and `stepping` one step of all of it; `session`, `streams`, `text`, `labels`,
`pairs` and `forecast` are what users have; `hypotheses` is the decoder of a beam search. `code` is the network for C.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatework.runtime.forecast import ForecastSession
    from gatework.runtime.labels import LabelSession
    from gatework.runtime.model import Model
    from gatework.runtime.pairs import PairSession
    from gatework.runtime.session import Session
    from gatework.runtime.text import TextSession

__all__ = ["ForecastSession", "LabelSession", "Model", "PairSession", "Session", "TextSession"]

_MODULES = {  # imported when asked for, each with all it reads
    "ForecastSession": "gatework.runtime.forecast",
    "LabelSession": "gatework.runtime.labels",
    "Model": "gatework.runtime.model",
    "PairSession": "gatework.runtime.pairs",
    "Session": "gatework.runtime.session",
    "TextSession": "gatework.runtime.text",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'gatework.runtime' has no attribute {name!r}")
