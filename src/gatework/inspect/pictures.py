"""Still pictures for papers, each one function that returns a matplotlib figure (extra: plot).

coloured_text, heat_map   what units did along a text or a series
saturation                how often gates are shut or open
gradient_flow             how far back a loss reaches

What they draw is recorded with `gw.record` and measured with `gw.gradient_flow`. Colours are those of the page:
values of a state from -1 to 1 go from orange over white to purple, gates from 0 to 1 from white to green.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gatework.errors import InputError
from gatework.forecast.plot import matplotlib
from gatework.inspect.saturation import OPEN, SHUT
from gatework.layers.gradient_flow import GradientFlow, quartiles

Kind = Literal["state", "memory", "gate"]
Values = NDArray[np.float64]

PALE = ("#f1a340", "#f7f7f7", "#998ec3")  # behind black text
STRONG = ("#b35806", "#f7f7f7", "#542788")
GREEN = ("#f7f7f7", "#01665e")
LINES = ("#542788", "#b35806", "#01665e", "#333333", "#998ec3", "#5ab4ac")
MARKS = {" ": "·", "\n": "↵", "\t": "→", "\r": "←"}
MOST_CHARACTERS, MOST_NAMED = 4000, 120
INK, DARK = (("#000000", "#777777"), ("#ffffff", "#a8cfcb")), 0.55  # of characters and marks; where green is dark
LABELS = {"state": "value", "memory": "tanh of the memory", "gate": "opening of the gate"}


def coloured_text(
    pieces: Sequence[str], values: Any, *, kind: Kind = "state", columns: int = 80, title: str = ""
) -> Any:
    """A text on paper coloured by one unit: each token by the value after it was read.

    pieces: the T tokens, or a text, of which each character is one. values: [T]. kind: "state" between -1 and 1;
    "memory", unbounded, shown as tanh; "gate" between 0 and 1. Raises InputError where the lengths differ, a
    value is out of its range, or the text has more than 4,000 characters.
    """
    shown = _in_range(_as_array(values, 1), kind)
    if len(pieces) != len(shown):
        raise InputError(f"{len(pieces):,} pieces of text, but {len(shown):,} values; expected one value a piece")
    if (length := sum(map(len, pieces))) > MOST_CHARACTERS:
        raise InputError(f"the text has {length:,} characters; a picture shows {MOST_CHARACTERS:,}: give a shorter one")
    places, rows = _wrapped(pieces, columns)
    paper = np.full((rows, columns), np.nan)
    figure = _new_figure(0.09 * columns + 1.0, 0.19 * rows + 0.9)
    axis = figure.add_subplot()
    for (row, column, character), index in places.items():
        paper[row, column] = shown[index]
        ink = INK[bool(kind == "gate" and shown[index] > DARK)][character in MARKS]
        style = {"color": ink, "fontsize": 8, "family": "monospace"}
        axis.text(column, row, MARKS.get(character, character), ha="center", va="center", **style)
    image = axis.imshow(paper, cmap=_colours(kind, PALE), aspect="auto", interpolation="nearest", **_domain(kind))
    axis.set_axis_off()
    axis.set_title(title, fontsize=10, loc="left")
    _legend(figure, image, kind)
    return figure


def heat_map(
    values: Any,
    pieces: Sequence[str] | None = None,
    *,
    kind: Kind = "state",
    order: Sequence[int] | None = None,
    title: str = "",
) -> Any:
    """Units by time, a row each.

    values: [T,H]. pieces: what was read at each step, written below up to 120 of them. order: the units to show,
    from the top; all by default. kind: as of `coloured_text`. Raises InputError where they do not fit together.
    """
    shown = _in_range(_as_array(values, 2), kind)
    units = list(range(shown.shape[1])) if order is None else list(order)
    if wrong := [unit for unit in units if not 0 <= unit < shown.shape[1]]:
        raise InputError(f"order: there is no unit {wrong[0]}; expected 0 to {shown.shape[1] - 1}")
    if pieces is not None and len(pieces) != len(shown):
        raise InputError(f"{len(pieces):,} pieces, but {len(shown):,} steps; expected one a step")
    named = pieces if pieces is not None and len(pieces) <= MOST_NAMED else None
    width = 0.1 * len(shown) + 1.6 if named else 9.0
    figure = _new_figure(min(14.0, max(5.0, width)), min(9.0, 0.16 * len(units) + 1.2))
    axis = figure.add_subplot()
    image = axis.imshow(
        shown[:, units].T, cmap=_colours(kind, STRONG), aspect="auto", interpolation="nearest", **_domain(kind)
    )
    axis.set_ylabel("unit", fontsize=9)
    if len(units) <= 64:
        axis.set_yticks(range(len(units)), map(str, units))
    if named is not None:
        letters = [MARKS.get(piece, piece) for piece in named]
        axis.set_xticks(range(len(letters)), letters, fontsize=7, family="monospace")
    else:
        axis.set_xlabel("step", fontsize=9)
    axis.tick_params(length=0 if named is not None else 2)
    axis.tick_params(axis="y", labelsize=6 if len(units) <= 64 else 8)
    axis.set_title(title, fontsize=10, loc="left")
    _legend(figure, image, kind)
    return figure


def saturation(gates: Mapping[str, Any]) -> Any:
    """A panel for each gate, a dot for each unit: the share of steps when it is shut against that when it is open.

    gates: name -> values between 0 and 1 [T,H] or [T,B,H], such as a trace of `gw.record`. Shut is below 0.1, open
    above 0.9. On the diagonal a gate does nothing but switch; at the origin it never does.
    Source: Karpathy, Johnson & Fei-Fei 2015.
    """
    if not gates:
        raise InputError("no gate to draw: record some, as in gw.record(model, 'f', 'i')")
    columns = min(4, len(gates))
    rows = -(-len(gates) // columns)
    figure = _new_figure(2.6 * columns + 0.4, 2.7 * rows + 0.3)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    for panel, (name, values) in zip(panels, gates.items(), strict=False):
        opened = _in_range(_flattened(values, name), "gate", name)
        shut, wide = (opened < SHUT).mean(0), (opened > OPEN).mean(0)
        panel.plot([0, 1], [1, 0], color="#bbbbbb", linewidth=0.8, zorder=0)
        panel.scatter(shut, wide, s=16, color=GREEN[1], alpha=0.55, linewidths=0, clip_on=False, zorder=3)
        panel.set_title(name, fontsize=10)
        panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        panel.tick_params(labelsize=8)
    for panel in panels[len(gates) :]:
        panel.remove()
    figure.supxlabel(f"share of steps below {SHUT:g}: shut", fontsize=9)
    figure.supylabel(f"share of steps above {OPEN:g}: open", fontsize=9)
    return figure


def gradient_flow(flows: Mapping[str, GradientFlow], value: str = "x") -> Any:
    """How much a loss depends on what was read k steps before it, for one model or several beside each other.

    flows: label -> what `gw.gradient_flow` measured of many sequences. value: "x", the first layer's input, or a
    state such as "c"; of several layers the first that has it. Lines are medians over sequences, relative to k = 0,
    bands their quartiles; dashed is what the product of the gates alone would let through.
    Raises InputError where a model has no such value.
    """
    if not flows:
        raise InputError("no gradient flow to draw: give one a label, as in gradient_flow({'LSTM': flow})")
    figure = _new_figure(7, 4)
    axis = figure.add_subplot()
    for place, (label, flow) in enumerate(flows.items()):
        _draw_flow(axis, flow, _chosen(flow, value, label), label, LINES[place % len(LINES)])
    axis.set(yscale="log", xlabel="steps back k", ylabel=f"|dL/d{value}(t-k)| / |dL/d{value}(t)|")
    axis.margins(x=0)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=9, frameon=False)
    return figure


# -- parts of them


def _chosen(flow: GradientFlow, value: str, label: str) -> str:
    """The first key of a flow, "layer path.l0.c", that is of this value."""
    for key in flow.norms:
        if key.rpartition(".")[2] == value:
            return key
    known = dict.fromkeys(key.rpartition(".")[2] for key in flow.norms)
    raise InputError(f"{label}: no gradient by {value!r} was measured; there are {', '.join(known)}")


def _draw_flow(axis: Any, flow: GradientFlow, key: str, label: str, color: str) -> None:
    """One curve with its band, and dashed the product of the gates in the same layer."""
    low, median, high = (_positive(each) for each in quartiles(flow.relative(key)))
    steps = range(len(median))
    axis.plot(steps, median, color=color, label=label)
    axis.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
    layer = key.rpartition(".")[0]
    for other, retention in flow.retention.items():
        if other.rpartition(".")[0] == layer:
            passed = torch.cat([torch.ones_like(retention[:1]), retention[:-1].cumprod(0)]).abs().mean(-1)
            name = other.rpartition(".")[2]
            axis.plot(
                steps,
                _positive(quartiles(passed)[1]),
                "--",
                color=color,
                linewidth=1,
                label=f"{label}: what {name} keeps",
            )


def _positive(values: Values) -> Values:
    """Without zeros, of which there is no logarithm."""
    return np.where(values > 0, values, np.nan)


def _as_array(values: Any, dimensions: int) -> Values:
    """A tensor, array or list as [T] or [T,H]; a batch of one sequence [T,1,H] is taken as that sequence."""
    array = torch.as_tensor(values).detach().cpu().double().numpy()
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != dimensions:
        expected = "[T], one unit, as trace[key][:, 0, 17]" if dimensions == 1 else "[T,H], as trace[key][:, 0]"
        raise InputError(f"values of shape {list(array.shape)}; expected {expected}")
    return np.asarray(array)


def _flattened(values: Any, name: str) -> Values:
    """[T,H] or [T,B,H] as [steps,H]."""
    tensor = torch.as_tensor(values).detach().cpu().double()
    if tensor.dim() not in {2, 3}:
        raise InputError(f"{name}: values of shape {list(tensor.shape)}; expected [T,H] or [T,B,H]")
    return np.asarray(tensor.reshape(-1, tensor.shape[-1]).numpy())


def _in_range(values: Values, kind: Kind, name: str = "values") -> Values:
    """The values as they are coloured; raises InputError for one that its colours do not reach."""
    if kind not in LABELS:
        raise InputError(f"kind {kind!r}: expected {', '.join(LABELS)}")
    if not values.size or not np.isfinite(values).all():
        raise InputError(f"{name}: " + ("there are none" if not values.size else "some are no finite numbers"))
    if kind == "memory":
        return np.tanh(values)
    low = 0.0 if kind == "gate" else -1.0
    if values.min() < low - 1e-3 or values.max() > 1 + 1e-3:
        remedy = "" if kind == "gate" else "; for a memory without bounds give kind='memory', which shows its tanh"
        raise InputError(
            f"{name} from {values.min():.3g} to {values.max():.3g}; expected {low:g} to 1 of a {kind}{remedy}"
        )
    return values


def _wrapped(pieces: Sequence[str], columns: int) -> tuple[dict[tuple[int, int, str], int], int]:
    """(row, column, character) -> which piece, and how many rows: lines end at newlines and after `columns`."""
    if columns < 1:
        raise InputError(f"columns={columns}: expected 1 at least")
    places: dict[tuple[int, int, str], int] = {}
    row = column = 0
    for index, piece in enumerate(pieces):
        for character in piece:
            if column == columns:
                row, column = row + 1, 0
            places[row, column, character] = index
            column += 1
            if character == "\n":
                row, column = row + 1, 0
    return places, max((place[0] for place in places), default=0) + 1


def _colours(kind: Kind, diverging: Sequence[str]) -> Any:
    names = GREEN if kind == "gate" else diverging
    return matplotlib("colors").LinearSegmentedColormap.from_list(kind, names).with_extremes(bad="#ffffff")


def _domain(kind: Kind) -> dict[str, float]:
    return {"vmin": 0.0 if kind == "gate" else -1.0, "vmax": 1.0}


def _legend(figure: Any, image: Any, kind: Kind) -> None:
    """A bar of colours, about as high as an inch and a half."""
    part = min(1.0, 1.6 / figure.get_figheight())
    ticks = [0, 0.5, 1] if kind == "gate" else [-1, 0, 1]
    bar = figure.colorbar(image, pad=0.01, shrink=part, aspect=12, anchor=(0.0, 1.0), ticks=ticks)
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.set_label(LABELS[kind], fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _new_figure(width: float, height: float) -> Any:
    return matplotlib("figure").Figure(figsize=(width, height), dpi=120, layout="constrained")
