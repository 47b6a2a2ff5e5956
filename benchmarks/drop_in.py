"""What changing the import costs: a training step of gw.LSTM over that of torch.nn.LSTM, both in one run.

python benchmarks/drop_in.py
"""

import statistics
import time

import torch
from torch import nn

import gatework as gw

SHAPES = [(32, 64, 64, 256), (100, 64, 128, 256), (100, 1, 64, 128)]  # T, B, I, H
ROUNDS = 9


def seconds(layer: nn.Module, x: torch.Tensor) -> float:
    """One forward and backward pass."""
    begin = time.perf_counter()
    layer(x)[0].sum().backward()
    return time.perf_counter() - begin


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, median of {ROUNDS} rounds")
    for T, B, I, H in SHAPES:
        theirs = nn.LSTM(I, H)
        ours, x = gw.LSTM.from_torch(theirs), torch.randn(T, B, I)
        rounds = [(seconds(theirs, x), seconds(ours, x)) for _ in range(ROUNDS + 1)][1:]  # the first warms up
        ratio = statistics.median(mine / other for other, mine in rounds)
        milliseconds = 1000 * statistics.median(other for other, _ in rounds)
        print(f"T={T} B={B} I={I} H={H}: torch {milliseconds:.1f} ms, ours {ratio:.1f} times that")


if __name__ == "__main__":
    main()
