"""Every cell compiles for GPUs that are not here, and what its kernels take is read from the compiled files."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gatework.cells import cells

pytest.importorskip("triton")

from gatework.engines.triton import modes
from gatework.engines.triton import report as reporting
from gatework.engines.triton.report import CHIPS, KIB, PASSES, Line, Use, report

FULL = reporting.MODES[2]
AMPERE, HOPPER = CHIPS


def printed(cache: Path, *arguments: str) -> list[list[str]]:
    """The words of each line that a process prints, which compiles: this one interprets."""
    folders = {"TRITON_CACHE_DIR": str(cache / "triton"), "XDG_CACHE_HOME": str(cache)}
    variables = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"} | folders
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr
    return [line.split() for line in done.stdout.splitlines()]


ALL_BY_ONE = """
import sys
from gatework.cells import cells
from gatework.engines.triton.report import CHIPS, MODES, report

turn = int(sys.argv[1])
for line in report([*cells.values()][turn::2], MODES[2:3], [CHIPS[turn]]):
    print(line.cell, len(line.uses), *line.misses)
"""


@pytest.mark.slow
@pytest.mark.parametrize("turn", [0, 1])
def test_every_cell_compiles_within_the_chip(turn: int, tmp_path: Path):
    """In mode G and float32, for one of the chips in turn, for the sake of time: the command has all."""
    lines = printed(tmp_path, "-c", ALL_BY_ONE, str(turn))
    assert lines == [[name, "2"] for name in [*cells][turn::2]]


@pytest.mark.slow
def test_the_command_compiles_for_each_chip_and_says_what_is_taken(tmp_path: Path):
    head, *lines, last = printed(tmp_path, "-m", "gatework", "verify", "--compiled", "rnn")
    assert head[:4] == ["cell", "mode", "dtype", "units"]
    assert head[4:] == [word for chip in CHIPS for name in PASSES for word in (str(chip), name)]
    assert [line[:4] for line in lines] == [
        ["rnn", "S", "float32", "32"],
        ["rnn", "S", "bfloat16", "128"],
        ["rnn", "G", "float32", "256"],
        ["rnn", "G", "bfloat16", "256"],
    ]
    for line in lines:
        assert all(8 <= int(registers) <= 255 for registers in line[4::3]) and set(line[5::3]) == {"0"}
    assert last[:4] == ["4", "lines,", "0", "misses:"]


WHOLE_BY_NAME = """
import sys
from gatework.cells import cells
from gatework.engines.triton.report import CHIPS, MODES, report

for line in report([cells[name] for name in sys.argv[1:]], MODES[:2], CHIPS[1:]):
    print(line.cell, line.mode.H, len(line.uses), *line.misses)
"""


@pytest.mark.slow
def test_a_whole_sequence_in_one_kernel_needs_no_local_memory_at_the_most_units_that_run_so(tmp_path: Path):
    lines = printed(tmp_path, "-c", WHOLE_BY_NAME, "lstm", "fastgrnn")
    assert lines == [[name, units, "2"] for name in ("lstm", "fastgrnn") for units in ("32", "128")]


def test_mode_s_is_compiled_for_the_most_units_that_run_so_in_either_pass(monkeypatch: pytest.MonkeyPatch):
    def units(name: str) -> list[int | None]:
        sized = [reporting._sized(mode, cells[name].program) for mode in reporting.MODES]
        return [mode and mode.H for mode in sized]

    assert units("lstm") == [32, 128, 256, 256]
    assert units("nested_lstm") == [16, 64, 256, 256]
    monkeypatch.setenv("GATEWORK_TRITON_MODE", "S")
    assert units("nested_lstm") == [16, 64, 256, 256]
    tight = {dtype: most._replace(tiles=0) for dtype, most in modes.MOST.items()}
    monkeypatch.setattr(modes, "MOST", tight)
    assert units("lstm") == [None, None, 256, 256]


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
