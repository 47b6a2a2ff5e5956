"""The native core: verifies plans and runs them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Array = Sequence[int]  # memory, numbers before the first, three sizes, three strides in numbers, element

MAGIC: int  # the first number of a plan

def codes() -> dict[str, dict[str, int]]:
    """What the numbers of a plan stand for, by kind (pointwise, rows, modes, kinds, elements, storages) and name."""

class Plan:
    """What to run at every step, read from a stream of integers; raises ValueError where it is none."""

    def __init__(self, stream: Sequence[int], /) -> None: ...

class Call:
    """What is done to arrays, in order: bound once for its sizes, and run on addresses.

    An array lies in a memory that was added before, and has three directions. What does not fit raises ValueError.
    reversed: its first step is the last in time, and what its plans reset and skip counts from there. frozen: the
    weights of its plans never change, and are packed at the first run. storage: how packed weights lie.
    """

    def __init__(self, reversed: bool = False, frozen: bool = False, storage: int = 0) -> None: ...
    def memory(self, bytes: int, /) -> int:
        """The number of one more memory, whose address each run is given."""

    def own_memory(self, bytes: int, /) -> int:
        """The number of one more memory of the call's own, without values at first."""

    def used(self) -> int:
        """Bytes of its own memory that are in use."""

    def free_to(self, bytes: int, /) -> None:
        """What was added as its own after `used()` was so many is done with: what is added next may lie there."""

    def clear(self, to: _Array, /) -> None: ...
    def copy(self, to: _Array, source: _Array, add: bool, /) -> None:
        """Copies between arrays of one shape, or adds."""

    def multiply(
        self, a: _Array, right: Sequence[_Array], results: Sequence[_Array], add: bool, rows: int, columns: int, /
    ) -> None:
        """results [M,N] (+)= a [M,K] . right [K,N], by threads that take bands of rows and of columns of the results.

        A matrix is an array of one step, and its rows or its columns are without gaps; results are float32.
        """

    def scan(
        self,
        plan: Plan,
        sizes: Sequence[int],
        T: int,
        B: int,
        table: npt.NDArray[np.int64],
        starts: Sequence[int],
        first: int,
        steps: int,
        rows: int,
        columns: int,
        /,
    ) -> None:
        """Runs a plan.

        table: a row of six numbers a buffer: memory, numbers before the first, from step to step, from row to row,
            steps before it is used again, numbers in all. With less than 0 from step to step the last lies first.
        starts: buffer -> the one its rows start from, or -1. first, steps: of the call's steps, the one that is the
            plan's first, and how many there are; 0 where the call's lengths and resets do not count.
        rows, columns: bands of the batch and of the units that threads take.
        """

    def restart(self, by_state: _Array, by_start: _Array, step: int, steps: int, /) -> None:
        """Where the call resets before a step, of so many: gradients by states [B,size] go to those by starts alone."""

    def run(self, addresses: Sequence[int], lengths: int, resets: int, /) -> None:
        """Does it all; addresses: of the memories that are not its own; lengths, resets: addresses or 0."""

def run_together(runs: Sequence[tuple[Call, Sequence[int], int, int]], /) -> None:
    """Runs calls at once, a thread each, every one with what `Call.run` takes; a call of several threads raises."""

def worth_waiting() -> bool:
    """Whether scans run by threads that wait for one another at each step: see `note_waiting`."""

def note_waiting(waited: float, total: float, threads: int, /) -> None:
    """What scans note of such a run of so many threads: its seconds, and those that a thread waited for others.

    Where one thread would have been as fast in two runs on end, since other processes want the processors, the next
    scans run without waiting for a while, a longer one each time that this comes again. The numbers are the same.
    """

class Stream:
    """A forward plan, one step at a time: packs its weights once, and uses the buffers of `table` in turn.

    memories: the addresses of those that the table names. storage: how packed weights lie. input: the number of the
    buffer that `step` gives; in the table it has one step. Raises ValueError as `Call.scan` does.
    """

    def __init__(
        self,
        plan: Plan,
        sizes: Sequence[int],
        B: int,
        table: npt.NDArray[np.int64],
        memories: Sequence[int],
        storage: int,
        input: int,
        rows: int,
        columns: int,
        /,
    ) -> None: ...
    def step(self, address: int, /) -> None:
        """Runs a step on the input [B,size] at an address."""

class Model:
    """A network of a file that C runs, for B sequences: see native/include/gatework.h.

    file: its bytes. storage: how packed weights lie. threads: that share the rows. Raises ValueError for what is
    damaged or does not run there.
    """

    def __init__(self, file: npt.NDArray[np.uint8], B: int, storage: int, threads: int, /) -> None: ...
    def step(
        self,
        input: npt.NDArray[np.generic],
        before: npt.NDArray[np.float32] | None,
        output: npt.NDArray[np.float32],
        after: npt.NDArray[np.float32],
    ) -> None:
        """A step of ids [B] int64 or input [B,I], from a state or, without one, the start; arrays of one direction."""

    def step_some(
        self,
        input: npt.NDArray[np.generic],
        states: Sequence[npt.NDArray[np.float32]],
        places: npt.NDArray[np.int64],
        there: npt.NDArray[np.uint8],
        output: npt.NDArray[np.float32],
        /,
    ) -> None:
        """A step of K sequences by their places [K] in states [slots,N,size], which are replaced; output [K,N].

        there: [N], 1 for those that may be among the K. Raises ValueError unless each is, once.
        """

    @property
    def state(self) -> int:
        """Numbers of the whole state."""

    @property
    def output(self) -> int:
        """N of the output [B,N]."""

def ceiling(seconds: float, threads: int, /) -> float:
    """10^9 operations per second in a bare loop of multiply-adds, which no product exceeds."""

def bandwidth(bytes: int, seconds: float, /) -> float:
    """10^9 bytes per second that a thread reads of so many, over and over: of the cache in which they stay."""

def bare_lstm(
    x: npt.NDArray[np.float32],
    W: npt.NDArray[np.float32],
    U: npt.NDArray[np.float32],
    b: npt.NDArray[np.float32],
    h: npt.NDArray[np.float32],
    seconds: float,
    /,
) -> float:
    """Seconds of a run of a bare loop of an LSTM over one sequence, by a thread that repeats it for so many seconds.

    x [T,I], W [I,4H], U [H,4H], b [4H] -> h [T,H]; gates in the order i, f, g, o, H a multiple of 32. The weights are
    packed once, outside of the time. Raises ValueError for other shapes.
    """

def memory(floats: int, /) -> npt.NDArray[np.float32]:
    """Memory that the core keeps, when it is given back, for whoever asks for as much again."""

def isa() -> str:
    """The instruction set that runs: the fastest here, or the one that GATEWORK_ISA names."""

def isas() -> list[str]:
    """The instruction sets that this machine runs, the fastest first."""

def map(isa: str, op: int, source: npt.NDArray[np.float32], target: npt.NDArray[np.float32], /) -> None:
    """One function over an array, by the number of its operation."""
