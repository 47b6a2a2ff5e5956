"""What torch loads, states and exported models, may need `gatework.layers`: it is imported once torch is there."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

ENGINES, LAYERS = "gatework.engines", "gatework.layers"


def follow_torch() -> None:
    """Imports the layers, at once where torch is there, or else after it."""
    if sys.modules.get("torch"):
        import_module(LAYERS)
    else:
        sys.meta_path.insert(0, BeforeTorch())


class BeforeTorch:
    """Finds torch as the other finders do, to import the layers after it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "torch":
            return None
        others = (each.find_spec(name, path, target) for each in sys.meta_path if each is not self)
        spec = next((each for each in others if each), None)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                if ENGINES not in sys.modules:  # which is importing torch itself, and which the layers need whole
                    import_module(LAYERS)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
