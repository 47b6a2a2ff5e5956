"""The numbers of a run as a CSV file, and for TensorBoard where it is installed."""

import csv
import errno
import importlib.util
import io
import math
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatework.errors import InputError
from gatework.files.reading import whole
from gatework.files.writing import write_atomically
from gatework.training.events import Step, Validation

MOST = 1 << 32  # bytes
STEP = re.compile(r"[0-9]{1,18}")
METRICS = "metrics.csv"
TENSORBOARD = "tensorboard"

#: Columns of every run; between them stand those of what validation measures.
LEARNT = ("step", "epoch", "loss_nats", "loss_bits", "gradient_norm", "clipped", "learning_rate")
#: These depend on the clock; all others are the same for a run that was stopped and one that was not.
CLOCKED = ("seconds", "tokens_per_second")

#: Seconds between two points of a curve in TensorBoard, which are dearer than a line of CSV.
_SPARSE = 0.5


def bits(nats: float) -> float:
    """A loss in bits: nats / ln 2."""
    return nats / math.log(2)


def _as_it_is(value: float) -> float:
    return value


@dataclass(frozen=True)
class Measure:
    """What validation measures, the less the better.

    name: in words. columns: of metrics.csv, and what stands there of a value. curve: of TensorBoard, the same.
    """

    name: str
    columns: Mapping[str, Callable[[float], float]]
    curve: tuple[str, Callable[[float], float]]


LOSS = Measure("loss", {"validation_nats": _as_it_is, "validation_bits": bits}, ("loss_bits/validation", bits))


def error_rate(name: str) -> Measure:
    """A share of errors, 0 for none."""
    return Measure(name, {"validation_error": _as_it_is}, ("error/validation", _as_it_is))


class Metrics:
    """Writes one row per step to RUN/metrics.csv, with what validation measured where there was one.

    step: the step to go on from, or None for a new run. Rows after it, which a killed process may have left, are
    removed first. TensorBoard gets the same numbers in RUN/tensorboard if it is installed and asked for;
    `missing` says that it was asked for and is not installed.
    """

    def __init__(
        self, run: Path, step: int | None = None, *, tensorboard: bool = True, measure: Measure = LOSS
    ) -> None:
        self._path, self._measure = run / METRICS, measure
        self._columns = (*LEARNT, *measure.columns, *CLOCKED)
        rows = _rows_until(self._path, self._columns, step)
        write_atomically(self._path, _text([self._columns, *rows]).encode())
        self.missing = tensorboard and importlib.util.find_spec("tensorboard") is None
        self._board = _board(run, step) if tensorboard and not self.missing else None
        self._former_hook = _hook_for_threads() if self._board is not None else threading.excepthook
        self._drawn = -math.inf
        self._file = self._path.open("ab", buffering=0)  # a row is one write: nothing waits in memory

    def write(self, step: Step | None, validation: Validation | None) -> None:
        """Add a row: an update, an evaluation, or an update with the evaluation after it."""
        try:
            data = _text([self._row(step, validation)]).encode()
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._board is not None:
                self._draw(step, validation)
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror or error}") from error

    def _draw(self, step: Step | None, validation: Validation | None) -> None:
        assert self._board is not None
        if validation is not None:
            curve, shown = self._measure.curve
            self._board.add_scalar(curve, shown(validation.loss), validation.step)
        if step is not None and step.elapsed >= self._drawn + _SPARSE:
            self._drawn = step.elapsed
            self._board.add_scalar("loss_bits/training", bits(step.loss), step.step)
            self._board.add_scalar("gradient_norm", step.gradient_norm, step.step)
            self._board.add_scalar("learning_rate", step.learning_rate, step.step)
            self._board.add_scalar("tokens_per_second", step.tokens_per_second, step.step)

    def _row(self, step: Step | None, validation: Validation | None) -> list[Any]:
        """The values of the columns, empty where there is none."""
        either = step or validation
        assert either is not None
        row: dict[str, Any] = dict.fromkeys(self._columns, "")
        row |= {"step": either.step, "epoch": either.epoch}
        row |= {"seconds": f"{(validation or either).elapsed:.3f}"}
        if step is not None:
            row |= {
                "loss_nats": step.loss,
                "loss_bits": bits(step.loss),
                "gradient_norm": step.gradient_norm,
                "clipped": int(step.clipped),
                "learning_rate": step.learning_rate,
                "tokens_per_second": f"{step.tokens_per_second:.1f}",
            }
        if validation is not None:
            row |= {name: shown(validation.loss) for name, shown in self._measure.columns.items()}
        return list(row.values())

    def sync(self) -> None:
        """Bring the rows to the disk: a checkpoint must not know of steps that the file may lose."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Close what is open."""
        self._file.close()
        if self._board is not None:
            with suppress(OSError):  # a full disk costs the curves, and is reported already
                self._board.close()
        threading.excepthook = self._former_hook


def _board(run: Path, step: int | None) -> Any:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  seconds to import, and an extra

    return SummaryWriter(str(run / TENSORBOARD), purge_step=None if step is None else step + 1)


def _hook_for_threads() -> Callable[[threading.ExceptHookArgs], object]:
    """Let TensorBoard's thread end without a traceback where the disk is full: the next point reports it in one line.

    Returns the hook that was there before.
    """
    former = threading.excepthook

    def hook(error: threading.ExceptHookArgs) -> None:
        if not (isinstance(error.exc_value, OSError) and type(error.thread).__module__.startswith("tensorboard")):
            former(error)

    threading.excepthook = hook
    return former


def _rows_until(path: Path, columns: tuple[str, ...], step: int | None) -> list[list[str]]:
    """The whole rows of an earlier part of the run, one per step, up to and including `step`."""
    if step is None or not path.exists():
        return []
    try:
        text = whole(path, MOST).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is damaged (not UTF-8 at byte {error.start}): move it away to resume") from error
    complete = text[: text.rfind("\n") + 1]  # a killed process may have left half a line
    try:
        header, *rows = list(csv.reader(io.StringIO(complete))) or [[]]
    except csv.Error as error:
        raise InputError(f"{path} is damaged ({error}): move it away to resume") from error
    if tuple(header) != columns:
        raise InputError(f"{path} is not the metrics of this run: its first line is {','.join(header)[:60]!r}")
    valid: list[list[str]] = []
    for row in rows:
        if len(row) != len(columns) or not STEP.fullmatch(row[0]):
            raise InputError(f"{path} is damaged (line {len(valid) + 2}): move it away to resume")
        if int(row[0]) > step or (valid and int(row[0]) <= int(valid[-1][0])):
            break
        valid.append(row)
    return valid


def _text(rows: list[Any]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
