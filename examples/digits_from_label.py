"""One to many: draws handwritten digits row by row, from their label alone.

The label sets the initial state of an LSTM. Each step reads one row of the picture and says how likely every next row
is. A row is 8 pixels, each a count of 0 to 16 dots of the scan, and its distribution is a mixture of M products of
binomials (Graves 2013 drew pen strokes from mixtures of Gaussians so):

    p(row) = sum_m w_m prod_k Binomial(pixel_k; 16, p_mk),    w and p from the state

    python examples/digits_from_label.py --out digits.png

The data is scikit-learn's own, 1,797 digits (Alpaydin & Kaynak 1998): no download. A third is held out.
"""

import argparse
import math
from pathlib import Path

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

import gatework as gw

ROWS, PIXELS, DOTS, LABELS = 8, 8, 16, 10
BATCH = 128


class DigitWriter(nn.Module):
    """p(picture | label), row after row; hidden: H of the LSTM, mixture: M of each row."""

    def __init__(self, hidden: int = 128, mixture: int = 24, dropout: float = 0.3) -> None:
        super().__init__()
        self.start = nn.Embedding(LABELS, 2 * hidden)  # h and c before the first row
        self.lstm = gw.LSTM(PIXELS, hidden)
        self.dropout = nn.Dropout(dropout)
        self.weights = nn.Linear(hidden, mixture)
        self.pixels = nn.Linear(hidden, mixture * PIXELS)

    def begin(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The initial state (h, c), [1,B,H] each, of pictures with labels [B]."""
        h, c = self.start(labels)[None].chunk(2, -1)
        return h.contiguous(), c.contiguous()

    def step(self, rows: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """After rows [T,B,8]: log w [T,B,M] and the logits of p [T,B,M,8] of the next ones, and the new state."""
        output, state = self.lstm(rows / DOTS, state)
        output = self.dropout(output)
        return self.weights(output).log_softmax(-1), self.pixels(output).unflatten(-1, (-1, PIXELS)), state

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """log p(picture | label) [B] of pictures [B,8,8], in nats."""
        rows = pictures.transpose(0, 1)  # [T,B,8]
        read = torch.cat([torch.zeros_like(rows[:1]), rows[:-1]])  # nothing is read before the first
        weights, logits, _ = self.step(read, self.begin(labels))
        return torch.logsumexp(weights + log_binomial(rows[:, :, None], logits).sum(-1), -1).sum(0)

    @torch.no_grad()
    def draw(self, labels: Tensor) -> Tensor:
        """Pictures [B,8,8] with labels [B]: each row is drawn, and read before the next."""
        row, state, rows = torch.zeros(1, len(labels), PIXELS), self.begin(labels), []
        for _ in range(ROWS):
            weights, logits, state = self.step(row, state)
            chosen = torch.multinomial(weights[0].exp(), 1)[:, 0]  # [B], of the mixture
            chance = logits[0, torch.arange(len(labels)), chosen].sigmoid()  # [B,8]
            row = torch.binomial(torch.full_like(chance, DOTS), chance)[None]
            rows.append(row)
        return torch.cat(rows).transpose(0, 1)


def log_binomial(count: Tensor, logits: Tensor) -> Tensor:
    """log Binomial(count; 16, sigmoid(logits))."""
    ways = math.lgamma(DOTS + 1) - torch.lgamma(count + 1) - torch.lgamma(DOTS - count + 1)
    return ways + count * logits - DOTS * F.softplus(logits)


def train(model: DigitWriter, pictures: Tensor, labels: Tensor, epochs: int) -> None:
    """Makes the pictures likely, given their labels."""
    steps = epochs * math.ceil(len(pictures) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)
    for epoch in range(1, epochs + 1):
        losses = []
        for rows in torch.randperm(len(pictures)).split(BATCH):
            loss = -model(pictures[rows], labels[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        if epoch % 10 == 0 or epoch == epochs:
            print(f"epoch {epoch}: {bits(sum(losses) / len(losses)):.3f} bits a pixel")


def bits(nats: float) -> float:
    """Nats a picture as bits a pixel."""
    return nats / math.log(2) / (ROWS * PIXELS)


@torch.no_grad()
def judge(model: DigitWriter, pictures: Tensor, labels: Tensor) -> str:
    """How likely held-out pictures are under their own label and under others, and which label makes each likeliest."""
    found = torch.stack([model(pictures, torch.full_like(labels, label)) for label in range(LABELS)], 1)  # [B,10]
    right = found.gather(1, labels[:, None])
    others = (found.sum() - right.sum()) / (LABELS - 1)
    share = (found.argmax(1) == labels).double().mean().item()
    return (
        f"held out: {bits(-right.mean().item()):.3f} bits a pixel given the label, "
        f"{bits(-others.item() / len(labels)):.3f} given another; the likeliest label is right for {share:.1%}"
    )


def show(model: DigitWriter, pictures: Tensor, labels: Tensor, path: Path, rows: int = 6) -> None:
    """A picture of digits: one that a person wrote above `rows` that the model drew, for each label."""
    figure = Figure(figsize=(LABELS, rows + 1))
    axes = figure.subplots(rows + 1, LABELS)
    drawn = model.draw(torch.arange(LABELS).repeat(rows))  # [rows*10,8,8]
    written = torch.stack([pictures[labels == label][0] for label in range(LABELS)])
    for axis, picture in zip(axes.flat, torch.cat([written, drawn]), strict=True):
        axis.imshow(picture.numpy(), cmap="gray_r", vmin=0, vmax=DOTS)
        axis.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("written")
    axes[1, 0].set_ylabel("drawn")
    figure.savefig(path, dpi=100, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws handwritten digits row by row, from their label alone.")
    parser.add_argument("--out", type=Path, default=Path("digits.png"), help="the picture to write")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    digits = load_digits()
    parts = train_test_split(digits.images, digits.target, test_size=1 / 3, stratify=digits.target, random_state=0)
    pictures, held_out = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    labels, held_out_labels = (torch.tensor(part) for part in parts[2:])
    model = DigitWriter()
    train(model, pictures, labels, given.epochs)
    model.eval()
    print(judge(model, held_out, held_out_labels))
    show(model, held_out, held_out_labels, given.out)
    print(f"six drawn for each label, under one that a person wrote: {given.out}")


if __name__ == "__main__":
    main()
