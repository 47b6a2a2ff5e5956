"""The native engine among threads and processes: several callers at once, forked children, the same numbers again."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from threading import Barrier

import pytest
import torch

import gatework as gw
from core_calls import recording
from gatework.cells import cells
from gatework.core import _native
from gatework.engines import Arguments, native
from gatework.verify.problems import Answers, Case, Problem, answer, draw

LARGE = Case(20, 48, 64, 128, 32)  # enough work for several threads
SMALL = Case(3, 2, 4, 5, 3)
NAMES = ("lstm", "layer_norm_lstm")


def problem(name: str = "lstm", case: Case = LARGE, seed: int = 20) -> Problem:
    return draw(cells[name], replace(case, seed=seed)).to(torch.float32)


def answers(of: Problem) -> Answers:
    return answer(native.run, of)


def assert_equal(found: Answers, expected: Answers) -> None:
    assert list(found) == list(expected)
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name


@pytest.fixture(params=[1, 2, 3], ids=lambda threads: f"{threads} threads")
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """torch's number of threads for a test."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


# -- how many


def used(case: Case) -> set[int]:
    """The threads that the calls of a problem ask the core for."""
    with recording() as calls:
        answers(problem(case=case))
    return {call.threads for call in calls}


def test_the_engine_takes_as_many_threads_as_torch(threads):
    assert used(LARGE) == {threads}


def test_small_work_is_done_by_one_thread(threads):
    assert used(SMALL) == {1}


# -- the same numbers


@pytest.mark.parametrize("name", NAMES)
def test_a_second_run_gives_the_same_numbers_to_the_last_bit(name, threads):
    assert_equal(answers(problem(name)), answers(problem(name)))


@contextmanager
def crowded(threads: int) -> Iterator[None]:
    """As after runs that waited long for processors which other processes had."""
    for _ in range(2):
        _native.note_waiting(1.0, 1.0, threads)
    assert not _native.worth_waiting()
    yield
    _native.note_waiting(0.0, 1.0, threads)
    assert _native.worth_waiting()


@pytest.mark.parametrize("name", NAMES)
def test_threads_that_do_not_wait_for_one_another_give_the_same_numbers_to_the_last_bit(name, threads):
    expected = answers(problem(name))
    with crowded(threads + 1):
        assert_equal(answers(problem(name)), expected)


def test_frozen_layers_and_streams_run_without_waiting_where_that_was_too_long(threads):
    layer, x = gw.LSTM(16, 1024), torch.randn(20, 1, 16)
    frozen, stream = layer.frozen(), layer.stream()
    expected, steps = frozen(x)[0], [stream(x[0]).clone()]
    with crowded(threads + 1):
        assert torch.equal(frozen(x)[0], expected)
        steps.append(stream(x[1]).clone())
    assert torch.equal(frozen(x)[0], expected)
    torch.testing.assert_close(torch.stack([*steps, stream(x[2])]), expected[:3])


