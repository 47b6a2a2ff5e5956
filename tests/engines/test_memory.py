"""Memory that is given back is used again: what a loop needs at each step is not asked of the system each time."""

from pathlib import Path

from gatework.core import _native


def test_memory_is_used_again_for_as_much_or_a_little_less():
    first = _native.memory(100_000)
    was = first.ctypes.data
    del first
    assert _native.memory(90_000).ctypes.data == was


def test_what_is_needed_anew_leaves_what_is_kept_where_it_is():
    """Until a quarter more is kept than was ever in use at once."""
    large, other = _native.memory(10_000_000), _native.memory(1_000_000)
    large[:] = 7
    del large, other
    few = [_native.memory(size) for size in (300_000, 400_000, 500_000)]
    for memory in few:
        memory[:] = 1
    assert (_native.memory(9_000_000) == 7).all()


def test_what_is_of_no_use_any_more_goes_back_to_the_system():
    sizes = [1_000_000 + 400_000 * step for step in range(12)]
    before = resident()
    for size in sizes:
        memory = _native.memory(size)
        memory[:] = 1
        del memory
    assert resident() - before < 2 * 4 * sizes[-1]


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
