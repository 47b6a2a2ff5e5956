"""What the buffers of a call hold: the keys by which plans and memory name them."""

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a buffer is for. Series are [T,B,size] unless something else stands here."""

    # what a call is given
    INPUT = "input"
    FIRST = "first"  # [B,size], the state before the first step
    START = "start"  # [B,size], what resets go back to
    MATRIX = "matrix"
    VECTOR = "vector"
    # the forward pass
    AHEAD = "ahead"  # of a node: a product with an input, done for all steps before the first
    STATE = "state"  # [T+1,B,size], before each step and after the last; or two steps, used in turn
    OUTPUT = "output"
    RECORDED = "recorded"
    SAVED = "saved"  # of a node: its values, for the backward pass
    BETWEEN = "between"  # of a node: its values at this step, from one block to another
    # the backward pass
    OUTPUT_GRADIENT = "gradient by output"
    STATE_GRADIENT = "gradient by state"  # of two steps in turn
    START_GRADIENT = "gradient by start"  # [B,size]
    INPUT_GRADIENT = "gradient by input"
    VECTOR_GRADIENT = "gradient by vector"
    FACTOR = "factor"  # of a node: its values, for products over all steps


class Key(NamedTuple):
    """A buffer of a call: its role, and the name or the node that it belongs to."""

    role: Role
    of: str | int = ""

    def __str__(self) -> str:
        return f"{self.role} {self.of}".rstrip()
