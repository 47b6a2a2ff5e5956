"""torch.load takes the states of layers as it is by default, whichever of torch and gatework is imported first."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def trust() -> None:
    """Tells torch.load that a state may be made, at once where torch is there, or else when it is."""
    if sys.modules.get("torch"):
        add_states()
    else:
        sys.meta_path.insert(0, BeforeTorch())


def add_states() -> None:
    from torch.serialization import add_safe_globals  # noqa: PLC0415

    add_safe_globals([(state_of, "gatework.layers.states.state_of")])


def state_of(names: tuple[str, ...], values: Sequence[Any]) -> Any:
    """The function of that name, imported when there is a state to make."""
    from gatework.layers import states  # noqa: PLC0415

    return states.state_of(names, values)


class BeforeTorch:
    """Finds torch as the other finders do, to run `add_states` after it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "torch":
            return None
        others = (each.find_spec(name, path, target) for each in sys.meta_path if each is not self)
        spec = next((each for each in others if each), None)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                add_states()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
