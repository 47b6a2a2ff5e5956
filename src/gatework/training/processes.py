"""One process or several: starting them through lightning-fabric, and what they must agree on."""

import atexit
import logging
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch import distributed as dist

from gatework.errors import InputError
from gatework.training.interruption import under_torchrun

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {"float32": "32-true", "bfloat16": "bf16-mixed"}


def launch(precision: str = "float32", device: str = "auto") -> "Fabric":
    """This process's device and precision, and under torchrun its place among the processes.

    device: "auto" (the fastest there is), "cpu", "cuda", "mps". One device per process: several are used by
    `torchrun --nproc-per-node N`, whose environment is found here. `fabric.global_rank` and `fabric.world_size`
    then say which share of the data this process takes: with N streams, those from rank * N / world on.

    Errors: InputError for a device or precision that is not there.
    """
    # Here, because it takes seconds to import, and using a trained model needs none of it.
    from lightning_fabric import Fabric  # noqa: PLC0415

    if precision not in _PRECISION:
        raise InputError(f"precision = {precision!r}: 'float32' or 'bfloat16' is expected")
    log = logging.getLogger("lightning_fabric")
    level = log.level
    log.setLevel(logging.WARNING)  # its greetings would stand between the lines of progress
    try:
        local, world = _shape()
        fabric = Fabric(accelerator=device, devices=local, num_nodes=world // local, precision=_PRECISION[precision])
        fabric.launch()
        if fabric.world_size > 1:
            atexit.register(_leave)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    finally:
        log.setLevel(level)
    return fabric


def _leave() -> None:
    """Leave the other processes: left to the end of Python, a thread still in the group's store would abort it."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _shape() -> tuple[int, int]:
    """Processes on this machine, and in all."""
    if not under_torchrun():
        return 1, 1
    return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])


def has_precision(fabric: "Fabric", precision: str) -> bool:
    """Whether `launch` was called with this precision."""
    return str(fabric.strategy.precision.precision) == _PRECISION[precision]


def mean(fabric: "Fabric", tensor: Tensor) -> Tensor:
    """The mean over the processes, in the place of `tensor`.

    Not by fabric.all_reduce: that waits at a barrier first, and on a GPU this would hold up every step.
    """
    if fabric.world_size > 1:
        dist.all_reduce(tensor)
        tensor /= fabric.world_size
    return tensor


def anywhere(fabric: "Fabric", wish: bool) -> bool:
    """Whether any process has this wish."""
    return bool(mean(fabric, torch.tensor(float(wish), device=fabric.device)) > 0)


def from_first(fabric: "Fabric", tensor: Tensor) -> None:
    """Give every process the first one's values."""
    if fabric.world_size > 1:
        dist.broadcast(tensor, 0)


def gather(fabric: "Fabric", tensor: Tensor) -> list[Tensor]:
    """Every process's tensor, in the order of the ranks; all must have one shape."""
    if fabric.world_size == 1:
        return [tensor]
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)  # bytes: not every backend sends every type
    parts = [torch.empty_like(flat) for _ in range(fabric.world_size)]
    dist.all_gather(parts, flat)
    return [part.view(tensor.dtype).reshape(tensor.shape) for part in parts]


def same_everywhere(fabric: "Fabric", number: int) -> bool:
    """Whether all processes have the same number."""
    return len({int(part) for part in gather(fabric, torch.tensor(number, device=fabric.device))}) == 1


def circumstances(fabric: "Fabric") -> dict[str, Any]:
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
        "device": fabric.device.type,
        "threads": torch.get_num_threads(),
        "processes": fabric.world_size,
    }
