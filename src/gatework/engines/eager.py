"""Which tensors an engine may read by their address: one rule, asked before any address is taken.

torch's tools look at an operation in two ways. A mode (tracing by torch.jit, FakeTensor, functionalisation, torch.func)
changes what every call means; a tensor may be something else than numbers in memory (a subclass, a wrapper of
torch.func, meta, sparse, negated or zero by name alone). Both show in torch's dispatch keys, of the thread and of the
tensor: a real eager tensor has those of arithmetic on its device and no other.
"""

from functools import reduce
from operator import or_

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter


def _keys(*names: str) -> int:
    keys = 0
    for name in names:
        key = torch._C._parse_dispatch_key(name)
        assert key is not None, f"torch has no dispatch key {name}"
        keys |= torch._C.DispatchKeySet(key).raw_repr()
    return keys


_OTHER_MODES = ~_keys("BackendSelect", "ADInplaceOrView")
_OTHER_TENSORS = ~_keys("CPU", "AutogradCPU", "AutocastCPU", "CUDA", "AutogradCUDA", "AutocastCUDA", "ADInplaceOrView")
_CPU = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
_TYPES = frozenset({Tensor, Parameter})
_VMAP = _keys("VmapMode")  # of gradients for many losses at once; torch.func's own vmap is in its stack
_FUNCTIONALIZE = torch._C._functorch.TransformType.Functionalize


def is_eager(*tensors: Tensor | None) -> bool:
    """Whether the tensors are numbers in memory, of a CPU or a GPU, and no mode of torch looks on."""
    if torch.compiler.is_compiling() or torch._C._dispatch_tls_local_include_set().raw_repr() & _OTHER_MODES:
        return False
    given = [tensor for tensor in tensors if tensor is not None]
    if not _TYPES.issuperset(map(type, given)):
        return False
    keys = reduce(or_, map(torch._C._dispatch_keys, given), _CPU)  # a number of each takes twice as long
    return not keys.raw_repr() & _OTHER_TENSORS


def is_wrapper(tensor: Tensor) -> bool:
    """Whether a tensor's class decides what operations do with it (`__torch_dispatch__`), as FakeTensor's does."""
    return torch._C._dispatch_keys(tensor).has(torch._C.DispatchKey.Python)


def is_transformed() -> bool:
    """Whether torch.func, vmap or forward mode asks for what only torch's own operations have."""
    if torch.compiler.is_compiling():
        return False
    return (
        forward_ad._current_level >= 0
        or bool(torch._C._dispatch_tls_local_include_set().raw_repr() & _VMAP)
        or any(layer.key() != _FUNCTIONALIZE for layer in torch._C._functorch.get_interpreter_stack() or ())
    )


def is_tracing() -> bool:
    """Whether torch.jit.trace writes down what is done."""
    return torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call, no-any-return]
