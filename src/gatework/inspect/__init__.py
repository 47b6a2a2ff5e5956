"""What a trained model does, as one self-contained web page: gw.inspect(run, file)."""

import sys
from types import ModuleType

from gatework.inspect import pictures
from gatework.inspect.document import Page, inspect

__all__ = ["Page", "inspect", "pictures"]


class _Room(ModuleType):
    """This module, which may be called: `gw.inspect` is both the room and what it is for."""

    __call__ = staticmethod(inspect)


sys.modules[__name__].__class__ = _Room
