"""Kernels are interpreted in the process that tests them; what compiles is tested in others."""

import os
from importlib.util import find_spec

import pytest

if find_spec("triton") is not None:  # its own functions are made as it is imported, to be interpreted or compiled
    os.environ["TRITON_INTERPRET"] = "1"
    import triton.language  # noqa: F401

    del os.environ["TRITON_INTERPRET"]


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("triton") is not None:
        monkeypatch.setattr("triton.knobs.runtime.interpret", True)
