"""Tests of ONNX need the packages onnx and onnxruntime."""

import pytest
from onnx_toys import needed


@pytest.fixture(autouse=True)
def installed() -> None:
    """Skips a test where one of them is missing."""
    needed("onnx.reference")
    needed("onnxruntime")
