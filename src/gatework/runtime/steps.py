"""The steps of a network on numpy's arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.lowering.linear import linear
from gatework.network.norm import normed
from gatework.network.steps import (
    READ,
    READ_OUT,
    RESETS,
    Add,
    Affine,
    Attention,
    Average,
    Bridge,
    Convolution,
    CrossAttention,
    Direction,
    Embedding,
    Join,
    Layer,
    Linear,
    LogSoftmax,
    OneHot,
    Part,
    Quantiles,
    Softmax,
    Step,
    Summary,
    Tanh,
)
from gatework.runtime.packed import Array, Packed, States

Values = dict[str, Any]  # arrays by name
Weights = Mapping[str, Array]
Run = Callable[["Call"], Any]


@dataclass
class Call:
    """One run of a network: arrays by name; states [L*D,B,size] that go in, or the start, and room for those after."""

    values: Values
    before: Mapping[str, Array] | None
    after: Mapping[str, Array]

    def lengths(self, name: str) -> npt.NDArray[np.int64] | None:
        """Where sequences end; None where all have every step."""
        given: npt.NDArray[np.int64] | None = self.values.get(name)
        return given


def runner(step: Step, weights: Weights, *, narrow: str = "float32", threads: int = 1) -> Run:
    """What runs a step, its weights ready; narrow: how the core stores matrices."""
    match step:
        case Layer():
            return _layer(step, weights, narrow, threads)
        case Linear():
            return _linear(step, weights, narrow, threads)
        case Embedding():
            table = weights[step.weight]
            return lambda call: table[_ids(call.values[step.x], len(table))]
        case OneHot():
            return lambda call: np.eye(step.classes, dtype=np.float32)[_ids(call.values[step.x], step.classes)]
        case Convolution():
            return _convolution(step, weights)
        case Summary():
            return lambda call: summary(step, call.values[step.x], call.lengths(step.lengths))
        case Attention():
            return _attention(step, weights)
        case CrossAttention():
            return _cross_attention(step, weights)
        case Bridge():
            return _bridge(step, weights)
        case Quantiles():
            return _quantiles(step, weights)
        case _:
            return _pointwise(step)


def _pointwise(step: Join | Part | Add | Average | LogSoftmax | Softmax | Affine | Tanh) -> Run:
    """What runs a step without weights."""
    match step:
        case Join():
            return lambda call: np.concatenate([call.values[x] for x in step.xs], -1)
        case Part():
            return lambda call: call.values[step.x][..., step.first : step.last : step.stride]
        case Add():
            return lambda call: sum(call.values[x] for x in step.xs)
        case Average():
            return lambda call: average(np.stack([call.values[x] for x in step.xs]), step.logarithms)
        case LogSoftmax():
            return lambda call: log_softmax(call.values[step.x], step.sizes)
        case Softmax():
            return lambda call: np.exp(log_softmax(call.values[step.x], step.sizes))
        case Affine():
            return lambda call: call.values[step.x] * np.float32(step.scale) + np.float32(step.shift)
        case Tanh():
            return lambda call: np.tanh(call.values[step.x])


def log_softmax(x: Array, sizes: Sequence[int] = ()) -> Array:
    """x - log sum exp x over the last axis, or each of its parts of these sizes by itself."""
    if len(set(sizes)) == 1:
        return log_softmax(x.reshape(*x.shape[:-1], -1, sizes[0])).reshape(x.shape)
    if sizes:
        return np.concatenate([log_softmax(part) for part in np.split(x, np.cumsum(sizes)[:-1], -1)], -1)
    left = x - x.max(-1, keepdims=True)
    made: Array = left - np.log(np.exp(left).sum(-1, keepdims=True))
    return made


def average(x: Array, logarithms: bool) -> Array:
    """The mean over the first axis, of what logarithms stand for where they are."""
    if not logarithms:
        return np.asarray(x.mean(0))
    most = x.max(0)
    return np.asarray(most + np.log(np.exp(x - most).mean(0)))


def _ids(ids: npt.NDArray[np.int64], many: int) -> npt.NDArray[np.int64]:
    """Ids that a table has."""
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < many:
        worst = int(ids.min() if ids.min() < 0 else ids.max())
        raise InputError(f"an id is {worst}; expected 0 to {many - 1}")
    return ids


# -- what the core runs


def _linear(step: Linear, weights: Weights, narrow: str, threads: int) -> Run:
    W = weights[step.weight]
    N, K = W.shape
    own = {"W": W} if step.bias is None else {"W": W, "b": weights[step.bias]}
    program = linear(step.bias is not None)
    packed = Packed(program, own, {"I": K, "H": N}, weights=narrow, threads=threads)

    def run(call: Call) -> Array:
        x = call.values[step.x]
        y, _ = packed.run(x.reshape(1, -1, K))
        return y.reshape(*x.shape[:-1], N)

    return run


def _layer(step: Layer, weights: Weights, narrow: str, threads: int) -> Run:
    sides = [_Side(direction, weights, bool(place), narrow, threads) for place, direction in enumerate(step.directions)]

    def run(call: Call) -> Array:
        x, lengths, resets = call.values[step.x], call.lengths(step.lengths), call.values.get(RESETS)
        outputs = []
        for place, side in enumerate(sides, start=step.slot):
            before = None if call.before is None else tuple(call.before[name][place] for name in side.names)
            output, finals = side.run(x, before, lengths, resets)
            for name, values in zip(side.names, finals, strict=True):
                call.after[name][place] = values
            outputs.append(output)
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs, -1)

    return run


class _Side:
    """One direction of a layer."""

    def __init__(self, direction: Direction, weights: Weights, reverse: bool, narrow: str, threads: int) -> None:
        self.names, self.reverse = [state.name for state in direction.program.states], reverse
        own = {name: weights[tensor] for name, tensor in direction.weights.items()}
        self.packed = Packed(
            direction.program,
            own,
            direction.sizes,
            inputs=direction.inputs,
            reverse=reverse,
            weights=narrow,
            threads=threads,
        )
        self.starts = [
            weights[start]
            if isinstance(start := direction.starts[state.name], str)
            else np.full(direction.sizes[state.size], start, np.float32)
            for state in direction.program.states
        ]
        self.last: tuple[int, States] | None = None

    def run(
        self,
        x: Array,
        state: States | None,
        lengths: npt.NDArray[np.int64] | None,
        resets: npt.NDArray[Any] | None,
    ) -> tuple[Array, States]:
        """Output and final states; past its length x counts as 0, and no reset counts."""
        start = self._start(x.shape[1])
        state = start if state is None else state
        if lengths is not None:
            running = inside(lengths, len(x))
            x = np.where(running, x, np.float32(0))
            resets = None if resets is None else resets & running[..., 0]
        if resets is not None and not self.reverse:  # within what it runs, the core lets states start again
            first = np.asarray(resets[:1].any(0))[:, None]
            state = tuple(np.where(first, s, v) for s, v in zip(start, state, strict=True))
        marks = None if resets is None else np.ascontiguousarray(resets, np.uint8)
        return self.packed.run(x, state, start, lengths, marks)

    def _start(self, B: int) -> States:
        """The start states [B,size], kept for the batch that was last asked for."""
        last = self.last  # another thread may write another
        if last is None or last[0] != B:
            made = tuple(np.ascontiguousarray(np.broadcast_to(each, (B, len(each)))) for each in self.starts)
            last = self.last = B, made
        return last[1]


# -- over time


def inside(lengths: npt.NDArray[np.int64], steps: int) -> npt.NDArray[Any]:
    """Which of so many steps are within each length, [T,B,1]."""
    marks: npt.NDArray[Any] = np.arange(steps)[:, None, None] < lengths[:, None]
    return marks


def _convolution(step: Convolution, weights: Weights) -> Run:
    kernel, shift = normed(step, weights)  # [N,C,k], [N]
    N, C, k = kernel.shape
    matrix = np.ascontiguousarray(kernel.transpose(2, 1, 0).reshape(k * C, N))

    def run(call: Call) -> Array:
        x, lengths = call.values[step.x], call.lengths(step.lengths)
        T, B, _ = x.shape
        new = -(-T // step.stride)
        behind = max((new - 1) * step.stride + k - step.before - T, 0)
        padded = np.pad(x, ((step.before, behind), (0, 0), (0, 0)))
        windows = [padded[place : place + (new - 1) * step.stride + 1 : step.stride] for place in range(k)]
        y = np.maximum(np.concatenate(windows, -1).reshape(-1, k * C) @ matrix + shift, 0).reshape(new, B, N)
        if lengths is not None:
            call.values[step.new_lengths] = shorter = -(-lengths // step.stride)
            y = y * inside(shorter, new)
        return np.asarray(y, np.float32)

    return run


def summary(step: Summary, x: Array, lengths: npt.NDArray[np.int64] | None) -> Array:
    """One vector [B,S] of each sequence of x [T,B,S], whose outputs past a length are 0."""
    T, B, _ = x.shape
    ends = np.full(B, T) if lengths is None else lengths
    match step.how:
        case "mean":
            return np.asarray(x.sum(0) / ends[:, None], np.float32)
        case "max":
            return np.asarray((x if lengths is None else np.where(inside(lengths, T), x, -np.inf)).max(0))
        case "last":
            last = np.asarray(x[ends - 1, np.arange(B)])
            if not step.bidirectional:
                return last
            half = x.shape[-1] // 2
            return np.concatenate([last[:, :half], x[0][:, half:]], -1)


def _attention(step: Attention, weights: Weights) -> Run:
    W, b, query = weights[step.weight], weights[step.bias], weights[step.query]

    def run(call: Call) -> Array:
        x = call.values[step.x]
        scores = np.tanh(x @ W.T + b) @ query.reshape(-1, 1)  # [T,B,1]
        lengths = call.lengths(step.lengths)
        scores = scores if lengths is None else np.where(inside(lengths, len(x)), scores, -np.inf)
        shares = np.exp(scores - scores.max(0))
        return np.asarray((shares / shares.sum(0) * x).sum(0), np.float32)

    return run


# -- of a forecast


def _quantiles(step: Quantiles, weights: Weights) -> Run:
    W, b = weights[step.weight][step.first :], weights[step.bias][step.first :]  # [M,H,h*P], [M,h,P]
    mix, mixed = (None if name is None else weights[name][step.first :] for name in (step.mix, step.mixed))

    def run(call: Call) -> Array:
        x = call.values[step.x]
        x = x.reshape(len(x), -1, W.shape[1])[:, step.first :].swapaxes(0, 1)  # [M,B,H]
        y = (x @ W).reshape(len(x), -1, *b.shape[1:]) + b[:, None]  # [M,B,h,P]
        if step.known is not None and mix is not None and mixed is not None:
            H = W.shape[1]
            units = (x @ mix[:, :H])[:, :, None] + call.values[step.known] @ mix[:, None, H:]  # [M,B,h,U]
            y = y + np.tanh(units) @ mixed[:, None]
        return np.asarray(y.mean(0))

    return run


# -- from an encoder to a decoder


def _cross_attention(step: CrossAttention, weights: Weights) -> Run:
    names = (step.weight, step.key, step.bias, step.query, step.coverage)
    W, U, b, v, F = (None if name is None else weights[name] for name in names)
    place = [weights[name] for name in step.place]

    def heads(x: Array) -> Array:
        """[N,B,features] as [B,heads,N,features/heads]."""
        return x.reshape(*x.shape[:2], step.heads, -1).transpose(1, 2, 0, 3)

    def scores(asked: Array, memory: Array, seen: Array | None) -> Array:
        """How well queries [B,heads,T,A] and the steps of a memory fit, [B,heads,T,S]; seen: [B,heads,1,A or 1,S]."""
        if v is None:
            products = asked @ heads(memory).swapaxes(-1, -2)
            return np.asarray(products if seen is None else products + seen[:, :, :, 0])
        assert U is not None
        assert b is not None
        fit = asked[:, :, :, None] + heads(memory @ U.T + b)[:, :, None]  # [B,heads,T,S,A]
        fit = fit if seen is None else fit + seen.swapaxes(-1, -2)
        return np.asarray((np.tanh(fit) @ v[:, None, :, None])[..., 0])

    def run(call: Call) -> Array:
        x, memory, lengths = call.values[step.x], call.values[step.memory], call.lengths(step.lengths)
        S, B = memory.shape[:2]
        seen = None if F is None else over_memory(call.values[READ], F).reshape(B, step.heads, 1, -1, S)
        fit = scores(heads(x if W is None else x @ W.T), memory, seen)
        shares = _shares(fit, lengths) if step.window is None else _within(fit, x, lengths, place, step.window)
        if F is not None:
            call.values[READ_OUT] = call.values[READ] + shares[:, :, 0]
        call.values[step.shares] = shares.mean(1).transpose(1, 0, 2)
        return (shares @ heads(memory)).transpose(2, 0, 1, 3).reshape(*x.shape[:2], -1)

    return run


def over_memory(values: Array, kernel: Array) -> Array:
    """A convolution over S: [B,C,S] and [N,C,k] to [B,N,S], zeros before the first step and behind the last."""
    k = kernel.shape[-1]
    padded = np.pad(values, ((0, 0), (0, 0), (k // 2, k // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, k, axis=2)  # [B,C,S,k]
    made: Array = np.einsum("bcsk,nck->bns", windows, kernel)
    return made


def _within(
    scores: Array, x: Array, lengths: npt.NDArray[np.int64] | None, place: Sequence[Array], window: int
) -> Array:
    """The shares [B,heads,T,S] of steps at most `window` from where queries x [T,B,Q] look."""
    W, b, v = place
    share = 1 / (1 + np.exp(-(np.tanh(x @ W.T + b) @ v.T)))  # [T,B,heads]
    last = scores.shape[-1] if lengths is None else lengths[:, None, None, None]
    middle = np.maximum(np.float32(last) - 1, 0) * share.transpose(1, 2, 0)[..., None]  # [B,heads,T,1]
    distance = (np.arange(scores.shape[-1], dtype=np.float32) - middle) / np.float32(window)
    return np.asarray(_shares(scores, lengths, np.abs(distance) <= 1) * np.exp(-2 * np.square(distance)))


def _shares(scores: Array, lengths: npt.NDArray[np.int64] | None, inside: npt.NDArray[np.bool_] | None = None) -> Array:
    """The softmax over S of scores [B,heads,T,S] within lengths, and where `inside` is true; 0 outside."""
    if lengths is not None:
        running = (np.arange(scores.shape[-1]) < lengths[:, None])[:, None, None]
        inside = running if inside is None else running & inside
    if inside is None:
        return np.asarray(np.exp(log_softmax(scores)))
    made = np.exp(log_softmax(np.where(inside, scores, np.finfo(np.float32).min)))
    return np.where(inside, made, np.float32(0))


def _bridge(step: Bridge, weights: Weights) -> Run:
    rows = slice(step.first, step.first + step.size)
    maps = [(weights[W][rows], weights[b][rows]) for W, b in zip(step.weights, step.biases, strict=True)]

    def run(call: Call) -> Array:
        final = call.after[step.state]  # [L*D,B,H]
        B, D = final.shape[1], step.directions
        if not maps:
            return np.full((step.layers, B, step.size), step.start, np.float32)
        read = [final[k : k + D].swapaxes(0, 1).reshape(B, -1) for k in range(0, step.layers * D, D)]
        made = [np.tanh(h @ W.T + b) for h, (W, b) in zip(read, maps, strict=True)]
        return np.stack(made) + np.float32(step.start)

    return run
