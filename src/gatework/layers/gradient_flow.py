"""How far back a loss reaches: the gradient by every state and input, lag by lag, of any cell, on any engine."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gatework.errors import InputError
from gatework.layers.record import Recordable, Trace, record
from gatework.notation import Program
from gatework.notation.retention import called, retained

Loss = Callable[[Any], Tensor]


@dataclass(frozen=True)
class GradientFlow:
    """Gradients by lag k, counted back from the step t of the loss; all by "layer path.l0.c".

    norms: [K,B], |dL/ds_{t-k}| over the units, of each state s and of the layer's input x, for k = 0 to K - 1.
    direct: [K,B], what of it comes by the state's own direct path, |dL/ds_t * a_t * ... * a_{t-k+1}|.
    retention: [K,B,H], a_{t-k} = ds_{t-k}/ds_{t-k-1} along pointwise paths (of an LSTM f). States without such a
        path are not in `direct` and `retention`.
    """

    norms: Mapping[str, Tensor]
    direct: Mapping[str, Tensor]
    retention: Mapping[str, Tensor]

    def relative(self, key: str) -> Tensor:
        """|dL/ds_{t-k}| / |dL/ds_t| [K,B]."""
        return self.norms[key] / self.norms[key][0]

    def reach(self, key: str, share: float) -> Tensor:
        """For each sequence the number of lags [B] that hold this share of the norms' sum."""
        sums = self.norms[key].cumsum(0)
        return (sums < share * sums[-1]).sum(0) + 1

    def plot(self, keys: Sequence[str] | None = None) -> Any:
        """A matplotlib figure of these curves, by default of all states."""
        chosen = keys or [key for key in self.norms if not key.endswith(".x")]
        if missing := [key for key in chosen if key not in self.norms]:
            raise InputError(f"{missing[0]!r} was not measured; there are {', '.join(self.norms)}")
        figure = new_figure()
        axis = figure.add_subplot()
        for key in chosen:
            self.draw(axis, key)
        axis.legend(fontsize=8, frameon=False)
        return figure

    def draw(self, axis: Any, key: str, label: str = "") -> None:
        """One curve: median and quartiles over sequences by lag, dashed what the direct path alone brings."""
        low, median, high = quartiles(self.norms[key])
        steps = range(len(median))
        (line,) = axis.plot(steps, median, label=label or key)
        axis.fill_between(steps, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        if key in self.direct:
            axis.plot(steps, quartiles(self.direct[key])[1], "--", color=line.get_color(), linewidth=1)
        axis.set(yscale="log", xlabel="steps back k", ylabel="gradient of the loss by the state k steps back")
        axis.grid(alpha=0.25)


def new_figure() -> Any:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415, an extra
    except ImportError:
        raise InputError("a picture needs matplotlib: pip install 'gatework[plot]'") from None
    return Figure(figsize=(7, 4), dpi=120, layout="constrained")


def quartiles(norms: Tensor) -> tuple[Any, ...]:
    """The quartiles over sequences of [K,B], each [K] in numpy."""
    levels = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    return tuple(norms.double().cpu().quantile(levels, dim=1).numpy())


def gradient_flow(model: nn.Module, batch: Any, *, loss: Loss | None = None, at: int = -1) -> GradientFlow:
    """The norms of dL/dh_{t-k}, dL/dc_{t-k}, ... by lag k, in every gatework layer inside `model`.

    >>> flow = gw.gradient_flow(model, x)
    >>> flow.norms["rnn.l0.c"], flow.direct["rnn.l0.c"]  # each [K,B]

    In the reverse direction lags are counted forwards in time. The model keeps its mode, parameters their gradients.

    Args:
        model: a module that holds gatework layers.
        batch: what it is called with, a tensor or a tuple of arguments.
        loss: from what the model returns to a number, such as a sum over sequences of -log p; unless given, the
            output at step `at`, weighed at random (the same at every call).
        at: the step t that lags are counted from, by default the last.

    Shapes:
        norms [K,B] for the lags 0 to K - 1 of B sequences.

    Returns:
        A GradientFlow: norms, direct and retention by name, relative(), reach() and plot().

    Raises:
        InputError: where the module holds no gatework layer, no gradient reaches a state, or `at` is no step.

    Source:
        Hochreiter & Schmidhuber 1997, on how such norms shrink or grow.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, Recordable)]
    with record(model, *wanted(layer.program for layer in layers), gradients=True) as trace, torch.enable_grad():
        returned = model(*batch) if isinstance(batch, tuple) else model(batch)
        backward(trace, loss(returned) if loss else at_step(returned, layers, at))
    return flow(trace, at)


def wanted(programs: Iterable[Program]) -> list[str]:
    names = ["x"]
    for program in programs:
        names += [state.name for state in program.states]
        names += map(called, retained(program))
    return list(dict.fromkeys(names))


def at_step(returned: Any, layers: Iterable[Any], at: int) -> Tensor:
    """The output of a step, weighed at random: a loss that every unit moves differently."""
    output = returned if isinstance(returned, Tensor) else returned[0]
    if output.dim() == 3:
        batch_first = any(layer.batch_first for layer in layers)
        output = output.select(int(batch_first), step(at, output.shape[int(batch_first)]))
    weights = torch.randn(output.shape[-1], generator=torch.Generator().manual_seed(0)).to(output)
    return (output * weights).sum()


def step(at: int, T: int) -> int:
    if not -T <= at < T:
        raise InputError(f"at={at}: there are {T} steps; expected {-T} to {T - 1}")
    return at % T


def backward(trace: Trace, loss: Tensor) -> None:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise InputError(f"loss: expected a tensor with one number, got {described(loss)}; sum it over sequences")
    if not loss.requires_grad:
        raise InputError("loss: no gradient leads from it to the model; compute it of what the model returns")
    trace.backward(loss)


def described(value: Any) -> str:
    return f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def flow(trace: Trace, at: int) -> GradientFlow:
    """The trace's gradients [T,B,H] in the order of lags."""
    norms, direct, retention = {}, {}, {}
    for key, gradient in trace.gradients.items():
        layer, name = key.rsplit(".", 1)
        if "(" in name:  # retention(c) has no gradient
            continue
        by_lag = lags(gradient, layer, at)
        norms[key] = by_lag.norm(dim=-1)
        if (place := f"{layer}.{called(name)}") in trace:
            retention[key] = lags(trace[place], layer, at)
            passed = torch.cat([torch.ones_like(by_lag[:1]), retention[key][:-1].cumprod(0)])
            direct[key] = (by_lag[0] * passed).norm(dim=-1)
    return GradientFlow(norms, direct, retention)


def lags(values: Tensor, layer: str, at: int) -> Tensor:
    """The steps [T,B,H] from `at` backwards in time, in the reverse direction forwards."""
    t = step(at, len(values))
    return values[t:] if layer.endswith("_reverse") else values[: t + 1].flip(0)
