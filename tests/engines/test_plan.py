"""The native core refuses what is no plan and what does not fit it, and touches no memory but its buffers."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from core_toys import run_plan

from core_calls import CoreCall, calls_of
from gatework.cells import cells
from gatework.core import _native
from gatework.verify.problems import Case

CHOSEN = [cells[name] for name in ("lstm", "gru", "slstm", "layer_norm_lstm")]
CASES = (Case(4, 3, 4, 9, 5), Case(5, 2, 4, 5, 3, lengths=True, resets=True))
CALLS = calls_of(CHOSEN, CASES, [torch.float32])
REFUSED = (ValueError, TypeError)  # TypeError: a number that no int32 holds
GUARD, EDGE = 64, np.float32(-12345.678)  # floats on each side of a buffer, and what they must keep
each_call = pytest.mark.parametrize("call", CALLS[::3], ids=lambda call: f"{len(call.stream)} integers")


def run(call: CoreCall, *, shift: int = 0, grid: tuple[int, int] = (1, 1)) -> None:
    """Runs a call on buffers of its sizes between guards; `shift` moves their addresses by bytes."""
    plan = _native.Plan(list(call.stream))
    guarded = [np.full(max(buffer[3], 0) + 2 * GUARD, EDGE) for buffer in call.buffers]
    for memory in guarded:
        memory[GUARD:-GUARD] = 0.5
    buffers = [(m.ctypes.data + 4 * GUARD + shift, *b) for m, b in zip(guarded, call.buffers, strict=True)]
    lengths, resets = np.array(call.lengths, dtype=np.int64), np.array(call.resets, dtype=np.uint8)
    ends, again = (given.ctypes.data if len(given) else 0 for given in (lengths, resets))
    run_plan(plan, call.sizes, call.T, call.B, buffers, starts=call.starts, boundaries=(ends, again), grid=grid)
    for memory in guarded:
        assert (memory[:GUARD] == EDGE).all() and (memory[-GUARD:] == EDGE).all()


class Head(NamedTuple):
    """The first integers of a plan."""

    magic: int
    backwards: int
    fused: int
    sizes: int
    buffers: int


def changed(numbers: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*numbers[:place], value, *numbers[place + 1 :])


# -- what the engine asks


@pytest.mark.parametrize("grid", [(1, 1), (1, 2), (2, 1)])
def test_the_calls_of_the_engine_touch_no_memory_but_their_buffers(grid):
    for call in CALLS:
        run(call, grid=grid)


# -- plans


@each_call
def test_a_plan_cut_off_anywhere_is_refused(call):
    for end in range(len(call.stream)):
        with pytest.raises(ValueError, match="native plan: "):
            _native.Plan(list(call.stream[:end]))


@each_call
def test_a_plan_that_goes_on_after_its_end_is_refused(call):
    with pytest.raises(ValueError, match="goes on after its end"):
        _native.Plan([*call.stream, 0])


@pytest.mark.parametrize("stream", [[], [0], [-1] * 20, [2**31 - 1] * 20, [2**31], [-(2**63)]])
def test_numbers_that_are_no_plan_are_refused(stream):
    with pytest.raises(REFUSED):
        _native.Plan(stream)


# -- what a plan runs on


WRONG: dict[str, Callable[[CoreCall], CoreCall]] = {
    "a size too few": lambda call: replace(call, sizes=call.sizes[1:]),
    "a negative size": lambda call: replace(call, sizes=(-1, *call.sizes[1:])),
    "an absurd size": lambda call: replace(call, sizes=(2**40, *call.sizes[1:])),
    "more units than the buffers have": lambda call: replace(call, sizes=tuple(size + 1 for size in call.sizes)),
    "more samples than the buffers have": lambda call: replace(call, B=call.B + 1, lengths=(), resets=()),
    "negative steps": lambda call: replace(call, T=-1),
    "absurdly many samples": lambda call: replace(call, B=2**60, lengths=(), resets=()),
    "a buffer too few": lambda call: replace(call, buffers=call.buffers[1:], starts=call.starts[1:]),
    "a start too few": lambda call: replace(call, starts=call.starts[1:]),
    "a start that is not there": lambda call: replace(call, starts=tuple(999 if s >= 0 else s for s in call.starts)),
    "no start where samples are reset": lambda call: replace(call, starts=(-1,) * len(call.starts)),
    "a length beyond the steps": lambda call: replace(call, lengths=(call.T + 1,) * call.B),
    "a negative length": lambda call: replace(call, lengths=(-1,) * call.B),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_a_plan_is_refused(wrong):
    for call in (call for call in CALLS if call.resets):
        with pytest.raises(ValueError, match=r"native (plan|call): "):
            run(wrong(call))


NOTHING: dict[str, Callable[[CoreCall], CoreCall]] = {
    "no steps": lambda call: replace(call, T=0, lengths=()),
    "no samples": lambda call: replace(call, B=0),
    "no units": lambda call: replace(call, sizes=(0,) * len(call.sizes)),
}


@pytest.mark.parametrize("number", [-2, 999, 2**31 - 1])
@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
def test_a_backward_plan_whose_start_is_out_of_bounds_is_refused_where_nothing_is_to_run(nothing, number):
    for call in (nothing(call) for call in CALLS if call.resets and Head(*call.stream[:5]).backwards):
        run(call)
        for place in (place for place, start in enumerate(call.starts) if start >= 0):
            with pytest.raises(ValueError, match="native plan: a start that is not there"):
                run(replace(call, starts=changed(call.starts, place, number)))


def test_a_buffer_without_memory_is_refused():
    for call in CALLS:
        for place, (*strides, floats) in enumerate(call.buffers):
            if floats:
                empty = (*call.buffers[:place], (*strides, 0), *call.buffers[place + 1 :])
                with pytest.raises(ValueError, match="too small"):
                    run(replace(call, buffers=empty))


@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize("value", [-1, 2**62, -(2**62)])
def test_absurd_strides_of_a_buffer_are_refused_or_never_used(place, value):
    call = CALLS[0]
    for index, buffer in enumerate(call.buffers):
        if place == 3 and value > 0:  # what a caller says it has is what it must have
            continue
        strange = (*call.buffers[:index], changed(buffer, place, value), *call.buffers[index + 1 :])
        try:
            run(replace(call, buffers=strange))
        except ValueError as error:
            assert str(error).startswith(("native plan: ", "native call: "))


def test_addresses_between_floats_are_refused():
    with pytest.raises(ValueError, match="out of alignment"):
        run(CALLS[0], shift=2)


@pytest.mark.parametrize("grid", [(0, 1), (1, 0), (-1, -1), (2**20, 1), (2**16, 2**16)])
def test_threads_that_nobody_has_are_refused(grid):
    with pytest.raises(ValueError, match="no such grid of threads"):
        run(CALLS[0], grid=grid)


# -- at random


def mutant(call: CoreCall, dice: random.Random) -> CoreCall:
    """The call with up to three faults, most of them in its plan."""
    stream, sizes, T, B = list(call.stream), list(call.sizes), call.T, call.B
    for _ in range(dice.randint(1, 3)):
        kind, place = dice.randrange(6), dice.randrange(len(stream))
        if kind == 0:
            stream[place] = dice.choice([-1, 0, 1, 2, 3, 17, 64, 4096, 2**31 - 1, -(2**31)])
        elif kind == 1:
            stream[place] += dice.choice([-1, 1])
        elif kind == 2:
            stream[place] = dice.choice(stream)
        elif kind == 3:
            del stream[place]
        elif kind == 4:
            sizes[dice.randrange(len(sizes))] = dice.randrange(20)
        else:
            T, B = (T, dice.randrange(4)) if dice.randrange(2) else (dice.randrange(6), B)
    same = (T, B) == (call.T, call.B)
    return replace(
        call,
        stream=tuple(stream),
        sizes=tuple(sizes),
        T=T,
        B=B,
        lengths=call.lengths if same else (),
        resets=call.resets if same else (),
    )


def test_mutated_calls_are_refused_or_run_without_harm():
    dice, ran = random.Random(20), 0
    for _ in range(2000):
        try:
            run(mutant(dice.choice(CALLS), dice))
            ran += 1
        except REFUSED:
            pass
    assert 20 < ran < 1900


def test_random_numbers_are_refused():
    dice = random.Random(20)
    for _ in range(2000):
        head = list(dice.choice(CALLS).stream[: dice.randrange(8)])
        with pytest.raises(ValueError, match="native plan: "):
            _native.Plan(head + [dice.randrange(-2, 20) for _ in range(dice.randrange(60))])
