"""How many threads share the work of a scan or a product, and how."""

from collections.abc import Iterable, Mapping

# What sharing the work costs: seconds of a step that are worth a barrier, of a call that are worth waking threads,
# reckoned at a core's operations and bytes per second; with room for processors that others want too.
ARITHMETIC, BANDWIDTH, BARRIER, WAKING = 1e11, 5e10, 4e-6, 2e-4
SHARED = 1e-4  # seconds of a single step whose rows are worth sharing, where no thread waits for another
# Bytes of weights that stay in a core's cache, or in the one that cores share, and the fewest rows for a band of them.
NEAR, NEAR_ROWS, FAR, FAR_ROWS = 1 << 19, 6, 8 << 20, 32


def scan_grid(
    matrices: Iterable[tuple[str, str]], units: Mapping[str, int], T: int, B: int, threads: int
) -> tuple[int, int]:
    """How many bands of rows and of units the threads take; matrices: the sizes of what a step multiplies with.

    Bands of rows need no barriers, but every thread reads all weights at each step: worth it where each then has many
    rows for a weight it reads, or where all weights stay near. Bands of units keep the weights apart.
    """
    weights, step = _weights(matrices, units), step_seconds(matrices, units, B)
    if threads == 1 or T * step < WAKING:
        return 1, 1
    fewest = NEAR_ROWS if 4 * weights <= NEAR else FAR_ROWS if 4 * weights <= FAR else B + 1
    rows = max((n for n in range(1, threads + 1) if threads % n == 0 and n * fewest <= B), default=1)
    return rows, threads // rows if step > BARRIER else 1


def row_bands(seconds: float, B: int, threads: int) -> int:
    """How many threads share the rows of a single step that takes one of them so many seconds."""
    return max(min(threads, B // FAR_ROWS), 1) if seconds >= SHARED else 1


def step_seconds(matrices: Iterable[tuple[str, str]], units: Mapping[str, int], B: int) -> float:
    """How long a step takes one thread, reckoned by its products; matrices as for `scan_grid`."""
    weights = _weights(matrices, units)
    return max(2 * weights * B / ARITHMETIC, 4 * weights / BANDWIDTH)


def _weights(matrices: Iterable[tuple[str, str]], units: Mapping[str, int]) -> int:
    return sum(units[rows] * units[columns] for rows, columns in matrices)


def threads_at_once(scans: int, seconds: float, grid: tuple[int, int], threads: int) -> int:
    """How many threads each of some scans takes that are asked for at once: 1, so that they run at once, or all.

    seconds, grid: of a scan by itself. Several threads share a scan's rows or wait for one another at each step;
    scans need not wait for one another, but a thread that nobody takes is lost.
    """
    worth = scans > 1 and threads >= scans and seconds >= WAKING
    return 1 if worth and (threads == scans or grid == (1, 1)) else threads


def product_grid(M: int, N: int, K: int, threads: int) -> tuple[int, int]:
    """How many bands of rows and of columns the threads take: each packs what it reads of both operands."""
    if threads == 1 or 2 * M * N * K / ARITHMETIC < WAKING:
        return 1, 1
    rows = min((n for n in range(1, threads + 1) if threads % n == 0), key=lambda n: M / n + N * n / threads)
    return rows, threads // rows
