"""The network of a language model: its sizes, its layers, its loss."""

from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.layers import Recurrent, check
from gatework.network import Network
from gatework.text.conditions import Starts, run_documents
from gatework.text.network import check_softmax, language_network
from gatework.text.options import Shape
from gatework.text.softmax import Adaptive, Softmax


class LanguageModel(nn.Module):
    """Predicts the next token from all before it: embedding, recurrent layers, and a softmax over V tokens.

    conditions: where the text is made of documents, the K conditions they are written on. Then V has one class more,
        the end of a document, and inputs V + k begin a document of condition k (from 1): the state starts again, at
        what was learnt for k.

    forward(inputs [T,B], targets [T,B], state) -> (mean loss in nats, state); targets of -100 are left out.
    """

    def __init__(self, cell: str | Cell, vocabulary_size: int, shape: Shape = Shape(), conditions: int = 0) -> None:
        super().__init__()
        self.end = vocabulary_size  # the id of the end of a document
        vocabulary_size += bool(conditions)
        width = vocabulary_size if shape.embedding is None else shape.embedding
        self.vocabulary_size, self.variational, self.shape = vocabulary_size, shape.variational, shape
        self.embedding = None if shape.embedding is None else nn.Embedding(vocabulary_size, width)
        options = asdict(shape)
        for name in ("hidden", "layers", "embedding", "tied", "softmax"):
            options.pop(name)
        proj_size = options.pop("projection")
        dropout = check.probability("dropout", shape.dropout)
        options["dropout"] = dropout if shape.layers > 1 else 0.0  # before the output there is some anyway
        self.recurrent = Recurrent(cell, width, shape.hidden, shape.layers, proj_size=proj_size, **options)
        self.dropout = nn.Dropout(shape.dropout)
        check_softmax(shape)
        kind = Adaptive if shape.softmax == "adaptive" else Softmax
        self.output: Softmax | Adaptive = kind(self.recurrent.output_size, vocabulary_size)
        if shape.tied:
            self._tie(width)
        self.starts = Starts(self.recurrent, conditions) if conditions else None

    def description(self) -> Network:
        """What it computes outside training, as data; the starts of documents are not part of it."""
        return language_network(self.recurrent.cell, self.end, self.shape, int(self.starts is not None))

    def _tie(self, width: int) -> None:
        if self.embedding is None or width != self.output.in_features:
            embedding = "one-hot input" if self.embedding is None else f"an embedding of {width}"
            raise InputError(
                f"tied output weights need an embedding of {self.output.in_features} units, as wide as the "
                f"recurrent output; given is {embedding}"
            )
        nn.init.normal_(self.embedding.weight, std=width**-0.5)  # as an output matrix it must start small
        self.output.weight = self.embedding.weight

    def logits(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Unnormalised log probabilities [T,B,V] of the token after each of inputs [T,B], and the new state."""
        output, state = self._outputs(inputs, state, lengths)
        return self.output(output), state

    def _outputs(self, inputs: Tensor, state: Any, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """What the softmax reads, [T,B,D*H], and the new state."""
        if self.starts is None:
            output, state = self.recurrent(self._embedded(inputs), state, lengths=lengths)
        else:
            output, state = run_documents(self.recurrent, self.starts, self._embedded, inputs, self.end, state, lengths)
        return self._dropped(output), state

    def _embedded(self, inputs: Tensor) -> Tensor:
        if self.embedding is None:
            return F.one_hot(inputs, self.vocabulary_size).to(next(self.output.parameters()).dtype)  # [T,B,V]
        x: Tensor = self.embedding(inputs)  # [T,B,E]
        return x

    def _dropped(self, output: Tensor) -> Tensor:
        if not (self.training and self.dropout.p):
            return output
        mask: Tensor = self.dropout(torch.ones_like(output[:1] if self.variational else output))
        return output * mask

    def carried(self, streams: int) -> tuple[Tensor, ...]:
        """A state [L,B,H] for so many streams, of the shapes and types of every state."""
        layers = [self.recurrent.start(layer, "", streams) for layer in range(self.recurrent.num_layers)]
        return tuple(torch.stack(parts) for parts in zip(*layers, strict=True))

    def forward(self, inputs: Tensor, targets: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        output, state = self._outputs(inputs, state)
        return self.output(output, targets), state


def check_model(cell: Cell, vocabulary_size: int, shape: Shape, conditions: int = 0) -> None:
    """Raises InputError or EquationError where a cell, sizes and options contradict; takes no memory."""
    try:
        with torch.device("meta"):
            LanguageModel(cell, vocabulary_size, replace(shape, engine="auto"), conditions)
    except (RuntimeError, OverflowError) as error:  # even a tensor without memory has a largest size
        raise InputError(f"sizes that no memory holds: {shape.hidden} hidden, {shape.embedding} embedding") from error
