"""Layers one step at a time, with the state carried: for input that comes as it happens."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gatework.engines import Arguments, Stepper, choose
from gatework.errors import InputError
from gatework.layers import check
from gatework.layers.record import Watcher
from gatework.layers.weights import first
from gatework.notation import Program

States = tuple[Tensor, ...]  # [L,B,size] each
Outputs = tuple[Tensor, Tensor]  # [B,H] each, used in turn


class Layers(Protocol):
    """What a stream reads of the layers it runs: see gatework.layers.recurrent.Recurrent."""

    input_size: int
    num_layers: int
    bidirectional: bool
    residual: bool
    engine: str
    lacks: tuple[str, ...]
    watcher: Watcher | None
    sizes: list[dict[str, int]]
    state_names: tuple[str, ...]

    @property
    def state_shapes(self) -> dict[str, tuple[int, int]]: ...

    def weights(self, layer: int, direction: str) -> nn.Module: ...

    def start(self, layer: int, direction: str, B: int, like: Tensor | None = None) -> States: ...

    def outside_training(self, layer: int, x: Tensor) -> tuple[Program, dict[str, Tensor]]: ...

    def named(self, states: Sequence[Tensor]) -> Any: ...


class Stream:
    """A layer that is called once for each step: `stream(x) -> output`; made by `layer.stream(batch_size, state)`.

    x: [B,I]. output: [B,H], R in place of H with a projection; it lies in one of two buffers that are used in turn, so
    it is there until the call after next. The layer runs as outside training, without gradients. Its weights are packed
    when the stream is made, and stored as gatework.layers.frozen says: a later change of them is not seen.

    Raises:
        InputError: for a bidirectional layer, inside `gw.record`, and for a batch size or a state that is none.
    """

    def __init__(
        self,
        layer: Layers,
        batch_size: int,
        state: Sequence[Tensor] | Tensor | None,
        weights: str = "float32",
    ) -> None:
        check.size("batch_size", batch_size, least=1)
        if layer.bidirectional:
            raise InputError("bidirectional=True needs the whole sequence, a stream has one step of it; call the layer")
        if layer.watcher is not None:
            raise InputError("a stream records nothing; make it outside gw.record, or call the layer")
        self.layer, self.batch_size, self.weights = layer, batch_size, weights
        self.shape = (batch_size, layer.input_size)
        initial = None if state is None else check.state(state, layer.state_shapes, batch_size, batched=True)
        anchor: Tensor = layer.weights(0, "")(first, torch.empty(0) if initial is None else initial[0])
        self.anchor, self.dtype, self.device = anchor.new_empty(0), anchor.dtype, anchor.device
        check.states(initial, layer.state_names, anchor)
        initial = None if initial is None else tuple(value.to(self.dtype) for value in initial)  # of autocast, say
        with torch.inference_mode(False), torch.no_grad():
            self.start = _starts(layer, batch_size, self.anchor)
            initial = self.start if initial is None else initial
            stepper = choose(layer.engine, self.device, self.dtype, layer.lacks).stepper
            self._steps: _Steps = (
                _Whole(layer, initial)
                if stepper is None
                else _Packed(layer, initial, partial(stepper, weights=weights))
            )
        self._step = self._steps.step  # which reads memory as it is: what is no dense [B,I] goes through `fitting`

    def __call__(self, x: Tensor) -> Tensor:
        """The output [B,H] of one step."""
        is_dense = type(x) is Tensor and x.dtype is self.dtype and x.device == self.device and x.layout is torch.strided
        if not (is_dense and x.shape == self.shape and x.is_contiguous() and not x.is_neg()):
            x = self.fitting(x)
        return self._step(x)

    def fitting(self, x: Tensor) -> Tensor:
        """The input as dense memory; raises InputError where it cannot be."""
        if not isinstance(x, Tensor):
            raise InputError(f"x is {type(x).__name__}; expected a tensor [B,I]")
        if x.shape != self.shape:
            raise InputError(f"x has shape {list(x.shape)}; expected one step [B,I], {list(self.shape)}")
        if x.layout is not torch.strided:
            raise InputError(f"x is {x.layout}; expected a dense tensor: x.to_dense()")
        check.like(x, "x", self.anchor)
        return x.to(self.dtype).contiguous().resolve_neg()

    @property
    def state(self) -> Any:
        """The state as the layer returns it after as many steps: a copy, [L,B,H] each."""
        return self.layer.named(self._steps.state())

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is built from a copy of the layer and from the state."""
        return Stream, (self.layer, self.batch_size, self.state, self.weights)

    def reset(self, state: Sequence[Tensor] | Tensor | None = None) -> None:
        """Goes back to the start state, or on from another."""
        shapes = self.layer.state_shapes
        initial = None if state is None else check.state(state, shapes, self.batch_size, batched=True)
        check.states(initial, self.layer.state_names, self.anchor)
        with torch.inference_mode(False), torch.no_grad():
            self._steps.reset(self.start if initial is None else initial)

    def take(self, rows: Tensor) -> None:
        """Goes on with these rows of the state, in their order: some left out, some more than once.

        Args:
            rows: [K] int64; where K is not batch_size, that is K from now on, and the layer's weights are packed again.

        Raises:
            InputError: rows that are not whole numbers from 0 to batch_size - 1, or none.
        """
        there = rows.dim() == 1 and rows.dtype == torch.int64 and len(rows) > 0
        if not there or bool(((rows < 0) | (rows >= self.batch_size)).any()):
            raise InputError(f"rows is {rows.tolist()}; expected whole numbers from 0 to {self.batch_size - 1}")
        if len(rows) == self.batch_size:
            with torch.inference_mode(False), torch.no_grad():
                self._steps.take(rows)
        else:
            state = tuple(value.index_select(1, rows) for value in self._steps.state())
            Stream.__init__(self, self.layer, len(rows), state, self.weights)


