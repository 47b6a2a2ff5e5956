"""How long a unit remembers: half-lives, from the equations or by perturbing, and how far back the gradient reaches."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework.forecast.model import Ensemble
from gatework.inspect.activity import Activity
from gatework.layers import Recurrent
from gatework.layers.gradient_flow import gradient_flow
from gatework.layers.record import record
from gatework.notation.retention import called, retained
from gatework.text.model import LanguageModel

LEAST = 1e-12  # of a factor, so that its logarithm is a number
STARTS = 200  # that the median is taken over
HORIZON = 2000  # steps that a memory is followed for at most
PLACES, FOLLOWED, TOGETHER, NUDGE = 5, 100, 64, 0.1  # of perturbing: places, steps, units at once, size
POSITIONS, LAGS = 48, 500  # of the gradient flow
LEAST_STEPS = 20  # that a nudge is watched in
SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class HalfLife:
    """Of each unit [H], in steps.

    mean: ln(1/2) / mean(ln a), infinite where nothing is lost. median: until the product of a falls below a half, over
    many starts. censored: half of the starts do not get there as long as they are followed, `horizon` steps.
    """

    mean: Tensor
    median: Tensor
    censored: Tensor
    horizon: int


def half_lives(retention: Tensor) -> HalfLife:
    """From a_t [T,H], the derivative of a state's new value by its old one: of an LSTM's c its forget gate."""
    logs = retention.abs().clamp(min=LEAST).log().double()
    mean, horizon = logs.mean(0), min(HORIZON, max(1, len(logs) // 2))
    logs_so_far = torch.cat([torch.zeros_like(logs[:1]), logs.cumsum(0)])  # [T+1,H], from the start of the text
    last = len(logs) - horizon
    starts = torch.linspace(0, last, min(STARTS, last + 1)).long().tolist()
    steps = torch.stack([_steps_to_half(logs_so_far[start : start + horizon + 1]) for start in starts])  # [S,H]
    median = steps.double().median(0).values
    return HalfLife(torch.where(mean < 0, math.log(0.5) / mean, torch.inf), median, median > horizon, horizon)


def _steps_to_half(logs: Tensor) -> Tensor:
    """When a sum of logarithms [T+1,H] has lost ln 2, [H]: T + 1 where it never does."""
    below = logs - logs[0] <= math.log(0.5)
    return torch.where(below.any(0), below.to(torch.uint8).argmax(0), len(logs))


def lives(recurrent: Recurrent, activity: Activity, x: Callable[[], Tensor]) -> dict[str, HalfLife]:
    """Half-lives by key, "l0.c", of states that keep something of themselves; where none does, of all by perturbing.

    x: gives what the network read, [T,1,I].
    """
    layers = range(recurrent.num_layers)
    if states := retained(recurrent.program):
        recorded = {f"l{layer}.{name}": f"l{layer}.{called(name)}" for layer in layers for name in states}
        return {key: half_lives(activity.values[place]) for key, place in recorded.items()}
    keys = [f"l{layer}.{name}" for layer in layers for name in recurrent.state_names]
    if not keys or len(activity.values[keys[0]]) < LEAST_STEPS:
        return {}
    return {key: _perturbed(recurrent, x(), activity, key) for key in keys}


def _perturbed(recurrent: Recurrent, x: Tensor, activity: Activity, key: str) -> HalfLife:
    """The same of a state that has no direct path to itself: one unit is nudged, and watched
    until half is gone.

    x: what the network reads, [T,1,I]. key: "l0.h".
    """
    place, name = key.split(".")
    layer = int(place[1:])
    steps = min(FOLLOWED, len(x) // 2)
    H = activity.values[key].shape[1]
    steps_at = []
    for first in torch.linspace(1, len(x) - steps, PLACES).long().tolist():
        state = activity.state(recurrent, first)
        assert state is not None  # that is only so before the first step
        index = recurrent.state_names.index(name)
        units = torch.split(torch.arange(H), TOGETHER)
        steps_at.append(
            torch.cat(
                [_watched_units(recurrent, x[first : first + steps], state, index, layer, each) for each in units]
            )
        )
    median = torch.stack(steps_at).double().median(0).values
    return HalfLife(median, median, median > steps, steps)


def _watched_units(
    recurrent: Recurrent, x: Tensor, state: tuple[Tensor, ...], index: int, layer: int, units: Tensor
) -> Tensor:
    """After how many steps half of a nudge of a unit's state is gone, [U]; T + 1 where it is never."""
    B = len(units)
    copies = [part.repeat(1, B + 1, 1) for part in state]  # the last is not nudged
    copies[index][layer, torch.arange(B), units] += NUDGE
    name = recurrent.state_names[index]
    with torch.inference_mode(), record(recurrent, name) as trace:
        recurrent(x.expand(-1, B + 1, -1), tuple(copies))
    values = trace[f"l{layer}.{name}"]
    off = (values[:, torch.arange(B), units] - values[:, B:, units][:, 0]).abs()  # [T,U]
    gone = off <= NUDGE / 2
    return torch.where(gone.any(0), gone.to(torch.uint8).argmax(0) + 1, len(x) + 1)


