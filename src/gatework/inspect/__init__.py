"""What a trained model does, as one self-contained web page: gw.inspect(run, file)."""

import sys
from types import ModuleType
from typing import Any

from gatework.inspect.document import Page, inspect

__all__ = ["Page", "inspect"]


class _Room(ModuleType):
    """This module, which may be called: `gw.inspect` is both the room and what it is for."""

    def __call__(self, *arguments: Any, **options: Any) -> Page:
        return inspect(*arguments, **options)


sys.modules[__name__].__class__ = _Room
