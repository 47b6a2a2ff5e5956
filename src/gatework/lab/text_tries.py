"""What is tried in the study of texts: sizes, rates, starts and cells, each for a text and a time."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from gatework.lab.awd_lstm import Script


@dataclass(frozen=True)
class Try:
    """A text, the seconds of a processor, and the sizes that are tried with them.

    updates: so many instead, where seconds are 0. final: the share of the learning rate that is left at the last step.
    model: "gatework", or one of `SCRIPTS`, the rival. softmax, init ("" for the cell's own): as in
        `gatework.text.options.Shape`; clip, weight_decay: as in `gatework.training.settings.Settings`.
    """

    text: str
    seconds: float
    updates: int = 0
    streams: int = 32
    bptt: int = 64
    hidden: int = 256
    layers: int = 1
    learning_rate: float = 4e-3
    final: float = 0.1
    cell: str = "lstm"
    dropout: float = 0.0
    projection: int = 0
    embedding: int = 64
    tied: bool = False
    softmax: str = "full"
    init: str = ""
    clip: float = 1.0
    weight_decay: float = 0.01
    model: str = "gatework"

    @property
    def sizes(self) -> "Try":
        """The same for no text and no time."""
        return replace(self, text="", seconds=0.0, updates=0)


USUAL = Try("", 0)
NAMES = [field.name for field in fields(Try) if field.name not in ("text", "seconds", "updates")]
ALWAYS = ("streams", "bptt", "hidden", "layers", "learning_rate", "cell")  # columns; others where something varies
CENTRE = replace(USUAL, streams=8)
VARIED = [
    USUAL,
    replace(USUAL, streams=16),
    CENTRE,
    replace(USUAL, streams=4),
    replace(CENTRE, bptt=128),
    replace(CENTRE, hidden=128),
    replace(CENTRE, hidden=512),
    replace(CENTRE, layers=2),
    replace(CENTRE, learning_rate=8e-3),
]
STREAMED = [USUAL, replace(USUAL, streams=16), CENTRE, replace(CENTRE, learning_rate=8e-3)]
MOGRIFIER = """
x_1 = 2 * sigmoid(Q @ h) * x
h_1 = 2 * sigmoid(R @ x_1) * h
i = sigmoid(W_i @ x_1 + U_i @ h_1 + b_i)
f = sigmoid(W_f @ x_1 + U_f @ h_1 + b_f)
g = tanh(W_g @ x_1 + U_g @ h_1 + b_g)
o = sigmoid(W_o @ x_1 + U_o @ h_1 + b_o)
c = f * c + i * g
h = o * tanh(c)
"""  # Melis, Kocisky & Blunsom 2020, two rounds
CELLS = {
    "gru": "gru",
    "layer_norm_lstm": "layer_norm_lstm",
    "multiplicative_lstm": "multiplicative_lstm",
    "mogrifier": MOGRIFIER,
}
SCRIPTS = {
    "awd-lstm": Script(),
    "awd-lstm, no dropout, cosine": Script(strength=0.0, stepped=False),
    "awd-lstm, a quarter of its dropout, cosine": Script(strength=0.25, stepped=False),
}
FALLING = replace(USUAL, streams=24, learning_rate=12e-3, final=0.0)
SLOWER = replace(FALLING, learning_rate=4e-3)
RIVAL = replace(USUAL, streams=24, model="awd-lstm, no dropout, cosine")
RIVAL_DROPPED = replace(RIVAL, model="awd-lstm, a quarter of its dropout, cosine")
DROPPED = replace(FALLING, dropout=0.1)
TIED = replace(FALLING, embedding=256, tied=True)
BEGINS: dict[str, Any] = {"init": "torch", "clip": 0.25}  # as an AWD-LSTM does
EASED = replace(FALLING, **BEGINS)
SLOWER_EASED = replace(SLOWER, **BEGINS)
BEGUN = replace(SLOWER_EASED, embedding=256, tied=True)  # as the rival is
WORDS = [USUAL, replace(USUAL, embedding=256, tied=True), replace(USUAL, softmax="adaptive")]


def tries() -> list[Try]:
    """All that is tried, shortest first."""
    return [*_after_as_many_updates(), *_at_12(), *_at_30(), *_at_60(), *_at_300(), *_at_1800()]


def _after_as_many_updates() -> list[Try]:
    """How the weights begin, what the gradient is clipped to and how the rate falls, which cost nothing."""
    fast = replace(CENTRE, learning_rate=8e-3)
    faster = replace(fast, learning_rate=12e-3)
    slow = [*_falling(CENTRE), *_falling(fast)[1:]]
    demo = replace(fast, streams=24, weight_decay=0.05)
    return [
        *_on("code", 0.0, [*_falling(fast), replace(faster, final=0.0)], 700),
        *(each for text in ("names", "prose") for each in _on(text, 0.0, _falling(fast)[::2], 700)),
        *_on("code", 0.0, slow, 1800),
        *_on("code", 0.0, [FALLING, EASED, replace(EASED, learning_rate=8e-3), SLOWER_EASED], 1850),
        *_on("prose", 0.0, [EASED, replace(EASED, learning_rate=8e-3)], 1700),
        *_on("code", 0.0, [*_falling(demo), replace(_falling(demo)[-1], embedding=256, tied=True)], 3000),
    ]


def _falling(own: Try) -> list[Try]:
    """With a rate that falls to a tenth, to 0, and to 0 from torch's start and clipped sooner."""
    return [own, replace(own, final=0.0), replace(own, final=0.0, **BEGINS)]


def _at_12() -> list[Try]:
    cells = [replace(CENTRE, cell=cell) for cell in CELLS]
    texts = [each for text in ("names", "prose") for each in _on(text, 12.0, STREAMED)]
    return [*_on("code", 12.0, VARIED), *texts, *_on("prose", 12.0, cells)]


def _at_30() -> list[Try]:
    faster = replace(CENTRE, learning_rate=8e-3)
    cells = [replace(faster, cell=cell) for cell in ("lstm", "gru", "mogrifier")]
    return [*_on("code", 30.0, STREAMED), *_on("prose", 30.0, cells)]


def _at_60() -> list[Try]:
    tied = (TIED, replace(TIED, learning_rate=8e-3))
    code = (USUAL, CENTRE, FALLING, DROPPED, *tied, RIVAL, replace(RIVAL, model="awd-lstm"))
    gru = replace(FALLING, cell="gru")
    others = [*_on("names", 60.0, (FALLING, DROPPED)), *_on("prose", 60.0, (FALLING, RIVAL, gru))]
    return [*_on("code", 60.0, (*code, gru)), *others, *_on("words", 60.0, WORDS)]


def _at_300() -> list[Try]:
    sizes: list[dict[str, Any]] = [
        {"embedding": 256, "tied": True},
        {"hidden": 384},
        {"hidden": 512, "projection": 128},
        {"dropout": 0.1},
    ]
    others = [replace(SLOWER, **each) for each in sizes]
    begun = [BEGUN, SLOWER_EASED, replace(SLOWER_EASED, dropout=0.1)]
    cells = [replace(SLOWER, cell=cell) for cell in ("gru", "layer_norm_lstm", "multiplicative_lstm", "mogrifier")]
    code = (FALLING, SLOWER, RIVAL, RIVAL_DROPPED, *others, *cells)
    dropped = [replace(SLOWER, cell=cell, dropout=0.1) for cell in ("lstm", "gru", "mogrifier")]
    prose = [replace(SLOWER, learning_rate=8e-3), others[0]]
    more = replace(SLOWER, dropout=0.3)
    return [
        *_on("code", 300.0, (*code, *dropped[1:], *begun)),
        *_on("prose", 300.0, (SLOWER, RIVAL, *prose, *dropped, RIVAL_DROPPED, *begun)),
        *_on("names", 300.0, (dropped[0], more, replace(more, cell="gru"), RIVAL_DROPPED)),
        *_on("words", 300.0, WORDS),
    ]


def _at_1800() -> list[Try]:
    ours = replace(SLOWER, dropout=0.1)
    return [each for text in ("prose", "code") for each in _on(text, 1800.0, (ours, RIVAL_DROPPED))]


def _on(text: str, seconds: float, sizes: Iterable[Try], updates: int = 0) -> list[Try]:
    return [replace(each, text=text, seconds=seconds, updates=updates) for each in sizes]
