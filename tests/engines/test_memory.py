"""Memory that is given back is used again: what a loop needs at each step is not asked of the system each time.

In a process of its own each, whose memory nothing else has used.
"""

import subprocess
import sys

import pytest

USED_AGAIN = """
first = memory(100_000)
was = first.ctypes.data
del first
assert memory(90_000).ctypes.data == was
"""

# until a quarter more is kept than was ever in use at once
LEFT_WHERE_IT_IS = """
large, other = memory(10_000_000), memory(1_000_000)
large[:] = 7
del large, other
few = [memory(size) for size in (300_000, 400_000, 500_000)]
for each in few:
    each[:] = 1
assert (memory(9_000_000) == 7).all()
"""

GIVEN_BACK = """
from pathlib import Path

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

memory(1)  # arrays are imported with the first
sizes, before = [1_000_000 + 400_000 * step for step in range(12)], resident()
for size in sizes:
    each = memory(size)
    each[:] = 1
    del each
assert resident() - before < 2 * 4 * sizes[-1]
"""


@pytest.mark.parametrize("code", [USED_AGAIN, LEFT_WHERE_IT_IS, GIVEN_BACK], ids=["used again", "kept", "given back"])
def test_memory_is_kept_for_what_comes_next_and_no_longer(code):
    subprocess.run([sys.executable, "-c", f"from gatework.core._native import memory\n{code}"], check=True)
