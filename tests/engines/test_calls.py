"""A bound call of the core: what it does to arrays, in order, and what it refuses when it is bound or run."""

import numpy as np
import pytest
import torch
from core_toys import described

from gatework.core import _native
from gatework.engines.native.bound import Bound
from gatework.engines.native.call import outline
from gatework.lowering.binding import Binding
from gatework.verify.comparison import compare

DTYPES = [torch.float32, torch.bfloat16]
FLOATS = (0, 0, 1, 2, 4, 8, 4, 1, 0)  # memory 0: 2 rows of 4 in one step


def call_with(*sizes: int) -> _native.Call:
    """A call with memories of so many bytes."""
    call = _native.Call()
    for size in sizes:
        call.memory(size)
    return call


def run(call: _native.Call, *tensors: torch.Tensor, resets: torch.Tensor | None = None) -> None:
    call.run([tensor.data_ptr() for tensor in tensors], 0, 0 if resets is None else resets.data_ptr())


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("to", DTYPES, ids=str)
@pytest.mark.parametrize("of", DTYPES, ids=str)
@pytest.mark.parametrize("add", [False, True])
def test_arrays_of_any_order_and_element_are_copied_and_added_up(isa, to, of, add, monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    source = torch.randn(3, 5, 37).to(of)
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):
        given = source.permute(order)
        target = torch.randn(given.shape).to(to)
        expected = (target.float() * add + given.float()).to(to)
        call = _native.Call()
        call.copy(described(call, target), described(call, given), add)
        run(call, target, given)
        assert torch.equal(target, expected)


def test_a_step_may_stand_for_many():
    source, target = torch.randn(1, 2, 3), torch.zeros(4, 2, 3)
    call = call_with(target.nbytes, source.nbytes)
    call.copy((0, 0, 4, 2, 3, 6, 3, 1, 0), (1, 0, 4, 2, 3, 0, 3, 1, 0), False)
    run(call, target, source)
    assert torch.equal(target, source.expand(4, 2, 3))


def test_only_the_array_is_cleared():
    target = torch.ones(3, 5)
    call = call_with(target.nbytes)
    call.clear((0, 1, 1, 3, 2, 0, 5, 1, 0))
    run(call, target)
    assert torch.equal(target, torch.tensor([[1.0, 0, 0, 1, 1]] * 3))


def test_what_is_freed_is_used_again_and_what_is_not_keeps_its_numbers():
    call, values = Binding(1, _native.Call()), torch.randn(4)
    (source,) = call.give(outline([values]))
    first, second = call.result(4), call.result(4)
    kept = call.scratch(4)
    call.copy(kept, source)
    used = call.core.used()
    for _ in range(3):
        with call.temporary():
            call.clear(call.scratch(1000))
            most = call.core.used()
        assert call.core.used() == used < most
    call.copy(first, kept)
    with call.temporary():
        again = call.scratch(4)
        call.copy(again, source)
        call.copy(again, kept, add=True)
        call.copy(second, again)
    one, two = Bound.of(call).run([values], None, None)
    assert torch.equal(one, values)
    assert torch.equal(two, 2 * values)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_whose_units_lie_apart_are_read_as_they_are(dtype):
    whole = torch.randn(3, 6, 8).to(dtype)
    given = [whole.mT, whole[:, :, ::2], whole[..., :1].expand(3, 6, 5), whole[:, 1:], whole[:0].mT, whole[:, :, :1]]
    call = Binding(1, _native.Call())
    for source in call.give(outline(given)):
        call.copy(call.result(*source.shape, element=source.element), source)
    for made, expected in zip(Bound.of(call).run(given, None, None), given, strict=True):
        assert torch.equal(made, expected)


def test_gradients_of_reset_states_go_to_their_starts_alone():
    resets = torch.tensor([[0, 0, 0], [1, 0, 1]], dtype=torch.uint8)
    by_state, by_start = torch.randn(3, 4), torch.randn(3, 4)
    expected = by_start + by_state * resets[1, :, None], by_state * (1 - resets[1, :, None])
    call = _native.Call()
    call.restart(described(call, by_state), described(call, by_start), 1, 2)
    before = by_state.clone(), by_start.clone()
    run(call, by_state, by_start)  # without resets nothing happens
    assert torch.equal(by_state, before[0])
    assert torch.equal(by_start, before[1])
    run(call, by_state, by_start, resets=resets)
    compare(by_start, expected[0], rms=1e-7, peak=1e-6)
    assert torch.equal(by_state, expected[1])


