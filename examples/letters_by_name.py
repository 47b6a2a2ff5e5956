"""Which script does a letter belong to, by its name alone? Text read character by character, many-to-one.

The names come with Python, as Unicode gives them: "GREEK SMALL LETTER ALPHA" becomes the text "ALPHA" with the label
"GREEK". Run: python examples/letters_by_name.py [FILE], which writes them as lines of JSON, for gatework train labels.
"""

import json
import random
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path

import gatework as gw

KINDS = ("LETTER", "SYLLABLE", "HIEROGLYPH", "SIGN", "SYLLABICS")


def letters(most: int = 300, least: int = 60) -> list[tuple[str, str]]:
    """(name, script) of letters that one script alone has, up to `most` of each script."""
    scripts: dict[str, set[str]] = defaultdict(set)
    for code in range(0x370, 0x20000):
        script, *words = unicodedata.name(chr(code), "").split()[:4] or [""]
        for kind in KINDS:
            if kind in words[:2] and len(words) > words.index(kind) + 1:
                scripts[words[words.index(kind) + 1]].add(script)
    owned: dict[str, list[str]] = defaultdict(list)
    for name, owners in sorted(scripts.items()):
        if len(owners) == 1 and name.isalpha():
            owned[next(iter(owners))].append(name)
    rng = random.Random(0)
    chosen = {
        script: rng.sample(names, min(most, len(names))) for script, names in owned.items() if len(names) >= least
    }
    pairs = [(name, script) for script, names in sorted(chosen.items()) for name in names]
    rng.shuffle(pairs)
    return pairs


def main(**options: object) -> float:
    """Trains and judges; the options are those of gw.SequenceClassifier. Returns the accuracy."""
    names, scripts = zip(*letters(), strict=True)
    cut = len(names) * 4 // 5
    model = gw.SequenceClassifier(**options).fit(names[:cut], scripts[:cut])  # type: ignore[arg-type]
    accuracy = model.score(names[cut:], scripts[cut:])
    print(
        f"{len(set(scripts))} scripts, {cut:,} names to learn from; {accuracy:.1%} of {len(names) - cut:,} others right"
    )
    for name in ("OMEGA", "HAN", "TSA", "XIONG"):
        chances = model.predict_proba([name])[0]
        best = chances.argsort()[::-1][:3]
        print(f"{name:8}" + ", ".join(f"{model.classes_[k]} {chances[k]:.0%}" for k in best))
    return accuracy


if __name__ == "__main__":
    if len(sys.argv) > 1:
        rows = [json.dumps({"text": name, "label": script}) for name, script in letters()]
        Path(sys.argv[1]).write_text("\n".join(rows) + "\n")
    else:
        main()
