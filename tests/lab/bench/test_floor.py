"""The floor of a training step, on a machine of round numbers."""

import pytest

import gatework as gw
from gatework.lab.bench import floor as floors
from gatework.lab.bench.floor import floor
from gatework.lab.bench.measure import Shape
from gatework.lab.bench.work import activations, recurrent_weights, work

MULTIPLIES, BYTES = 1e11, 1e10  # a second, of all threads and of a core
NARROW, WIDE = Shape(100, 64, 32, 256), Shape(100, 64, 256, 1024)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "_multiplies_per_second", lambda _: MULTIPLIES)
    monkeypatch.setattr(floors, "_measured", lambda _: BYTES)


def moved(name: str, shape: Shape) -> int:
    program = gw.cells[name].program
    sizes = program.bind(shape.I, shape.H)
    return shape.T * (shape.B * activations(program, sizes) + 2 * recurrent_weights(program, sizes))


def test_a_cell_of_many_multiplies_has_their_time():
    assert floor(gw.cells["lstm"], WIDE, threads=2) == work(gw.cells["lstm"], WIDE, train=True) / MULTIPLIES


@pytest.mark.parametrize("threads", [1, 2])
def test_a_cell_of_many_bytes_has_the_time_in_which_all_threads_move_them(threads: int):
    assert floor(gw.cells["indrnn"], NARROW, threads) == pytest.approx(moved("indrnn", NARROW) / BYTES / threads)


def test_one_sequence_waits_for_the_weights_of_every_step():
    stream = Shape(100, 1, 256, 1024)
    assert floor(gw.cells["lstm"], stream, threads=1) == pytest.approx(moved("lstm", stream) / BYTES)


def test_layers_move_the_bytes_of_each():
    stack, first, second = Shape(3, 1, 32, 256, 2), Shape(3, 1, 32, 256), Shape(3, 1, 256, 256)
    expected = sum(floor(gw.cells["lstm"], layer, threads=1) for layer in (first, second))
    assert floor(gw.cells["lstm"], stack, threads=1) == pytest.approx(expected)


def test_bytes_are_read_at_the_speed_of_the_cache_in_which_they_stay(monkeypatch: pytest.MonkeyPatch):
    measured: list[int] = []
    monkeypatch.setattr(floors, "_measured", lambda amount: measured.append(amount) or BYTES)
    floor(gw.cells["indrnn"], Shape(1, 1, 1, 1), threads=1)
    floor(gw.cells["lstm"], Shape(1000, 256, 512, 512), threads=1)
    assert measured == [2**12, 2**12, 2**28, 2**22]
