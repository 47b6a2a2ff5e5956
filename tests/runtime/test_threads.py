"""Forks run in threads of their own, at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

import gatework as gw
from gatework.exporting import model_of
from gatework.runtime import Session

SIZES = [(T, B) for T in (1, 2, 5) for B in range(1, 12)]  # more than weights are kept packed for


def test_forks_in_threads_give_what_they_give_alone() -> None:
    torch.manual_seed(0)
    session = Session(model_of(gw.Recurrent("lstm", 3, 8, num_layers=2).eval()))
    inputs = {size: np.random.default_rng(size).standard_normal((*size, 3), np.float32) for size in SIZES}
    alone = {size: session.run(x)[0] for size, x in inputs.items()}

    def work(number: int) -> None:
        fork = session.fork()
        for place in np.random.default_rng(number).permutation(len(SIZES)):
            size = SIZES[place]
            np.testing.assert_array_equal(fork.run(inputs[size])[0], alone[size])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
