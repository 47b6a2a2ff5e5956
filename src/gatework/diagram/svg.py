"""The diagram of a cell as SVG, light or dark as the reader has it."""

import re
from collections.abc import Collection, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from gatework.diagram.labels import name_parts
from gatework.diagram.layout import Box, Drawing, Line, Mark, drawing
from gatework.diagram.routes import STYLES
from gatework.notation.program import Program
from gatework.notation.stops import as_written

LIGHT = {
    "paper": "#ffffff", "ink": "#22262b", "line": "#5b6570", "bus": "#8a949e", "memory": "#542788",
    "gate": "#01665e", "filled": "#e3f1ef", "plain": "#f1f3f5",
}  # fmt: skip
DARK = {
    "paper": "#16191d", "ink": "#e8eaed", "line": "#a3adb8", "bus": "#76818c", "memory": "#b9a7e0",
    "gate": "#5fc2b5", "filled": "#14352f", "plain": "#262b31",
}  # fmt: skip
FORMS = """
.cell text { font: 13px "Helvetica Neue", Arial, sans-serif; text-anchor: middle }
.cell text.name { font: italic 17px "Times New Roman", Times, serif }
.cell text.small { font-size: 14px; text-anchor: start }
.cell text.sign { font-size: 12px; text-anchor: start } .cell text.before { font-size: 12px; text-anchor: end }
.cell path { fill: none; stroke-linejoin: round }
.cell .pipe { stroke-width: 2.2 } .cell .bus { stroke-width: 1.2 }
.cell .peep { stroke-width: 1.2 } .cell path.peep { stroke-dasharray: 4 3 } .cell .memory { stroke-width: 3.4 }
.cell rect, .cell circle, .cell .case { stroke-width: 1.4 }
.cell .opening { opacity: .55; transform-box: fill-box; transform-origin: center }
.cell path.head, .cell .dot:not(.peep), .cell path.opening, .cell .paper { stroke: none }
"""
COLOURS = """
.cell text { fill: paint-ink }
.cell rect, .cell circle { fill: paint-plain; stroke: paint-line }
.cell path { stroke: paint-line } .cell path.bus, .cell path.peep { stroke: paint-bus }
.cell path.memory { stroke: paint-memory }
.cell path.head, .cell circle.dot { fill: paint-line }
.cell path.head.bus, .cell path.head.peep, .cell circle.dot.bus { fill: paint-bus }
.cell path.head.memory, .cell circle.dot.memory { fill: paint-memory }
.cell circle.dot.peep { fill: paint-paper; stroke: paint-bus }
.cell circle.bubble { fill: paint-paper; stroke: paint-line }
.cell .paper { fill: paint-paper }
.cell .gate rect { fill: paint-filled; stroke: paint-gate }
.cell path.case { fill: paint-paper; stroke: paint-gate } .cell path.opening { fill: paint-gate }
"""
SIGNS = {"sum": "+", "product": "×", "divide": "÷"}
CORNER = 7.0


