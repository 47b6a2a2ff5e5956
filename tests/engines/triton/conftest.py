"""Where no GPU is kernels are interpreted in the process that tests them; what compiles is tested in others."""

from importlib.util import find_spec

import pytest
import torch

INTERPRETS = find_spec("triton") is not None and not torch.cuda.is_available()


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    if INTERPRETS:
        monkeypatch.setattr("triton.knobs.runtime.interpret", True)
