"""A language model without torch: it writes, and says how well it knows a text."""

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.network.steps import LENGTHS, Linear
from gatework.runs.parts import IGNORED
from gatework.runtime.model import Model
from gatework.runtime.session import Session, States
from gatework.text.data.streams import ScoringBlocks
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.description import TASK
from gatework.text.network import LOG_P, TOKENS
from gatework.text.options import Draw
from gatework.text.pieces import Pieces
from gatework.text.score import SCORING_STEPS, Progress, Score, Surprise, listed, total
from gatework.text.writing import Ids, Numbers, write


class TextSession(Session):
    """A session of a language model: tokens in, log p of the next token out; and text, by its vocabulary.

    Its methods are those of the TextModel that gw.load gives, and give the same figures to 1e-5; one seed writes the
    same text with either.

    Args:
        model, threads, weights: as of a Session.

    Raises:
        InputError: as a Session does, and for a model of another task.
    """

    def __init__(self, model: str | Path | Model, *, threads: int = 1, weights: str = "float32") -> None:
        super().__init__(model, threads=threads, weights=weights)
        self.model.check_task(TASK, "text")
        self.vocabulary = Vocabulary.from_json(self.model.about.get("vocabulary"), str(self.model.path))

    def sample(self, prompt: str = "", length: int = 500, **options: Any) -> str:
        """Writes a text after the prompt: `stream` in one piece.

        Args:
            prompt: what it begins after.
            length: tokens of it, or fewer where the document ends.
            options: further arguments of `stream`.

        Returns:
            The text without the prompt.

        Raises:
            InputError: as in `stream`.
        """
        return "".join(self.stream(prompt, length, **options))

    def stream(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        condition: str | None = None,
        draw: Draw = Draw(),
        seed: int | None = None,
    ) -> Iterator[str]:
        """Writes a text piece by piece.

        Args:
            prompt: what it begins after.
            length: tokens of it, or fewer where the document ends.
            condition: of the text, for a model that writes on one.
            draw: how a token is drawn; by default from the model's own probabilities.
            seed: one seed writes one text.

        Returns:
            An iterator of pieces of text, each as soon as it is drawn.

        Raises:
            InputError: a length or seed below 0, a prompt that is not text, a condition that the model does not know or
                lacks, and weights that overflow.
        """
        return write(self.predict, self.vocabulary, prompt, length, condition=condition, draw=draw, seed=seed)

    def predict(self, ids: Ids, state: States | None) -> tuple[Numbers, States]:
        """Reads some tokens of one text.

        Args:
            ids: [T]; the first may begin a document.
            state: from which it goes on; None for the start.

        Returns:
            log p [V] of the token that comes next, and the states by name.

        Raises:
            InputError: ids or a state that do not fit the network, and weights that overflow.
        """
        end = self.vocabulary.end
        if end is not None and ids[0] > end:
            state, ids = self._begun(ids[:1] - (end + 1), state), np.concatenate([[end], ids[1:]])
        log_p, state = self.run(ids[:, None], state)
        last = log_p[-1, 0].astype(np.float64)
        self.check_answer(last.max())
        return last, state

    def _begun(self, condition: Ids, carried: States | None) -> States:
        """The states before rows that begin a document of condition [S], or go on with one where that is below 0.

        carried: those that go on; None for the start. See `gatework.text.conditions.Starts`.
        """
        states, begins = self.start(len(condition)), (condition >= 0)[:, None]
        for name, values in states.items():
            table = self.model.weights.get(f"starts.initial_{name}")  # [K,L,H]; none where it starts at infinity
            if table is not None:
                np.add(values, table[condition.clip(min=0)].swapaxes(0, 1), out=values, where=begins)
            if carried is not None:
                np.copyto(values, carried[name], where=~begins)
        return states

    # -- reading

    def score(self, text: str, *, condition: str | None = None, streams: int = 1) -> Score:
        """Measures how well it knows a text.

        Args:
            text: what is read.
            condition: of a model of documents, what the text is written on.
            streams: a long text is read faster as several, each starting without a past.

        Returns:
            A Score: `.bits_per_character`, `.bits_per_token`, `.perplexity`, `.unknown`.

        Raises:
            InputError: a text of fewer than 2 tokens, a condition that the model does not know, and weights that
                overflow.
        """
        return self.score_tokens(self.vocabulary.document(text, condition), streams)

    def score_tokens(
        self, tokens: npt.NDArray[Any], streams: int = 1, *, name: str = "the text", progress: Progress | None = None
    ) -> Score:
        """The same of tokens [n] cut into so many streams, each of which starts without a past; no document is cut."""
        return total(self._surprises(self._blocks(tokens, streams, name)), self.vocabulary, tokens, progress)

    def each(self, tokens: npt.NDArray[Any], *, name: str = "the text") -> Iterator[tuple[str, float]]:
        """Reads tokens one after the other.

        Args:
            tokens: [n], ids of the vocabulary.
            name: what messages call them.

        Returns:
            An iterator of every token but the first as text, with its surprise in bits.

        Raises:
            InputError: fewer than 2 tokens, and weights that overflow.
        """
        return listed(self._surprises(self._blocks(tokens, 1, name)), self.vocabulary)

    def _blocks(self, tokens: npt.NDArray[Any], streams: int, name: str) -> ScoringBlocks:
        unit, end = self.vocabulary.unit, self.vocabulary.end
        return ScoringBlocks(tokens, streams, SCORING_STEPS, name=name, unit=unit, end=end)

    def _surprises(self, blocks: Iterable[tuple[Ids, Ids, Ids]]) -> Generator[Surprise]:
        """-log p [T,B] in nats of the targets [T,B], 0 where a stream has ended."""
        state: States | None = None
        for inputs, targets, lengths in blocks:
            log_p, state = self._read(inputs, lengths, state)
            real = targets != IGNORED
            chosen = np.take_along_axis(log_p, np.where(real, targets, 0)[..., None], -1)[..., 0]
            lost = np.where(real, -chosen, np.float32(0))
            self.check_answer(lost)
            yield lost, targets

    def _read(self, inputs: Ids, lengths: Ids, state: States | None) -> tuple[Numbers, States]:
        """log p [T,B,V] of the tokens after inputs [T,B], and the state of the streams."""
        end = self.vocabulary.end
        if end is None:
            return self._run({TOKENS: inputs, LENGTHS: lengths}, state)
        pieces = Pieces.of(inputs - (end + 1), lengths)
        carried = None if state is None else {name: part[:, pieces.stream] for name, part in state.items()}
        begun = self._begun(pieces.condition, carried)
        call = self._call({TOKENS: pieces.cut(np.minimum(inputs, end)), LENGTHS: pieces.length}, begun)
        output, x = next((place, s.x) for place, s in enumerate(self.network.steps) if isinstance(s, Linear))
        self._through(call, self._steps[:output])
        call.values[x] = pieces.join(call.values[x])  # what fills up short pieces has no probabilities
        self._through(call, self._steps[output:])
        return call.values[LOG_P], {name: part[:, pieces.last] for name, part in call.after.items()}
