"""How well a language model knows the text it does not learn from: while it trains, and at the end."""

from dataclasses import dataclass, replace
from time import perf_counter
from typing import cast

from torch import nn

from gatework.text.data.batches import ScoringBatches, share
from gatework.text.data.corpus import Corpus
from gatework.text.data.vocabulary import Ids
from gatework.text.model import LanguageModel
from gatework.text.options import Batching
from gatework.text.run import Run
from gatework.text.scoring import SCORING_STEPS, Score, mean_loss, score
from gatework.training.events import Evaluating, Event, Report, Step, Validation, no_report
from gatework.training.settings import Settings

PIECE = 1000  # tokens at least of a piece of the validation part, if there are several for each stream
AT_ONCE = 128  # pieces at most, where there are not more streams
OFTEN = 10  # times as many tokens are learnt from as are validated on: evaluation takes some 3 % of the time
PARTS = 50  # into which minutes are divided, one of them for a validation
PROBE = 4096  # tokens, or one for each stream, that the speed is measured on
TEST_STREAMS = 128  # at most, that a part is cut into at the end
TEST_LENGTH = 500  # tokens at least of each of them, if there are several
LEARNING = 3  # times as long as scoring a token takes learning from it, about


def enough(batching: Batching, settings: Settings) -> Batching:
    """The same, validated on as many tokens as the time allows: a tenth of those learnt from meanwhile, or more."""
    between = (settings.evaluate_every or 1) * settings.accumulate * batching.streams * batching.steps
    return replace(batching, validate_on=max(batching.validate_on, between // OFTEN))


def affordable(model: nn.Module, corpus: Corpus, batching: Batching, minutes: float) -> Batching:
    """The same, validated on what a fiftieth of the minutes is enough for, as a probe says; never on less than that."""
    probe = evaluation(corpus, replace(batching, validate_on=min(PROBE, batching.validate_on)), 0, 1)
    if probe is None or probe.length is None:  # a part so short is read whole
        return batching
    model.eval()
    probe(model)  # the first time finds cold caches
    began = perf_counter()
    probe(model)
    speed = probe.batches.count / max(perf_counter() - began, 1e-9)
    allowed = max(probe.batches.count, int(speed * 60 * minutes / PARTS))
    return replace(batching, validate_on=min(batching.validate_on, allowed))


@dataclass(frozen=True)
class Evaluation:
    """The loss on the validation part, this process's share of it; called with the model.

    pieces, length: so many pieces of so many tokens each, spread evenly over the part; length None: all of it.
    """

    batches: ScoringBatches
    pieces: int
    length: int | None
    unit: str
    report: Report = no_report

    def __call__(self, model: nn.Module) -> float:
        return mean_loss(cast(LanguageModel, model), self.batches, self._told)

    def _told(self, done: int, total: int) -> None:
        self.report(Evaluating("validation", done, total))

    @property
    def on(self) -> str:
        """What it is measured on, in words; "" for the whole part."""
        return "" if self.length is None else f"on {self.pieces:,} pieces of {self.length:,} {self.unit}"


def evaluation(
    corpus: Corpus, batching: Batching, rank: int, world: int, report: Report = no_report
) -> Evaluation | None:
    """How the validation part is judged while training; None where it has not a token for each stream.

    The whole part, or pieces that begin evenly spread over it. All get equally many tokens, or as the documents come:
    the mean over processes is the mean over tokens.
    """
    N = batching.streams
    predictions = (len(corpus.validation) - 1) // N * N
    if min(predictions, batching.validate_on) < N:
        return None
    pieces, length = N, None
    if predictions > batching.validate_on:
        pieces = N * max(1, min(batching.validate_on // (N * PIECE), AT_ONCE // N))
        length = batching.validate_on // pieces
    first, count = share(pieces, rank, world)
    batches = ScoringBatches(
        corpus.validation[: predictions + 1],
        pieces,
        SCORING_STEPS,
        first=first,
        count=count,
        end=corpus.vocabulary.end,
        length=length,
    )
    return Evaluation(batches, pieces, length, corpus.vocabulary.unit, report)


class Telling:
    """Adds to the events of a training what only the task knows.

    To validations what they are measured on, to the time left that of scoring `rest` tokens at the end.
    """

    def __init__(self, report: Report, judge: Evaluation | None, rest: int) -> None:
        self.report, self.judge, self.rest = report, judge, rest
        self.speed = 0.0  # tokens scored in a second, once known

    def __call__(self, event: Event) -> None:
        if isinstance(event, Validation) and self.judge is not None:
            self.speed = self.judge.batches.share / max(event.seconds, 1e-9)
            event = replace(event, on=self.judge.on)
        elif isinstance(event, Step) and event.left is not None:
            speed = self.speed or LEARNING * event.tokens_per_second
            event = replace(event, left=event.left + (self.rest / speed if speed else 0.0))
        self.report(event)


def validated(run: Run, corpus: Corpus, device: str = "cpu", report: Report = no_report) -> Score | None:
    """What the best weights score on the whole validation part; None where there is no such part."""
    return _whole(run, corpus.validation, "validation text", device, report)


def held_out(run: Run, corpus: Corpus, device: str = "cpu", report: Report = no_report) -> Score | None:
    """What the best weights score on the test part; None where there is no such part."""
    return _whole(run, corpus.test, "held-out text", device, report)


def _whole(run: Run, tokens: Ids, what: str, device: str, report: Report) -> Score | None:
    """A part is read as many streams, for speed, but none so short that its start without a past would count."""
    if len(tokens) < 2:
        return None
    streams = min(max(1, len(tokens) // TEST_LENGTH), TEST_STREAMS)

    def on_progress(done: int, total: int) -> None:
        report(Evaluating(what, done, total))

    whole_score = score(run.model(device=device), run.vocabulary, tokens, streams, progress=on_progress)
    # A part may be UTF-8 where the whole is not.
    return whole_score if run.counts.characters else replace(whole_score, characters=0)
