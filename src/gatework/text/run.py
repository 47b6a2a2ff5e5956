"""A language run on disk, and models of its shape."""

from dataclasses import dataclass, replace

import torch

from gatework.cells import Cell
from gatework.runs.weights import trained
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.description import Described
from gatework.text.model import LanguageModel, check_model
from gatework.text.options import Shape


def language_model(cell: Cell, vocabulary: Vocabulary, shape: Shape) -> LanguageModel:
    """A model for texts of this vocabulary, its weights drawn from torch's generator."""
    return LanguageModel(cell, len(vocabulary), shape, len(vocabulary.conditions))


@dataclass(frozen=True)
class Run(Described):
    """A language run, opened, which makes models."""

    def check(self) -> None:
        check_model(self.cell, len(self.vocabulary), self.shape, len(self.vocabulary.conditions))

    def untrained(self, engine: str | None = None) -> LanguageModel:
        """A model of the run's shape with fresh weights, with its engine or another one."""
        torch.manual_seed(self.settings.seed)
        shape = self.shape if engine is None else replace(self.shape, engine=engine)
        return language_model(self.cell, self.vocabulary, shape)

    def model(self, *, device: str = "cpu") -> LanguageModel:
        """The trained model, in evaluation mode: the best weights, or the last where none were evaluated."""
        return trained(self.untrained, self.path, device)
