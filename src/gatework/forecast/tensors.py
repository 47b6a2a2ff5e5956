"""The tensors of a series run on disk, checked against its run.json."""

import torch
from torch import Tensor

from gatework.forecast.data.panel import Columns
from gatework.forecast.model import Ensemble
from gatework.forecast.plan import PLACES
from gatework.forecast.training import HOLDOUT_MEMBERS, Training
from gatework.training.checkpoint import Checkpoint, check_tensors


def check_history(checkpoint: Checkpoint, series: int, columns: Columns) -> None:
    """The histories of so many series, in which nan is a missing value. Raises InputError, naming the tensor."""
    tensors = checkpoint.part("history")
    check_tensors(checkpoint.path, {"lengths": tensors["lengths"]}, {"lengths": _like(series, 2, dtype=torch.int64)})
    rows, known_rows = tensors["lengths"].clamp(min=0).sum(0).tolist()
    wanted = {
        "lengths": tensors["lengths"],
        "times": _like(rows, dtype=torch.int64),
        "y": _like(rows),
        "known": _like(known_rows, len(columns.features("known"))),
        "past": _like(rows, len(columns.features("past"))),
        "static": _like(series, len(columns.features("static"))),
    }
    there = {name: tensor.nan_to_num(0.0, torch.inf, -torch.inf) for name, tensor in tensors.items()}
    check_tensors(checkpoint.path, there, wanted)


def check_sizes(checkpoint: Checkpoint, options: Training, inputs: int, known: int) -> None:
    """The sizes of the networks, before networks of these sizes take time and memory. Raises ValueError."""
    weights = checkpoint.part("model")
    networks, units = weights["weight"].shape[:2]
    if (networks, units) != (len(HOLDOUT_MEMBERS) + options.members, options.hidden):
        raise ValueError(f"{options.members} members of {options.hidden} units are not those that were learned")
    if max(inputs, known) > sum(tensor.numel() for tensor in weights.values()):
        raise ValueError(f"{inputs} inputs and {known} known ones are more than were learned from")


def check_learned(
    checkpoint: Checkpoint, network: Ensemble, horizon: int, quantiles: int, lags: int, columns: Columns
) -> None:
    """The linear part, the quantiles of what it leaves, the widths of the bands."""
    common = 2 * lags + 1 + len(columns.features("past"))
    ahead = PLACES + network.known_inputs
    wanted = {
        "linear": _like(horizon, common + ahead),
        "offsets": _like(horizon, quantiles),
        "factors": _like(quantiles),
    }
    check_tensors(checkpoint.path, checkpoint.part("learned"), wanted)


def states(checkpoint: Checkpoint, network: Ensemble, series: int) -> tuple[Tensor, ...]:
    """The states [1,B,M*H] of so many series."""
    tensors = checkpoint.part("state")
    start = network.recurrent.start(0, "", series)
    check_tensors(checkpoint.path, tensors, {str(index): part[None] for index, part in enumerate(start)})
    return tuple(tensors[str(index)] for index in range(len(tensors)))


def _like(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """What a tensor must look like; takes no memory."""
    return torch.empty(shape, dtype=dtype, device="meta")
