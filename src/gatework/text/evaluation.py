"""How well a language model knows the text it does not learn from: while it trains, and at the end."""

from dataclasses import dataclass, replace
from time import perf_counter
from typing import cast

from torch import nn

from gatework.text.data.batches import ScoringBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.vocabulary import Ids
from gatework.text.model import LanguageModel
from gatework.text.options import Batching
from gatework.text.run import Run
from gatework.text.score import SCORING_STEPS, Score
from gatework.text.scoring import mean_loss, score
from gatework.training.events import Evaluating, Event, Report, Step, Validation, no_report

PARTS = 50  # into which minutes are divided, one of them for a validation
PROBE = 4096  # tokens that the speed is measured on
AT_ONCE = 128  # pieces at most that a part is read in, side by side
PIECE = 500  # tokens at least of each of them, if there are several: its beginning without a past must not count
LEARNING = 3  # times as long as scoring a token takes learning from it, about


def affordable(model: nn.Module, corpus: Corpus, batching: Batching, minutes: float) -> Batching:
    """The same, validated on what a fiftieth of the minutes is enough for, as a probe says; never on less than that.

    As much as was asked for, or half as much, or a quarter and so on: alike runs are validated on the same pieces,
    though no two probes take the same time.
    """
    probe = evaluation(corpus, replace(batching, validate_on=min(PROBE, batching.validate_on)), 0, 1)
    if probe is None or probe.batches is None or probe.length is None:  # a part so short is read whole
        return batching
    model.eval()
    probe(model)  # the first time finds cold caches
    began = perf_counter()
    probe(model)
    speed = probe.batches.count / max(perf_counter() - began, 1e-9)
    allowed, tokens = int(speed * 60 * minutes / PARTS), batching.validate_on
    while tokens > allowed and tokens // 2 >= probe.batches.count:
        tokens //= 2
    return replace(batching, validate_on=tokens)


@dataclass(frozen=True)
class Evaluation:
    """The loss on the validation part, this process's share of it; called with the model.

    batches: this process's; None where there are fewer pieces than processes and it has none.
    weight: how many times as many pieces it has as it would have if all had equally many.
    pieces, length: so many pieces of so many tokens each, spread evenly over the part; length None: all of it.
    """

    batches: ScoringBatches | None
    weight: float
    pieces: int
    length: int | None
    unit: str
    report: Report = no_report

    def __call__(self, model: nn.Module) -> float:
        if self.batches is None:
            return 0.0
        return self.weight * mean_loss(cast(LanguageModel, model), self.batches, self._told)

    def _told(self, done: int, total: int) -> None:
        self.report(Evaluating("validation", done, total))

    @property
    def on(self) -> str:
        """What it is measured on, in words; "" for the whole part."""
        if self.length is None:
            return ""
        pieces = "1 piece" if self.pieces == 1 else f"{self.pieces:,} pieces"
        return f"on {pieces} of {self.length:,} {self.unit}"


def evaluation(
    corpus: Corpus, batching: Batching, rank: int, world: int, report: Report = no_report
) -> Evaluation | None:
    """How the validation part is judged while training; None where it has nothing to predict.

    The whole part, or pieces that begin evenly spread over it. Which, the part and `batching.validate_on` alone decide,
    so that runs on one text can be compared whatever their streams. All pieces have equally many tokens, or as the
    documents come: the mean over processes is the mean over tokens.
    """
    predictions = len(corpus.validation) - 1
    if predictions < 1:
        return None
    pieces = _side_by_side(min(predictions, batching.validate_on))
    length = batching.validate_on // pieces if predictions > batching.validate_on else None
    predictions -= predictions % pieces
    first, end = (-(-place * pieces // world) for place in (rank, rank + 1))
    batches = None
    if end > first:
        batches = ScoringBatches(
            corpus.validation[: predictions + 1],
            pieces,
            SCORING_STEPS,
            first=first,
            count=end - first,
            end=corpus.vocabulary.end,
            length=length,
        )
    return Evaluation(batches, (end - first) * world / pieces, pieces, length, corpus.vocabulary.unit, report)


def _side_by_side(tokens: int) -> int:
    """How many pieces of so many tokens are read side by side, for speed."""
    return min(max(1, tokens // PIECE), AT_ONCE)


class Telling:
    """Adds to the events of a training what only the task knows.

    To validations what they are measured on, to the time left that of scoring `rest` tokens at the end.
    """

    def __init__(self, report: Report, judge: Evaluation | None, rest: int) -> None:
        self.report, self.judge, self.rest = report, judge, rest
        self.speed = 0.0  # tokens scored in a second, once known

    def __call__(self, event: Event) -> None:
        if isinstance(event, Validation) and self.judge is not None and self.judge.batches is not None:
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
    if len(tokens) < 2:
        return None
    streams = _side_by_side(len(tokens))

    def on_progress(done: int, total: int) -> None:
        report(Evaluating(what, done, total))

    whole_score = score(run.model(device=device), run.vocabulary, tokens, streams, progress=on_progress)
    # A part may be UTF-8 where the whole is not.
    return whole_score if run.counts.characters else replace(whole_score, characters=0)
