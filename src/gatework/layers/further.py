"""Recurrent layers inside a model, with further arguments by name as users give them."""

from collections.abc import Mapping
from typing import Any

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.layers.recurrent import Recurrent

Sizes = tuple[int, int, int]  # I, H, L


def recurrent_of(cell: str | Cell, sizes: Sizes, further: Mapping[str, Any] | None, **options: Any) -> Recurrent:
    """The layers; raises InputError for further arguments that `gw.Recurrent` has not, or that the model decides."""
    arguments = dict(further or {})
    if "batch_first" in arguments:
        raise InputError("recurrent has batch_first; leave it out: sequences are handed over as the layers want them")
    try:
        return Recurrent(cell, *sizes, **(options | arguments))
    except TypeError as error:
        raise InputError(f"recurrent is {arguments}: {str(error).split('.')[-1]}") from None
