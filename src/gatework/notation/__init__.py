"""The notation in which a cell is written: text to Program, Program to backward Program, and either to text.

source -> reader, checks -> graph -> sizes -> stops       `parse`: lines, expressions, nodes, sizes, Program
ops, ranges                                               the one table of operations, intervals of their values
gates, roles                                              which values are gates, by ranges; what each of them does
adjoint, rewrite, recipe                                  Program to backward Program; to a cheaper one; from text again
expression -> equations, derivation -> spelling -> show   Program or adjoint to text and LaTeX, for people
"""

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
