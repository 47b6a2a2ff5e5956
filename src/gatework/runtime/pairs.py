"""A model of pairs without torch: sources to targets, and how good they are."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.decoding import ctc
from gatework.decoding.beam import NotFiniteError, beam_search
from gatework.network.steps import LENGTHS
from gatework.pairs.converter import Converter, Found, LossOf, Search
from gatework.pairs.data.encoded import Encoded, Whole
from gatework.pairs.description import TASK, Described, read
from gatework.pairs.network import CARRIED, LOG_P, MEMORY, START, TOKENS, decoder_network
from gatework.runtime.hypotheses import RowDecoder, carried, ran
from gatework.runtime.model import Model, check_shapes
from gatework.runtime.packed import Array
from gatework.runtime.session import Session
from gatework.runtime.steps import runner


class PairSession(Session, Converter):
    """A session of a model of pairs: `convert` turns sources into targets, `score` says how good these are.

    `run` is the encoder: of sources [S,B] and lengths the memory and where the decoder's states start; of a model that
    CTC aligns the log probabilities [S,B,V+1].

    Args:
        model, threads, weights: as of a Session.

    Raises:
        InputError: as a Session does, and for a model of another task.
    """

    def __init__(self, model: str | Path | Model, *, threads: int = 1, weights: str = "float32") -> None:
        super().__init__(model, threads=threads, weights=weights)
        self.model.check_task(TASK, "pairs")
        self.job: Described = read(self.model.path, self.model.about)
        self.blank = len(self.job.outputs)  # of CTC; else the symbol that begins and ends a target
        self._decoder = None
        if self.job.options.align == "attention":
            self._decoder = decoder_network(self.job.options, len(self.job.outputs))
            with self.model.intact():
                check_shapes(self._decoder, self.model.weights)
            own, steps = self.model.weights, self._decoder.steps
            self._decoding = [(step, runner(step, own, narrow=weights, threads=threads)) for step in steps]

    # -- sources to targets

    def find(self, source: npt.NDArray[Any], lengths: Whole, search: Search) -> Found:
        """The best hypotheses of each source of a batch: see `gatework.decoding`."""
        if self._decoder is None:
            scores, _ = self.run(source, lengths=lengths)
            self.check_answer(scores)
            return ctc.search(scores, self.blank, lengths, beams=search.beams, best=search.best)
        memory, states = self._encode(source, lengths)
        try:
            found = beam_search(
                RowDecoder(self._decoder, self._decoding, memory, lengths, states),
                end=self.blank,
                beams=search.beams,
                best=search.best,
                longest=search.bounds(lengths),
                length_normalisation=search.length_normalisation,
            )
        except NotFiniteError:
            self.check_answer(np.nan)
            raise
        return [[each.within(int(length)) for each in own] for own, length in zip(found, lengths, strict=True)]

    def _encode(self, source: npt.NDArray[Any], lengths: Whole) -> tuple[Array, dict[str, Array]]:
        """The memory [S,B,M], and where each state of the decoder starts [L,B,size]."""
        values, _ = self.run(source, lengths=lengths)
        named = dict(zip((port.name for port in self.network.outputs), values, strict=True))
        memory = named.pop(MEMORY)
        self.check_answer(memory)
        return memory, {name.removeprefix(START): value for name, value in named.items()}

    # -- how good a model knows targets

    def loss(self, encoded: Encoded, targets: Whole) -> LossOf:
        """Of each of these targets -log p in nats, and its symbols."""
        source, lengths = encoded.sources(encoded.source_of[targets])
        if self._decoder is None:
            scores, _ = self.run(source, lengths=lengths)
            each = encoded.targets(targets, None, -1)
            symbols = [column[column >= 0].tolist() for column in each.T]
            nats = -ctc.log_likelihoods(scores, symbols, self.blank, lengths).astype(np.float64)
            return nats, np.array(list(map(len, symbols)), np.int64)
        memory, states = self._encode(source, lengths)
        wanted = encoded.targets(targets, self.blank, -1)  # [T,B]
        begin = np.full((1, wanted.shape[1]), self.blank, wanted.dtype)
        tokens = np.maximum(np.concatenate([begin, wanted[:-1]]), 0).astype(np.int64)
        real, log_p = wanted >= 0, self._predicted(tokens, memory, lengths, states)
        chosen = np.take_along_axis(log_p, np.maximum(wanted, 0)[..., None], -1)[..., 0]
        return -(chosen * real).sum(0, dtype=np.float64), real.sum(0)

    def _predicted(self, tokens: Whole, memory: Array, lengths: Whole, states: dict[str, Array]) -> Array:
        """log p [T,B,V_t+1] of the symbol after each of tokens [T,B]."""
        assert self._decoder is not None
        values: dict[str, Any] = {MEMORY: memory, LENGTHS: lengths} | carried(self._decoder, memory)
        at_once = self._decoder.inputs[0].shape[0] != 1
        made: list[Array] = []
        for piece in [tokens] if at_once else np.split(tokens, len(tokens)):
            after, states = ran(self._decoding, values | {TOKENS: piece}, states)
            values |= {name: after[CARRIED[name]] for name in CARRIED if name in values}
            made.append(after[LOG_P])
        return np.concatenate(made)
