"""Strings of handwritten digits, read column by column and written down without alignment (CTC, Graves et al. 2006)."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.decoding.ctc import align, greedy
from gatework.decoding.edits import distances
from gatework.lab.bench.rivals import extra
from gatework.lab.experiment import Experiment, Progress, Size, Trial, Variant
from gatework.lab.learning import Batch, Judged, Plan, Stop, Task, learn, stream
from gatework.lab.picture import COLORS
from gatework.pairs.ctc_model import CTCModel, ctc_losses
from gatework.runs.parts import IGNORED

DIGITS, BLANK = 10, 10
WIDTH, HEIGHT = 8, 8  # pixels of an image
SHADES = 16
LONGEST = 8  # digits of a string
HELD_OUT = 360  # images, a fifth, that strings to judge by are made of
STRINGS = 2000  # that are judged
WRONG = 0.02  # of the digits, at most
BENT = 0.06  # how far an image to learn from is stretched, as a share of its size,
SLANTED = 0.12  # turned or slanted,
MOVED = 0.05  # and moved, at most


@cache
def images() -> tuple[Tensor, Tensor]:
    """The 1797 images [N,height,width], from 0 to 1, and digits [N] that scikit-learn ships."""
    data = extra("sklearn.datasets").load_digits()
    return torch.tensor(data.images / SHADES, dtype=torch.float32), torch.tensor(data.target)


def parts(seed: int) -> tuple[Tensor, Tensor]:
    """The numbers of the images to learn from, and of those held out."""
    order = torch.randperm(len(images()[1]), generator=stream("images", seed))
    return order[HELD_OUT:], order[:HELD_OUT]


def draw(chosen: Tensor, changed: bool, B: int, generator: torch.Generator) -> Batch:
    """B strings of 1 to 8 of the chosen images side by side: columns x [S,B,8], digits [T,B], lengths [B].

    changed: whether each image is stretched, slanted and moved at random, so that few of them say more.
    """
    pixels, digits = images()
    counts = torch.randint(1, LONGEST + 1, (B,), generator=generator)
    numbers = chosen[torch.randint(len(chosen), (B, LONGEST), generator=generator)]
    written = pixels[numbers]  # [B,8,height,width]
    if changed:
        written = _changed(written.flatten(0, 1), generator).view(written.shape)
    columns = written.permute(1, 3, 0, 2).flatten(0, 1)  # [S,B,height]
    longest = int(counts.max())
    targets = torch.where(torch.arange(LONGEST)[:, None] < counts, digits[numbers].T, IGNORED)
    return Batch(columns[: WIDTH * longest], targets[:longest], WIDTH * counts)


def _changed(written: Tensor, generator: torch.Generator) -> Tensor:
    """Images [N,height,width], each stretched, slanted and moved as chance has it."""
    most = torch.tensor([[BENT, SLANTED, MOVED], [SLANTED, BENT, MOVED]])
    maps = torch.eye(2, 3) + most * (2 * torch.rand(len(written), 2, 3, generator=generator) - 1)
    places = F.affine_grid(maps, [len(written), 1, HEIGHT, WIDTH], align_corners=False)
    return F.grid_sample(written[:, None], places, align_corners=False)[:, 0]


class _Reader(nn.Module):
    """Recurrent layers that CTC aligns; forward(batch) -> log probabilities [S,B,11]."""

    def __init__(self, cell: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = CTCModel(
            HEIGHT,
            DIGITS,
            options["hidden"],
            frames=True,
            cell=cell,
            bidirectional=options["bidirectional"],
            dropout=options["dropout"],
        )

    def forward(self, batch: Batch) -> Tensor:
        assert batch.lengths is not None
        return self.model.log_probabilities((batch.x, batch.lengths))


def written(targets: Tensor) -> list[tuple[int, ...]]:
    """The digits of each string of targets [T,B]."""
    return [tuple(digit for digit in column if digit != IGNORED) for column in targets.T.tolist()]


def judge(outputs: Tensor, batch: Batch) -> Judged:
    """The nats of a digit are minimised; the error is edits over digits, of the likeliest path."""
    assert batch.lengths is not None
    there = batch.y != IGNORED
    counts = there.sum(0)
    loss = ctc_losses(outputs, batch.lengths, batch.y, there) / counts
    found = greedy(outputs.detach().numpy(), BLANK, batch.lengths.numpy())
    edits = torch.from_numpy(distances(found, written(batch.y)))
    return Judged(loss, edits / counts, edits > 0)


@torch.no_grad()
def _tested(model: _Reader, held_out: Tensor, seed: int, count: int) -> dict[str, float]:
    """The shares of digits and of strings of held-out images that are read wrongly."""
    batch = draw(held_out, False, count, stream("test", seed))
    judged = judge(model(batch), batch)
    digits = (batch.y != IGNORED).sum(0)
    return {
        "wrong digits, %": 100 * float((judged.error * digits).sum() / digits.sum()),
        f"wrong strings of {count:,}, %": 100 * float(judged.wrong.float().mean()),
    }


@torch.no_grad()
def example(model: _Reader, held_out: Tensor, seed: int) -> dict[str, Any]:
    """One string of held-out images as a picture shows it, in whole numbers.

    Its pixels in 16 shades, the probabilities of each column in percent, the columns that each digit stands at.
    """
    batch = draw(held_out, False, 64, stream("example", seed))
    assert batch.lengths is not None
    row = int(batch.lengths.argmax())
    S, digits = int(batch.lengths[row]), written(batch.y)[row]
    scores = model(batch)[:S, row : row + 1].numpy()
    return {
        "digits": list(digits),
        "read": list(greedy(scores, BLANK)[0]),
        "pixels": (SHADES * batch.x[:S, row]).round().int().tolist(),
        "percent": (100 * np.exp(scores[:, 0])).round().astype(int).tolist(),
        "columns": align(scores, [digits], BLANK)[0].tolist(),
    }


def trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    """Learns from strings of the images to learn from, and reads strings of others."""
    options = variant.at(size)
    known, held_out = parts(seed)
    torch.manual_seed(seed)
    model = _Reader(variant.cell, options)
    task = Task(partial(draw, known, True), judge, inputs=HEIGHT, outputs=DIGITS + 1, every_step=True)
    learnt = learn(model, task, Plan.of(options), Stop(wrong=0), seed, progress)
    model.eval()
    figures = _tested(model, held_out, seed, options.get("test", STRINGS))
    solved = figures["wrong digits, %"] <= 100 * WRONG
    return Trial(solved, figures, learnt.curve, {"example": example(model, held_out, seed)})


# -- the picture


def draw_alignment(figure: Any, trials: Mapping[str, Sequence[Trial]]) -> None:
    """A string, and of each network the probability of every digit in each of its columns and where the digits are."""
    drawn = {label: each[0].traces["example"] for label, each in trials.items() if each and each[0].traces}
    if not drawn:
        return
    figure.set_size_inches(8, 1.2 + 1.8 * len(drawn))
    panels = figure.subplots(1 + len(drawn), 1, sharex=True, height_ratios=[1, *[2] * len(drawn)])
    first = next(iter(drawn.values()))
    panels[0].imshow(np.array(first["pixels"]).T, cmap="gray_r", aspect="auto", extent=(0, len(first["pixels"]), 8, 0))
    panels[0].set(yticks=[], title="a string of held-out images")
    for panel, (label, each) in zip(panels[1:], drawn.items(), strict=True):
        _draw_probabilities(panel, label, each)
    panels[-1].set_xlabel("column")


def _draw_probabilities(panel: Any, label: str, example: Mapping[str, Any]) -> None:
    """Curves of the probability of each digit and of the blank, and bands where the alignment has the digits."""
    middles = np.arange(len(example["pixels"])) + 0.5
    percent = np.array(example["percent"])
    panel.plot(middles, percent[:, BLANK], color="#bbbbbb", linewidth=0.8)
    for digit in sorted(set(example["digits"]) | set(example["read"])):
        panel.plot(middles, percent[:, digit], color=COLORS[digit % len(COLORS)], linewidth=1)
    for digit, (begin, end) in zip(example["digits"], example["columns"], strict=True):
        panel.axvspan(begin, end, color=COLORS[digit % len(COLORS)], alpha=0.25, linewidth=0)
        panel.text((begin + end) / 2, 103, str(digit), ha="center", fontsize=8)
    panel.set(ylim=(0, 115), ylabel="probability, %")
    panel.set_title(label, fontsize=8, loc="left")
    panel.tick_params(labelsize=7)


SETTING: dict[str, Any] = {
    "hidden": 128,
    "bidirectional": True,
    "dropout": 0.1,
    "batch": 32,
    "sequences": 57_600,
    "learning_rate": 0.01,
    "warmup": 100,
    "quick": {"sequences": 32_000},
    "tiny": {"hidden": 8, "batch": 4, "sequences": 12, "warmup": 1, "test": 20},
}

EXPERIMENT = Experiment(
    name="digit_strings",
    title="Strings of digits, without alignment",
    task=(
        "One to eight images of handwritten digits (8 by 8 pixels, the 1797 that scikit-learn ships) side by side, "
        "read a column of 8 pixels a step: write down the digits. Nothing says where one ends. A fifth of the images, "
        "another for each seed, is held out, and the strings that are judged are made of these alone."
    ),
    criterion="of 2,000 strings of held-out images at most 2 % of the digits are wrong (edits over digits, greedy)",
    source="Graves et al. 2006 (the method; its figures are of speech and no measure of these)",
    batched=(
        "Adam in batches of 32 for single updates with momentum. In strings to learn from each image is stretched, "
        "slanted and moved a little, as chance has it"
    ),
    shows=(
        "What each column is taken for; the grey line is the blank, and the bands are the likeliest alignment of the "
        "right digits. Read from both ends, each digit is a spike at its first column. Read one way it is one near its "
        "last; but in the first column of all, which tells nothing yet, that network guesses a digit, each about as "
        "likely, and does not unlearn it: a digit of nearly every string is lost."
    ),
    variants=(
        Variant("lstm, both directions", "lstm", SETTING),
        Variant("lstm, one way", "lstm", {**SETTING, "hidden": 64, "bidirectional": False}),
    ),
    seeds=3,
    trial=trial,
    picture=draw_alignment,
    drawn_seeds=1,
)
