"""How large the parts of a diagram are."""

from gatework.diagram.columns import Slot
from gatework.diagram.elements import Element

ROUND = {"valve": 15.0, "sum": 11.0, "product": 11.0, "divide": 11.0}  # radius
CHARACTER = 7.0  # of a label, about


def size(element: Element) -> tuple[float, float]:
    """Width and height."""
    if element.kind in ROUND:
        return 2 * ROUND[element.kind], 2 * ROUND[element.kind]
    if element.kind == "gate" or (element.kind in {"function", "constant"} and element.name):
        return max(54.0, CHARACTER * len(element.label) + 18), 46.0
    if element.kind in {"old", "input", "new"}:
        return 38.0, 18.0
    return max(42.0, CHARACTER * len(element.label) + 16), 26.0


def height(slot: Slot) -> float:
    return size(slot.element)[1] if slot.element else 0.0