ON_ONE_PROCESSOR = """
import os, time, torch
import gatework as gw
from gatework.core import _native

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
torch.set_num_threads(2)
layer, x = gw.LSTM(16, 512).requires_grad_(False), torch.randn(200, 1, 16)

def used_by_others():  # seconds of processors, of which the main thread used the rest
    whole, main = time.process_time(), time.thread_time()
    layer(x)
    main = time.thread_time() - main
    return (time.process_time() - whole - main) / main

shared = used_by_others()
for _ in range(100):
    if not _native.worth_waiting():
        break
    layer(x)
print(shared > 0.5, _native.worth_waiting(), used_by_others() < 0.1)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a process cannot be kept to one processor here")
def test_two_threads_with_one_processor_become_one():
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-c", ON_ONE_PROCESSOR]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False", "True"]


# What two runs on end waited of a second, each; whether threads then go on waiting for one another: a third decides for
# two threads, three fifths for four, and waiting shorter than a thousandth of a second says nothing.
@pytest.mark.parametrize(
    ("threads", "waited", "worth"),
    [
        (2, (0.34, 0.34), False),
        (2, (0.32, 0.34), True),
        (2, (0.34, 0.32), True),
        (2, (0.34,), True),
        (4, (0.59, 0.59), True),
        (4, (0.61, 0.61), False),
    ],
)
def test_threads_wait_for_one_another_until_one_would_be_as_fast(threads, waited, worth):
    _native.note_waiting(0.0, 1.0, threads)
    for seconds in waited:
        _native.note_waiting(seconds, 1.0, threads)
    assert _native.worth_waiting() == worth
    _native.note_waiting(0.0, 1.0, threads)


def test_a_thread_that_missed_its_processor_for_a_moment_says_nothing():
    _native.note_waiting(0.0, 1.0, 2)
    for _ in range(3):
        _native.note_waiting(0.0009, 0.001, 2)
    assert _native.worth_waiting()


def callers(threads: int) -> ThreadPoolExecutor:
    """Two of them; torch keeps a number of threads for each."""
    return ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(threads,))


@pytest.mark.parametrize("name", NAMES)
def test_two_callers_at_once_get_the_numbers_of_each_alone(name, threads):
    problems = [problem(name, seed=seed) for seed in (1, 2)]
    alone = [answers(each) for each in problems]
    together = Barrier(len(problems))

    def call(each: Problem) -> list[Answers]:
        together.wait()
        return [answers(each) for _ in range(5)]

    with callers(threads) as pool:
        for found, expected in zip(pool.map(call, problems), alone, strict=True):
            for each in found:
                assert_equal(each, expected)


def test_callers_of_different_sizes_do_not_disturb_each_other(threads):
    problems = [problem(case=case) for case in (LARGE, SMALL)]
    alone = [answers(each) for each in problems]
    with callers(threads) as pool:
        for found, expected in zip(pool.map(answers, problems * 4), alone * 4, strict=True):
            assert_equal(found, expected)


# -- forked children


def child(of: Problem, to: Connection) -> None:
    with torch.no_grad():
        output, final, _ = native.run(Arguments(of.program, of.params, of.x, of.state))
    to.send([value.numpy() for value in (output, *final)])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # that is what is tried here
def test_a_forked_child_runs_the_engine_after_its_parent_did(threads):
    of = problem()
    with torch.no_grad():
        output, final, _ = native.run(Arguments(of.program, of.params, of.x, of.state))
    forked = multiprocessing.get_context("fork")
    ours, theirs = forked.Pipe()
    process = forked.Process(target=child, args=(of, theirs), daemon=True)
    process.start()
    assert ours.poll(60), "the child does not answer"
    found = [torch.from_numpy(value) for value in ours.recv()]
    process.join(60)
    assert process.exitcode == 0
    for value, expected in zip(found, (output, *final), strict=True):
        assert torch.equal(value, expected)
    with torch.no_grad():  # and the parent goes on
        assert torch.equal(native.run(Arguments(of.program, of.params, of.x, of.state))[0], output)


# -- whose they are

COUNTED = """
import os, torch, gatework as gw
torch.set_num_threads(3)
torch.ones(1 << 22).exp()
before = len(os.listdir("/proc/self/task"))
gw.LSTM(64, 128)(torch.ones(50, 64, 64))[0].sum().backward()
print("gomp" in open("/proc/self/maps").read(), len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of a process as Linux shows them")
def test_the_threads_are_torchs_own_where_they_are_those_of_gnu_openmp():
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    with_openmp, more = done.stdout.split()
    assert int(more) <= (1 if with_openmp == "True" else 3)  # autograd has one for itself


LIMITED = """
import torch, gatework as gw
torch.set_num_threads(3)
print(gw.LSTM(64, 128)(torch.ones(50, 64, 64))[0].shape)
"""


def test_with_fewer_threads_of_openmp_than_asked_for_the_core_takes_its_own():
    limited = os.environ | {"OMP_THREAD_LIMIT": "2"}
    done = subprocess.run([sys.executable, "-c", LIMITED], env=limited, capture_output=True, text=True, check=True)
    assert "[50, 64, 128]" in done.stdout
