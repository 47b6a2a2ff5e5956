"""Sequences to shorter sequences without alignment: recurrent layers whose steps CTC aligns with the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import Cell, find_cell
from gatework.decoding.ctc import search
from gatework.decoding.hypothesis import Hypothesis
from gatework.layers.evaluation import outside_training
from gatework.layers.further import recurrent_of
from gatework.network import embedding_width
from gatework.pairs.data.batches import Source


class CTCModel(nn.Module):
    """Predicts a target from a source that has at least as many steps: a symbol or the blank at each of them.

    p_s = softmax(O h_s + b),   h = recurrent(x),   loss = -log(sum over the paths of the target of prod_s p_s[path_s])

    forward((source, lengths), targets, state=None) -> (mean loss in nats a target symbol, None)

    Args:
        inputs: V_s, symbols of the source, which an embedding stands for; with `frames` I, numbers of a frame.
        targets: V, symbols of the target; the blank is V.
        hidden_size: H of both directions together.
        frames: whether the source is frames.
        cell: a name of `gw.cells`, a `gw.Cell`, or equations.
        num_layers: L.
        bidirectional: the layers read from both ends.
        embedding: units that stand for a source's symbol, half of hidden_size by default.
        dropout: of embeddings, between layers, and before the output.
        recurrent: further arguments of `gw.Recurrent`.
        engine: as in `gw.Recurrent`.

    Shapes:
        source: [S,B] int64, or frames [S,B,I]. lengths: [B], 1 to S. targets: [T,B] int64; what is no symbol, as the
        padding -100, is left out.

    Errors:
        A target that `gatework.decoding.ctc.frames_needed` says is too long for its source has an infinite loss: see
        `gatework.pairs.data.examples.check_frames`.

    Source:
        Graves et al. 2006.
    """

    def __init__(
        self,
        inputs: int,
        targets: int,
        hidden_size: int = 256,
        *,
        frames: bool,
        cell: str | Cell = "lstm",
        num_layers: int = 1,
        bidirectional: bool = True,
        embedding: int | None = None,
        dropout: float = 0.0,
        recurrent: Mapping[str, Any] | None = None,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        self.blank = targets
        each = -(-hidden_size // (1 + bidirectional))
        proj_size = (recurrent or {}).get("proj_size", 0)
        width = inputs if frames else embedding or embedding_width(find_cell(cell), hidden_size, each, proj_size)
        self.embedding = None if frames else nn.Embedding(inputs, width)
        options = {"dropout": dropout if num_layers > 1 else 0.0, "bidirectional": bidirectional, "engine": engine}
        self.encoder = recurrent_of(cell, (width, each, num_layers), recurrent, **options)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.encoder.output_size, targets + 1)

    def forward(self, source: Source, targets: Tensor, state: None = None) -> tuple[Tensor, None]:  # noqa: ARG002
        symbols = (targets >= 0) & (targets < self.blank)  # [T,B]
        return ctc_losses(self.log_probabilities(source), source[1], targets, symbols).sum() / symbols.sum(), None

    if TYPE_CHECKING:  # nn.Module says Any of what a call returns
        __call__ = forward

    def log_probabilities(self, source: Source) -> Tensor:
        """The log probabilities [S,B,V+1] of each symbol, and of the blank, at each step."""
        x, lengths = source
        x = x if self.embedding is None else self.dropout(self.embedding(x))  # [S,B,I]
        output, _ = self.encoder(x, lengths=None if bool((lengths == len(x)).all()) else lengths)
        return F.log_softmax(self.output(self.dropout(output)), -1)

    def search(
        self,
        source: Source,
        *,
        beams: int = 5,
        best: int = 1,
        length_normalisation: float = 1.0,  # noqa: ARG002
    ) -> list[list[Hypothesis]]:
        """The best targets of each source, as outside training: see `gatework.decoding.ctc.search`."""
        with torch.no_grad(), outside_training(self):
            scores = self.log_probabilities(source).float().cpu().numpy()
        return search(scores, self.blank, source[1].cpu().numpy(), beams=beams, best=best)


def ctc_losses(log_probabilities: Tensor, lengths: Tensor, targets: Tensor, symbols: Tensor) -> Tensor:
    """-log of the probability of each target, in nats, [B].

    log_probabilities: [S,B,V+1], the blank last; lengths: [B]; symbols: which of the targets [T,B] count, bool.
    """
    return F.ctc_loss(
        log_probabilities.float(),
        targets.T[symbols.T],  # one target after the other
        lengths,
        symbols.sum(0),
        blank=log_probabilities.shape[-1] - 1,
        reduction="none",
    )
