"""Where no GPU is kernels are interpreted in the process that tests them; what compiles is tested in others."""

import os
from importlib.util import find_spec

import pytest
import torch

INTERPRETS = find_spec("triton") is not None and not torch.cuda.is_available()

if INTERPRETS:
    os.environ["TRITON_INTERPRET"] = "1"  # Triton's own functions are made to be interpreted as it is imported
    import triton.language  # noqa: F401

    del os.environ["TRITON_INTERPRET"]


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    if INTERPRETS:
        monkeypatch.setattr("triton.knobs.runtime.interpret", True)
