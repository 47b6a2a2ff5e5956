"""On a GPU: every row of the bench measures there, by the device's own events."""

import pytest

from gatework.lab.bench import ROWS, Measurement, Settings, Shape, run
from gatework.lab.bench import settings as bench_settings
from gatework.lab.bench.machine import machine
from gatework.lab.bench.measure import Budget
from gatework.lab.bench.run import Begun

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.device == "cuda" and not row.asked])
def test_every_row_measures_there(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench_settings, "QUICK", Budget(2, 0.0, 0.0))
    settings = Settings(
        threads=1, quick=True, shapes=(Shape(3, 2, 16, 16),), cells=("lstm", "on_lstm", "sru"), device="cuda"
    )
    ends = [event for event in run([ROWS[name]], settings) if not isinstance(event, Begun)]
    assert ends
    for end in ends:
        assert isinstance(end, Measurement), end.reason
        assert end.ours.median > 0 and end.theirs.median > 0 and end.rounds == 2


def test_the_machine_names_its_gpu():
    assert "CUDA" in machine(1, "auto", 0, "cuda").gpu and machine(1, "auto", 0).gpu == ""
