"""Writes noisy signals of Morse code and the words that they spell, as lines of JSON.

    python examples/morse.py morse.jsonl

A signal is a list of numbers, about 1 while the key is down and about 0 while it is up; how long a dot takes differs
from hand to hand, and nothing says where a letter begins.
"""

import json
import random
import sys
from pathlib import Path

LETTERS = "etianmsurwdkgohvflpjbxcyzq"
MARKS = ". - .. .- -. -- ... ..- .-. .-- -.. -.- --. --- .... ...- ..-. .-.. .--. .--- -... -..- -.-. -.-- --.. --.-"
CODE = dict(zip(LETTERS, MARKS.split(), strict=True))


def signal(word: str, drawn: random.Random) -> list[float]:
    """Numbers, a few for each dot."""
    dot, numbers = drawn.uniform(1, 2), []
    for letter in word:
        for mark in CODE[letter]:
            for level, dots in ((1, 1 if mark == "." else 3), (0, 1)):
                numbers += [level] * max(1, round(dot * dots * drawn.uniform(0.8, 1.2)))
        numbers += [0] * round(2 * dot)
    return [round(number + drawn.gauss(0, 0.15), 2) for number in numbers]


def main(path: Path, count: int = 1500) -> None:
    drawn = random.Random(0)
    words = ("".join(drawn.choices("etianmsurwdkgoh", k=drawn.randint(1, 6))) for _ in range(count))
    path.write_text("".join(json.dumps({"source": signal(word, drawn), "target": word}) + "\n" for word in words))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