def flow(model: LanguageModel, ids: Tensor, activity: Activity) -> dict[str, Any] | None:
    """|d log p(x_(t+1)) / d x_(t-k)| by lag k at many places t, relative to k = 0; None for a short text."""
    lags = min(LAGS, len(ids) // 4)
    if lags < 2:
        return None
    ends = torch.linspace(lags, len(ids) - 2, min(POSITIONS, len(ids) - 1 - lags)).long().tolist()
    inputs = torch.stack([ids[end - lags + 1 : end + 1] for end in ends], 1)  # [K,B]
    targets = torch.full_like(inputs, -100)
    targets[-1] = ids[torch.tensor(ends) + 1]
    state = _joined_states(activity, model.recurrent, [end - lags + 1 for end in ends])
    gradients = gradient_flow(model, (inputs, targets, state), loss=lambda returned: returned[0] * len(ends))
    return flow_json(gradients.norms["recurrent.l0.x"], gradients.direct)


def series_flow(network: Ensemble, x: "np.typing.NDArray[np.float64]", activity: Activity) -> dict[str, Any] | None:
    """The same of a forecast: how the inputs of k steps before move the median of the next step."""
    lags = min(LAGS, len(x) // 4)
    if lags < 2:
        return None
    ends = torch.linspace(lags, len(x) - 1, min(POSITIONS, len(x) - lags)).long().tolist()
    inputs = torch.from_numpy(np.stack([x[end - lags + 1 : end + 1] for end in ends], 1).astype(np.float32))
    state = _joined_states(activity, network.recurrent, [end - lags + 1 for end in ends])
    middle = network.offset.shape[-1] // 2
    gradients = gradient_flow(
        network, (inputs, None, state), loss=lambda returned: returned[0][-1, :, :, 0, middle].sum()
    )
    return flow_json(gradients.norms["recurrent.l0.x"], gradients.direct)


def _joined_states(activity: Activity, recurrent: Recurrent, steps: Sequence[int]) -> tuple[Tensor, ...]:
    """The states [L,B,H] before some steps, none of them the first."""
    each = [state for step in steps if (state := activity.state(recurrent, step)) is not None]
    return tuple(torch.cat(parts, 1) for parts in zip(*each, strict=True))


def flow_json(norms: Tensor, direct: Any) -> dict[str, Any]:
    """Median and quartiles over places of norms [K,B], the direct path's median, the lags that hold most of the sum."""
    relative = norms.double() / norms[0].double().clamp(min=LEAST)
    low, median, high = relative.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64), 1)
    gates = [(path / path[0].clamp(min=LEAST)).double().median(1).values for path in direct.values()]
    sums = norms.double().cumsum(0)
    share = {f"{round(100 * part)}": int((sums < part * sums[-1]).sum(0).double().median()) + 1 for part in SHARES}
    curves = {"median": median, "low": low, "high": high, "gates": torch.stack(gates).amax(0) if gates else None}
    return {
        "lags": list(range(len(norms))),
        **{
            name: None if curve is None else [float(f"{v:.4g}") for v in curve.tolist()]
            for name, curve in curves.items()
        },
        "share": share,
        "places": norms.shape[1],
    }
