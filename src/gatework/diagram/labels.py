"""The words in the diagram of a cell: names with their subscripts, and functions as a formula would have them."""

import re
from collections.abc import Sequence

from gatework.notation.ops import OPS
from gatework.notation.program import Node, Program
from gatework.notation.spelling import GREEK, plain

LETTERS = {name: letter for letter, name in GREEK.items()}
BETWEEN = {"add": " + ", "sub": " − ", "mul": " ", "div": " / "}


def name_parts(name: str, time: str = "") -> tuple[str, str]:
    """`W_f` as ("W", "f"), `c2` at t as ("c", "2,t"), `zeta` as ("ζ", "")."""
    stem, *below = [part for part in name.split("_") if part]
    if digits := re.search(r"(?<=\D)\d+$", stem):
        stem, below = stem[: digits.start()], [digits[0], *below]
    return _letter(stem), ",".join([*map(_letter, below), *([time] if time else [])])


def _letter(word: str) -> str:
    return LETTERS.get(word, word)


def old_label(node: Node) -> str:
    """A leaf as it stands in a formula: x, h, dropout(g)."""
    what, _, of = node.name.partition(" ")
    return f"{what}({of})" if of else _letter(what)


def constant_label(program: Program, index: int) -> str:
    """What is made of parameters and numbers, spelled out: σ(ζ)."""
    node = program.nodes[index]
    if node.op == "number":
        return _letter(node.name) or plain(node.value).replace("-", "−")
    if node.op == "vector":
        stem, below = name_parts(node.name)
        return stem + below
    parts = [constant_label(program, arg) for arg in node.args]
    if node.op in BETWEEN:
        return f"({BETWEEN[node.op].join(parts)})"
    return f"{OPS[node.op].shown}({', '.join(parts)})"


def chain_label(program: Program, steps: Sequence[int], inner: str = "") -> str:
    """Functions one inside the other, the outermost first: "tanh", "4σ − 2", "1 − cumsum softmax".

    Learned biases and gains are left out where something remains; a formula that is no plain function names
    the value `inner`.
    """
    shown = ""
    for index in reversed(steps):
        node = program.nodes[index]
        if node.op not in {*BETWEEN, "neg"}:
            name = OPS[node.op].shown
            shown = f"{name} {shown}".rstrip() if re.fullmatch(r"[a-zσ ]*", shown) else f"{name}({shown})"
            continue
        sides = [constant_label(program, arg) if _is_fixed(program, arg) else "" for arg in node.args]
        fixed = [program.nodes[arg].op == "vector" for arg in node.args]
        if any(fixed) and (len(steps) > 1 or not inner):
            continue
        shown = _arithmetic(program, index, sides, shown or inner)
    return shown.strip()


def _arithmetic(program: Program, index: int, sides: list[str], shown: str) -> str:
    """A sum or product of the formula so far and a constant."""
    node = program.nodes[index]
    if node.op == "neg":
        return f"−{shown}"
    place = next(place for place, arg in enumerate(node.args) if not _is_fixed(program, arg))
    enclosed = f"({shown})" if node.op in {"mul", "div"} and re.search(" [+−] ", shown) else shown
    left, right = (enclosed, sides[1]) if place == 0 else (sides[0], enclosed)
    joint = "" if node.op == "mul" and re.fullmatch(r"[\d.]+", left) else BETWEEN[node.op]
    return f"{left}{joint}{right}"


def _is_fixed(program: Program, index: int) -> bool:
    node = program.nodes[index]
    return node.op in {"vector", "number"} or (
        bool(node.args) and node.op not in {"product"} and all(_is_fixed(program, arg) for arg in node.args)
    )
