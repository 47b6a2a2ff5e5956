from itertools import product

import pytest
import torch

import gatework as gw
from gatework.errors import InputError
from gatework.lab.bench import ROWS, Contest, Measurement, Row, Settings, Shape, Skipped, run
from gatework.lab.bench import settings as bench_settings
from gatework.lab.bench.floor import floor
from gatework.lab.bench.measure import Budget
from gatework.lab.bench.run import Begun
from gatework.lab.bench.settings import GRID, QUICK_GRID
from gatework.lab.bench.work import work

TINY = Shape(3, 2, 4, 5)
PROCESSES = "starts processes; test_bench_memory has one"
COMPILES = "compiles for half a minute"
SLOW = {"peephole-compile": COMPILES, "cuda-compile": COMPILES, "memory": PROCESSES, "recompute-memory": PROCESSES}
ONE_SEQUENCE = Shape(3, 1, 4, 32)
NEEDED = ("is not installed", "engine='triton'", "engine='torch'")  # what a machine may lack


@pytest.fixture
def one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_settings, "QUICK", Budget(1, 0.0, 0.0))


def settings(**options: object) -> Settings:
    return Settings(threads=1, quick=True, **{"shapes": (TINY,), "cells": ("lstm", "sru", "gru", "on_lstm"), **options})


@pytest.mark.parametrize("name", [name for name in ROWS if name not in SLOW])
def test_every_row_measures_what_is_here_and_says_what_is_not(name: str, one_round: None):
    ends = [
        event
        for event in run([ROWS[name]], settings(shapes=(ONE_SEQUENCE,) if name == "bare-loop" else (TINY,)))
        if not isinstance(event, Begun)
    ]
    assert ends
    for end in ends:
        assert end.row == name
        if isinstance(end, Skipped):
            assert any(words in end.reason for words in NEEDED), end.reason
        else:
            assert end.ours.median > 0 and end.theirs.median > 0 and end.rounds == 1


def test_the_whole_grid_is_measured_unless_it_is_a_quick_run_or_shapes_are_given():
    assert Settings(threads=1).grid() == GRID
    assert Settings(threads=1, quick=True).grid() == QUICK_GRID
    assert Settings(threads=1, quick=True, shapes=(TINY,)).grid(H=128, B=32) == (TINY,)
    assert set(QUICK_GRID) <= set(GRID)


def test_rows_with_a_bound_on_size_take_that_part_of_the_grid():
    large = [contest.shape for contest in ROWS["ceiling-training"].contests(Settings(threads=1))]
    assert large == [shape for shape in GRID if shape.H >= 256 and shape.B >= 32]
    compared = {contest.shape for contest in ROWS["cells"].contests(Settings(threads=1))}
    assert compared == {shape for shape in GRID if shape.H >= 128}
    assert Shape(100, 1, 64, 128) not in {contest.shape for contest in ROWS["memory"].contests(Settings(threads=1))}


def test_a_gpu_is_measured_from_64_units_to_2048_and_from_1_sequence_to_256():
    shapes = {contest.shape for contest in ROWS["cuda-lstm"].contests(Settings(threads=1))}
    assert {(s.T, s.B, s.H) for s in shapes} == set(
        product((100, 1000), (1, 8, 64, 256), (64, 128, 256, 512, 1024, 2048))
    )
    in_one_kernel, few = (
        {c.shape for c in ROWS[n].contests(Settings(threads=1))} for n in ("cuda-lstm-whole", "cuda-eager")
    )
    assert in_one_kernel == {shape for shape in shapes if shape.H <= 128}
    assert few == {shape for shape in shapes if shape.B <= 64}
    quick = {contest.shape for contest in ROWS["cuda-lstm"].contests(Settings(threads=1, quick=True))}
    assert quick < shapes


def test_a_cell_on_a_gpu_is_compared_by_its_multiply_adds():
    (gru,) = ROWS["cuda-cells"].contests(settings(cells=("gru",)))
    assert (gru.floor, gru.their_floor) == tuple(work(gw.cells[name], TINY, train=True) for name in ("gru", "lstm"))


