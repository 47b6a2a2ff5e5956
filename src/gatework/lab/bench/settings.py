"""What is measured, and for how long."""

from dataclasses import dataclass

import torch

from gatework.errors import InputError
from gatework.lab.bench.measure import Budget, Shape

GRID = tuple(
    Shape(*sizes)
    for sizes in (
        (100, 64, 128, 256),
        (128, 32, 512, 512),
        (50, 128, 256, 512),
        (365, 256, 32, 256),
        (500, 16, 64, 64),
        (100, 1, 64, 128),
        (100, 1, 256, 512),
        (1000, 1, 32, 32),
        (100, 64, 256, 1024),
    )
)
QUICK_GRID = (Shape(100, 64, 128, 256), Shape(500, 16, 64, 64), Shape(100, 1, 64, 128))

DEVICES = ("cpu", "cuda")

FULL = Budget(rounds=7, seconds=1.0, block=0.02)
QUICK = Budget(rounds=3, seconds=0.2, block=0.01)


@dataclass(frozen=True)
class Settings:
    """How to measure: `quick` takes fewer shapes and rounds, `shapes` and `cells` replace those of the rows.

    device: "cpu" or "cuda", each with rows of its own.
    """

    threads: int
    engine: str = "auto"
    quick: bool = False
    shapes: tuple[Shape, ...] = ()
    cells: tuple[str, ...] = ()
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise InputError(f"device {self.device!r} is not measured; expected {' or '.join(DEVICES)}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device 'cuda' cannot be measured: torch sees no CUDA device here; leave out --device")
        if self.threads < 1:
            raise InputError(f"threads is {self.threads}; expected a whole number of at least 1")

    @property
    def budget(self) -> Budget:
        return QUICK if self.quick else FULL

    def grid(self, *, H: int = 1, B: int = 1, quick: tuple[Shape, ...] = QUICK_GRID) -> tuple[Shape, ...]:
        """The shapes that were asked for, or those of the grid with at least so many units and sequences."""
        if self.shapes:
            return self.shapes
        return tuple(shape for shape in (quick if self.quick else GRID) if shape.H >= H and shape.B >= B)
