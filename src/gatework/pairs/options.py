"""How a model of pairs is built, trained and searched: every option, checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from gatework.cells import Cell, cells, find_cell
from gatework.decoding.hypothesis import MOST_BEAMS
from gatework.errors import InputError
from gatework.options import Switch, check, option
from gatework.pairs.data.examples import Levels
from gatework.pairs.data.symbols import Level
from gatework.runs.arguments import MOST_LAYERS, check_named
from gatework.runs.folder import cell_from_json, cell_to_json
from gatework.runs.parts import Splits
from gatework.training.settings import IN_HALF, Precision, Settings

Align = Literal["attention", "ctc"]
Criterion = Literal["symbols", "words"]

DECODING = ("attention", "heads", "window", "coverage", "input_feeding", "tied", "scheduled_sampling")
SPLITS: Splits = (0.9, 0.05, 0.05)
OPEN = ("hidden", "layers", "batch", "learning_rate")  # what the data and the time settle where it is not named
UPDATES = 2000  # about as many updates of the weights as are made where no end is named,
EPOCHS = (5, 100)  # in at least and at most so many passes
LOOKS = 20  # validations at most where the updates are known
BETWEEN = (50, 250)  # updates at least and at most from one validation to the next, where an epoch has fewer or more


@dataclass(frozen=True)
class Options:
    """Every field is a JSON value, but for a cell that is a gw.Cell.

    align: "attention" for gw.EncoderDecoder, "ctc" for recurrent layers whose steps are aligned with the target by
        connectionist temporal classification. source_level, target_level: what a symbol is.
    cell, hidden, layers: of encoder and decoder, H units a layer; bidirectional: the encoder reads from both ends,
        with H/2 units each way; embedding: units that stand for a symbol. attention: how a step of the decoder and
        one of the memory are compared, or "none": all that the decoder knows is its first state; heads, window,
        coverage, input_feeding, tied: as in gw.EncoderDecoder. What is None of hidden, layers, batch and
        learning_rate follows the data and the time: see `gatework.pairs.sizes.fitted`.
    recurrent: further arguments of gw.Recurrent by name.
    dropout, label_smoothing, scheduled_sampling: as in gw.EncoderDecoder.
    epochs, steps, minutes: the end of training; without any, passes that make about 2,000 updates.
    batch: symbols of an update, about. learning_rate: the highest; it falls to 0. weight_decay: of AdamW.
    criterion: what the best weights have least of, and patience counts: target "symbols" that are wrong, or whole
        targets, "words". patience: stop after so many validations without a better one.
    beams: hypotheses that the search follows; length_normalisation: the power of the length by which their log
        probability is divided.
    precision: "float32", or "bfloat16" for autocast; weights and optimiser stay float32.
    random_state: seed of weights, dropout, order and parts.
    """

    align: Align = option("attention", "How target and source come together: attention, or monotonous, by CTC.")
    source_level: Level = option("char", "What a symbol of a source is; symbol: what stands between spaces.")
    target_level: Level = option("char", "What a symbol of a target is.")
    cell: str | Cell = "lstm"
    hidden: int | None = option(None, "Units of each recurrent layer, H.  [default: follows data and time]", least=1)
    layers: int | None = option(
        None, "Recurrent layers of encoder and decoder, L.  [default: follows data and time]", least=1, most=MOST_LAYERS
    )
    bidirectional: bool = option(
        True, switches=(Switch("one-way", False, "Read sources from the start only, not from both ends."),)
    )
    embedding: int | None = option(None, "Units that stand for a symbol.  [default: half of --hidden]", least=1)
    attention: Literal["general", "dot", "additive", "none"] = option(
        "general", "How decoder and memory are compared; none: the decoder has its first state alone."
    )
    heads: int = option(1, "Heads of the attention.", least=1)
    window: int | None = option(None, "Source steps on either side that the attention reaches.", least=1)
    coverage: bool = option(False, "Let the attention know what it has looked at.")
    input_feeding: bool = option(False, "Attend before each step of the decoder (slower), not after all.")
    tied: bool = option(False, "Use the target's embedding for the output too.")
    dropout: float = option(0.2, "Dropout of embeddings, between layers and before the output.", most=1)
    label_smoothing: float = option(0.1, "Share of each target that is spread over all symbols.", most=1)
    scheduled_sampling: float = option(0.0, "How often the decoder reads its own symbol in training.", most=1)
    recurrent: Mapping[str, Any] | None = None
    engine: str = option("auto", "What executes the cell.")
    epochs: int | None = option(None, "Passes over the pairs.  [default: about 2000 updates, 5 to 100 passes]", least=1)
    steps: int | None = option(None, "Updates of the weights in all.", least=1)
    minutes: float | None = option(None, "Time to train, with --resume from now on.", above=0)
    batch: int | None = option(None, "Symbols of an update, about.  [default: follows data and time]", least=1)
    learning_rate: float | None = option(None, "The highest; it falls to 0.  [default: follows data and time]", above=0)
    weight_decay: float = option(0.01, "Of matrices; biases never decay.")
    criterion: Criterion = option("symbols", "The errors that the best weights have least of: symbols, or words.")
    patience: int | None = option(None, "Stop after so many validations without a better one.", least=1)
    beams: int = option(
        5, "Hypotheses that the search follows; 1 takes the likeliest symbol.", least=1, most=MOST_BEAMS
    )
    length_normalisation: float = option(1.0, "Power of the length that divides log probabilities in the search.")
    precision: Precision = option("float32", IN_HALF)
    random_state: int = option(0, "Of weights, dropout, order and parts.", name="seed")

    def __post_init__(self) -> None:
        find_cell(self.cell)
        check_named(self.recurrent)
        check(self)
        if self.align == "ctc":
            for field in fields(self):
                if field.name in DECODING and (value := getattr(self, field.name)) != field.default:
                    raise InputError(f"{field.name} is {value!r}, of a decoder, and CTC has none; leave it out")

    @property
    def levels(self) -> Levels:
        """What a symbol is."""
        return Levels(self.source_level, self.target_level)

    @property
    def left_open(self) -> list[str]:
        """The sizes that the data and the time are to settle."""
        return [name for name in OPEN if getattr(self, name) is None]

    @property
    def ends(self) -> dict[str, Any]:
        """What ends the training, where something is named."""
        named = {name: getattr(self, name) for name in ("epochs", "steps", "minutes")}
        return {name: end for name, end in named.items() if end is not None}

    def settings(self, batches: int) -> Settings:
        """How to train on so many batches an epoch, once no size is open."""
        assert self.learning_rate is not None
        usual = min(max(math.ceil(UPDATES / batches), EPOCHS[0]), EPOCHS[1])
        ends = self.ends or {"epochs": usual}
        total, least, most = Settings(**ends).total(batches), *BETWEEN
        every = min(max(batches, least), most)
        return Settings(
            **ends,
            learning_rate=self.learning_rate,
            optimizer="adamw",
            weight_decay=self.weight_decay,
            warmup=100 if total is None else min(100, total // 10),
            final=0.0,
            evaluate_every=every if total is None else max(1, min(every, total), total // LOOKS),
            patience=self.patience,
            seed=self.random_state,
            precision=self.precision,
        )

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"cell": cell_to_json(find_cell(self.cell))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; a cell of the registry comes by name."""
        cell = cell_from_json(values["cell"])
        return cls(**{**values, "cell": cell.name if cells.get(cell.name) == cell else cell})
