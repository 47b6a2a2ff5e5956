"""The machine that was measured on, as a header of what was measured."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from gatework.core import _native
from gatework.engines import choose

CPUINFO = Path("/proc/cpuinfo")
HEADER_SECONDS = 0.5  # of the FMA loop


@dataclass(frozen=True)
class Machine:
    """Processor, software and what was set; `ceiling` in GF/s, None where it was not measured.

    gpu: the CUDA device that was measured, with CUDA's version and cuDNN's; empty for a measurement on the processor.
    """

    processor: str
    isa: str
    threads: int
    ceiling: float | None
    engine: str
    gatework: str
    torch: str
    python: str
    date: str
    gpu: str = ""


def machine(threads: int, engine: str, seconds: float = HEADER_SECONDS, device: str = "cpu") -> Machine:
    """This machine; its FMA ceiling measured for so long, not at all with 0."""
    return Machine(
        processor=processor(CPUINFO.read_text() if CPUINFO.exists() else ""),
        isa=_native.isa(),
        threads=threads,
        ceiling=ceiling(seconds, threads) if seconds else None,
        engine=choose(engine, torch.device(device), torch.float32).name,
        gatework=version("gatework"),
        torch=torch.__version__,
        python=platform.python_version(),
        date=datetime.now(UTC).date().isoformat(),
        gpu=gpu() if device == "cuda" else "",
    )


def gpu() -> str:
    """The CUDA device of this process, and the libraries that it runs."""
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, cuDNN {cudnn}"


def processor(cpuinfo: str) -> str:
    """The name of the processor, from /proc/cpuinfo where it is there."""
    named = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def ceiling(seconds: float, threads: int) -> float:
    """GF/s of a bare loop of fused multiply-adds, measured for so long."""
    return _native.ceiling(seconds, threads)


def bandwidth(amount: int, seconds: float) -> float:
    """GB/s at which a core reads so many bytes over and over, measured for so long."""
    return _native.bandwidth(amount, seconds)
