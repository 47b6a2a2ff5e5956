"""The arrays of a series run on disk, checked against what its run.json says."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast.data.panel import Columns
from gatework.forecast.fitted import HOLDOUT_MEMBERS, Sizes, States, Training
from gatework.forecast.plan import PLACES
from gatework.network import Network
from gatework.training.progress import few

Array = npt.NDArray[Any]


class Like(NamedTuple):
    """What an array must look like."""

    shape: tuple[int, ...]
    dtype: str = "float64"


def check_arrays(path: Path, arrays: Mapping[str, Array], wanted: Mapping[str, Like]) -> None:
    """Raises InputError unless arrays are those wanted, by name, shape and type, and all their values finite."""
    if missing := wanted.keys() - arrays.keys():
        raise InputError(f"{path} does not fit this model: it lacks {few(missing)}")
    if surplus := arrays.keys() - wanted.keys():
        raise InputError(f"{path} does not fit this model: it holds {few(surplus)}, which the model has not")
    for name, like in wanted.items():
        array = arrays[name]
        if array.shape != like.shape:
            needs = f"{name} has shape {list(array.shape)}, and the model needs {list(like.shape)}"
            raise InputError(f"{path} does not fit this model: {needs}")
        if array.dtype != np.dtype(like.dtype):
            raise InputError(
                f"{path} does not fit this model: {name} is of type {array.dtype}, and the model needs {like.dtype}"
            )
        if not (finite := np.isfinite(array)).all():
            raise InputError(f"{path} is damaged: {name} holds {array[~finite][0]}; use another checkpoint")


def check_history(path: Path, arrays: Mapping[str, Array], series: int, columns: Columns) -> None:
    """The histories of so many series, in which nan is a missing value. Raises InputError, naming the array."""
    lengths = {"lengths": arrays["lengths"]}
    check_arrays(path, lengths, {"lengths": Like((series, 2), "int64")})
    rows, known_rows = map(int, arrays["lengths"].clip(min=0).sum(0))
    wanted = {
        "lengths": Like((series, 2), "int64"),
        "times": Like((rows,), "int64"),
        "y": Like((rows,)),
        "known": Like((known_rows, len(columns.features("known")))),
        "past": Like((rows, len(columns.features("past")))),
        "static": Like((series, len(columns.features("static")))),
    }
    check_arrays(path, {name: _where_known(array) for name, array in arrays.items()}, wanted)
    for T, known in arrays["lengths"].tolist():
        if not 1 <= T <= known:
            raise InputError(f"{path} is damaged: lengths holds {T} and {known}; use another checkpoint")


def _where_known(array: Array) -> Array:
    """An array with 0 for what is missing."""
    return np.where(np.isnan(array), 0, array) if array.dtype.kind == "f" else array


def check_sizes(shapes: Mapping[str, Sequence[int]], options: Training, sizes: Sizes) -> None:
    """Weights of these shapes are of networks of these sizes, which take time and memory. Raises ValueError."""
    networks, units = shapes["weight"][:2]
    several = {shapes[name][0] for name in ("weight", "offset", "known", "mixed") if name in shapes}
    if (networks, units) != (len(HOLDOUT_MEMBERS) + options.members, options.hidden) or several != {networks}:
        raise ValueError(f"{options.members} members of {options.hidden} units are not those that were learned")
    if max(sizes.inputs, sizes.known) > sum(map(math.prod, shapes.values())):
        raise ValueError(f"{sizes.inputs} inputs and {sizes.known} known ones are more than were learned from")


def check_learned(
    path: Path, arrays: Mapping[str, Array], quantiles: int, known: int, lags: int, columns: Columns
) -> None:
    """The linear part, the quantiles of what it leaves, the widths of the bands."""
    common, horizon = 2 * lags + 1 + len(columns.features("past")), len(arrays["offsets"])
    wanted = {
        "linear": Like((horizon, common + PLACES + known)),
        "offsets": Like((horizon, quantiles)),
        "factors": Like((quantiles,)),
    }
    check_arrays(path, arrays, wanted)


def states(path: Path, arrays: Mapping[str, Array], network: Network, series: int) -> States:
    """The states [1,B,M*H] of so many series."""
    sizes = network.states.values()
    wanted = {str(number): Like((slots, series, size), "float32") for number, (slots, size) in enumerate(sizes)}
    check_arrays(path, arrays, wanted)
    return tuple(arrays[name] for name in wanted)
