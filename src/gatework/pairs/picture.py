"""How much each symbol of a target has of each step of its source, as a heat map (SVG) or a table of text."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy.typing as npt

from gatework.errors import printable

Weights = npt.NDArray[Any]

SIDE, ROOM, LETTER = 22, 14, 8.5  # of a cell, around the map, and of a letter about, in pixels
LEAST = 0.005  # of a weight that a table shows
SPACE = "\u2423"  # what stands for a space
STYLE = """
.attention text { font: 13px "Helvetica Neue", Arial, sans-serif; fill: #22262b }
.attention .paper { fill: #ffffff } .attention .cell { fill: #542788 } .attention .grid { fill: none; stroke: #c4cad0 }
@media (prefers-color-scheme: dark) {
.attention text { fill: #e8eaed } .attention .paper { fill: #16191d } .attention .cell { fill: #b9a7e0 }
.attention .grid { stroke: #3a424a } }
"""


def heat_map(source: Sequence[str], target: Sequence[str], weights: Weights, title: str = "") -> str:
    """An SVG document: a row for each of T target symbols, a column for each of S source steps; weights [T,S]."""
    left, top = (ROOM + LETTER * max(map(len, map(_named, side)), default=0) for side in (target, source))
    width, height = left + SIDE * len(source) + ROOM, top + SIDE * len(target) + ROOM
    parts = [
        f'<svg class="attention" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">',
        f"<title>{escape(title or 'What each symbol looked at')}</title>",
        f"<style>{STYLE}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        *(_column(symbol, left + SIDE * (s + 0.5), top) for s, symbol in enumerate(source)),
    ]
    for t, symbol in enumerate(target):
        y = top + SIDE * t
        parts.append(
            f'<text x="{left - 6:g}" y="{y + SIDE / 2:g}" text-anchor="end" dominant-baseline="central">'
            f"{escape(_named(symbol))}</text>"
        )
        for s, weight in enumerate(weights[t].tolist()):
            said = escape(f"{_named(symbol)} from {_named(source[s])}: {weight:.1%}")
            parts.append(
                f'<rect class="cell" x="{left + SIDE * s:g}" y="{y:g}" width="{SIDE}" height="{SIDE}" '
                f'fill-opacity="{weight:.3f}"><title>{said}</title></rect>'
            )
    size = f'width="{SIDE * len(source)}" height="{SIDE * len(target)}"'
    parts += [f'<rect class="grid" x="{left:g}" y="{top:g}" {size}/>', "</svg>\n"]
    return "\n".join(parts)


def _column(symbol: str, x: float, top: float) -> str:
    """The name of a column, written upwards."""
    return (
        f'<text transform="translate({x:g} {top - 6:g}) rotate(-90)" dominant-baseline="central">'
        f"{escape(_named(symbol))}</text>"
    )


def _named(symbol: str) -> str:
    return printable(symbol.replace(" ", SPACE))


def table(source: Sequence[str], target: Sequence[str], weights: Weights, width: int = 120) -> list[str]:
    """Lines of percents, a row for each target symbol; where they are wider than `width`, what it has most of."""
    above, rows = [_named(symbol) for symbol in source], [_named(symbol) for symbol in target]
    cells = [[_percent(weight) for weight in row] for row in weights.tolist()]
    first = max(map(len, rows), default=0)
    widths = [max(map(len, [name, *(row[s] for row in cells)])) for s, name in enumerate(above)]
    lines = [
        "  ".join([name.ljust(first), *(text.rjust(size) for text, size in zip(row, widths, strict=True))]).rstrip()
        for name, row in zip(["", *rows], [above, *cells], strict=True)
    ]
    return lines if max(map(len, lines)) <= width else list(map(_most, rows, [above] * len(rows), weights.tolist()))


def _percent(weight: float) -> str:
    return f"{100 * weight:.0f}" if weight >= LEAST else "."


def _most(name: str, above: Sequence[str], weights: Sequence[float]) -> str:
    """The three steps that a symbol has most of, each with its number."""
    ranked = sorted(range(len(weights)), key=lambda s: (-weights[s], s))[:3]
    places = [f"{above[s]} ({s + 1})" if above[s] != str(s + 1) else above[s] for s in ranked]
    shown = [f"{place} {weights[s]:.0%}" for place, s in zip(places, ranked, strict=True) if weights[s] >= LEAST]
    return f"{name}: {', '.join(shown)}"
