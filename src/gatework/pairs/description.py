"""What a model of pairs is, as its run.json says it: options, how it reads sources, what it writes. Without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gatework.pairs.data.encoded import Inputs
from gatework.pairs.data.examples import Form, Levels
from gatework.pairs.data.symbols import Symbols
from gatework.pairs.options import Options
from gatework.runs.folder import damaged
from gatework.runs.scaling import Scaling

TASK = "pairs"
DATA = "data.safetensors"  # the prepared pairs, to go on training with


@dataclass(frozen=True)
class Described:
    """What a model of pairs is: its options, none of them open, how it reads sources, the symbols of its targets.

    longest: symbols that a target may have, whatever its source: those of the longest that was learnt.
    """

    options: Options
    inputs: Inputs
    outputs: Symbols
    longest: int = 0

    @property
    def form(self) -> Form:
        """What sources are made of."""
        return "frames" if isinstance(self.inputs, Scaling) else "symbols"

    @property
    def levels(self) -> Levels:
        """What a symbol is."""
        return self.options.levels

    @property
    def end(self) -> int | None:
        """The symbol that ends each target: V, the one beyond the others; None for CTC, whose blank V is."""
        return None if self.options.align == "ctc" else len(self.outputs)

    def to_json(self) -> dict[str, Any]:
        return {
            "options": self.options.to_json(),
            "form": self.form,
            "inputs": self.inputs.to_json(),
            "outputs": self.outputs.to_json(),
            "longest": self.longest,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
        kinds: dict[str, Any] = {"frames": Scaling, "symbols": Symbols}
        if values["form"] not in kinds:
            raise ValueError(f"its sources are {values['form']!r}")
        options = Options.from_json(values["options"])
        if left_open := options.left_open:
            raise ValueError(f"{left_open[0]} is not settled")
        inputs = kinds[values["form"]].from_json(values["inputs"])
        if type(longest := values["longest"]) is not int or longest < 0:
            raise ValueError(f"its longest target has {longest!r} symbols")
        return cls(options, inputs, Symbols.from_json(values["outputs"]), longest)


def read(path: Path, values: Mapping[str, Any]) -> Described:
    """The model of the run in a folder, from its run.json; raises InputError, naming the file, where it is damaged."""
    with damaged(path):
        return Described.from_json(values)
