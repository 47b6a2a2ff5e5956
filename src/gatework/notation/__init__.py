"""Text to Program: the notation in which a cell is written."""

from gatework.notation.parse import parse, projected
from gatework.notation.program import Node, Parameter, Program, Stage, State
from gatework.notation.source import EquationError, EquationWarning

__all__ = [
    "EquationError",
    "EquationWarning",
    "Node",
    "Parameter",
    "Program",
    "Stage",
    "State",
    "parse",
    "projected",
]
