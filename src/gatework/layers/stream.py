"""Layers one step at a time, with the state carried: for input that comes as it happens."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from gatework.engines import Stepper, choose
from gatework.errors import InputError
from gatework.layers import check
from gatework.layers.weights import first

if TYPE_CHECKING:
    from gatework.layers.recurrent import Recurrent


class Stream:
    """A layer that is called once for each step: `stream(x) -> output`; made by `layer.stream(batch_size, state)`.

    x: [B,I]. output: [B,H], R in place of H with a projection; it lies in one of two buffers that are used in turn, so
    it is there until the call after next. The layer runs as outside training, without gradients. Its weights are packed
    when the stream is made: a later change of them is not seen.
    """

    def __init__(self, layer: "Recurrent", batch_size: int, state: Sequence[Tensor] | Tensor | None) -> None:
        check.size("batch_size", batch_size, least=1)
        if layer.bidirectional:
            raise InputError("bidirectional=True needs the whole sequence, a stream has one step of it; call the layer")
        if layer.watcher is not None:
            raise InputError("a stream records nothing; make it outside gw.record, or call the layer")
        self.layer, self.batch_size = layer, batch_size
        self.shape = (batch_size, layer.input_size)
        given = check.state(state, layer, batch_size, batched=True)
        anchor: Tensor = layer.weights(0, "")(first, torch.empty(0) if given is None else given[0])
        self.anchor, self.dtype, self.device = anchor.new_empty(0), anchor.dtype, anchor.device
        check.states(given, layer.state_names, anchor)
        with torch.inference_mode(False), torch.no_grad():
            self.start = starts(layer, batch_size, self.anchor)
            given = self.start if given is None else given
            stepper = choose(layer.engine, self.device, self.dtype).stepper
            self._steps: Steps = Whole(layer, given) if stepper is None else Packed(layer, given, stepper)
        self._step = self._steps.step  # which reads memory as it is: what is no plain [B,I] goes through `fitting`

    def __call__(self, x: Tensor) -> Tensor:
        """The output [B,H] of one step."""
        plain = type(x) is Tensor and x.dtype is self.dtype and x.device == self.device and x.layout is torch.strided
        if not (plain and x.shape == self.shape and x.is_contiguous() and not x.is_neg()):
            x = self.fitting(x)
        return self._step(x)

    def fitting(self, x: Tensor) -> Tensor:
        """The input as plain memory; raises InputError where it cannot be."""
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
        """A copy is made anew of a copy of the layer, from the state."""
        return Stream, (self.layer, self.batch_size, self.state)

    def reset(self, state: Sequence[Tensor] | Tensor | None = None) -> None:
        """Goes back to the start state, or on from another."""
        given = check.state(state, self.layer, self.batch_size, batched=True)
        check.states(given, self.layer.state_names, self.anchor)
        with torch.inference_mode(False), torch.no_grad():
            self._steps.reset(self.start if given is None else given)


States = tuple[Tensor, ...]  # [L,B,size] each
Outputs = tuple[Tensor, Tensor]  # [B,H] each, used in turn


def starts(layer: "Recurrent", B: int, like: Tensor) -> States:
    """The states before the first step."""
    each = [layer.start(number, "", B, like) for number in range(layer.num_layers)]
    return tuple(torch.stack(values) for values in zip(*each, strict=True))


class Steps(Protocol):
    """How a stream takes its steps."""

    def step(self, x: Tensor) -> Tensor: ...

    def state(self) -> States: ...

    def reset(self, state: States) -> None: ...


class Packed:
    """On an engine that takes steps: each layer reads where the one before it writes, one of two buffers in turn."""

    def __init__(self, layer: "Recurrent", state: States, stepper: Callable[..., Stepper]) -> None:
        x = state[0].new_zeros(state[0].shape[1], layer.input_size)
        self.layers: list[Stepper] = []
        self.outputs: Outputs
        self.links: list[tuple[Callable[[int], None], tuple[int, int]]] = []
        for number in range(layer.num_layers):
            made = packed(layer, number, x, tuple(value[number] for value in state), stepper)
            last = Residual(made, self.outputs) if layer.residual and number else made
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


def packed(layer: "Recurrent", number: int, x: Tensor, state: States, stepper: Callable[..., Stepper]) -> Stepper:
    """One layer, its weights packed, for inputs like x [B,I]."""
    program, inputs = layer.outside_training(number, x[None])
    made: Stepper = layer.weights(number, "")(lambda weights: stepper(program, weights, x, state, inputs))
    return made


class Residual:
    """A layer whose output has its input added."""

    def __init__(self, inner: Stepper, given: Outputs) -> None:
        self.inner, self.given, self.slot = inner, given, 0
        self.outputs: Outputs = (torch.empty_like(given[0]), torch.empty_like(given[1]))

    def _step(self, address: int) -> None:
        self.inner._step(address)
        torch.add(self.inner.outputs[self.slot], self.given[self.slot], out=self.outputs[self.slot])
        self.slot = 1 - self.slot


class Whole:
    """On any other engine: sequences of one step, with copies of the weights."""

    def __init__(self, layer: "Recurrent", state: States) -> None:
        B = state[0].shape[1]
        self.run, self.residual, self.now = (
            choose(layer.engine, state[0].device, state[0].dtype).run,
            layer.residual,
            state,
        )
        self.layers = []
        for number, sizes in enumerate(layer.sizes):
            program, inputs = layer.outside_training(number, state[0].new_zeros(1, B, sizes["I"]))
            self.layers.append((program, layer.weights(number, "")(cloned), inputs))

    @torch.no_grad()
    def step(self, x: Tensor) -> Tensor:
        new = []
        for number, (program, weights, inputs) in enumerate(self.layers):
            state = tuple(value[number] for value in self.now)
            y, after, _ = self.run(program, weights, x[None], state, inputs=inputs)
            x = y[0] + x if self.residual and number else y[0]
            new.append(after)
        self.now = tuple(torch.stack(values) for values in zip(*new, strict=True))
        return x

    def state(self) -> States:
        return tuple(value.clone() for value in self.now)

    def reset(self, state: States) -> None:
        self.now = state


def cloned(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of a layer's weights."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
