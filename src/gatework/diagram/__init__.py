"""The diagram of a cell, laid out from its Program: old memory in, valves, junctions, new memory out.

elements, labels   what is shown: gates, valves, sums, functions, and what flows into each
columns, heights   in which column, in what order, at which height
routes, plans      the lines between them, and which order is the best
layout             all of it in pixels
to_svg             as SVG
"""

from gatework.diagram.layout import Drawing, drawing
from gatework.diagram.svg import svg

__all__ = ["Drawing", "drawing", "svg"]
