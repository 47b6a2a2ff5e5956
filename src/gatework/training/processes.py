"""One process or several: this one's place among them and its device, and what they must agree on."""

import atexit
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from gatework.errors import InputError
from gatework.training.interruption import Interrupted, interruption
from gatework.training.torchrun import place

V = TypeVar("V")

_PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class World:
    """The processes that train one model together, as one of them sees them.

    rank, size: this process's number and how many there are: with N streams it takes those from rank * N / size on.
    device: what this process computes on. precision: "float32", or "bfloat16" for autocast.
    """

    rank: int
    size: int
    device: torch.device
    precision: str

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    @property
    def sends_ahead(self) -> bool:
        """Whether a batch can be sent while the device computes."""
        return self.device.type == "cuda"

    def to_device(self, data: Any) -> Any:
        """Tensors on this process's device, those in tuples, lists and mappings too.

        To CUDA they go through pinned memory, and nothing waits for them: what is computed from them comes after.
        """
        if self.sends_ahead and isinstance(data, Tensor) and data.device.type == "cpu":
            data = data.pin_memory()
        if hasattr(data, "to"):
            return data.to(self.device, non_blocking=self.device.type == "cuda")
        if isinstance(data, (tuple, list)):
            parts = [self.to_device(part) for part in data]
            return type(data)(*parts) if hasattr(data, "_fields") else type(data)(parts)
        if isinstance(data, Mapping):
            return {name: self.to_device(part) for name, part in data.items()}
        return data

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a model computes at this precision."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean over the processes, in the place of `tensor`."""
        if self.size > 1:
            dist.all_reduce(tensor)
            tensor /= self.size
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0)

    def copy_first(self, tensor: Tensor) -> None:
        """Give every process's tensor the first one's values."""
        if self.size > 1:
            dist.broadcast(tensor, 0)

    def broadcast(self, value: V) -> V:
        """The first process's value, of any kind that can be pickled."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0, device=self.device)
        return values[0]

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Every process's tensor, in the order of the ranks; all must have one shape."""
        if self.size == 1:
            return [tensor]
        flat = tensor.contiguous().reshape(-1).view(torch.uint8)  # bytes: not every backend sends every type
        parts = [torch.empty_like(flat) for _ in range(self.size)]
        dist.all_gather(parts, flat)
        return [part.view(tensor.dtype).reshape(tensor.shape) for part in parts]

    def is_same(self, number: int) -> bool:
        """Whether all processes have the same number."""
        return len({int(part) for part in self.gather(torch.tensor(number, device=self.device))}) == 1

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()


def launch(precision: str = "float32", device: str = "auto") -> World:
    """Choose this process's device and precision, and under torchrun meet the other processes.

    Args:
        precision: "float32" or "bfloat16".
        device: "auto" (the fastest there is), "cpu", "cuda", "cuda:1" or "mps". One device a process: several are used
            by `torchrun --nproc-per-node N`, where "cuda" is the GPU of the process's number on its machine.

    Raises:
        InputError: for a device or precision that is not there.
    """
    if precision not in _PRECISIONS:
        raise InputError(f"precision = {precision!r}: 'float32' or 'bfloat16' is expected")
    rank, local_rank, size = place()
    with _blaming(device):
        world = World(rank, size, _device(device, local_rank), precision)
        if size > 1 and not dist.is_initialized():
            _meet(world, device)
    return world


def chosen_device(name: str) -> torch.device:
    """The device of a name, as of `launch`, for what one process alone trains; InputError where it is not there."""
    with _blaming(name):
        return _device(name, 0)


@contextmanager
def _blaming(device: str) -> Iterator[None]:
    """Turns what is wrong with a device into an InputError that names it."""
    try:
        yield
    except (ValueError, RuntimeError, AssertionError) as error:  # torch asserts that it was built for the device
        raise InputError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error


def _device(name: str, local_rank: int) -> torch.device:
    """The device of a name, for "auto" the fastest; ValueError, RuntimeError or AssertionError where there is none."""
    there = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    device = device_of(name, local_rank, there)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def device_of(name: str, local_rank: int, there: Mapping[str, int]) -> torch.device:
    """The device that a process computes on.

    Args:
        name: "auto" for the first kind there is, or a device's.
        local_rank: the process's number on its machine: its GPU's, where the name has none.
        there: how many devices of each kind there are, the fastest kind first.

    Raises:
        ValueError, RuntimeError: for a name that is none, or one that this machine has no device for.
    """
    device = torch.device(next(kind for kind in there if there[kind]) if name == "auto" else name)
    if device.type not in there:
        raise ValueError(f"expected 'auto', {', '.join(map(repr, there))}")
    if not there[device.type]:
        raise ValueError("this machine has none, or this torch was built without it")
    if device.type != "cuda":
        return device
    index = local_rank if device.index is None else device.index
    if index >= there["cuda"]:
        raise ValueError(f"GPU {index} is asked for, and this machine has {there['cuda']}, counted from 0")
    return torch.device("cuda", index)


def backend_of(device: torch.device, size: int, name: str) -> str:
    """What several processes talk by: NCCL between GPUs, gloo between processors.

    Raises:
        ValueError: where they cannot, or where the name sends all of them to one GPU.
    """
    if device.type == "mps":
        raise ValueError(f"{size} processes compute on 'cpu' or 'cuda'")
    if device.type == "cuda" and torch.device("cuda" if name == "auto" else name).index is not None:
        raise ValueError(f"{size} processes need a GPU each; 'cuda' gives each its own")
    return "nccl" if device.type == "cuda" else "gloo"


def _meet(world: World, name: str) -> None:
    """Join the group of all processes, until this one ends."""
    backend = backend_of(world.device, world.size, name)
    dist.init_process_group(backend, device_id=world.device if backend == "nccl" else None)
    atexit.register(_leave)


def _leave() -> None:
    """Leave the other processes: left to the end of Python, a thread still in the group's store would abort it."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _never() -> bool:
    return False


@contextmanager
def first_alone(world: World) -> Iterator[None]:
    """All wait for what the first process does inside; where it fails, and says why, the others just end.

    A signal that comes to any of them meanwhile ends all: KeyboardInterrupt if there is one process, else Interrupted.
    """
    outcome = "failed"
    with nullcontext(_never) if world.is_first else interruption() as interrupted:
        try:
            yield
            outcome = "done"
        except KeyboardInterrupt:
            outcome = "interrupted"
            if world.size == 1:
                raise
        finally:
            outcome = world.broadcast(outcome)
    if outcome == "failed":
        sys.exit(2)
    if outcome == "interrupted" or world.any(interrupted()):
        raise Interrupted


def circumstances(world: World) -> dict[str, Any]:
    """What decides the last bits of a loss, beside the numbers that went in."""
    try:
        gatework = version("gatework")
    except PackageNotFoundError:  # run from a source tree
        gatework = "unknown"
    return {
        "gatework": gatework,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": world.device.type,
        "threads": torch.get_num_threads(),
        "processes": world.size,
    }
