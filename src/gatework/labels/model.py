"""The network from a sequence to its label: recurrent layers, a summary over time, a linear layer."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.errors import InputError
from gatework.labels.data.batches import Input
from gatework.labels.options import Kind, Options
from gatework.layers import Recurrent
from gatework.runs.parts import IGNORED


class SequenceModel(nn.Module):
    """Predicts a label from a sequence, or one from each of its steps.

    width: I of the input, or V of tokens [T,B], which an embedding stands for, the unknown token by 0.
    outputs: K classes, or 1 number.

    scores((x [T,B,I], lengths [B])) -> [B,K], for tags [T,B,K]: unnormalised log probabilities, or the number.
    forward(input, targets, None) -> (mean loss, None): cross-entropy in nats, each class by its weight in
    class_weights [K] if they are set; for numbers the squared error.
    """

    def __init__(self, options: Options, width: int, outputs: int, *, tokens: bool, kind: Kind) -> None:
        super().__init__()
        self.kind, self.summary = kind, None if kind == "tag" else options.summary
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None, persistent=False)
        self.embedding = nn.Embedding(width, options.embedding, padding_idx=0) if tokens else None
        self.recurrent = _recurrent(options, options.embedding if tokens else width)
        size = self.recurrent.output_size
        self.attention = Attention(size) if self.summary == "attention" else None
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(size, outputs)

    def scores(self, batch: Input) -> Tensor:
        x, lengths = batch
        if self.embedding is not None:
            x = self.embedding(x)  # [T,B,E]
            x = self.dropout(x)
        equal = bool((lengths == len(x)).all())
        output, _ = self.recurrent(x, lengths=None if equal else lengths)
        if self.kind != "tag":
            output = self.summarised(output, lengths)  # [B,D*H]
        scores: Tensor = self.output(self.dropout(output))
        return scores

    def summarised(self, output: Tensor, lengths: Tensor) -> Tensor:
        """[T,B,D*H] to [B,D*H]; past its length an output is 0."""
        if self.attention is not None:
            summary: Tensor = self.attention(output, lengths)
            return summary
        if self.summary == "mean":
            return output.sum(0) / lengths[:, None]
        last = output[lengths - 1, torch.arange(output.shape[1], device=output.device)]
        if not self.recurrent.bidirectional:
            return last
        forwards, backwards = last.chunk(2, -1)[0], output[0].chunk(2, -1)[1]
        return torch.cat([forwards, backwards], -1)

    def forward(self, batch: Input, targets: Tensor, state: None = None) -> tuple[Tensor, None]:  # noqa: ARG002
        scores = self.scores(batch)
        if self.kind == "number":
            return F.mse_loss(scores[:, 0], targets), None
        loss = F.cross_entropy(
            scores.flatten(0, -2), targets.flatten(), self.class_weights, ignore_index=IGNORED, reduction="sum"
        )
        return loss / (targets != IGNORED).sum(), None


def _recurrent(options: Options, width: int) -> Recurrent:
    arguments = dict(options.recurrent or {})
    if "batch_first" in arguments:
        raise InputError("recurrent has batch_first; leave it out: sequences are handed over as the layers want them")
    chosen = {"dropout": options.dropout if options.layers > 1 else 0.0, "bidirectional": options.bidirectional}
    try:
        return Recurrent(
            options.cell, width, options.hidden, options.layers, **(chosen | {"engine": options.engine} | arguments)
        )
    except TypeError as error:
        raise InputError(f"recurrent is {arguments}: {str(error).split('.')[-1]}") from None


class Attention(nn.Module):
    """A mean over time whose weights are learnt (Yang et al. 2016): softmax over t of u . tanh(W h_t + b).

    forward(h [T,B,S], lengths [B]) -> [B,S].
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(size, size)
        self.query = nn.Linear(size, 1, bias=False)

    def weights(self, h: Tensor, lengths: Tensor) -> Tensor:
        """The share [T,B] of each step; 0 past a length."""
        scores: Tensor = self.query(torch.tanh(self.projection(h)))[..., 0]  # [T,B]
        outside = torch.arange(len(h), device=h.device)[:, None] >= lengths
        return scores.masked_fill(outside, -torch.inf).softmax(0)

    def forward(self, h: Tensor, lengths: Tensor) -> Tensor:
        return (self.weights(h, lengths)[..., None] * h).sum(0)


def check_model(options: Options, kind: Kind) -> None:
    """Raises InputError or EquationError where a cell, sizes and options contradict; takes no memory."""
    try:
        with torch.device("meta"):
            # I is not known yet; it is taken to be what the cell may want it to be.
            SequenceModel(replace(options, engine="auto"), options.hidden, 2, tokens=False, kind=kind)
    except (RuntimeError, OverflowError) as error:  # even a tensor without memory has a largest size
        raise InputError(
            f"sizes that no memory holds: {options.hidden} hidden, {options.embedding} embedding"
        ) from error
