"""A trained language model in Python: it writes, and says how well it knows a text."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gatework.runs.overflow import check_answer
from gatework.text import sampling, scoring
from gatework.text.adaptation import adaptive
from gatework.text.data.vocabulary import Ids, Vocabulary
from gatework.text.model import LanguageModel
from gatework.text.options import Draw
from gatework.text.run import Run
from gatework.text.score import SCORING_STEPS, Progress, Score


class TextModel:
    """The trained model of a run of text, with its best weights: what `gw.load` gives for such a run.

    run: with settings, cell and vocabulary. device: where it is executed. network: the module,
    `logits(tokens [T,B]) -> ([T,B,V], state)`.
    Every method reads its text from a state without a past; characters or words that the vocabulary has not are read
    as "<unk>". condition: of a model trained on documents, what the text is written on.
    """

    def __init__(self, run: Run, device: str = "cpu") -> None:
        self.run = run
        self.network: LanguageModel = run.model(device=device)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> "TextModel":
        """Reads a run folder; nothing in it is executed. Raises InputError, naming the file, where it is damaged."""
        return cls(Run.open(Path(folder)), device)

    @property
    def vocabulary(self) -> Vocabulary:
        """The V tokens, and text to ids and back."""
        return self.run.vocabulary

    def sample(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        condition: str | None = None,
        temperature: float = Draw.temperature,
        top_k: int | None = Draw.top_k,
        top_p: float | None = Draw.top_p,
        min_p: float = Draw.min_p,
        repetition: float = Draw.repetition,
        seed: int | None = None,
    ) -> str:
        """Writes a text after the prompt.

        Args:
            prompt: what it begins after.
            length: tokens of it, or fewer where the document ends.
            condition: of the text, for a model that writes on one.
            temperature, top_k, top_p, min_p, repetition: as in `gatework.text.options.Draw`; 1, None, None, 0 and 1
                draw from the model's own probabilities.
            seed: one seed writes one text.

        Returns:
            The text without the prompt.

        Raises:
            InputError: options out of their range, a condition that the model does not know or lacks, and weights that
                overflow.
        """
        pieces = self.stream(
            prompt,
            length,
            condition=condition,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition=repetition,
            seed=seed,
        )
        return "".join(pieces)

    def stream(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        condition: str | None = None,
        temperature: float = Draw.temperature,
        top_k: int | None = Draw.top_k,
        top_p: float | None = Draw.top_p,
        min_p: float = Draw.min_p,
        repetition: float = Draw.repetition,
        seed: int | None = None,
    ) -> Iterator[str]:
        """Writes a text piece by piece.

        Args:
            prompt, length, condition, temperature, top_k, top_p, min_p, repetition, seed: as in `sample`.

        Returns:
            An iterator of pieces of text, each as soon as it is drawn.

        Raises:
            InputError: as in `sample`.
        """
        draw = Draw(temperature, top_k, top_p, min_p, repetition)
        return sampling.sample(self.network, self.vocabulary, prompt, length, condition=condition, draw=draw, seed=seed)

    def score(self, text: str, *, condition: str | None = None, streams: int = 1, adapt: bool = False) -> Score:
        """Measures how well it knows a text, whose first token is given.

        Args:
            text: what is read.
            condition: of the text, for a model that writes on one.
            streams: a long text is read faster as several, each starting without a past.
            adapt: it learns from each piece of the text once that is scored (`gatework.text.adaptation`), at a rate
                that suits the run's validation text; afterwards it is what it was.

        Returns:
            A Score: `.bits_per_character`, `.bits_per_token`, `.perplexity`, `.unknown`.

        Raises:
            InputError: a text of fewer than 2 tokens, a condition that the model does not know, and weights that
                overflow.
        """
        read = adaptive(self.network, self.run.corpus()) if adapt else scoring.AS_IT_IS
        return scoring.score(
            self.network, self.vocabulary, self.vocabulary.document(text, condition), streams, read=read
        )

    def surprises(self, text: str, *, condition: str | None = None) -> list[tuple[str, float]]:
        """Reads a text token by token.

        Args:
            text: what is read.
            condition: of the text, for a model that writes on one.

        Returns:
            Every token but the first as text, with its surprise, -log2 p, in bits.

        Raises:
            InputError: as in `score`.
        """
        return list(scoring.each(self.network, self.vocabulary, self.vocabulary.document(text, condition)))

    def log_probabilities(self, text: str, *, condition: str | None = None) -> npt.NDArray[np.float32]:
        """Reads a text and says at each token what may come next.

        Args:
            text: what is read, n tokens.
            condition: of the text, for a model that writes on one.

        Returns:
            log p [n,V] of every token of the vocabulary after each of the n tokens, in nats. Of a model trained on
            documents there is a column more, the end of the document, and with a condition a row more, before the first
            token.

        Raises:
            InputError: a condition that the model does not know, and weights that overflow.
        """
        ids = torch.from_numpy(self.vocabulary.document(text, condition).astype(np.int64))[:, None]  # [T,1]
        device, state, rows = next(self.network.parameters()).device, None, []
        with torch.inference_mode():
            for part in torch.split(ids, SCORING_STEPS) if len(ids) else ():
                logits, state = self.network.logits(part.to(device), state)
                check_answer(logits, self.network)
                rows.append(logits[:, 0].float().log_softmax(-1).cpu())
        return torch.cat(rows).numpy() if rows else np.empty((0, self.network.vocabulary_size), np.float32)

    def __repr__(self) -> str:
        return (
            f"TextModel({str(self.run.path)!r}: {self.network.recurrent.extra_repr()}; "
            f"vocabulary {len(self.vocabulary):,}, {self.vocabulary.level} level)"
        )


@dataclass(frozen=True)
class TorchReader:
    """A model of torch as what reads tokens [n]; read: how, see `gatework.text.scoring.Reader`."""

    network: LanguageModel
    vocabulary: Vocabulary
    read: scoring.Reader = scoring.AS_IT_IS

    def score_tokens(
        self, tokens: Ids, streams: int = 1, *, name: str = "the text", progress: Progress | None = None
    ) -> Score:
        """How well it knows tokens cut into so many streams: see `gatework.text.scoring.score`."""
        return scoring.score(
            self.network, self.vocabulary, tokens, streams, name=name, progress=progress, read=self.read
        )

    def each(self, tokens: Ids, *, name: str = "the text") -> Iterator[tuple[str, float]]:
        """Every token but the first with its surprise in bits."""
        return scoring.each(self.network, self.vocabulary, tokens, name=name, read=self.read)
