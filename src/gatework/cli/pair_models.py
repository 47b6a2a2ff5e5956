"""The model of pairs that a command uses: without torch where that is enough."""

from pathlib import Path
from typing import TYPE_CHECKING

from gatework.cli.without_torch import opened, processors

if TYPE_CHECKING:
    from gatework.pairs.converter import Converter


def converter(run: Path, device: str) -> "Converter":
    """The model of a run folder, or of a model's file."""
    if (model := opened(run, device)) is not None:
        from gatework.runtime import PairSession

        return PairSession(model, threads=processors())
    from gatework.pairs.trained import Trained

    return Trained.load(run, device=device)
