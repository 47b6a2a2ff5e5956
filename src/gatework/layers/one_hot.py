"""Layers that read symbols: an embedding before them, or one-hot inputs by weights with the embedding folded in."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from gatework.engines import is_eager
from gatework.layers import autocast
from gatework.layers.recurrent import Recurrent
from gatework.notation.program import PRODUCTS

HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")  # of a module's calls

# ids [T,B], a state or None, lengths or None -> output [T,B,H], state
Run = Callable[..., tuple[Tensor, Any]]


class OneHot:
    """Runs a layer on V symbols in place of their embeddings: W E x = (W E) x for one-hot x.

    Where V is less than I these are fewer multiply-adds: W E is worked out once for all steps, and no gradient goes by
    x. It fits layers that read x through matrices alone. Their twin for V features has no weights of its own.
    """

    def __init__(self, layer: Recurrent, embedding: nn.Embedding) -> None:
        reads = [node for node in layer.program.nodes if 0 in node.args]  # the first node is x
        self.symbols, self.read = embedding.num_embeddings, tuple(node.name for node in reads)
        alone = layer.input_size == embedding.embedding_dim and all(node.op in PRODUCTS for node in reads)
        self.fits = alone and layer.program.nodes[0].size == "I" and self.symbols < layer.input_size
        if self.fits:
            self.twin = _twin(layer, self.symbols)

    def run(self, layer: Recurrent, embedding: nn.Embedding) -> Run:
        """The layer as it is now, on ids."""
        twin, weights = self.twin.train(layer.training), self._weights(layer, embedding)
        symbols = torch.eye(self.symbols, dtype=embedding.weight.dtype)

        def run(ids: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
            given = F.embedding(ids, symbols), state
            made: tuple[Tensor, Any] = functional_call(twin, weights, given, {"lengths": lengths}, tie_weights=False)
            return made

        return run

    def _weights(self, layer: Recurrent, embedding: nn.Embedding) -> dict[str, Tensor]:
        """The layer's weights by their paths, those that x is multiplied by with the embedding folded in."""
        found: dict[str, Tensor] = {}
        for number in range(layer.num_layers):
            for direction in layer.directions:
                own = layer.weights(number, direction)(self._folded, None if number else embedding.weight)
                found |= {f"l{number}{direction}.{name}": value for name, value in own.items()}
        return found

    def _folded(self, weights: Mapping[str, Tensor], table: Tensor | None) -> dict[str, Tensor]:
        return {
            name: value if table is None or name not in self.read else value @ table.t()
            for name, value in weights.items()
        }


def _twin(layer: Recurrent, symbols: int) -> Recurrent:
    """A layer that is alike but for its input, of no memory."""
    names = ("bidirectional", "proj_size", "dropout", "variational", "recurrent_dropout", "zoneout", "residual")
    options = {name: getattr(layer, name) for name in (*names, "initial", "recompute")}
    made = Recurrent(layer.cell, symbols, layer.hidden_size, layer.num_layers, device="meta", **options)
    made.engine = layer.engine
    return made


def reading(
    embedding: nn.Embedding, layer: Recurrent, dropout: Callable[[Tensor], Tensor], one_hot: OneHot | None
) -> Run:
    """What runs the layer on ids: embedded and dropped out from, or by `one_hot` where that is the same for less."""
    if one_hot is not None and one_hot.fits and _is_plain(embedding, layer, dropout):
        return one_hot.run(layer, embedding)

    def run(ids: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        return layer(dropout(embedding(ids)), state, lengths=lengths)

    return run


def _is_plain(embedding: nn.Embedding, layer: Recurrent, dropout: Any) -> bool:
    """Whether nothing happens to embeddings between table and layer, on a CPU where nobody looks on or converts."""
    drops = isinstance(dropout, nn.Dropout) and dropout.training and dropout.p > 0
    hooked = any(getattr(module, kind) for module in (embedding, layer) for kind in HOOKS)
    on_cpu = embedding.weight.is_cpu and not autocast.is_on("cpu")
    watched = drops or hooked or layer.watcher is not None
    return not watched and on_cpu and is_eager(embedding.weight, *layer.parameters())