def _starts(layer: Layers, B: int, like: Tensor) -> States:
    """The states before the first step."""
    each = [layer.start(number, "", B, like) for number in range(layer.num_layers)]
    return tuple(torch.stack(values) for values in zip(*each, strict=True))


class _Steps(Protocol):
    """How a stream takes its steps."""

    def step(self, x: Tensor) -> Tensor: ...

    def state(self) -> States: ...

    def reset(self, state: States) -> None: ...

    def take(self, rows: Tensor) -> None: ...


class _Packed:
    """On an engine that takes steps: each layer reads where the one before it writes, one of two buffers in turn."""

    def __init__(self, layer: Layers, state: States, stepper: Callable[..., Stepper]) -> None:
        x = state[0].new_zeros(state[0].shape[1], layer.input_size)
        self.layers: list[Stepper] = []
        self.outputs: Outputs
        self.links: list[tuple[Callable[[int], None], tuple[int, int]]] = []
        for number in range(layer.num_layers):
            made = _packed(layer, number, x, tuple(value[number] for value in state), stepper)
            last = _Residual(made, self.outputs) if layer.residual and number else made
            self.layers.append(made)
            self.outputs, x = last.outputs, last.outputs[0]
            self.links.append((last._step, (self.outputs[0].data_ptr(), self.outputs[1].data_ptr())))
        self.slot = 0  # of the next output, and of the states before it

    def step(self, x: Tensor) -> Tensor:
        slot, address = self.slot, x.data_ptr()
        for step, addresses in self.links:
            step(address)
            address = addresses[slot]
        self.slot = 1 - slot
        return self.outputs[slot]

    def state(self) -> States:
        each = [made.state(self.slot) for made in self.layers]
        return tuple(torch.stack(values) for values in zip(*each, strict=True))

    def reset(self, state: States) -> None:
        for number, made in enumerate(self.layers):
            made.reset(tuple(value[number] for value in state), self.slot)

    def take(self, rows: Tensor) -> None:
        for made in self.layers:
            made.reset(tuple(value.index_select(0, rows) for value in made.state(self.slot)), self.slot)


def _packed(layer: Layers, number: int, x: Tensor, state: States, stepper: Callable[..., Stepper]) -> Stepper:
    """One layer, its weights packed, for inputs like x [B,I]."""
    program, inputs = layer.outside_training(number, x[None])
    made: Stepper = layer.weights(number, "")(lambda weights: stepper(program, weights, x, state, inputs))
    return made


class _Residual:
    """A layer whose output has its input added."""

    def __init__(self, inner: Stepper, added: Outputs) -> None:
        self.inner, self.added, self.slot = inner, added, 0
        self.outputs: Outputs = (torch.empty_like(added[0]), torch.empty_like(added[1]))

    def _step(self, address: int) -> None:
        self.inner._step(address)
        torch.add(self.inner.outputs[self.slot], self.added[self.slot], out=self.outputs[self.slot])
        self.slot = 1 - self.slot


class _Whole:
    """On any other engine: sequences of one step, with copies of the weights."""

    def __init__(self, layer: Layers, state: States) -> None:
        B = state[0].shape[1]
        self.run, self.residual, self.now = (
            choose(layer.engine, state[0].device, state[0].dtype, layer.lacks).run,
            layer.residual,
            state,
        )
        self.layers = []
        for number, sizes in enumerate(layer.sizes):
            program, inputs = layer.outside_training(number, state[0].new_zeros(1, B, sizes["I"]))
            self.layers.append((program, layer.weights(number, "")(_cloned), inputs))

    @torch.no_grad()
    def step(self, x: Tensor) -> Tensor:
        new = []
        for number, (program, weights, inputs) in enumerate(self.layers):
            state = tuple(value[number] for value in self.now)
            y, after, _ = self.run(Arguments(program, weights, x[None], state, inputs=inputs))
            x = y[0] + x if self.residual and number else y[0]
            new.append(after)
        self.now = tuple(torch.stack(values) for values in zip(*new, strict=True))
        return x

    def state(self) -> States:
        return tuple(value.clone() for value in self.now)

    def reset(self, state: States) -> None:
        self.now = state

    def take(self, rows: Tensor) -> None:
        self.now = tuple(value.index_select(1, rows) for value in self.now)


def _cloned(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of a layer's weights."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
