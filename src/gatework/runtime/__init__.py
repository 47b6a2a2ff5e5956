"""A trained network without torch: numpy and the compiled core.

`model` reads it from a run folder or from one file; `steps` runs each step of its network, what has weights in the core
(`packed`); `session` is what users have.
"""

from gatework.runtime.model import Model
from gatework.runtime.session import Session
from gatework.runtime.text import TextSession

__all__ = ["Model", "Session", "TextSession"]
