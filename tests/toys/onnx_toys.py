"""Models of ONNX as tests run them: by ONNX Runtime, and by onnx's own evaluator."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

Arrays = list[np.ndarray]
MISSING = "not installed: pip install 'gatework[onnx]' onnxruntime"


def needed(module: str) -> Any:
    """A module of onnx or onnxruntime; without it the test is skipped."""
    return pytest.importorskip(module, reason=f"{module.split('.', maxsplit=1)[0]} is {MISSING}")


def by_onnxruntime(model: Any, feeds: Mapping[str, np.ndarray]) -> Arrays:
    options = needed("onnxruntime").SessionOptions()
    options.intra_op_num_threads = 1
    return session(model, options).run(None, feeds)


def session(model: Any, options: Any = None) -> Any:
    """What runs a model in ONNX Runtime, on one processor."""
    return needed("onnxruntime").InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def by_reference(model: Any, feeds: Mapping[str, np.ndarray]) -> Arrays:
    return needed("onnx.reference").ReferenceEvaluator(model).run(None, feeds)


RUNTIMES: dict[str, Callable[[Any, Mapping[str, np.ndarray]], Arrays]] = {
    "onnxruntime": by_onnxruntime,
    "onnx's evaluator": by_reference,
}


def recurrent_operators(model: Any) -> set[str]:
    return {node.op_type for node in model.graph.node} & {"Scan", "LSTM", "GRU", "RNN"}
