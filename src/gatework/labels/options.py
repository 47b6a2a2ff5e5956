"""How a model of labelled sequences is built and trained: every option, checked."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from gatework.cells import Cell, cells, find_cell
from gatework.errors import InputError
from gatework.options import Switch, check, option
from gatework.runs.arguments import MOST_LAYERS, check_named, plain, real
from gatework.runs.folder import cell_from_json, cell_to_json
from gatework.training.settings import IN_HALF, Precision, Settings

Level = Literal["char", "word"]
Kind = Literal["class", "number", "tag", "set"]

UPDATES = 1500  # about as many updates of the weights as are made where nothing else is said,
EPOCHS = (5, 100)  # in at least and at most so many passes
RISING = 0.3  # share of the updates in which the rate rises (one cycle, Smith & Topin 2018)
LOOKS = 20  # validations in all
SUMMARIES = ("last", "mean", "max", "attention")
AUGMENTATIONS = ("jitter", "warp", "crop")


@dataclass(frozen=True)
class Options:
    """Every field is a JSON value, but for a cell that is a gw.Cell.

    cell, hidden, layers: the recurrent layers, with H units each; bidirectional: read from both ends.
    summary: what of their output the label is predicted from, "last" (each direction's last), "mean", "max",
        "attention" (a mean whose weights are learnt), or several, "last+max"; tags are predicted from every step.
    front: whether convolutions of stride 2 shorten long sequences first; branch: "fcn", convolutions beside the layers
        (LSTM-FCN); members: networks averaged; augment: "jitter", "warp", "crop", or several, how training sequences
        are changed at random. What is "auto", or None members, the data choose: see plan_of.
    embedding: units that stand for a token of a text; level: its tokens, "char" or "word"; vocabulary: how many are
        known at most. dropout: of embeddings, between layers and before the output.
    recurrent: further arguments of gw.Recurrent by name.
    epochs, steps, minutes: the end of training; without any, epochs that make about 1500 updates.
    learning_rate: the highest; it rises for 30 % of the updates, then falls to 0 (one cycle).
    validation: share of the sequences that the best weights are chosen on, 0 for none: then all are learnt from, and
        the last weights count (as where it would be fewer than 10 sequences); patience: stop after so many of 20
        validations without a better one.
    class_weight: how much each label counts in the loss: "balanced", all labels alike however rare; numbers by label,
        1 for those left out; None for every sequence alike.
    precision: "float32", or "bfloat16" for autocast; weights and optimiser stay float32.
    random_state: seed of weights, dropout, order and validation part.
    """

    level: Level = option("char", "What a token of a text is.")
    vocabulary: int | None = option(None, "Tokens to know at most.  [default: 10000]", least=2)
    cell: str | Cell = "lstm"
    hidden: int = option(64, "Units of each recurrent layer, H.", least=1)
    layers: int = option(1, "Recurrent layers, L.", least=1, most=MOST_LAYERS)
    bidirectional: bool = option(
        True, switches=(Switch("one-way", False, "Read from the start only, not from both ends."),)
    )
    summary: str = option(
        "auto", "What one label is predicted from: last, mean, max, attention, or several: last+max.", metavar="NAME"
    )
    front: Literal["auto", "none"] = option("auto", "Convolutions of stride 2 shorten long sequences first.")
    branch: Literal["auto", "none", "fcn"] = option("auto", "Convolutions beside the layers; fcn: LSTM-FCN.")
    members: int | None = option(None, "Networks whose answers are averaged.  [default: 1 to 5]", least=1, most=100)
    augment: str = option(
        "none", "How training sequences are changed at random: none, jitter, warp, crop, or several.", metavar="NAME"
    )
    embedding: int = option(32, "Units that stand for a token of a text.", least=1)
    dropout: float = option(0.2, "Dropout of embeddings, between layers and before the output.", most=1)
    recurrent: Mapping[str, Any] | None = None
    engine: str = option("auto", "What executes the cell.")
    epochs: int | None = option(None, "Passes over the sequences.  [default: about 1500 updates, 5 to 100 passes]")
    steps: int | None = option(None, "Updates of the weights in all.")
    minutes: float | None = option(None, "Time to train, with --resume from now on.")
    batch_size: int = option(32, "Sequences of an update.", least=1, name="batch")
    learning_rate: float = option(5e-3, "The highest; it rises, then falls to 0.")
    weight_decay: float = option(0.01, "Of matrices; biases never decay.")
    validation: float = 0.0
    patience: int | None = option(None, "Stop after so many of 20 validations without a better one.")
    class_weight: str | Mapping[Any, float] | None = option(
        None, switches=(Switch("balanced", "balanced", "In the loss each label counts alike, however rare."),)
    )
    precision: Precision = option("float32", IN_HALF)
    random_state: int = option(0, "Of weights, dropout, order and parts.", name="seed")

    def __post_init__(self) -> None:
        find_cell(self.cell)
        validation = real(self.validation)
        if validation is None or not 0 <= validation < 1:
            raise InputError(f"validation is {self.validation!r}; expected a share of the sequences, 0 to below 1")
        if self.summary != "auto":
            check_joined("summary", self.summary, SUMMARIES)
        if self.augment != "none":
            check_joined("augment", self.augment, AUGMENTATIONS)
        check_named(self.recurrent)
        self._check_class_weight()
        self.settings(1)
        check(self)

    def _check_class_weight(self) -> None:
        chosen = self.class_weight
        numbers = (
            list(chosen.values()) if isinstance(chosen, Mapping) else [] if chosen in (None, "balanced") else [None]
        )
        if any((number := real(n)) is None or number <= 0 for n in numbers):
            raise InputError(
                f"class_weight is {chosen!r}; expected 'balanced', numbers above 0 by label, {{'rare': 5}}, or None"
            )

    @property
    def ends(self) -> dict[str, Any]:
        """What ends the training, where something is named."""
        named = {name: getattr(self, name) for name in ("epochs", "steps", "minutes")}
        return {name: end for name, end in named.items() if end is not None}

    def settings(self, batches: int, epochs: int | None = None) -> Settings:
        """How to train on so many batches an epoch; epochs: where the options name no end."""
        usual = epochs or min(max(math.ceil(UPDATES / batches), EPOCHS[0]), EPOCHS[1])
        ends = self.ends or {"epochs": usual}
        total = Settings(**ends).total(batches)
        return Settings(
            **ends,
            learning_rate=self.learning_rate,
            optimizer="adamw",
            weight_decay=self.weight_decay,
            warmup=100 if total is None else round(RISING * total),
            final=0.0,
            evaluate_every=None if total is None else max(1, min(batches, total), total // LOOKS),
            patience=self.patience,
            seed=self.random_state,
            precision=self.precision,
        )

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if isinstance(self.class_weight, Mapping):  # JSON has no names but texts
            values["class_weight"] = [[plain(label), plain(weight)] for label, weight in self.class_weight.items()]
        return values | {"cell": cell_to_json(find_cell(self.cell))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; a cell of the registry comes by name."""
        cell, weight = cell_from_json(values["cell"]), values.get("class_weight")
        known = {"cell": cell.name if cells.get(cell.name) == cell else cell}
        return cls(**{**values, **known, "class_weight": dict(weight) if isinstance(weight, list) else weight})


def check_joined(name: str, value: object, choices: Collection[str]) -> None:
    """Raises InputError unless a value is one of the choices, or several of them, each once, joined by +."""
    chosen = value.split("+") if isinstance(value, str) else [""]
    if not set(chosen) <= set(choices) or len(set(chosen)) < len(chosen):
        *most, last = choices
        raise InputError(
            f"{name} is {value!r}; expected {', '.join(most)} or {last}, or several of them, such as {most[0]}+{last}"
        )
