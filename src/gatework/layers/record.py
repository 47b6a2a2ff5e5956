"""Gates, states and their gradients, out of any engine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gatework.errors import InputError
from gatework.notation import Program
from gatework.notation.retention import called, retained


@runtime_checkable
class Recordable(Protocol):
    """A layer that hands the values of its cell to a trace while it has one."""

    program: Program
    watcher: "Watcher | None"


@runtime_checkable
class Attending(Protocol):
    """A layer without a cell that hands values to a trace while it has one: those named in `recorded`."""

    recorded: tuple[str, ...]
    watcher: "Watcher | None"


Layer = Recordable | Attending


class Trace(Mapping[str, Tensor]):
    """What was recorded: "layer path.l0.f" -> [T,B,H], "layer path.l0_reverse.f" for the reverse direction.

    Calls made inside the block follow one another in time. The values are cut off from autograd's graph.
    `gradients` maps the same keys to dL/d(value) at each step, once `loss.backward()` has run; calls that it did
    not reach, such as those under no_grad, have zeros.
    """

    def __init__(self, names: Sequence[str], wants_gradients: bool) -> None:
        self.names, self.wants_gradients = tuple(names), wants_gradients
        self._values: dict[str, list[Tensor]] = {}
        self._taps: dict[str, list[Tensor]] = {}

    def add(self, key: str, value: Tensor, tap: Tensor | None) -> None:
        self._values.setdefault(key, []).append(value.detach())
        if self.wants_gradients:
            self._taps.setdefault(key, []).append(torch.zeros_like(value) if tap is None else tap)

    def __getitem__(self, key: str) -> Tensor:
        if key not in self._values:
            known = ", ".join(self._values) or "none: call the module first"
            raise KeyError(f"{key!r} was not recorded; there are {known}")
        return joined(key, self._values[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def gradients(self) -> dict[str, Tensor]:
        """dL/d(value) [T,B,H] by key; raises InputError before backward() has run."""
        if not self.wants_gradients:
            raise InputError("gradients were not recorded; write gw.record(module, ..., gradients=True)")
        if all(tap.grad is None for taps in self._taps.values() for tap in taps):
            raise InputError("no gradient has arrived yet; call backward() on a loss of the recorded calls first")
        return {
            key: joined(key, [torch.zeros_like(tap) if tap.grad is None else tap.grad for tap in taps])
            for key, taps in self._taps.items()
        }

    def backward(self, loss: Tensor) -> None:
        """As loss.backward(), but for `gradients` alone: those of the parameters stay as they are."""
        loss.backward(inputs=[tap for taps in self._taps.values() for tap in taps if tap.requires_grad])  # type: ignore[no-untyped-call]


def joined(key: str, series: Sequence[Tensor]) -> Tensor:
    """The calls [T,B,H] one after another in time."""
    sizes = list(dict.fromkeys(value.shape[2] for value in series))
    if len(sizes) > 1:
        raise InputError(
            f"{key!r} was recorded of memories of {' and '.join(map(str, sizes))} steps, which make no one tensor; "
            "record each call in a block of its own"
        )
    batches = list(dict.fromkeys(value.shape[1] for value in series))
    if len(batches) > 1:
        raise InputError(
            f"{key!r} was recorded in batches of {' and '.join(map(str, batches))} sequences, which do not "
            "follow one another; record each call in a block of its own"
        )
    return torch.cat(list(series))


class Watcher:
    """One layer's end of a trace: which of its names are wanted, and the path they are filed under."""

    def __init__(self, trace: Trace, path: str, names: Sequence[str], layer: Layer) -> None:
        self.trace, self.path = trace, path
        self.names = tuple(name for name in names if name in known(layer))
        self.computed = tuple(name for name in self.names if name != "x")
        states = retained(layer.program) if isinstance(layer, Recordable) else ()
        self.retained = tuple(state for state in states if called(state) in names)

    def taps(self, sizes: Mapping[str, int], steps: Sequence[int], like: Tensor) -> dict[str, Tensor]:
        """Zeros [T,B,size] to add to the wanted values, so that their gradients are the values' gradients."""
        if not (self.trace.wants_gradients and torch.is_grad_enabled()):
            return {}
        return {name: like.new_zeros(*steps, sizes[name]).requires_grad_() for name in self.names if name in sizes}

    def add(self, place: str, values: Mapping[str, Tensor], taps: Mapping[str, Tensor]) -> None:
        for name in self.names:
            key = ".".join(part for part in (self.path, place, name) if part)
            self.trace.add(key, values[name], taps.get(name))


@contextmanager
def record(module: nn.Module, *names: str, gradients: bool = False) -> Iterator[Trace]:
    """Records named gates, states or intermediate values of every recurrent layer inside `module`, and attention.

    >>> with gw.record(model, "f", "c", gradients=True) as trace:
    ...     model(x).sum().backward()
    >>> trace["rnn.l0.f"], trace.gradients["rnn.l0.f"]  # each [T,B,H]

    A layer whose cell lacks a name is passed over for it. A state under zoneout is recorded as it is carried.

    Args:
        module: what holds the layers, or such a layer itself.
        *names: any name that the cell's equations assign; "x", what the layer reads; "retention(c)", what a state
            keeps of itself: d(new c) / d(old c) by the equations, along pointwise paths (of an LSTM f; it has no
            gradients, and h of an LSTM none of it); "weights", those of a gw.Attention, the mean over its heads.
        gradients: record dL/d(value) too.

    Shapes:
        Each value and gradient: [T,B,H], x [T,B,I], weights [T,B,S].

    Returns:
        For a `with` block its Trace: a mapping of the values, and of their gradients in `gradients`.

    Raises:
        InputError: where no layer has the name, there is no recurrent layer, or one is being recorded already.
    """
    layers: dict[str, Layer] = {
        path: layer for path, layer in module.named_modules() if isinstance(layer, Recordable | Attending)
    }
    check(layers, names)
    trace = Trace(names, gradients)
    for path, layer in layers.items():
        layer.watcher = Watcher(trace, path, names, layer)
    try:
        yield trace
    finally:
        for layer in layers.values():
            layer.watcher = None


def check(layers: Mapping[str, Layer], names: Sequence[str]) -> None:
    if not layers:
        raise InputError("nothing to record: the module holds no gatework layer; gw.convert(module) replaces torch's")
    if busy := [path or "the layer" for path, layer in layers.items() if layer.watcher is not None]:
        raise InputError(f"{', '.join(busy)} is being recorded already; name all values in one gw.record")
    computed = list(dict.fromkeys(name for layer in layers.values() for name in _computed(layer)))
    if not names:
        raise InputError(f"record what? the cells compute {', '.join(computed)}")
    for name in names:
        if not any(name in known(layer) for layer in layers.values()):
            raise InputError(f"{name!r} cannot be recorded: no equation computes it; there are {', '.join(computed)}")


def _computed(layer: Layer) -> Sequence[str]:
    """What the layer's equations name."""
    return tuple(layer.program.names) if isinstance(layer, Recordable) else layer.recorded


def known(layer: Layer) -> tuple[str, ...]:
    """All that can be recorded of a layer."""
    further = ("x", *map(called, retained(layer.program))) if isinstance(layer, Recordable) else ()
    return (*_computed(layer), *further)
