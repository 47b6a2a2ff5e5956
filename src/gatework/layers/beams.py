"""The decoder of a beam search: rows of hypotheses, their states in a stream of the core."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework.layers.bridge import Encoded
from gatework.layers.decoder import Parts

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class StreamDecoder:
    """Predicts the next symbols of hypotheses: see gatework.decoding.beam.Decoder.

    The layers run one step at a time, through a stream whose rows are those of the hypotheses.
    """

    def __init__(self, parts: Parts, encoded: Encoded) -> None:
        self.parts, self.sentences = parts, len(encoded.lengths)
        self.memory = None if parts.attention is None else parts.attention.ready(encoded.memory, encoded.lengths)
        self.groups = Groups(np.arange(self.sentences))
        self.stream = parts.layers.stream(self.sentences, encoded.state) if self.sentences else None
        self.context: Tensor | None = None  # of the rows of the step before, [R,M]
        self.before: Tensor | None = None  # what they have read so far, [R,heads,S]
        self.attention: Floats | None = None

    @torch.no_grad()
    def step(self, tokens: Ids, parents: Ids) -> Floats:
        """Log probabilities [R,V_t+1] after tokens [R] of rows that go on from the rows `parents` of before."""
        assert self.stream is not None
        rows = torch.from_numpy(parents).to(self.stream.device)
        output = self._output(torch.from_numpy(tokens).to(self.stream.device), rows)
        if self.memory is not None:
            groups = self.groups.of(parents)
            if len(groups.active) < len(self.groups.active):
                left = np.searchsorted(self.groups.active, groups.active)
                self.memory = self.memory.of(torch.from_numpy(left).to(rows.device))
            self.groups = groups
            self._attend(output, rows)
        logits = self.parts.logits(self.parts.read(output, self.context))
        made: Floats = logits.float().log_softmax(-1).cpu().numpy()
        return made

    def _output(self, tokens: Tensor, rows: Tensor) -> Tensor:
        """The layers' output [R,H]; a stream too large by less than a half goes on with some row more than once."""
        assert self.stream is not None
        x = self.parts.embed(tokens)
        if self.parts.input_feeding:
            assert self.parts.attention is not None
            M = self.parts.attention.memory_size
            context = x.new_zeros(len(x), M) if self.context is None else self.context[rows]
            x = torch.cat([x, context], -1)
        R, room = len(rows), self.stream.batch_size
        if room // 2 < R < room:
            rows, x = (torch.cat([each, each[:1].expand(room - R, *each.shape[1:])]) for each in (rows, x))
        self.stream.take(rows)
        return self.stream(x)[:R]

    def _attend(self, output: Tensor, rows: Tensor) -> None:
        """What each row [R,H] reads of its sentence's memory: rows of one sentence in one product."""
        assert self.parts.attention is not None and self.memory is not None
        place = torch.from_numpy(self.groups.place).to(rows.device)
        asked = self._side_by_side(output, place)
        before = None
        if self.parts.attention.coverage:
            heads, S = self.memory.values.shape[1:3]
            now = output.new_zeros(len(rows), heads, S) if self.before is None else self.before[rows]
            before = self._side_by_side(now, place).transpose(1, 2)
        context, weights = self.parts.attention.read(asked.transpose(0, 1), self.memory, before)
        context, weights = context.transpose(0, 1), weights.transpose(1, 2)  # [sentences,rows,...]
        self.context, each = context.flatten(0, 1)[place], weights.flatten(0, 1)[place]  # [R,M], [R,heads,S]
        if before is not None:
            self.before = now + each
        self.attention = each.mean(1).float().cpu().numpy()

    def _side_by_side(self, values: Tensor, place: Tensor) -> Tensor:
        """Values [R,...] of sentences that have fewer rows than others, as many for each: [sentences,rows,...]."""
        sentences, most = len(self.groups.active), self.groups.most
        if len(values) < sentences * most:
            padded = values.new_zeros(sentences * most, *values.shape[1:])
            padded[place] = values
            values = padded
        return values.view(sentences, most, *values.shape[1:])


class Groups:
    """Rows by their sentence, which stand together.

    sentence: [R]. active: the sentences that have rows. most: rows of one sentence at most. place: [R], of each row
    among as many rows for each sentence.
    """

    def __init__(self, sentence: Ids) -> None:
        self.sentence = sentence
        self.active, group, counts = np.unique(sentence, return_inverse=True, return_counts=True)
        self.most, first = int(counts.max(initial=0)), np.cumsum(counts) - counts
        self.place = group * self.most + np.arange(len(group)) - first[group]

    def of(self, parents: Ids) -> "Groups":
        """Those of rows that go on from these."""
        return Groups(self.sentence[parents])
