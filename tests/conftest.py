"""What every test runs under: one thread, one seed, and properties tried on the same examples every time."""

import pytest
import torch
from hypothesis import settings

# Deterministic for CI; no deadlines, since the machines of CI differ in speed.
settings.register_profile("gatework", deadline=None, derandomize=True, database=None)
settings.load_profile("gatework")

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> int:
    """Starts torch's generator anew for each test, so that none depends on those before it."""
    torch.manual_seed(20)
    return 20
