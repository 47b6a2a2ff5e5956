"""The decoder of a beam search without torch: rows of hypotheses, each with its state and its sentence's memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.network import Network
from gatework.network.steps import LENGTHS, READ, Step
from gatework.pairs.network import CARRIED, CONTEXT, LOG_P, MEMORY, SHARES, TOKENS
from gatework.runtime.packed import Array
from gatework.runtime.steps import Call, Run

Ids = npt.NDArray[np.int64]

BATCH = {CONTEXT: 1, READ: 0}  # the axis of what is carried that has the rows


def ran(
    steps: Sequence[tuple[Step, Run]], values: Mapping[str, Any], before: Mapping[str, Array]
) -> tuple[Mapping[str, Any], dict[str, Array]]:
    """The arrays of a decoder's network by name, and its states after the last step."""
    after = {name: np.empty_like(value) for name, value in before.items()}
    call = Call(dict(values), before, after)
    with np.errstate(all="ignore"):
        for step, run in steps:
            call.values[step.y] = run(call)
    return call.values, after


def carried(network: Network, memory: Array) -> dict[str, Array]:
    """What the first step reads of those before it: zeros, for a memory [S,B,M]."""
    sizes = dict(zip("SB", memory.shape, strict=False))
    shapes = {port.name: port.shape for port in network.inputs if port.name in CARRIED}
    return {name: np.zeros([sizes.get(str(n), n) for n in shape], np.float32) for name, shape in shapes.items()}


class RowDecoder:
    """Predicts the next symbols of hypotheses: see gatework.decoding.beam.Decoder.

    steps: of the decoder's network. memory [S,B,M], lengths [B] and states [L,B,size]: of B sentences, as the encoder
    gives them.
    """

    def __init__(
        self,
        network: Network,
        steps: Sequence[tuple[Step, Run]],
        memory: Array,
        lengths: Ids,
        states: Mapping[str, Array],
    ) -> None:
        self.network, self.steps, self.states = network, steps, dict(states)
        self.memory, self.lengths, self.sentences = memory, lengths, len(lengths)
        self.sentence = self.read = np.arange(self.sentences)  # of each row, and those whose memory lies ready
        self.ready = memory, lengths
        self.carried = carried(network, memory)
        self.attention: Array | None = None

    def step(self, tokens: Ids, parents: Ids) -> Array:
        """Log probabilities [R,V_t+1] after tokens [R] of rows that go on from the rows `parents` of before."""
        self.sentence = self.sentence[parents]
        R, room = len(parents), self._room(len(parents))
        rows = np.minimum(np.arange(room), R - 1)  # some row more than once
        before = {name: np.ascontiguousarray(value[:, parents[rows]]) for name, value in self.states.items()}
        further = {name: value.take(parents[rows], BATCH[name]) for name, value in self.carried.items()}
        memory, lengths = self._memory(self.sentence[rows])
        values = {TOKENS: tokens[rows][None], MEMORY: memory, LENGTHS: lengths} | further
        made, self.states = ran(self.steps, values, before)
        self.carried = {name: made[CARRIED[name]] for name in self.carried}
        if SHARES in made:
            self.attention = made[SHARES][0, :R]
        log_p: Array = made[LOG_P][0, :R]
        return log_p

    def _room(self, rows: int) -> int:
        """For how many rows the core is asked: as before, unless fewer than half are left."""
        before = next(iter(self.states.values())).shape[1]
        return before if before // 2 < rows <= before else rows

    def _memory(self, sentence: Ids) -> tuple[Array, Ids]:
        """The memory [S,R,M] and the lengths [R] of rows of these sentences, kept while they are the same."""
        if not np.array_equal(sentence, self.read):
            self.read, self.ready = sentence, (self.memory[:, sentence], self.lengths[sentence])
        return self.ready
