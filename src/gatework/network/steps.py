"""The operations of a network: each reads named arrays, and weights by the names of a checkpoint's tensors.

x is what a step reads and y what it makes. lengths: the name of the array [B] that says where each sequence ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gatework.notation import Program

LENGTHS, RESETS = "lengths", "resets"  # [B] int64 and [T,B] bool: inputs that every network with layers may have
ALL = "steps"  # lengths that are never there: all steps of every sequence are read
READ, READ_OUT = (
    "read",
    "read_out",
)  # [B,heads,S]: what attention with coverage has read so far, before a step and after


@dataclass(frozen=True)
class Direction:
    """One direction of a recurrent layer.

    sizes: I, H, R. weights: parameter -> tensor. starts: where each state starts, a number or the name of a tensor
    [size]. inputs: what the Program reads beside x, one number each for all steps and units.
    """

    program: Program
    sizes: Mapping[str, int]
    weights: Mapping[str, str]
    starts: Mapping[str, float | str]
    inputs: Mapping[str, float]


@dataclass(frozen=True)
class Layer:
    """A recurrent layer, forwards or in both directions: x [T,B,I] -> y [T,B,D*H].

    slot: where its first direction stands in the first axis of each state [L*D,B,size]. Past its length a sequence's
    state stands still and its output is 0; before a step that `resets` marks the state is the start again.
    """

    x: str
    y: str
    directions: tuple[Direction, ...]
    slot: int = 0
    lengths: str = LENGTHS


@dataclass(frozen=True)
class Embedding:
    """Rows of a table [V,E]: ids x [T,B] -> y [T,B,E]."""

    x: str
    y: str
    weight: str


@dataclass(frozen=True)
class OneHot:
    """ids x [T,B] -> y [T,B,V]."""

    x: str
    y: str
    classes: int


@dataclass(frozen=True)
class Linear:
    """y [...,N] = x [...,K] W^T + b, of W [N,K] and b [N] or without."""

    x: str
    y: str
    weight: str
    bias: str | None = None


@dataclass(frozen=True)
class Convolution:
    """Over time with a stride: y [ceil(T/stride),B,N] = relu((w * x - mean) / sqrt(var + epsilon) * scale + shift).

    weight [N,C,k]; mean, variance, scale, shift [N]; before: zeros before the first step, the rest is behind the last.
    What lies past a length is 0. lengths -> new_lengths, ceil(lengths / stride).
    """

    x: str
    y: str
    weight: str
    mean: str
    variance: str
    scale: str
    shift: str
    before: int
    stride: int = 1
    epsilon: float = 1e-5
    lengths: str = LENGTHS
    new_lengths: str = LENGTHS


@dataclass(frozen=True)
class Summary:
    """One vector a sequence: x [T,B,S] -> y [B,S], of the steps within the lengths.

    how: "mean", "max", or "last": the outputs at the last step, of the reverse direction at the first.
    """

    x: str
    y: str
    how: Literal["mean", "max", "last"]
    bidirectional: bool = False
    lengths: str = LENGTHS


@dataclass(frozen=True)
class Attention:
    """A mean over time by learnt weights: y [B,S] = sum_t a_t x_t, a = softmax over t of u . tanh(W x_t + b)."""

    x: str
    y: str
    weight: str
    bias: str
    query: str
    lengths: str = LENGTHS


@dataclass(frozen=True)
class CrossAttention:
    """What queries read of a memory: x [T,B,Q], memory [S,B,M] -> y [T,B,M] and shares [T,B,S], as of gw.Attention.

    y_t = sum_s a_ts m_s, a_t = softmax over s of q . m ("dot"), (W q) . m ("general"), or v . tanh(W q + U m + b)
    ("additive"), for each head with its part of the features. weight W, key U, bias b, query v [heads,M/heads].
    lengths: past them nothing is read; shares: the name of the array that has the mean of a over the heads.

    window: D, or all of the memory; then place, W_p, b_p and v_p, says where a query looks. coverage: F [...,heads,k],
    or none; with it T is 1, and the array READ [B,heads,S] has the sum of all a before, READ_OUT that with this step's.
    """

    x: str
    memory: str
    y: str
    shares: str
    score: Literal["dot", "general", "additive"]
    heads: int = 1
    weight: str | None = None
    key: str | None = None
    bias: str | None = None
    query: str | None = None
    lengths: str = LENGTHS
    window: int | None = None
    place: tuple[str, ...] = ()
    coverage: str | None = None


@dataclass(frozen=True)
class Bridge:
    """Where a state of a decoder starts: y [L,B,size] = start + tanh(W_l h_l + b_l) for each of its L layers.

    h_l [B,D*H]: what layer l of the network ends with, the D `directions` of its state `state` side by side.
    weights, biases: W_l and b_l by name, of which `size` rows count, from `first` on; without, y is `start` everywhere.
    """

    state: str
    y: str
    directions: int
    layers: int
    size: int
    weights: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    first: int = 0
    start: float = 0.0


@dataclass(frozen=True)
class Join:
    """Arrays side by side along the last axis."""

    xs: tuple[str, ...]
    y: str


@dataclass(frozen=True)
class Part:
    """Every `stride`-th of the last axis of x, from `first` to before `last`."""

    x: str
    y: str
    first: int
    last: int
    stride: int = 1


@dataclass(frozen=True)
class Add:
    """y = the sum of arrays."""

    xs: tuple[str, ...]
    y: str


@dataclass(frozen=True)
class Average:
    """Of members' log probabilities [...,K], log of the mean probability; of numbers, the mean."""

    xs: tuple[str, ...]
    y: str
    logarithms: bool


@dataclass(frozen=True)
class LogSoftmax:
    """y = x - log sum exp x, over the last axis, or each of its parts of these sizes by itself."""

    x: str
    y: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Softmax:
    """y = exp x / sum exp x, over the last axis, or each of its parts of these sizes by itself."""

    x: str
    y: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of the next h steps by M networks of H units, those from `first` on: x [B,M*H] -> their mean y [B,h,P].

    y_m = x_m W_m + b_m, of weight [M,H,h*P] and bias [M,h,P]; of columns known in the future, k [B,h,K], by `mix`
    [M,H+K,U] and `mixed` [M,U,P] also tanh([x_m, k] mix_m) mixed_m.
    """

    x: str
    y: str
    weight: str
    bias: str
    known: str | None = None
    mix: str | None = None
    mixed: str | None = None
    first: int = 0


@dataclass(frozen=True)
class Affine:
    """y = scale x + shift."""

    x: str
    y: str
    scale: float
    shift: float


@dataclass(frozen=True)
class Tanh:
    """y = tanh x."""

    x: str
    y: str


Step = (
    Layer
    | Embedding
    | OneHot
    | Linear
    | Convolution
    | Summary
    | Attention
    | CrossAttention
    | Bridge
    | Join
    | Part
    | Add
    | Average
    | LogSoftmax
    | Softmax
    | Affine
    | Tanh
    | Quantiles
)
STEPS: tuple[type[Step], ...] = Step.__args__


def is_stepwise(step: Step) -> bool:
    """Whether one step in time needs nothing of those after it."""
    if isinstance(step, Layer):
        return len(step.directions) == 1
    return not isinstance(step, Convolution | Summary | Attention | Bridge | Quantiles)
