"""`gatework verify`: which engines it checks, and how it shows each check of each."""

from importlib import import_module

import pytest
import torch
from cli_toys import Command

from gatework.engines import reference
from gatework.verify import check
from gatework.verify.check import Target


def test_each_check_of_each_engine_is_shown(gatework: Command):
    done = gatework("verify", "gru", "--engine", "reference", "--device", "cpu")
    assert done.status == 0
    head, engine, derived, last = (line.split() for line in done.lines)
    assert head[3:8] == ["values", "gradients", "lengths", "resets", "masks"]
    assert engine[:10] == ["gru", "reference", "on", "cpu", "float32", *["pass"] * 5]
    assert derived[:5] == ["gru", "derived", "backward", "float64", "pass"]
    assert done.lines[2].index("pass") == done.lines[1].index("pass") + 10  # of gradients
    assert " ".join(last) == "1 cell, 6 checks: 6 passed, 0 failed"


def test_a_check_that_fails_is_shown_and_said(gatework: Command, monkeypatch: pytest.MonkeyPatch):
    def without_resets(arguments):
        return reference.run(arguments) if arguments.resets is None else (_ for _ in ()).throw(ValueError("no resets"))

    monkeypatch.setattr(check, "targets", lambda: (Target("odd", torch.float32, "cpu", without_resets),))
    done = gatework("verify", "gru")
    assert done.status == 1
    assert done.lines[1].split()[:9] == ["gru", "odd", "on", "cpu", "float32", "pass", "pass", "pass", "FAIL"]
    assert "FAIL gru, odd on cpu, resets: ValueError: no resets" in done.out


def test_what_the_engine_torch_has_not_is_shown_and_not_counted(gatework: Command):
    done = gatework("verify", "lstm", "--engine", "torch", "--device", "cpu")
    assert done.status == 0
    assert [line.split()[4:10] for line in done.lines[1:4]] == [
        [dtype, *["pass"] * 4, "n/a"] for dtype in ("float32", "bfloat16", "float64")
    ]
    assert done.lines[5:] == [
        "n/a  torch on cpu, masks and records: masks and taps act inside the cell",
        "1 cell, 13 checks: 13 passed, 0 failed",
    ]
    partly = gatework("verify", "projected_lstm", "--engine", "torch", "--device", "cpu")
    assert partly.lines[1].split()[5:10] == ["pass"] * 4 + ["n/a"]
    assert "n/a  torch on cpu, values: projection to as many units as the memory has" in partly.lines


def test_a_cell_that_the_engine_torch_does_not_recognise_is_refused_where_it_was_asked_for(gatework: Command):
    done = gatework("verify", "lstm", "peephole_lstm", "--engine", "native,torch")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "peephole_lstm: engine torch runs torch's LSTM" in done.err and "leave out --engine torch" in done.err
    assert "torch" not in gatework("verify", "peephole_lstm").out


def test_the_command_shows_what_is_compiled_and_what_misses(gatework: Command, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("triton")
    reporting = import_module("gatework.engines.triton.report")
    Line, taken = reporting.Line, reporting.Use(64, 0, 3 * reporting.KIB)
    uses = {(chip, name): taken for chip in reporting.CHIPS for name in reporting.PASSES}
    small = reporting.Mode("G", torch.float32, 16)
    lines = [Line("rnn", small, uses, ()), Line("gru", small, {}, ("sm_90: no room",))]
    monkeypatch.setattr(reporting, "report", lambda _: lines)
    done = gatework("verify", "--compiled")
    assert done.status == 1
    assert done.lines[1].split() == ["rnn", "G", "float32", "16", *["64", "0", "3.0"] * 4]
    assert done.lines[2].split() == ["gru", "G", "float32", "16", *["-"] * 4]
    assert "MISS gru                   G    float32: sm_90: no room" in done.out
    refused = gatework("verify", "--compiled", "--thorough")
    assert refused.status == 2 and "--compiled runs nothing: leave out" in refused.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "warp"], "--engine warp: no such engine runs here; there are reference on cpu, native on cpu"),
        (["--engine", "native,warp"], "--engine warp: no such engine"),
        (["--device", "abacus"], "--device abacus: no such engine runs here"),
        (["--engine", "native", "--device", "abacus"], "--engine native --device abacus: no such engine"),
    ],
    ids=str,
)
def test_an_engine_that_does_not_run_here_is_refused_in_one_line(gatework: Command, options: list[str], said: str):
    done = gatework("verify", "lstm", *options)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1) and said in done.err
