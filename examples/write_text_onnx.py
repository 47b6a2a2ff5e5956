"""Writes text by a model of ONNX: the likeliest character each time. It needs onnxruntime and numpy, and no gatework.

    gatework export runs/demo --onnx model.onnx
    python examples/write_text_onnx.py model.onnx 'def ' 200
    python examples/write_text_onnx.py names.onnx '' 20 Italian    # of documents, on what it is to write

The states of the layers come out of each step and go into the next. The file says where they start, and what its tokens
are; of words they are pieces of the text, here it takes characters and bytes.
"""

import json
import sys
from collections.abc import Iterator

import numpy as np
import onnxruntime


class Writer:
    """A model at one place in a text."""

    def __init__(self, path: str, condition: str | None = None) -> None:
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        about = self.session.get_modelmeta().custom_metadata_map
        self.tokens, self.bytes = json.loads(about["vocabulary"]), about["level"] == "byte"
        self.end = int(about["end"]) if condition is not None else None
        starts = json.loads(about["start"]) if condition is None else json.loads(about["conditions"])[condition]
        self.states = {each.name: start(starts[each.name], each.shape) for each in self.session.get_inputs()[1:]}

    def read(self, token: int) -> np.ndarray:
        """log p [V] of the token after this one."""
        log_p, *new = self.session.run(None, {"tokens": np.array([[token]]), **self.states})
        self.states = dict(zip(self.states, new, strict=True))
        return log_p[0, 0]

    def ids(self, text: str) -> list[int]:
        if self.bytes:
            return list(text.encode())
        known = {token: place for place, token in enumerate(self.tokens)}
        return [known.get(character, 0) for character in text]

    def write(self, prompt: str, length: int) -> Iterator[int]:
        """The tokens that follow the prompt, up to the end of a document."""
        before = [] if self.end is None else [self.end]
        for token in [*before, *self.ids(prompt)]:
            log_p = self.read(token)
        for _ in range(length):
            if not self.bytes:
                log_p[0] = -np.inf  # what is not listed is not written
            token = int(log_p.argmax())
            if token == self.end:
                return
            yield token
            log_p = self.read(token)


def start(value: float | str | list, shape: list) -> np.ndarray:
    """The state [L,1,H] of one text before its first token: a number, "-inf", or numbers [L,H] that were learnt."""
    layers, _, size = shape
    numbers = np.array(value, np.float32)
    return np.broadcast_to(numbers.reshape(-1, 1, numbers.shape[-1] if numbers.ndim else 1), (layers, 1, size)).copy()


def main(path: str, prompt: str, length: str = "200", condition: str | None = None) -> str:
    writer = Writer(path, condition)
    ids = list(writer.write(prompt, int(length)))
    text = bytes(ids).decode(errors="replace") if writer.bytes else "".join(writer.tokens[token] for token in ids)
    print(prompt + text)
    return text


if __name__ == "__main__":
    main(*sys.argv[1:])
