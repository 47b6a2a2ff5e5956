import sys
from pathlib import Path

import pytest

from gatework.errors import InputError
from gatework.lab.bench import Measurement, Shape
from gatework.lab.bench.measure import Spread
from gatework.lab.bench.plot import check_plot, plot


def point(variant: str, shape: Shape) -> Measurement:
    return Measurement("growth", variant, shape, 1, 1.0, 1.0, 3, *[Spread(0.1, 0.2, 0.3)] * 3)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"^matplotlib is not installed: pip install 'gatework\[bench\]'$"):
        check_plot(Path("growth.svg"))


def test_nothing_measured_is_nothing_to_plot():
    with pytest.raises(InputError, match=r"^nothing was measured to plot: that is the row growth$"):
        plot([], Path("growth.svg"))


def test_the_growth_of_each_size_is_drawn(tmp_path: Path):
    pytest.importorskip("matplotlib", reason="matplotlib of the extra bench is not installed")
    points = [point("T", Shape(10, 1, 1, 1)), point("T", Shape(5, 1, 1, 1)), point("L", Shape(5, 1, 1, 1, 2))]
    plot(points, tmp_path / "growth.svg")
    assert (tmp_path / "growth.svg").read_text().rstrip().endswith("</svg>")


def test_a_picture_of_no_known_format_is_refused():
    pytest.importorskip("matplotlib", reason="matplotlib of the extra bench is not installed")
    with pytest.raises(InputError, match=r"^--plot growth.txt: expected a name ending in .*\.svg"):
        check_plot(Path("growth.txt"))
