"""The core's numbering, as the compiled module says it: operations, what stores do, layouts and elements of buffers."""

from gatework.core import _native

CODES, ROWS, MODES, LAYOUTS, ELEMENTS = (
    _native.codes()[kind] for kind in ("pointwise", "rows", "modes", "kinds", "elements")
)
MAGIC = _native.MAGIC
