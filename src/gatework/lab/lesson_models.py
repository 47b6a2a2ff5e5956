"""Trains the small networks of `gatework learn`: python -m gatework.lab.lesson_models.

It takes about a minute of a processor, and writes one safetensors file: the weights by "network.name", and about each
network a JSON text of what it reads. The text is made here, words, and between brackets words in capitals.
"""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.errors import InputError
from gatework.files.writing import write_atomically
from gatework.lab.counting import OPEN, first_failure, judge, strings
from gatework.lab.learning import Batch, Judged, Network, Plan, Stop, Task, learn, stream
from gatework.layers import Recurrent

OUT = Path(__file__).parents[1] / "inspect" / "lessons.safetensors"
WORDS = ("a", "bird", "cat", "dog", "fox", "he", "it", "met", "ran", "sat", "saw", "she", "the", "then")
LETTERS = "".join(sorted(set("".join(WORDS))))
SYMBOLS = " ().\n" + LETTERS + LETTERS.upper()
STEPS, SHOWN = 96, 400  # characters of a sequence in training, and of the text that the lessons show
LONGEST, FURTHEST = 50, 300  # n of a^n b^n in training, and to which it is tried
CELLS = ("rnn", "gru", "lstm")  # of the third lesson
UNITS, INPUTS, LAGS = 16, 4, 100  # of each of them, and of the noise that they read
NOISE = 0.5  # its standard deviation: tanh bends, as it does in use

Weights = Mapping[str, Tensor]


def bracketed(length: int, generator: random.Random) -> str:
    """Sentences of a few words, some of them in brackets and then in capitals, at least so many characters."""
    text = ""
    while len(text) < length:
        words = [generator.choice(WORDS) for _ in range(generator.randint(3, 7))]
        inside = [word.upper() for word in generator.choices(WORDS, k=generator.randint(2, 6))]
        place = generator.randint(1, len(words))
        text += " ".join([*words[:place], f"({' '.join(inside)})", *words[place:]]) + ".\n"
    return text


def _as_batch(text: str, B: int) -> Batch:
    """A text cut into B pieces: x [T,B,V] one-hot, y [T,B] the character that follows each."""
    ids = torch.tensor([SYMBOLS.index(sign) for sign in text])
    T = len(ids) // B
    pieces = ids[: T * B].view(B, T).T
    return Batch(F.one_hot(pieces[:-1], len(SYMBOLS)).float(), pieces[1:])


def _draw_text(B: int, generator: torch.Generator) -> Batch:
    seed = int(torch.randint(2**31, (), generator=generator))
    length = (STEPS + 1) * B
    return _as_batch(bracketed(length, random.Random(seed))[:length], B)


def _judge_text(outputs: Tensor, batch: Batch) -> Judged:
    """outputs [T,B,V]: cross entropy; wrong where the likeliest character is another."""
    loss = F.cross_entropy(outputs.flatten(0, 1), batch.y.flatten(), reduction="none").view(batch.y.shape)
    wrong = outputs.argmax(-1) != batch.y
    return Judged(loss.mean(0), wrong.float().mean(0), wrong.any(0))


def _learnt(cell: str, hidden: int, init: Any, task: Task, plan: Plan, seed: int) -> Network:
    torch.manual_seed(seed)
    model = Network(cell, task, hidden, init)
    learn(model, task, plan, Stop(error=0.0), seed, lambda line: print(line, end="\r"))  # a rule that never holds
    print()
    return model.eval()


def reader() -> tuple[Weights, dict[str, Any]]:
    """An LSTM that reads the text, and the stretch of it that the lessons show."""
    task = Task(_draw_text, _judge_text, inputs=len(SYMBOLS), outputs=len(SYMBOLS), every_step=True)
    model = _learnt("lstm", 16, None, task, Plan(batch=32, sequences=64_000, learning_rate=0.02), seed=1)
    text = bracketed(SHOWN, random.Random(2026))[:SHOWN]
    about = {"cell": "lstm", "inputs": len(SYMBOLS), "hidden": 16, "symbols": SYMBOLS, "text": text}
    return _weights(model), about


def counter() -> tuple[Weights, dict[str, Any]]:
    """An LSTM that counts a^n b^n; raises InputError where it fails at an n that it was trained on."""

    def drawn(B: int, generator: torch.Generator) -> Batch:
        return strings(torch.randint(1, LONGEST + 1, (B,), generator=generator), 2)

    task = Task(drawn, judge, inputs=2, outputs=3, every_step=True)
    plan = Plan(batch=16, sequences=20_000, learning_rate=0.03, others={"betas": [0.9, 0.99]})
    model = _learnt("lstm", 2, OPEN, task, plan, seed=1)
    failure = first_failure(model, FURTHEST, kinds=2)
    print(f"a^n b^n: the first n that fails is {failure}")
    if failure <= LONGEST:
        raise InputError(f"the counter fails at n = {failure}, and was trained to {LONGEST}: give it more sequences")
    return _weights(model), {"cell": "lstm", "inputs": 2, "hidden": 2, "longest": LONGEST, "furthest": FURTHEST}


def untrained(cell: str) -> tuple[Weights, dict[str, Any]]:
    """A network at the start of training, its recurrent matrices rotations."""
    torch.manual_seed(3)
    layer = Recurrent(cell, INPUTS, UNITS, init={"U_*": "orthogonal"})
    return layer.state_dict(), {"cell": cell, "inputs": INPUTS, "hidden": UNITS}


def _noise() -> dict[str, Tensor]:
    """What those of the third lesson read, x [K+1,I], and how their last output is weighed, loss [H]."""
    generator = stream("lesson", 0)
    x = NOISE * torch.randn(LAGS + 1, INPUTS, generator=generator)
    return {"noise.x": x, "noise.loss": torch.randn(UNITS, generator=generator) / UNITS**0.5}


def _weights(model: Network) -> Weights:
    return {**model.layer.state_dict(), "head.weight": model.readout.weight, "head.bias": model.readout.bias}


def write(out: Path = OUT) -> None:
    """Trains all of them, and writes them to one file."""
    import safetensors.torch  # noqa: PLC0415, only here

    networks = {"reader": reader(), "counter": counter(), **{cell: untrained(cell) for cell in CELLS}}
    tensors = {f"{name}.{key}": value for name, (weights, _) in networks.items() for key, value in weights.items()}
    tensors |= _noise()
    about = {name: json.dumps(text) for name, (_, text) in networks.items()}
    whole = {key: value.detach().contiguous() for key, value in tensors.items()}
    write_atomically(out, safetensors.torch.save(whole, about))
    print(f"{out} ({out.stat().st_size / 1e3:.0f} kB)")


if __name__ == "__main__":
    write()
