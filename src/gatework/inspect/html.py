"""A page in one file: the template with its style, its scripts and what it shows put in; no network, no server."""

import base64
import html
import json
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from gatework.inspect.operations import filled

Payload = dict[str, Any]

IMPORT = re.compile(r'^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "\./([\w.]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?function|class|const|let)", re.MULTILINE)
OTHER = re.compile(r"^\s*(?:import|export)\b.*", re.MULTILINE)  # what only a real bundler understands
TOP_LEVEL = re.compile(r"^(?:export )?(?:(?:async )?function\*?|class|const|let) (\w+)", re.MULTILINE)
MARK = re.compile(r"\{\{(\w+)\}\}")


def assemble(payload: Payload, weights: bytes) -> str:
    """The page: the template of `page/` with payload, weights, style and scripts in the places it marks."""
    folder = files(__package__) / "page"
    parts = {
        "title": html.escape(str(payload["title"])),
        "style": (folder / "style.css").read_text("utf-8"),
        "script": script(folder),
        "payload": embedded(payload),
        "weights": base64.b64encode(weights).decode("ascii"),
    }
    template = (folder / "page.html").read_text("utf-8")
    return MARK.sub(lambda mark: parts[mark[1]], template)


def embedded(payload: Payload) -> str:
    """JSON that cannot end the element it stands in, whatever text it holds; raises ValueError for nan and inf."""
    text = json.dumps(payload, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    # U+2028 and its neighbour end lines in old scripts; half a surrogate pair has no UTF-8.
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def script(folder: Traversable, first: str = "main.js") -> str:
    """All modules that `first` needs as one: each once, what is imported before what imports it.

    Raises ValueError for an import or export in another form than `import { a, b } from "./c.js";` and `export` before
    what it names, and for a name at the top level of two modules: as one, they share their names.
    """
    read: dict[str, str] = {}
    places: dict[str, str] = {}  # a name at the top level, and its module

    def add(name: str) -> None:
        text = (folder / name).read_text("utf-8")
        for named in TOP_LEVEL.findall(text):
            if named in places:
                raise ValueError(
                    f"{places[named]} and {name} both name {named!r} at their top level: rename one of them"
                )
            places[named] = name
        read[name] = ""  # seen, so that modules that import each other end
        for needed in IMPORT.findall(text):
            if needed not in read:
                add(needed)
        del read[name]
        read[name] = filled(EXPORT.sub("", IMPORT.sub("", text)))
        if other := OTHER.search(read[name]):
            raise ValueError(
                f'{name}: {other[0].strip()!r}: write import {{ a }} from "./b.js"; or export const a = ...'
            )

    add(first)
    return "\n".join(read.values())
