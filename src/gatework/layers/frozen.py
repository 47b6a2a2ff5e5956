"""A layer for inference alone: its weights are copied, packed once, and stored as narrow as asked for."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor

from gatework.engines import choose
from gatework.errors import InputError
from gatework.layers import check

WEIGHTS = ("float32", "bfloat16", "int8")


class Layer(Protocol):
    """What is read here of a gatework.layers.recurrent.Recurrent."""

    engine: str
    lacks: tuple[str, ...]
    watcher: Any

    @property
    def anchor(self) -> Tensor: ...


def check_weights(layer: Layer, weights: str) -> None:
    """Raises InputError where a layer's weights cannot be stored so."""
    check.choice("weights", weights, WEIGHTS)
    anchor = layer.anchor
    if weights == "float32":
        return
    name = choose(layer.engine, anchor.device, anchor.dtype, layer.lacks).name
    if name != "native" or anchor.dtype != torch.float32:
        what = f"{anchor.dtype} on {anchor.device} by the {name} engine"
        raise InputError(f"weights={weights!r} is for the native engine and a layer of float32, not for {what}")


class FrozenLayer:
    """Whole sequences through weights that never change: `frozen(x) -> (output, state)`; made by `layer.frozen()`.

    It is called as the layer is, runs as outside training, and records no gradients. Its weights are a copy, packed at
    the first call of a shape and kept for the last eight shapes; a later change of the layer's is not seen.

    weights: how matrices are stored: "float32", "bfloat16" (rounded to 8 bits of precision), or "int8" (whole numbers
    from -127 to 127 with a scale for each unit and 512 columns). Sums and states stay in float32. With up to three
    sequences narrower weights are read as they are, half or a quarter of the bytes, and what 8 bits multiply is rounded
    to 16, the largest of 512 numbers at 32767; with more sequences weights are widened once.
    """

    def __init__(self, layer: Layer, weights: str) -> None:
        check_weights(layer, weights)
        if layer.watcher is not None:
            raise InputError("a frozen layer records nothing; make it outside gw.record, or call the layer")
        self.weights = weights
        copy: Any = deepcopy(layer)
        self.layer = copy.eval().requires_grad_(False)
        self.layer.freeze(weights)

    def __call__(
        self,
        x: Tensor,
        state: Sequence[Tensor] | Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Output and state as the layer returns them; see gatework.layers.recurrent.Recurrent."""
        with torch.no_grad():
            result: tuple[Tensor, Any] = self.layer(x, state, lengths=lengths, resets=resets)
            return result

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenLayer, (self.layer, self.weights)

    def __repr__(self) -> str:
        return f"frozen(weights={self.weights!r}) {self.layer!r}"