def test_a_shape_that_the_device_has_no_memory_for_is_not_measured(one_round: None, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("gatework.lab.bench.contests.peephole_weights", full)
    _, skipped = run([ROWS["cuda-eager"]], settings())
    assert skipped == Skipped("cuda-eager", "some shapes do not fit into the device's memory")


def test_every_cell_is_compared_in_a_row_and_those_with_row_functions_in_one_of_their_own():
    plain, with_rows = (
        [contest.variant.partition(" ")[0] for contest in ROWS[name].contests(Settings(threads=1, quick=True))]
        for name in ("cells", "row-cells")
    )
    assert with_rows == ["layer_norm_lstm", "on_lstm"]
    assert sorted(plain + with_rows) == sorted(gw.cells)


def test_a_cell_whose_input_is_as_wide_as_its_state_is_compared_at_that_width():
    (sru,) = ROWS["cells"].contests(settings(cells=("sru",)))
    square = Shape(TINY.T, TINY.B, TINY.H, TINY.H)
    assert (sru.variant, sru.shape) == ("sru (I = H)", TINY)
    assert sru.work == work(gw.cells["sru"], square, train=True)
    assert (sru.floor, sru.their_floor) == tuple(floor(gw.cells[name], square, threads=1) for name in ("sru", "lstm"))


def test_the_bare_loop_runs_one_sequence_of_so_many_units_as_vectors_divide():
    shapes = (ONE_SEQUENCE, TINY, Shape(3, 1, 4, 48), Shape(3, 2, 4, 32), Shape(3, 1, 4, 32, 2))
    assert [contest.shape for contest in ROWS["bare-loop"].contests(settings(shapes=shapes))] == [ONE_SEQUENCE]


def test_growth_varies_one_size_at_a_time():
    for contest in ROWS["growth"].contests(settings()):
        assert sum(getattr(contest.shape, size) != getattr(TINY, size) for size in "TBIHL") <= 1


# -- running rows


def row(*contests: Contest, **options: object) -> Row:
    return Row("toy", "toy / other", lambda _: list(contests), **options)


def contest(variant: str) -> Contest:
    return Contest(variant, TINY, lambda: (lambda: 1.0, lambda: 2.0))


def missing() -> Contest:
    def prepare() -> None:
        raise InputError("not here")

    return Contest("absent", TINY, prepare)


def test_each_contest_is_told_as_it_begins_and_as_it_ends(one_round: None):
    events = list(run([row(contest("a")), row(contest("b"))], settings()))
    assert [type(event) for event in events] == [Begun, Measurement, Begun, Measurement]
    assert [(event.number, event.total) for event in events if isinstance(event, Begun)] == [(1, 2), (2, 2)]


def test_what_is_missing_is_told_once_and_the_rest_goes_on(one_round: None):
    events = [
        event for event in run([row(missing(), missing(), contest("a"))], settings()) if not isinstance(event, Begun)
    ]
    assert events[0] == Skipped("toy", "not here")
    assert [event.variant for event in events[1:]] == ["a"]


def test_a_row_to_which_nothing_chosen_belongs_is_told():
    assert list(run([row()], settings())) == [Skipped("toy", "no shape or cell that was chosen belongs to it")]


def test_a_row_may_need_fewer_rounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench_settings, "QUICK", Budget(5, 0.0, 0.0))
    for rounds, expected in ((3, 3), (9, 5)):
        (_, found) = run([row(contest("a"), rounds=rounds)], settings())
        assert isinstance(found, Measurement) and found.rounds == expected


def test_the_threads_are_those_asked_for_and_afterwards_those_of_before():
    before, seen = torch.get_num_threads(), []

    def prepare() -> None:
        seen.append(torch.get_num_threads())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run([row(Contest("", TINY, prepare))], Settings(threads=before + 1)))
    assert (seen, torch.get_num_threads()) == ([before + 1], before)


def test_no_threads_are_refused():
    with pytest.raises(InputError, match=r"^threads is 0; expected a whole number of at least 1$"):
        Settings(threads=0)
