"""What CTC's frames spell in the page is what `gatework.decoding.ctc` makes of them."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from page_toys import Seen, harness

from gatework.decoding import ctc

RUN = """
window.found = JSON.stringify(frames.map((logP) => ({
  path: likeliestPath(logP, blank).tokens,
  beam: prefixBeam(logP, blank, 4, 3),
  targets: targets.filter(({ length }) => length <= logP.length).map((tokens) => logLikelihood(logP, tokens, blank)),
  spans: prefixBeam(logP, blank, 4, 3).map(({ tokens }) => symbolSpans(logP, tokens, blank)),
})));
"""
BLANK, TARGETS = 3, [[], [0], [1, 1], [0, 1, 2], [2, 2, 2]]


def some_frames() -> list[np.ndarray]:
    """Log probabilities [S,V+1] of several lengths; many symbols come twice in a row."""
    rng = np.random.default_rng(0)
    made = []
    for S, sharp in product((1, 2, 5, 9, 30), (0.3, 3.0)):
        scores = sharp * np.repeat(rng.normal(size=(S, BLANK + 1)), 2, 0)[:S]
        made.append(scores - np.logaddexp.reduce(scores, 1, keepdims=True))
    return made


def test_frames_spell_what_they_spell_in_python(show: Callable[..., Seen], tmp_path: Path) -> None:
    frames = some_frames()
    given = {"frames": [each.tolist() for each in frames], "blank": BLANK, "targets": TARGETS}
    seen = show(harness(tmp_path / "page.html", "ctc.js", RUN, **given))
    assert not seen.complaints
    seen.page.wait_for_function("window.found")
    for frame, found in zip(frames, json.loads(seen.page.evaluate("window.found")), strict=True):
        scores = frame[:, None]
        assert tuple(found["path"]) == ctc.greedy(scores, BLANK)[0]
        best = ctc.prefix_beam(scores, BLANK, beams=4, best=3)[0]
        assert [tuple(each["tokens"]) for each in found["beam"]] == [each.tokens for each in best]
        np.testing.assert_allclose([each["logProbability"] for each in found["beam"]], [each.score for each in best])
        possible = [target for target in TARGETS if len(target) <= len(scores)]
        wanted = [ctc.log_likelihoods(scores, [target], BLANK)[0] for target in possible]
        np.testing.assert_allclose([-np.inf if each is None else each for each in found["targets"]], wanted)
        spans = [ctc.align(scores, [each.tokens], BLANK)[0].tolist() for each in best]
        assert found["spans"] == spans
