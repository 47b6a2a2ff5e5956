"""EncoderDecoder: sequences to sequences of other lengths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import Cell, find_cell
from gatework.decoding.beam import Decoder, beam_search, usual_longest
from gatework.decoding.hypothesis import Hypothesis
from gatework.engines import is_eager
from gatework.errors import InputError
from gatework.layers import check
from gatework.layers.attention import SCORES, Attention
from gatework.layers.beams import StreamDecoder
from gatework.layers.bridge import Bridge, Encoded
from gatework.layers.decoder import Decoded, Parts, at_once, step_by_step
from gatework.layers.evaluation import outside_training
from gatework.layers.further import recurrent_of
from gatework.layers.one_hot import OneHot, Run, reading
from gatework.layers.similar import parts_of
from gatework.network import embedding_width

Source = tuple[Tensor, Tensor]  # tokens [S,B] and lengths [B]


class EncoderDecoder(nn.Module):
    """Predicts a target of other length from a source: an encoder, attention over what it gives, a decoder.

    m = encoder(embedded source),   s_0 = tanh(W m_end + b)
    s_t = cell(embedded y_(t-1), s_(t-1)),   context_t = attention(s_t, m)
    logits_t = O tanh(W_r [s_t; context_t] + b_r) + b_o

    forward((tokens, lengths), targets, state=None) -> (mean loss in nats a target symbol, None)

    Attention comes after the decoder's scan, so that all steps of a known target are one fused scan.

    Args:
        sources: V_s, symbols of the source, 0 to V_s - 1.
        targets: V_t, symbols of the target, 0 to V_t - 1. The symbol V_t, `end`, ends each, and as input begins it.
        hidden_size: H of the decoder, and of both directions of the encoder together.
        cell: of encoder and decoder: a name of `gw.cells`, a `gw.Cell`, or equations.
        decoder_cell: of the decoder alone.
        num_layers: L of each.
        bidirectional: the encoder reads from both ends.
        embedding: units that stand for a symbol; half of hidden_size by default, or what the cell asks for.
        attention: the score of `gw.Attention`, or "none": all that the decoder knows of the source is its first state.
        heads, window, coverage: as in `gw.Attention`. With coverage the queries are read one after the other.
        input_feeding: each step of the decoder reads, beside its symbol, the context of the step before, the first one
            zeros. Its steps then run one by one, which takes several times as long.
        dropout: of embeddings, between layers, and before the output.
        tied: the output's matrix is the target's embedding.
        label_smoothing: share of each target spread over all symbols, in training.
        scheduled_sampling: in training, how often the decoder reads the symbol that it finds likeliest itself in place
            of the target's: with input feeding as it goes; without, by a first pass over the target as it is.
        recurrent: further arguments of `gw.Recurrent`, for encoder and decoder.
        engine: as in `gw.Recurrent`.

    Shapes:
        tokens: [S,B] int64. lengths: [B], 1 to S. targets: [T,B] int64, each ended by `end` and then padded by -100.

    Raises:
        InputError: arguments and shapes that do not fit.

    Source:
        Sutskever et al. 2014 (attention="none"), Bahdanau et al. 2015, Luong et al. 2015 (attention after the scan,
        input feeding), Szegedy et al. 2016 (label smoothing), Press & Wolf 2017 (tied), Bengio et al. 2015 and
        Mihaylova & Martins 2019 (scheduled sampling).
    """

    def __init__(
        self,
        sources: int,
        targets: int,
        hidden_size: int = 256,
        *,
        cell: str | Cell = "lstm",
        decoder_cell: str | Cell | None = None,
        num_layers: int = 1,
        bidirectional: bool = True,
        embedding: int | None = None,
        attention: str = "general",
        heads: int = 1,
        window: int | None = None,
        coverage: bool = False,
        input_feeding: bool = False,
        dropout: float = 0.0,
        tied: bool = False,
        label_smoothing: float = 0.0,
        scheduled_sampling: float = 0.0,
        recurrent: Mapping[str, Any] | None = None,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        sizes = {"sources": sources, "targets": targets, "hidden_size": hidden_size, "num_layers": num_layers}
        _check(sizes, embedding, bidirectional=bidirectional, input_feeding=input_feeding, tied=tied)
        check.choice("attention", attention, (*SCORES, "none"))
        if input_feeding and attention == "none":
            raise InputError('input_feeding=True feeds what attention reads; with attention="none" leave it out')
        self.end, self.input_feeding = targets, input_feeding
        self.label_smoothing = check.probability("label_smoothing", label_smoothing)
        self.scheduled_sampling = check.probability("scheduled_sampling", scheduled_sampling)
        self.dropout = nn.Dropout(check.probability("dropout", dropout))
        options = {"dropout": dropout if num_layers > 1 else 0.0, "engine": engine}
        proj_size = (recurrent or {}).get("proj_size", 0)
        each = -(-hidden_size // (1 + bidirectional))
        read = embedding or embedding_width(find_cell(cell), hidden_size, each, proj_size)
        self.source_embedding = nn.Embedding(sources, read)
        self.encoder = recurrent_of(cell, (read, each, num_layers), recurrent, bidirectional=bidirectional, **options)
        memory = self.encoder.output_size

        cell = cell if decoder_cell is None else decoder_cell
        read = embedding or embedding_width(find_cell(cell), hidden_size, hidden_size, proj_size)
        self.target_embedding = nn.Embedding(targets + 1, read)
        fed = read + memory * input_feeding
        self.decoder_layers = recurrent_of(cell, (fed, hidden_size, num_layers), recurrent, **options)
        self.bridge = Bridge(self.encoder, self.decoder_layers)
        out = self.decoder_layers.output_size
        self.attention: Attention | None = None
        if attention != "none":
            self.attention = Attention(out, memory, score=attention, heads=heads, window=window, coverage=coverage)
        self.read_source = OneHot(self.encoder, self.source_embedding)
        self.read_target = OneHot(self.decoder_layers, self.target_embedding)
        width = read if tied else hidden_size
        self.readout = nn.Linear(out if self.attention is None else out + memory, width)
        self.output = nn.Linear(width, targets + 1)
        if tied:
            nn.init.normal_(self.target_embedding.weight, std=width**-0.5)  # as an output matrix it must start small
            self.output.weight = self.target_embedding.weight
        self.work = _weights(self.decoder_layers, self.readout, self.attention), _weights(self.encoder)

    def forward(self, source: Source, targets: Tensor, state: None = None) -> tuple[Tensor, None]:  # noqa: ARG002
        """The mean loss; a batch of various lengths is run in parts of similar ones, on one result."""
        source = self._checked(source, targets)
        read, parts, counted = self._reader(), self._parts(self.dropout), targets >= 0
        losses = [self._loss(each, aims, read, parts) for each, aims in self._similar(source, targets, counted)]
        return torch.stack(losses).sum() / counted.sum(), None

    if TYPE_CHECKING:  # nn.Module says Any of what a call returns
        __call__ = forward

    def logits(self, source: Source, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """Scores every symbol of the targets after those before it.

        Args:
            source: tokens [S,B] and lengths [B].
            targets: [T,B] int64, -100 where a target has ended.

        Returns:
            Unnormalised log probabilities [T,B,V_t+1], and the attention's weights [T,B,S], None without attention.

        Raises:
            InputError: a source or targets that the model does not read.
        """
        source = self._checked(source, targets)
        parts = self._parts(self.dropout)
        output, context, weights = self._decoded(source, targets, self._reader(), parts, weights=True)
        return parts.logits(parts.read(output, context)), weights

    def encode(self, source: Source) -> Encoded:
        """Runs the encoder over a source.

        Args:
            source: tokens [S,B] and lengths [B].

        Returns:
            What the decoder reads of it: memory [S,B,M], lengths [B], and its first state, [L,B,size] each.

        Raises:
            InputError: a source that the model does not read.
        """
        return self._encode(self._checked(source), self._reader())

    def _checked(self, source: Source, targets: Tensor | None = None) -> Source:
        """The source; raises InputError where it or targets are not what the model reads."""
        if not isinstance(source, tuple | list) or len(source) != 2:
            raise InputError(f"source is {type(source).__name__}; expected a pair of tokens [S,B] and lengths [B]")
        tokens, lengths = source
        check.ids("tokens", tokens, "[S,B]", self.source_embedding.num_embeddings)
        S, B = tokens.shape
        if targets is not None:
            check.ids("targets", targets, "[T,B]", self.end + 1, ignored=-100)
            if not len(targets):
                raise InputError("targets has no steps; expected one at least, the end")
            if targets.shape[1] != B:
                raise InputError(f"targets has {targets.shape[1]} sequences, tokens {B}; expected as many")
        return tokens, check.lengths(lengths, S, B, tokens.device)

    def _encode(self, source: Source, read: Run) -> Encoded:
        tokens, lengths = source
        output, final = read(tokens, None, lengths)
        return Encoded(output, lengths, self.bridge(final[0]))

    def _loss(self, source: Source, targets: Tensor, read: Run, parts: Parts) -> Tensor:
        """The loss of all target symbols, in nats."""
        counted = targets >= 0
        output, context, _ = self._decoded(source, targets, read, parts, weights=False)
        logits = parts.logits(parts.read(output[counted], None if context is None else context[counted]))
        smoothing = self.label_smoothing if self.training else 0.0
        return F.cross_entropy(logits, targets[counted], label_smoothing=smoothing, reduction="sum")

    def _decoded(self, source: Source, targets: Tensor, read: Run, parts: Parts, weights: bool) -> Decoded:
        """What the decoder makes of known targets."""
        begin = targets.new_full((1, targets.shape[1]), self.end)
        inputs = torch.cat([begin, targets[:-1].clamp(min=0)])  # past a target's end nothing is counted
        encoded, sampled = self._encode(source, read), self.scheduled_sampling * self.training
        if self.input_feeding:
            return step_by_step(parts, inputs, encoded, sampled)
        return at_once(parts, inputs, encoded, sampled, weights)

    def _reader(self) -> Run:
        """The encoder on ids, as it is now."""
        return reading(self.source_embedding, self.encoder, self.dropout, self.read_source)

    def _parts(self, dropout: Callable[[Tensor], Tensor]) -> Parts:
        """What the decoder is made of, as it is now."""
        return Parts(
            self.target_embedding,
            self.decoder_layers,
            reading(self.target_embedding, self.decoder_layers, dropout, self.read_target),
            self.attention,
            self.readout,
            self.output,
            self.input_feeding,
            dropout,
        )

    def _similar(self, source: Source, targets: Tensor, counted: Tensor) -> Iterator[tuple[Source, Tensor]]:
        """The batch, in parts of similar length where that costs less and nobody looks on."""
        tokens, lengths = source
        layers = self.encoder, self.decoder_layers, self.attention
        watched = any(layer is not None and layer.watcher for layer in layers)
        if watched or not (tokens.is_cpu and is_eager(tokens, lengths, targets, *self.parameters())):
            yield source, targets
            return
        ends = counted.sum(0)
        for rows in parts_of((ends, lengths), self.work):
            S, T = max(1, int(lengths[rows].max())), max(1, int(ends[rows].max()))
            yield (tokens[:S, rows], lengths[rows]), targets[:T, rows]

    def decoder(self, source: Source) -> Decoder:
        """What `gatework.decoding.beam.beam_search` runs, of the source as it is read outside training."""
        with torch.no_grad(), outside_training(self):
            encoded = self.encode(source)
        return StreamDecoder(self._parts(nn.Identity()), encoded)

    def search(
        self,
        source: Source,
        *,
        beams: int = 5,
        best: int = 1,
        length_normalisation: float = 1.0,
        longest: int | Sequence[int] | None = None,
    ) -> list[list[Hypothesis]]:
        """The best targets of each source by beam search, as outside training.

        Args:
            source: tokens [S,B] and lengths [B].
            beams, best, length_normalisation: see gatework.decoding.beam_search.
            longest: symbols of a target at most, for all or for each; by default twice those of its source and 10 more.

        Returns:
            For each source its hypotheses, the best first.

        Raises:
            InputError: a source that the model does not read, and settings that the search does not take.
        """
        lengths = source[1].tolist()
        if longest is None:
            longest = usual_longest(lengths)
        elif isinstance(longest, int):
            longest = [longest] * len(lengths)
        found = beam_search(
            self.decoder(source),
            end=self.end,
            beams=beams,
            best=best,
            longest=longest,
            length_normalisation=length_normalisation,
        )
        return [[each.within(length) for each in own] for own, length in zip(found, lengths, strict=True)]


def _check(sizes: Mapping[str, int], embedding: int | None, **flags: bool) -> None:
    """Raises InputError for sizes and flags that are none."""
    for name, size in (sizes if embedding is None else {**sizes, "embedding": embedding}).items():
        check.size(name, size, least=1)
    for name, flag in flags.items():
        check.flag(name, flag)


def _weights(*modules: nn.Module | None) -> int:
    """How many numbers the modules have, about the multiply-adds of a step."""
    return sum(parameter.numel() for module in modules if module is not None for parameter in module.parameters())
