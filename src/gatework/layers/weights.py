"""The weights of one layer in one direction, as they are during a call."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gatework.errors import InputError
from gatework.notation import Program

R = TypeVar("R")


class Weights(nn.Module):
    """The parameters of one layer in one direction, named as in the equations; with a learned start, also that.

    Whoever needs them calls the module with what is to be done with them. So hooks run, which may bring weights in and
    take them away again, and what pruning, norms and parametrisations make of them is what is used.
    """

    def __init__(self, program: Program, sizes: Mapping[str, int], learned: bool, **options: Any) -> None:
        super().__init__()
        self.names = tuple(parameter.name for parameter in program.parameters)
        starts = {f"initial_{state.name}": (sizes[state.size],) for state in program.states} if learned else {}
        self.starts = tuple(starts)
        self.shapes = {p.name: tuple(sizes[side] for side in p.shape) for p in program.parameters} | starts
        for name, shape in self.shapes.items():
            if hasattr(self, name):
                raise InputError(f"a parameter cannot be called {name!r}: torch modules use that name; rename it")
            self.register_parameter(name, nn.Parameter(torch.empty(shape, **options)))

    def forward(self, use: Callable[..., R], *rest: Any) -> R:
        """What `use` returns of the tensors by name, and of what is given beside; they are there until it returns."""
        parameters = self._parameters
        if [*parameters] == [*self.shapes]:  # none is made of other tensors, which getattr searches at length
            return use({**parameters}, *rest)
        return use({name: getattr(self, name) for name in self.shapes}, *rest)

    @torch.no_grad()
    def draw(self, fill: Callable[[Mapping[str, Tensor]], None]) -> None:
        """Has `fill` write new weights into tensors given by name; pruning and parametrisations go on top of them.

        Raises InputError, before anything is filled, for a weight that is made of others in another way.
        """
        tensors = {name: self.drawn(name) for name in self.shapes}
        fill(tensors)
        for name, tensor in tensors.items():
            if parametrize.is_parametrized(self, name):
                setattr(self, name, tensor)

    def drawn(self, name: str) -> Tensor:
        """What new values of a weight are written into."""
        parameter = self._parameters.get(name, self._parameters.get(f"{name}_orig"))
        if parameter is None and not parametrize.is_parametrized(self, name):
            raise InputError(f"{name} is made of other tensors: remove what makes it before new weights are drawn")
        return torch.empty_like(getattr(self, name)) if parameter is None else parameter

    def extra_repr(self) -> str:
        """The names by their shapes: [5,4] W_i W_f, [5] b_i b_f."""
        names: dict[tuple[int, ...], list[str]] = {}
        for name, shape in self.shapes.items():
            names.setdefault(shape, []).append(name)
        return ", ".join(f"[{','.join(map(str, shape))}] {' '.join(group)}" for shape, group in names.items())


def first(tensors: Mapping[str, Tensor], other: Tensor) -> Tensor:
    """The first of a layer's tensors, which tells its device and dtype; of a cell without parameters the other."""
    for tensor in tensors.values():  # torch.compile of older versions does not read next(..., other)
        return tensor
    return other
