"""What every test runs under: one thread, one seed, and properties tried on the same examples every time."""

import os
from importlib.util import find_spec

import pytest
import torch
from hypothesis import settings

# Deterministic for CI; no deadlines, since the machines of CI differ in speed.
settings.register_profile("gatework", deadline=None, derandomize=True, database=None)
settings.load_profile("gatework")

torch.set_num_threads(1)

if find_spec("triton") is not None and not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # Triton's own functions are made to be interpreted as it is imported
    import triton.language  # noqa: F401

    del os.environ["TRITON_INTERPRET"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what opens a page, by the fixture that starts the browser; each test can be asked for by its name."""
    for item in items:
        if not item.nodeid.endswith(item.name):
            raise pytest.UsageError(f"{item.nodeid}: pytest escapes an id of several lines and does not know it again")
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")


@pytest.fixture(autouse=True)
def seed() -> int:
    """Starts torch's generator anew for each test, so that none depends on those before it."""
    torch.manual_seed(20)
    return 20
