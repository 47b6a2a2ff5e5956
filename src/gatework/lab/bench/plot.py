"""How the cost of a training step grows with each size, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from gatework.errors import InputError
from gatework.lab.bench.measure import Measurement
from gatework.lab.bench.rivals import extra

AXES = {"T": "steps T", "B": "sequences B", "H": "units H", "L": "layers L"}


def check_plot(path: Path) -> None:
    """Raises InputError where no picture can be drawn or its format is unknown."""
    extra("matplotlib")
    known = extra("matplotlib.figure").Figure().canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in known:
        raise InputError(f"--plot {path}: expected a name ending in .{', .'.join(sorted(known))}")


def plot(measured: Sequence[Measurement], path: Path) -> None:
    """Draws milliseconds over T, B, H and L, ours and torch's, with their quartiles."""
    axes = [name for name in AXES if any(m.variant == name for m in measured)]
    if not axes:
        raise InputError("nothing was measured to plot: that is the row growth")
    figure = extra("matplotlib.figure").Figure(figsize=(3.2 * len(axes), 3.2), layout="constrained")
    for panel, name in zip(figure.subplots(1, len(axes), squeeze=False, sharey=True)[0], axes, strict=True):
        points = sorted((m for m in measured if m.variant == name), key=lambda m: getattr(m.shape, name))
        sizes = [getattr(m.shape, name) for m in points]
        for label, spreads in (("torch.nn.LSTM", [m.theirs for m in points]), ("gatework", [m.ours for m in points])):
            panel.plot(sizes, [1e3 * s.median for s in spreads], "o-", markersize=3, label=label)
            panel.fill_between(sizes, [1e3 * s.low for s in spreads], [1e3 * s.high for s in spreads], alpha=0.3)
        panel.set(xscale="log", yscale="log", xlabel=AXES[name], xticks=sizes, xticklabels=map(str, sizes))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.minorticks_off()
        others = [
            f"{other} = {getattr(points[0].shape, other)}" for other in ("T", "B", "I", "H", "L") if other != name
        ]
        panel.set_title(", ".join(others), fontsize=8)
        panel.grid(alpha=0.3)
    figure.axes[0].set_ylabel("training step, ms")
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path)
