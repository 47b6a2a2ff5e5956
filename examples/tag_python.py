"""Python's syntax in colours, learnt: every character of a line gets a tag, many-to-many.

Learnt from modules of Python's own library, where `tokenize` says what each character is; judged on others.
Run: python examples/tag_python.py [FILE], which writes the lines to learn as lines of JSON, for gatework train labels.
"""

import importlib
import inspect
import io
import json
import keyword
import sys
import tokenize
from pathlib import Path

import gatework as gw

LEARNT = ("argparse", "dataclasses", "inspect", "typing", "zipfile")
HELD_OUT = ("textwrap", "shlex")
KINDS = {tokenize.STRING: "string", tokenize.NUMBER: "number", tokenize.COMMENT: "comment", tokenize.OP: "sign"}
KINDS |= {getattr(tokenize, f"FSTRING_{part}", -1): "string" for part in ("START", "MIDDLE", "END")}  # Python 3.12
COLOURS = {"keyword": 35, "string": 32, "number": 36, "comment": 90, "sign": 33, "name": 0, "blank": 0}


def source(module: str) -> str:
    """The text of a module."""
    return inspect.getsource(importlib.import_module(module))


def tagged(text: str) -> list[tuple[str, list[str]]]:
    """The lines of a source with a tag for each character; strings over several lines are left out."""
    lines = text.splitlines()
    tags = [["blank"] * len(line) for line in lines]
    whole = set(range(len(lines)))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        (row, begin), (last, end) = token.start, token.end
        if row != last:
            whole -= set(range(row - 1, last))
        elif token.type in (*KINDS, tokenize.NAME):
            kind = KINDS.get(token.type, "keyword" if keyword.iskeyword(token.string) else "name")
            tags[row - 1][begin:end] = [kind] * (end - begin)
    return [(lines[k], tags[k]) for k in sorted(whole) if lines[k].strip()]


def coloured(line: str, tags: list[str]) -> str:
    """A line as a terminal shows it."""
    return "".join(f"\033[{COLOURS[tag]}m{sign}" for sign, tag in zip(line, tags, strict=True)) + "\033[0m"


def lines_of(modules: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """The tagged lines of several modules."""
    return [pair for module in modules for pair in tagged(source(module))]


def main(**options: object) -> float:
    """Trains and judges; the options are those of gw.Tagger. Returns the accuracy."""
    learnt, others = lines_of(LEARNT), lines_of(HELD_OUT)
    model = gw.Tagger(**options).fit(*zip(*learnt, strict=True))  # type: ignore[arg-type]
    lines, tags = zip(*others, strict=True)
    accuracy = model.score(lines, tags)
    print(f"{len(learnt):,} lines learnt; of {len(lines):,} others {accuracy:.1%} of the characters are right")
    for line, found in zip(lines[60:72], model.predict(lines[60:72]), strict=True):
        print(coloured(line, found.tolist()))
    return accuracy


if __name__ == "__main__":
    if len(sys.argv) > 1:
        rows = [json.dumps({"text": line, "label": tags}) for line, tags in lines_of(LEARNT)]
        Path(sys.argv[1]).write_text("\n".join(rows) + "\n")
    else:
        main()
