"""What pairs cost beside plain torch: `python -m gatework.lab.pairs_speed`, on a machine that is quiet.

Two tables, the sides interleaved and compared round by round. A training step of `gw.EncoderDecoder` beside the same
model of nn.LSTM, which encodes packed or padded sequences; and a beam search over words, beside that model's loop over
steps in torch, a word at a time or all words at once. Words are drawn at random, about as long as a dictionary's. The
models have not learnt where a target ends, so a search goes on for as many symbols as the word has letters.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import cycle
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from gatework.lab.bench.report import table
from gatework.lab.torch_pairs import Memory, Source, TorchPairs
from gatework.layers import EncoderDecoder

LETTERS, PHONEMES = 27, 39
MEAN, SPREAD, LONGEST = 8.0, 2.2, 18  # letters of a word, and most of them
PAIRS, BATCHES = 256, 8  # of a training step, and how many batches take turns
WORDS, BEAMS = 1000, 8
STEPS, SEARCHES = 40, 5  # rounds

Batch = tuple[Source, Tensor]
Run = Callable[[], object]


class Padded(TorchPairs):
    """The same model of one layer whose encoder reads the padding too: other numbers, at what that costs."""

    def encode(self, source: Source) -> Memory:
        tokens, lengths = source
        output, state = self.encoder(self.dropout(self.source_embedding(tokens)))
        h, c = (torch.cat([value[:1], value[1:]], -1) for value in state)
        return Memory(output.transpose(0, 1), torch.arange(len(tokens)) >= lengths[:, None], (h, c))


def batch_of(pairs: int) -> Batch:
    """Random words and pronunciations: targets end with the symbol after the last, padded by -100."""
    lengths = (MEAN + SPREAD * torch.randn(pairs)).round().clamp(2, LONGEST).long()
    ends = (lengths - 1 + torch.randn(pairs).round().long()).clamp(1)
    letters = torch.randint(LETTERS, (int(lengths.max()), pairs))
    steps = torch.arange(int(ends.max()) + 1)[:, None]
    targets = torch.randint(PHONEMES, (len(steps), pairs)).where(steps < ends, PHONEMES).where(steps <= ends, -100)
    return (letters, lengths), targets


def training(model: torch.nn.Module, batches: Iterable[Batch]) -> Run:
    """A training step on the next batch, by AdamW as the jobs use it."""
    optimizer, following = torch.optim.AdamW(model.parameters(), fused=True), cycle(batches)

    def step() -> None:
        made = model(*next(following))
        optimizer.zero_grad()
        (made[0] if isinstance(made, tuple) else made).backward()
        optimizer.step()

    return step


def by_word(model: TorchPairs, source: Source) -> None:
    """The search of one word after another."""
    for number, length in enumerate(source[1].tolist()):
        word = source[0][:length, number : number + 1], source[1][number : number + 1]
        model.search(word, BEAMS, length)


def interleaved(rounds: int, *runs: Run) -> list[list[float]]:
    """The seconds of each in every round, one after another."""
    return [[_seconds(run) for run in runs] for _ in range(rounds)]


def _seconds(run: Run) -> float:
    began = perf_counter()
    run()
    return perf_counter() - began


def lines(names: Iterable[str], seconds: list[list[float]]) -> Iterator[list[str]]:
    """A line for each side, the first one ours: milliseconds, and how many times as long as ours it takes."""
    own, ratios = np.median(seconds, 0), np.median([np.divide(each, each[0]) for each in seconds], 0)
    for name, took, ratio in zip(names, own, ratios, strict=True):
        yield [name, f"{took * 1e3:,.0f}", f"{ratio:.2f}"]


def main() -> None:
    """Prints the tables."""
    torch.manual_seed(0)
    batches, (words, _) = [batch_of(PAIRS) for _ in range(BATCHES)], batch_of(WORDS)
    ours, packed, padded = EncoderDecoder(LETTERS, PHONEMES), TorchPairs(LETTERS, PHONEMES), Padded(LETTERS, PHONEMES)
    print(f"{torch.get_num_threads()} threads; encoder 128 each way, decoder 256, attention after it\n")

    steps = [training(model, batches) for model in (ours, packed, padded)]
    interleaved(BATCHES, *steps)  # the first calls of each shape
    names = "gw.EncoderDecoder", "nn.LSTM, packed", "nn.LSTM, padded"
    head = [f"a training step on {PAIRS} pairs", "ms", "of ours"]
    print(table(head, list(lines(names, interleaved(STEPS, *steps)))), end="\n\n")

    bounds = words[1].tolist()
    searches: list[Run] = [
        partial(ours.search, words, beams=BEAMS, longest=bounds),
        partial(by_word, packed, words),
        partial(packed.search, words, BEAMS, max(bounds)),
    ]
    names = "gw.EncoderDecoder", "a loop over torch, by word", "a loop over torch, all words at once"
    head = [f"a search of {BEAMS} beams over {WORDS} words", "ms", "of ours"]
    print(table(head, list(lines(names, interleaved(SEARCHES, *searches)))))


if __name__ == "__main__":
    main()
