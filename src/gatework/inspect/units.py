"""The units of a network as columns: which values are looked at, on which scale, what each is called."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gatework.errors import InputError
from gatework.layers import Recurrent
from gatework.notation import Program


def looked_at(program: Program) -> list[str]:
    """The states and the output: what a cell remembers and what it says, once each."""
    return list(dict.fromkeys([program.output, *(state.name for state in program.states)]))


def check_unit(recurrent: Recurrent, unit: str | None) -> None:
    """Raises InputError where a unit, such as "l0.c.17", is asked for and is not there."""
    names = [
        f"l{layer}.{name}.{number}"
        for layer in range(recurrent.num_layers)
        for name in looked_at(recurrent.program)
        for number in range(recurrent.units[layer][name])
    ]
    if unit is not None and unit not in names:
        raise InputError(f"unit {unit!r} is not there; expected one of {names[0]} to {names[-1]}")


@dataclass(frozen=True)
class Units:
    """Columns [T,U]; `names` ("l0.c.17") are those of the columns."""

    values: Tensor
    names: tuple[str, ...]

    @classmethod
    def of(cls, recorded: Mapping[str, Tensor]) -> "Units":
        """All units of the values recorded, "l0.c" -> [T,H], in [-1,1]: a value that leaves it by its tanh."""
        columns = [torch.tanh(value) if value.abs().max() > 1 else value for value in recorded.values()]
        names = [f"{key}.{unit}" for key, value in recorded.items() for unit in range(value.shape[-1])]
        return cls(torch.cat(columns, 1), tuple(names))

    def place(self, index: int) -> tuple[str, int]:
        """The key of a column and the unit in it: ("l0.c", 17)."""
        key, unit = self.names[index].rsplit(".", 1)
        return key, int(unit)
