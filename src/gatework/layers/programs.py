"""The Programs of a layer: its cell's equations with what a call adds to them."""

from collections.abc import Iterable
from typing import Any

from gatework.cells import Cell
from gatework.engines import prepare
from gatework.notation import Program, parse


class Programs:
    """The cell's Program for each combination of masks, taps and retentions, parsed once."""

    def __init__(self, cell: Cell, equations: str) -> None:
        self.cell, self.equations = cell, equations
        self._programs: dict[tuple[tuple[str, ...], ...], Program] = {}

    def get(
        self,
        dropout: Iterable[str] = (),
        zoneout: Iterable[str] = (),
        taps: Iterable[str] = (),
        retention: Iterable[str] = (),
    ) -> Program:
        """The Program that reads masks and taps of these values, and computes these retentions."""
        key = tuple(dropout), tuple(zoneout), tuple(taps), tuple(retention)
        if key not in self._programs:
            cell, extras = self.cell, dict(zip(("dropout", "zoneout", "taps", "retention"), key, strict=True))
            self._programs[key] = program = parse(
                self.equations, output=cell.output, constants=cell.constants, start=cell.start, **extras
            )
            prepare(program)
        return self._programs[key]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What engines read of a Program is computed again when a layer is unpickled."""
        vars(self).update(state)
        for program in self._programs.values():
            prepare(program)
