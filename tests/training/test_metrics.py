import errno
import importlib
import importlib.util
import math
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from training_toys import Told, run_toy

from gatework.errors import InputError
from gatework.training.events import Notice, Step, Validation
from gatework.training.metrics import CLOCKED, LEARNT, LOSS, Metrics, bits, error_rate

COLUMNS = (*LEARNT, *LOSS.columns, *CLOCKED)
STEP = Step(3, 10, 1, 2.0, 0.5, True, 0.25, 1e-3, 100.0, 4.5, 3.0)


def steps(metrics: Metrics, *numbers: int) -> None:
    for number in numbers:
        metrics.write(replace(STEP, step=number), None)


def test_a_row_holds_nats_and_bits(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, tensorboard=False)
    metrics.write(STEP, Validation(3, 1, math.log(2), True, 0.1, 5.0))
    metrics.write(None, Validation(4, 2, 1.0, False, 0.1, 6.0))
    metrics.close()
    header, first, second = (tmp_path / "metrics.csv").read_text().splitlines()
    assert tuple(header.split(",")) == COLUMNS
    assert first == f"3,1,2.0,{2 / math.log(2)!r},0.5,1,0.001,{math.log(2)!r},1.0,5.000,100.0"
    assert second == f"4,2,,,,,,1.0,{bits(1.0)!r},6.000,"


def test_what_else_validation_measures_has_a_column_of_its_own(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, tensorboard=False, measure=error_rate("word error rate"))
    metrics.write(STEP, Validation(3, 1, 0.25, True, 0.1, 5.0))
    metrics.close()
    header, row = (tmp_path / "metrics.csv").read_text().splitlines()
    assert tuple(header.split(",")) == (*LEARNT, "validation_error", *CLOCKED)
    assert row.endswith(",0.001,0.25,5.000,100.0")
    with pytest.raises(InputError, match="not the metrics of this run"):
        Metrics(tmp_path, 3, tensorboard=False)


def test_resuming_removes_the_rows_after_the_checkpoint_and_half_a_line(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, tensorboard=False)
    steps(metrics, 1, 2, 3, 4)
    metrics.close()
    whole = (tmp_path / "metrics.csv").read_bytes()
    (tmp_path / "metrics.csv").write_bytes(whole[:-5])
    metrics = Metrics(tmp_path, 3, tensorboard=False)
    assert (tmp_path / "metrics.csv").read_text().splitlines() == whole.decode().splitlines()[:4]
    steps(metrics, 4)
    metrics.close()
    assert (tmp_path / "metrics.csv").read_bytes() == whole


def test_resuming_removes_the_evaluation_that_a_stop_by_time_made(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, tensorboard=False)
    steps(metrics, 1, 2)
    metrics.write(None, Validation(2, 1, 1.0, True, 0.1, 5.0))
    metrics.close()
    Metrics(tmp_path, 2, tensorboard=False).close()
    assert [line.split(",")[0] for line in (tmp_path / "metrics.csv").read_text().splitlines()] == ["step", "1", "2"]


def test_resuming_without_metrics_starts_them(tmp_path: Path) -> None:
    Metrics(tmp_path, 3, tensorboard=False).close()
    assert (tmp_path / "metrics.csv").read_text() == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n", "is not the metrics of this run: its first line is 'a,b'"),
        (",".join(COLUMNS) + "\n1,2\n", r"is damaged \(line 2\)"),
        ("\xff", "is damaged .not UTF-8 at byte 0"),
    ],
)
def test_metrics_of_something_else_are_not_overwritten(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=match):
        Metrics(tmp_path, 3, tensorboard=False)
    assert path.read_text(encoding="latin-1") == text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, tensorboard=False)
    with Path("/dev/full").open("wb", buffering=0) as full:
        os.dup2(full.fileno(), metrics._file.fileno())
    with pytest.raises(InputError, match=rf"metrics\.csv: {os.strerror(errno.ENOSPC)}$"):
        metrics.write(STEP, None)
    metrics.close()


def test_tensorboard_gets_the_curves(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    run_toy(tmp_path, tensorboard=True)
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"loss_bits/training", "loss_bits/validation", "gradient_norm"} <= set(curves.Tags()["scalars"])
    assert [point.step for point in curves.Scalars("loss_bits/validation")] == [0, 4, 8, 12]


def test_without_tensorboard_there_is_a_notice_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tensorboard" else found(name, *rest)
    )
    told = Told()
    run_toy(tmp_path, told, tensorboard=True)
    assert [notice.message for notice in told.of(Notice)] == [
        "TensorBoard is not installed, so the curves are in metrics.csv only"
    ]
    assert not (tmp_path / "tensorboard").exists()


def test_a_full_disk_under_tensorboards_thread_is_no_traceback_and_other_threads_errors_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    before = threading.excepthook
    metrics = Metrics(tmp_path)
    writer = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    full = OSError(errno.ENOSPC, "No space left on device")
    for thread in (writer._AsyncWriterThread(None, None, 1), threading.Thread()):
        threading.excepthook(threading.ExceptHookArgs((OSError, full, None, thread)))
    metrics.close()
    assert len(told) == 1
    assert threading.excepthook == before
