"""Sequences as an .npz file has them: X [N,T,I] or [N,T] of numbers, y, and where they vary lengths [N]."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.files.reading import blamed

NPZ = ".npz"


@dataclass(frozen=True)
class Arrays:
    """X [N,T,I] or [N,T], numbers; y and lengths as they stand in the file, None where it has none."""

    X: npt.NDArray[Any]
    y: npt.NDArray[Any] | None
    lengths: npt.NDArray[Any] | None


def read_arrays(path: Path, name: str, expected: str, needed: Sequence[str] = ("X",)) -> Arrays:
    """The arrays of an .npz file, which errors call `name`.

    expected: how an error says what the file should have. needed: what it must have. Raises InputError.
    """
    with blamed("read", name):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                there = list(archive)
                arrays = {key: archive[key] for key in there if key in ("X", "y", "lengths")}
        except (ValueError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error):
            raise InputError(f"{name} is damaged, or no .npz of numbers and texts as numpy.savez writes it") from None
    if missing := [key for key in needed if key not in arrays]:
        raise InputError(f"{name} has no {missing[0]}; it has {', '.join(there) or 'nothing'}: expected {expected}")
    X = arrays["X"]
    if X.dtype.kind not in "biuf" or X.ndim not in (2, 3):
        raise InputError(f"{name}: X is {X.dtype} {list(X.shape)}; expected numbers [N,T,I] or [N,T]")
    return Arrays(X, arrays.get("y"), arrays.get("lengths"))


def checked_lengths(lengths: Any, X: Any) -> npt.NDArray[np.intp]:
    """How many of its steps, 1 to T, each sequence of X has, [N]; InputError for what says nothing of the kind."""
    given: npt.NDArray[Any] = np.asarray(lengths)
    if given.shape != (len(X),) or given.dtype.kind not in "iu":
        raise InputError(
            f"lengths has shape {list(given.shape)} and {given.dtype}; expected a whole number for each of the "
            f"{len(X)} sequences"
        )
    for k, T in enumerate(given):
        if not 1 <= T <= len(X[k]):
            raise InputError(f"lengths[{k}] is {T}; expected 1 to {len(X[k])}, the steps that X[{k}] has")
    return given.astype(np.intp)