def svg(program: Program, title: str = "") -> str:
    """The diagram as an SVG document.

    Its elements say what they are: data-role is "memory", "pipe", "bus", "peep" (lines), "valve", "gate", "value"
    or "state", data-node the node of the Program whose value runs in it, data-gate the node a valve obeys.
    """
    drawn, (_, run) = drawing(program), as_written(program)
    parts = [
        f'<svg class="cell" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawn.width:g} {drawn.height:g}" '
        f'width="{drawn.width:g}" height="{drawn.height:g}" role="img">',
        f"<title>{escape(title or 'The cell as a diagram')}</title>",
        f"<style>{_style()}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        *_lines(drawn, run),
        *_heads(drawn),
        *(f'<circle class="dot {dot.style}" cx="{dot.x:g}" cy="{dot.y:g}" r="3"/>' for dot in drawn.dots),
        *(_box(placed, run) for placed in drawn.boxes),
        *map(_mark, drawn.marks),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _style() -> str:
    """How everything looks, on light and on dark paper."""
    return f"{_painted(LIGHT)}@media (prefers-color-scheme: dark) {{{_painted(DARK)}}}{FORMS}"


def _painted(colours: Mapping[str, str]) -> str:
    return re.sub(r"paint-(\w+)", lambda paint: colours[paint[1]], COLOURS)


def _lines(drawn: Drawing, run: Sequence[int]) -> list[str]:
    """Each value's lines as one path for each way it is drawn, the strongest on top."""
    dots = {(dot.x, dot.y) for dot in drawn.dots}
    paths: dict[tuple[int, str], list[str]] = {}
    for line in drawn.lines:
        paths.setdefault((line.net, line.style), []).append(_path(line, dots))
    return [
        f'<path class="{style}" data-role="{style}" data-node="{run[net]}" d="{" ".join(dict.fromkeys(pieces))}"/>'
        for (net, style), pieces in sorted(paths.items(), key=lambda item: (STYLES.index(item[0][1]), item[0][0]))
    ]


def _path(line: Line, dots: Collection[tuple[float, float]]) -> str:
    """A line, its corners rounded but where it branches."""
    (x, y), *rest = line.points
    path = [f"M{x:g} {y:g}"]
    for (x1, y1), after in zip(rest, [*rest[1:], None], strict=True):
        if after is None:
            path.append(f"L{x1:g} {y1:g}")
            break
        x2, y2 = after
        before, length = abs(x1 - x) + abs(y1 - y), abs(x2 - x1) + abs(y2 - y1)
        r = 0.0 if (x1, y1) in dots else min(CORNER, before / 2, length / 2)
        sx, sy = _sign(x - x1), _sign(y - y1)
        ex, ey = _sign(x2 - x1), _sign(y2 - y1)
        path.append(f"L{x1 + sx * r:g} {y1 + sy * r:g}Q{x1:g} {y1:g} {x1 + ex * r:g} {y1 + ey * r:g}")
        x, y = x1, y1
    return "".join(path)


def _sign(a: float) -> int:
    return (a > 0) - (a < 0)


def _heads(drawn: Drawing) -> list[str]:
    """An arrow head where a line enters something, but for valves."""
    heads = []
    for line in drawn.lines:
        if line.ends_at is None or line.ends_at.kind == "valve":
            continue
        (x0, y0), (x, y) = line.points[-2:]
        dx, dy = _sign(x - x0), _sign(y - y0)
        a, b = (x - 8 * dx - 3.5 * dy, y - 8 * dy - 3.5 * dx), (x - 8 * dx + 3.5 * dy, y - 8 * dy + 3.5 * dx)
        heads.append(f'<path class="head {line.style}" d="M{x:g} {y:g}L{a[0]:g} {a[1]:g}L{b[0]:g} {b[1]:g}Z"/>')
    return list(dict.fromkeys(heads))


def _box(placed: Box, run: Sequence[int]) -> str:
    """An element as what it is: a gate or function as a box, a valve as two triangles, a sum as a circle."""
    element, x, y = placed.element, placed.x, placed.y
    gate = f' data-gate="{run[element.opening]}"' if element.kind == "valve" else ""
    kind = {"gate": "gate", "valve": "valve", "old": "state", "input": "state", "new": "state"}.get(
        element.kind, "value"
    )
    state = f" data-state={quoteattr(element.name)} data-time={quoteattr(element.kind)}" if kind == "state" else ""
    return (
        f'<g class="{element.kind}" data-role="{kind}" data-node="{run[element.node]}"{gate}{state}>'
        f"{_shape(placed, x, y)}</g>"
    )


def _shape(placed: Box, x: float, y: float) -> str:
    element, w, h = placed.element, placed.width / 2, placed.height / 2
    match element.kind:
        case "old" | "input" | "new":
            return _name(element.name, x, y + 5, {"old": "t−1", "input": "t", "new": "t"}[element.kind])
        case "valve":
            tie = f"M{x - w:g} {y - 9:g}V{y + 9:g}L{x + w:g} {y - 9:g}V{y + 9:g}Z"
            return f'<path class="case" d="{tie}"/><path class="opening" d="{tie}"/>'
        case "sum" | "product" | "divide":
            return (
                f'<circle cx="{x:g}" cy="{y:g}" r="{w:g}"/><text x="{x:g}" y="{y + 5:g}">{SIGNS[element.kind]}</text>'
            )
    frame = f'<rect x="{x - w:g}" y="{y - h:g}" width="{2 * w:g}" height="{2 * h:g}" rx="7"/>'
    label = f'<text x="{x:g}" y="{y + (15 if element.name and h > 20 else 4.5):g}">{escape(element.label)}</text>'
    named = _name(element.name, x, y - 3, "") if element.name and h > 20 else ""
    return frame + named + label


def _mark(its: Mark) -> str:
    """What stands beside an element."""
    match its.kind:
        case "bubble":
            return f'<circle class="bubble" cx="{its.x:g}" cy="{its.y:g}" r="3.6"/>'
        case "name":
            return _name(its.text, its.x, its.y, "", "small name")
    return f'<text class="{its.kind}" x="{its.x:g}" y="{its.y:g}">{escape(its.text)}</text>'


def _name(text: str, x: float, y: float, time: str, kind: str = "name") -> str:
    """A name with its subscript."""
    stem, below = name_parts(text, time)
    small = f'<tspan dy="4" font-size="11">{escape(below)}</tspan>' if below else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(stem)}{small}</text>'
