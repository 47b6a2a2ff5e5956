"""Every cell compiles for GPUs that are not here, and what its kernels take is read from the compiled files."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gatework.cells import cells

pytest.importorskip("triton")

from gatework.engines.triton import report as reporting
from gatework.engines.triton.report import CHIPS, KIB, PASSES, Line, Use, report

FULL = reporting.MODES[0]
AMPERE, HOPPER = CHIPS


@pytest.mark.slow
def test_the_command_compiles_for_each_chip_and_says_what_is_taken(tmp_path: Path):
    """In a process that compiles: this one interprets."""
    kept = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    folders = {"TRITON_CACHE_DIR": str(tmp_path / "triton"), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "gatework", "verify", "--compiled", "rnn"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept | folders)
    assert done.returncode == 0, done.stdout + done.stderr
    head, full, half, last = (line.split() for line in done.stdout.splitlines())
    assert head[:4] == ["cell", "mode", "dtype", "units"]
    assert head[4:] == [word for chip in CHIPS for name in PASSES for word in (str(chip), name)]
    assert [full[:4], half[:4]] == [["rnn", "G", "float32", "256"], ["rnn", "G", "bfloat16", "256"]]
    for line in (full, half):
        assert all(8 <= int(registers) <= 255 for registers in line[4::3]) and set(line[5::3]) == {"0"}
    assert last[:4] == ["2", "lines,", "0", "misses:"]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (Use(255, 8, 0), ["8 bytes of local memory a thread"]),
        (Use(255, 0, 163 * KIB), []),
        (Use(255, 0, 164 * KIB), ["164 KiB of shared memory, where a block may have 163"]),
        (Use(255, 8, 164 * KIB), ["8 bytes of local", "164 KiB"]),
    ],
)
def test_what_a_kernel_must_not_take_is_a_miss(use: Use, said: list[str]):
    misses = list(reporting._misses(use, AMPERE))
    assert len(misses) == len(said) and all(words in miss for words, miss in zip(said, misses, strict=True))
    assert list(reporting._misses(replace(use, local=0), HOPPER)) == []


def test_the_most_of_several_kernels_is_that_of_each_figure_by_itself():
    assert Use(40, 0, 16) | Use(32, 8, 0) == Use(40, 8, 16)


def test_a_cell_that_does_not_compile_is_a_miss(monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise RuntimeError("no such register\nand more")

    monkeypatch.setattr(reporting, "_compiled", fails)
    [line] = report([cells["rnn"]], [FULL], [AMPERE])
    assert line == Line("rnn", FULL, {}, ("sm_80: RuntimeError: no such register",))
