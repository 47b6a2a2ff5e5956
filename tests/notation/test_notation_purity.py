"""The notation, and the diagrams drawn of it, import nothing but the standard library."""

import subprocess
import sys
from pathlib import Path

import gatework.notation

PACKAGE = Path(gatework.notation.__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for room in ("notation", "diagram")
    for path in (PACKAGE / room).rglob("*.py")
)

ALONE = f"""
import sys, types
package = types.ModuleType("gatework")
package.__path__ = [{str(PACKAGE)!r}]  # without gatework/__init__.py, which loads the rooms above
sys.modules["gatework"] = package
before = set(sys.modules)
import importlib
for module in {MODULES!r}:
    importlib.import_module(module)
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names))
print(*sorted(name for name in sys.modules if name.startswith("gatework.")))
"""


def test_the_notation_runs_on_the_standard_library_alone() -> None:
    ran = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    outside, loaded = ran.stdout.splitlines()
    assert outside == "gatework"
    assert loaded.split() == MODULES
    assert {"gatework.notation.show", "gatework.diagram.layout"} < set(MODULES)


def test_the_notation_names_what_it_offers() -> None:
    assert gatework.notation.__all__ == [
        "EquationError",
        "EquationWarning",
        "Node",
        "Parameter",
        "Program",
        "Stage",
        "State",
        "parse",
        "projected",
    ]
