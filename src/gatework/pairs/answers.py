"""What a model of pairs answers: targets with their scores, as text and as JSON. It needs no torch."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.decoding.hypothesis import Hypothesis
from gatework.errors import InputError
from gatework.pairs.data.examples import Examples
from gatework.pairs.data.symbols import UNITS, Symbols, Text, join
from gatework.pairs.description import Described
from gatework.runs.parts import UNKNOWN

DIGITS = 6  # of scores in JSON
SHOWN = 12  # symbols that are named


@dataclass(frozen=True)
class Candidate:
    """A target of T symbols that a model proposes for a source of S.

    text: its symbols as a text of the target's level. score: what candidates are ranked by; log_probability: of the
    whole target, in nats. attention: [T,S], how much each symbol has of each step of the source, None without.
    """

    text: str
    symbols: Text
    score: float
    log_probability: float
    attention: npt.NDArray[np.float32] | None

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.text,
            "score": round(self.score, DIGITS),
            "log_probability": round(self.log_probability, DIGITS),
        }


def candidates(job: Described, hypotheses: Iterable[Hypothesis]) -> list[Candidate]:
    """What a search gave for a source, the best first."""
    return [_candidate(job, each) for each in hypotheses]


def _candidate(job: Described, found: Hypothesis) -> Candidate:
    symbols = job.outputs.texts(found.tokens)
    weights = None if found.attention is None else found.attention[: len(symbols)]  # without the row of the end
    return Candidate(join(symbols, job.outputs.level), symbols, found.score, found.log_probability, weights)


def check_form(examples: Examples, job: Described) -> None:
    """Raises InputError for texts where a model reads frames, and the other way round."""
    if examples.form != job.form:
        kinds = {"symbols": "texts", "frames": "frames of numbers"}
        raise InputError(f"{examples.rows[0]}: expected {kinds[job.form]}, as the model was trained on")


def source_text(job: Described, source: Any) -> str:
    """A source as people wrote it; of frames how many there are."""
    if job.form == "frames":
        return f"{len(source)} frame{'s' * (len(source) != 1)}"
    return join(source, job.levels.source)


def source_symbols(job: Described, source: Any) -> list[str]:
    """What stands at each step of a source: its symbol, or of frames the number of the step, from 1."""
    return [str(step) for step in range(1, len(source) + 1)] if job.form == "frames" else list(source)


def unseen_line(job: Described, sources: Sequence[Any]) -> str | None:
    """The symbols of some sources that the model has never seen, how often each; None where there are none."""
    new = job.inputs.unseen(sources) if isinstance(job.inputs, Symbols) else Counter()
    return _counted(new, UNITS[job.levels.source], f"new to the model, which reads {UNKNOWN} for each")


def unwritten_line(job: Described, targets: Iterable[Iterable[Text]]) -> str | None:
    """The symbols of accepted targets that the model cannot write, how often each; None where there are none."""
    new = job.outputs.unseen(chain.from_iterable(targets))
    unit = f"targets' {UNITS[job.levels.target]}"
    return _counted(new, unit, "none that the model writes: they stay wrong, and perplexity is without them")


def _counted(new: Counter[str], unit: str, what: str) -> str | None:
    if not new:
        return None
    are = f"1 of the {unit} is" if len(new) == 1 else f"{len(new):,} of the {unit} are"
    named = ", ".join(f"{symbol!r} {count:,}" for symbol, count in new.most_common(SHOWN))
    more = f" and {len(new) - SHOWN:,} more" if len(new) > SHOWN else ""
    return f"{are} {what}: {named}{more}"
