"""A kind of device that was never verified is asked once by a tiny problem; what it answered is remembered."""

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from gatework.engines import Arguments, reference
from gatework.engines.triton import trust
from gatework.engines.triton.trust import Kind, agrees, disagreement

CPU = torch.device("cpu")
ABACUS = Kind("Abacus G, compute capability 12.3", "driver 1", "torch 2, triton 3", "float32")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    return tmp_path / "cache"


class Counted:
    """An engine and how often it ran."""

    def __init__(self, run: Callable = reference.run) -> None:
        self.run, self.calls = run, 0

    def __call__(self, arguments: Arguments):
        self.calls += 1
        return self.run(arguments)


def off(arguments: Arguments):
    output, final, recorded = reference.run(arguments)
    return output * 1.5, final, recorded


def memory(cache: Path) -> Path:
    [file] = cache.rglob("trust-*.json")
    return file


def test_a_sound_engine_is_asked_once_and_never_again(cache: Path):
    engine = Counted()
    assert agrees(engine, CPU, torch.float32, ABACUS)
    assert engine.calls == len(trust.UNITS)
    assert agrees(engine, CPU, torch.float32, ABACUS) and engine.calls == len(trust.UNITS)
    assert memory(cache).stat().st_mode & 0o077 == 0 and memory(cache).parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("field", [field.name for field in fields(Kind)])
def test_another_kind_of_device_driver_or_version_is_asked_anew(field: str):
    engine = Counted()
    agrees(engine, CPU, torch.float32, ABACUS)
    assert agrees(engine, CPU, torch.float32, replace(ABACUS, **{field: "another"}))
    assert engine.calls == 2 * len(trust.UNITS)


def test_an_engine_that_disagrees_is_not_trusted_now_or_later():
    engine = Counted(off)
    for _ in range(2):
        with pytest.warns(UserWarning) as said:
            assert not agrees(engine, CPU, torch.float32, ABACUS)
        (warning,) = said
        assert "is off by" in str(warning.message) and "where 0.02 is allowed on Abacus G" in str(warning.message)
        assert "the reference engine runs instead; GATEWORK_TRUST=1 runs triton all the same" in str(warning.message)
    assert engine.calls == len(trust.UNITS)


def test_an_engine_that_fails_is_not_trusted_and_asked_again_later(cache: Path):
    def fails(arguments: Arguments):
        raise RuntimeError("no kernel image")

    with pytest.warns(UserWarning, match=r"failed on a tiny problem \(RuntimeError: no kernel image\) on Abacus G"):
        assert not agrees(fails, CPU, torch.float32, ABACUS)
    assert agrees(reference.run, CPU, torch.float32, ABACUS)


DAMAGED = {
    "nothing": b"",
    "half of it": b'{"kind": {"device": "Abac',
    "no object": b"[1]",
    "no error": b'{"kind": {}}',
    "no text": b"\xff\xfe",
    "without end": b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_memory_counts_as_none_and_is_written_anew(cache: Path, damage: bytes):
    engine = Counted()
    agrees(engine, CPU, torch.float32, ABACUS)
    whole = memory(cache).read_bytes()
    memory(cache).write_bytes(damage)
    assert agrees(engine, CPU, torch.float32, ABACUS)
    assert engine.calls == 2 * len(trust.UNITS) and memory(cache).read_bytes() == whole


@pytest.mark.parametrize("error", ["NaN", "-1", '"small"', "null", "[0]"])
def test_an_error_that_is_no_size_counts_as_none(cache: Path, error: str):
    agrees(reference.run, CPU, torch.float32, ABACUS)
    held = json.loads(memory(cache).read_text())
    memory(cache).write_text(json.dumps(held | {"error": 0}).replace('"error": 0', f'"error": {error}'))
    engine = Counted()
    assert agrees(engine, CPU, torch.float32, ABACUS) and engine.calls


def test_the_memory_of_another_kind_counts_as_none(cache: Path):
    agrees(reference.run, CPU, torch.float32, ABACUS)
    held = json.loads(memory(cache).read_text())
    held["kind"]["driver"] = "driver 0"
    memory(cache).write_text(json.dumps(held))
    engine = Counted()
    assert agrees(engine, CPU, torch.float32, ABACUS) and engine.calls


def test_without_a_place_for_memories_each_process_asks(cache: Path):
    cache.write_text("no folder")
    engine = Counted()
    for times in (1, 2):
        assert agrees(engine, CPU, torch.float32, ABACUS)
        assert engine.calls == times * len(trust.UNITS)


def test_a_variable_skips_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(trust.VARIABLE, "1")
    engine = Counted(off)
    assert trust.trusted(engine, CPU, torch.float32) and engine.calls == 0


# -- what the tiny problem notices


def without(option: str):
    return lambda arguments: reference.run(replace(arguments, **{option: None}))


def one_number(arguments: Arguments):
    output, final, recorded = reference.run(arguments)
    error = torch.zeros_like(output)
    error[-1, -1, -1] = 0.5
    return output + error, final, recorded


def half_the_gradient(arguments: Arguments):
    output, final, recorded = reference.run(arguments)
    return (output + output.detach()) / 2, final, recorded


def no_number(arguments: Arguments):
    output, final, recorded = reference.run(arguments)
    return output, tuple(value * math.nan for value in final), recorded


def only_small(arguments: Arguments):
    return (reference.run if arguments.state[0].shape[1] < 64 else off)(arguments)


WRONG = {
    "numbers": off,
    "one number": one_number,
    "lengths": without("lengths"),
    "resets": without("resets"),
    "the start": without("start"),
    "gradients": half_the_gradient,
    "a number that is none": no_number,
    "sizes for many kernels": only_small,
}


@pytest.mark.parametrize("dtype", trust.MOST, ids=str)
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_mistake_is_beyond_what_roundings_do(wrong: Callable, dtype: torch.dtype):
    assert disagreement(wrong, CPU, dtype) > 1.5 * trust.MOST[dtype]


@pytest.mark.parametrize("dtype", trust.MOST, ids=str)
def test_roundings_are_well_within_what_is_allowed(dtype: torch.dtype):
    assert 0 < disagreement(reference.run, CPU, dtype) < trust.MOST[dtype] / 2


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_it_is_asked_wherever_the_first_call_stands(around: Callable):
    before = torch.get_rng_state()
    with around(), torch.autocast("cpu", torch.bfloat16):
        assert disagreement(reference.run, CPU, torch.float32) < 1e-4
    assert torch.equal(torch.get_rng_state(), before)


def test_a_verdict_warns_once_in_a_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Kind, "of", lambda *_: ABACUS)
    engine = Counted(off)
    with pytest.warns(UserWarning, match="is off by"):
        assert not trust.trusted(engine, CPU, torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not trust.trusted(engine, CPU, torch.float32)
