"""What gatework is compared with beside torch's own layers: the same equations in eager torch, JAX, ONNX Runtime
and a bare loop.

All take the weights of a gatework layer of one direction.
"""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.core import _native
from gatework.errors import InputError
from gatework.layers import Recurrent

GATES = ("i", "f", "g", "o")
ONNX_GATES = ("i", "o", "f", "g")


def extra(module: str) -> Any:
    """A module of the extra `bench`; InputError where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        name = module.partition(".")[0]
        raise InputError(f"{name} is not installed: pip install 'gatework[bench]'") from None


def _packed(layer: Recurrent, kind: str, gates: Sequence[str]) -> Tensor:
    """The parameters `kind`_gate of a layer, one below the other."""
    return torch.cat([layer.get_parameter(f"l0.{kind}_{gate}").detach() for gate in gates])


def peephole_weights(layer: Recurrent) -> list[Tensor]:
    """W [4H,I], U [4H,H], b [4H], p [3H] of a peephole LSTM."""
    return [*(_packed(layer, kind, GATES) for kind in "WUb"), _packed(layer, "p", ("i", "f", "o"))]


def peephole_loop(x: Tensor, W: Tensor, U: Tensor, b: Tensor, p: Tensor) -> Tensor:
    """A peephole LSTM as one writes it in torch: x [T,B,I] -> h [T,B,H], all that x contributes ahead of the loop."""
    h = c = x.new_zeros(x.shape[1], U.shape[1])
    p_i, p_f, p_o = p.chunk(3)
    outputs = []
    for ahead in F.linear(x, W, b):  # [B,4H]
        i, f, g, o = torch.addmm(ahead, h, U.t()).chunk(4, -1)
        i, f, g = torch.sigmoid(i + p_i * c), torch.sigmoid(f + p_f * c), torch.tanh(g)
        c = f * c + i * g
        o = torch.sigmoid(o + p_o * c)
        h = o * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs)


def jax_peephole(x: Tensor, weights: Sequence[Tensor], threads: int) -> Callable[[], Any]:
    """The same as a jitted jax.lax.scan: a training step that returns ((loss, h [T,B,H]), gradients)."""
    os.environ.setdefault("NPROC", str(threads))  # how many threads XLA starts, read once
    jax, jnp = extra("jax"), extra("jax.numpy")
    sigmoid = jax.nn.sigmoid

    def scan(x: Any, W: Any, U: Any, b: Any, p: Any) -> Any:
        p_i, p_f, p_o = jnp.split(p, 3)

        def step(state: Any, ahead: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(ahead + h @ U.T, 4, -1)
            i, f, g = sigmoid(i + p_i * c), sigmoid(f + p_f * c), jnp.tanh(g)
            c = f * c + i * g
            o = sigmoid(o + p_o * c)
            h = o * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((x.shape[1], U.shape[1]), x.dtype)
        return jax.lax.scan(step, (zero, zero), x @ W.T + b)[1]

    def loss(*arguments: Any) -> Any:
        output = scan(*arguments)
        return output.sum(), output

    arguments = [jnp.asarray(tensor.detach().numpy()) for tensor in (x, *weights)]
    gradients = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(arguments))), has_aux=True))
    return lambda: jax.block_until_ready(gradients(*arguments))


def _onnx_weights(layer: Recurrent) -> tuple[str, dict[str, int], dict[str, Tensor]]:
    """The operator that has a layer's equations, its attributes and its inputs beside x, by name."""
    cell = layer.cell.name
    gates = ("z", "r", "n") if cell == "gru_reset_after" else ONNX_GATES
    by_input, by_state = _packed(layer, "b", gates), torch.zeros(len(gates) * layer.hidden_size)
    weights = {"W": _packed(layer, "W", gates), "R": _packed(layer, "U", gates)}
    if cell == "gru_reset_after":
        by_state[-layer.hidden_size :] = layer.get_parameter("l0.b_hn").detach()
    weights["B"] = torch.cat([by_input, by_state])
    if cell == "gru_reset_after":
        return "GRU", {"linear_before_reset": 1}, weights
    if cell == "peephole_lstm":
        weights["P"] = _packed(layer, "p", ("i", "o", "f"))
    return "LSTM", {}, weights


def onnx_layer(layer: Recurrent, x: Tensor, threads: int) -> Callable[[], Any]:
    """The inference of an LSTM, a peephole LSTM or a GRU in ONNX Runtime; a call returns h [T,B,H]."""
    onnx, runtime = extra("onnx"), extra("onnxruntime")
    helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
    operator, attributes, weights = _onnx_weights(layer)
    inputs = ["x", "W", "R", "B", *(["", "", "", "P"] if "P" in weights else [])]  # without lengths and first states
    node = helper.make_node(operator, inputs, ["h"], hidden_size=layer.hidden_size, **attributes)
    graph = helper.make_graph(
        [node],
        operator,
        [helper.make_tensor_value_info("x", FLOAT, list(x.shape))],
        [helper.make_tensor_value_info("h", FLOAT, [len(x), 1, x.shape[1], layer.hidden_size])],
        [onnx.numpy_helper.from_array(value[None].numpy(), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # its threads would take ours' turn
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    array = x.numpy()
    return lambda: session.run(None, {"x": array})[0][:, 0]


def bare_lstm(layer: Recurrent, x: Tensor, seconds: float) -> tuple[float, Tensor]:
    """An LSTM as a bare loop on one thread, run for so long: seconds of a run, and x [T,1,I] -> h [T,1,H]."""
    W, U, b = (_packed(layer, kind, GATES).t().contiguous().numpy() for kind in "WUb")
    h = x.new_empty(len(x), layer.hidden_size)
    return _native.bare_lstm(x[:, 0].contiguous().numpy(), W, U, b, h.numpy(), seconds), h[:, None]