WRONG = {
    "no such memory": (1, *FLOATS[1:]),
    "a negative memory": (-1, *FLOATS[1:]),
    "before its memory": (0, -1, *FLOATS[2:]),
    "beyond its memory": (0, 1, *FLOATS[2:]),
    "a negative size": (0, 0, 1, -2, *FLOATS[4:]),
    "a row too many": (0, 0, 1, 3, *FLOATS[4:]),
    "a stride too long": (0, 0, 1, 2, 4, 8, 5, 1, 0),
    "a negative stride": (0, 0, 1, 2, 4, 8, -4, 1, 0),
    "strides that overflow": (0, 0, 2**40, 2**40, 2**40, 2**40, 2**40, 2**40, 0),
    "an absurd size": (0, 0, 1, 2**62, *FLOATS[4:]),
    "no such element": (*FLOATS[:-1], 2),
    "a negative element": (*FLOATS[:-1], -1),
}


@pytest.mark.parametrize("array", WRONG.values(), ids=WRONG)
def test_an_array_outside_its_memory_is_refused(array):
    for bind in (
        lambda call: call.clear(array),
        lambda call: call.copy(array, FLOATS, False),
        lambda call: call.copy(FLOATS, array, True),
        lambda call: call.multiply(array, [FLOATS], [FLOATS], False, 1, 1),
        lambda call: call.multiply(FLOATS, [array], [FLOATS], False, 1, 1),
        lambda call: call.restart(array, FLOATS, 0, 1),
        lambda call: call.restart(FLOATS, array, 0, 1),
    ):
        with pytest.raises(ValueError, match=r"^native call: "):
            bind(call_with(32))


def test_arrays_that_do_not_fit_one_another_are_refused():
    call, row = call_with(32), (0, 0, 1, 1, 4, 8, 4, 1, 0)
    for bind in (lambda: call.copy(FLOATS, row, False), lambda: call.restart(FLOATS, row, 0, 1)):
        with pytest.raises(ValueError, match=r"^native call: "):
            bind()


@pytest.mark.parametrize("bytes_asked", [-1, 2**50])
def test_memory_of_absurd_size_is_refused(bytes_asked):
    call = _native.Call()
    for add in (call.memory, call.own_memory, call.free_to):
        with pytest.raises(ValueError, match=r"^native call: "):
            add(bytes_asked)


@pytest.mark.parametrize("addresses", [[], [64, 64], [0], [66]], ids=["none", "two", "null", "between two numbers"])
def test_addresses_that_do_not_fit_the_memories_are_refused(addresses):
    call = call_with(32)
    call.clear(FLOATS)
    with pytest.raises(ValueError, match=r"^native call: "):
        call.run(addresses, 0, 0)


@pytest.mark.parametrize(("first", "steps"), [(-1, 3), (1, 3), (0, 2), (2**41, 0), (0, -1)])
def test_a_scan_of_steps_that_are_not_there_is_refused(first, steps):
    plan = _native.Plan([_native.MAGIC, 0, 0, 1, 0, 0])  # a plan that does nothing
    with pytest.raises(ValueError, match=r"^native call: a scan of steps"):
        call_with().scan(plan, [0], 3, 1, np.zeros((0, 6), dtype=np.int64), [], first, steps, 1, 1)


def test_calls_run_together_do_what_each_does_alone():
    sources, results = torch.randn(5, 3, 1, 4), torch.zeros(5, 3, 1, 4)
    runs = []
    for source, result in zip(sources, results, strict=True):
        call = call_with(48, 48)
        call.copy((1, 0, 3, 1, 4, 4, 4, 1, 0), (0, 0, 3, 1, 4, 4, 4, 1, 0), False)
        runs.append((call, [source.data_ptr(), result.data_ptr()], 0, 0))
    _native.run_together(runs)
    assert torch.equal(results, sources)
    _native.run_together([])


def test_what_cannot_run_beside_others_is_refused():
    call = call_with(16, 16)
    matrix = (0, 0, 1, 2, 2, 0, 2, 1, 0)
    call.multiply(matrix, [matrix], [(1, 0, 1, 2, 2, 0, 2, 1, 0)], False, 2, 1)
    tensors = torch.randn(2, 4)
    with pytest.raises(ValueError, match="several threads"):
        _native.run_together([(call, [row.data_ptr() for row in tensors], 0, 0)])
    with pytest.raises(ValueError, match="no call"):
        _native.run_together([(None, [], 0, 0)])
    with pytest.raises(ValueError, match="more calls at once"):
        _native.run_together([(_native.Call(), [], 0, 0)] * 1025)
    with pytest.raises(ValueError, match="fewer addresses"):
        _native.run_together([(call_with(4), [], 0, 0)] * 2)
