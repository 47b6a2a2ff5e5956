"""Recurrent layers on one another as steps of a network."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from gatework.cells import Cell
from gatework.network.steps import LENGTHS, Add, Direction, Layer, Step
from gatework.notation import Program, parse, projected

DIRECTIONS = ("", "_reverse")


@dataclass(frozen=True)
class Stack:
    """What recurrent layers are beside their weights, as gw.Recurrent takes it: outside training dropout is nothing."""

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int = 1
    _: KW_ONLY
    bidirectional: bool = False
    proj_size: int = 0
    residual: bool = False
    zoneout: Mapping[str, float] = field(default_factory=dict)
    learned: bool = False  # start states

    @property
    def places(self) -> tuple[str, ...]:
        """What follows the number of a layer in the names of its weights, for each direction."""
        return DIRECTIONS if self.bidirectional else DIRECTIONS[:1]

    def program(self) -> Program:
        """What runs a layer outside training."""
        cell, equations = self.cell, self.cell.equations
        if self.proj_size and "R" not in cell.program.sizes:
            equations = projected(equations, cell.output)
        zoneout = tuple(name for name, p in self.zoneout.items() if p > 0)
        return parse(equations, output=cell.output, constants=cell.constants, start=cell.start, zoneout=zoneout)


def embedding_width(cell: Cell, hidden_size: int, own: int, proj_size: int = 0) -> int:
    """Units that stand for a symbol where none are named: half of hidden_size, or what layers of `own` units must read.

    A cell that adds x to a state reads as many numbers as that has.
    """
    side = cell.program.nodes[0].size  # the first node is x
    if side == "I":
        return max(1, hidden_size // 2)
    return proj_size or own if side == "R" else own


def stack(layers: Stack, x: str, prefix: str = "", lengths: str = LENGTHS) -> list[Step]:
    """The steps from x [T,B,I] to the last layer's output [T,B,D*H]; what `prefix` begins are its weights' names."""
    program, steps, width = layers.program(), list[Step](), layers.input_size
    for number in range(layers.num_layers):
        sizes = program.bind(width, layers.hidden_size, layers.proj_size)
        directions = tuple(_direction(layers, program, sizes, f"{prefix}l{number}{place}.") for place in layers.places)
        y = f"{prefix}l{number}"
        steps.append(Layer(x, y, directions, slot=number * len(directions), lengths=lengths))
        if layers.residual and number > 0:
            steps.append(Add((y, x), f"{y}.residual"))
            y = f"{y}.residual"
        x, width = y, len(directions) * sizes[program.output_size]
    return steps


def _direction(layers: Stack, program: Program, sizes: Mapping[str, int], place: str) -> Direction:
    return Direction(
        program,
        dict(sizes),
        {parameter.name: f"{place}{parameter.name}" for parameter in program.parameters},
        {state.name: f"{place}initial_{state.name}" if layers.learned else state.start for state in program.states},
        {f"zoneout {name}": 1 - p for name, p in layers.zoneout.items() if p > 0},
    )
