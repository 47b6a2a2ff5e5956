"""The decoder of a beam search: rows of hypotheses, their states in a stream of the core."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework.layers.attention import Attention
from gatework.layers.bridge import Encoded
from gatework.layers.recurrent import Recurrent

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class StreamDecoder:
    """Predicts the next symbols of hypotheses: see gatework.decoding.Decoder.

    layers: run one step at a time, through a stream whose rows are those of the hypotheses. embed: ids [R] to what the
    layers read [R,I]. predict: their output and the context, side by side, to logits [R,V].
    """

    def __init__(
        self,
        layers: Recurrent,
        embed: Callable[[Tensor], Tensor],
        attention: Attention | None,
        predict: Callable[[Tensor], Tensor],
        encoded: Encoded,
    ) -> None:
        self.embed, self.reader, self.predict = embed, attention, predict
        self.sentences = len(encoded.lengths)
        self.memory = None if attention is None else attention.ready(encoded.memory, encoded.lengths)
        self.active, self.sentence = np.arange(self.sentences), np.arange(self.sentences)
        self.stream = layers.stream(self.sentences, encoded.state) if self.sentences else None
        self.attention: Floats | None = None

    @torch.no_grad()
    def step(self, tokens: Ids, parents: Ids) -> Floats:
        """Log probabilities [R,V+1] after tokens [R] of rows that go on from the rows `parents` of the step before."""
        self.sentence = self.sentence[parents]
        output = self._output(torch.from_numpy(tokens), torch.from_numpy(parents))
        if self.reader is not None:
            output = torch.cat([output, self._context(output)], -1)
        logits = self.predict(output).float().log_softmax(-1)
        made: Floats = logits.cpu().numpy()
        return made

    def _output(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """The layers' output [R,H]; a stream too large by less than a half goes on with some row twice."""
        assert self.stream is not None
        R, room = len(parents), self.stream.batch_size
        if room // 2 < R < room:
            parents, tokens = (torch.cat([rows, rows[:1].expand(room - R)]) for rows in (parents, tokens))
        self.stream.take(parents.to(self.stream.device))
        return self.stream(self.embed(tokens.to(self.stream.device)))[:R]

    def _context(self, output: Tensor) -> Tensor:
        """What each row [R,H] reads of its sentence's memory, [R,M]: rows of one sentence in one product."""
        assert self.reader is not None and self.memory is not None
        active, group, counts = np.unique(self.sentence, return_inverse=True, return_counts=True)
        if len(active) < len(self.active):
            self.memory = self.memory.of(torch.from_numpy(np.searchsorted(self.active, active)).to(output.device))
            self.active = active
        first = np.cumsum(counts) - counts
        place = group * counts.max() + np.arange(len(group)) - first[group]  # among as many rows for each sentence
        at = torch.from_numpy(place).to(output.device)
        asked = output.new_zeros(len(active) * int(counts.max()), output.shape[1])
        asked[at] = output
        context, weights = self.reader.read(asked.view(len(active), -1, output.shape[1]), self.memory)
        self.attention = weights.flatten(0, 1)[at].float().cpu().numpy()
        return context.flatten(0, 1)[at]
