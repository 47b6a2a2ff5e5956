"""The sizes of a model of pairs where none are named: from the pairs and the time."""

from dataclasses import dataclass, replace

from gatework.pairs.data.encoded import Encoded
from gatework.pairs.options import EPOCHS, UPDATES, Options
from gatework.training.settings import ends_in_words

SPEED = 25_000  # symbols, of sources and targets, that a processor learns from in a second, about
LEAST_UPDATES = 20  # of an epoch, for which batches become smaller


@dataclass(frozen=True)
class Sizes:
    """Units H, layers L, symbols of an update, learning rate."""

    hidden: int
    layers: int
    batch: int
    learning_rate: float


# Up to so many symbols learnt from, all passes together.
TABLE = (
    (2e6, Sizes(128, 1, 1024, 4e-3)),
    (4e7, Sizes(256, 1, 2048, 3e-3)),
    (2e8, Sizes(384, 1, 2048, 3e-3)),
    (float("inf"), Sizes(512, 2, 2048, 2e-3)),
)


def fitted(options: Options, training: Encoded, processes: int = 1) -> tuple[Options, str]:
    """The options with the sizes that are open, for such a training part; and why, in a sentence ("" if none is open).

    processes: among which each batch is shared.
    """
    if not options.left_open:
        return options, ""
    pairs = len(training.target_starts) - 1
    symbols = len(training.target) + int(training.source_lengths[training.source_of].sum())
    wanted = next(sizes for most, sizes in TABLE if _learnt(options, symbols) <= most)
    batch = max(symbols // pairs, min(wanted.batch, symbols // LEAST_UPDATES)) * processes
    chosen = with_sizes(options, replace(wanted, batch=batch))
    return chosen, _why(chosen, pairs, symbols)


def with_sizes(options: Options, sizes: Sizes = TABLE[0][1]) -> Options:
    """The options with these sizes in the place of those that are open."""
    return replace(options, **{name: getattr(sizes, name) for name in options.left_open})


def _learnt(options: Options, symbols: int) -> float:
    """How many symbols will be learnt from, all passes together, a hundred at most; with minutes about so many."""
    amounts = [float(EPOCHS[1] * symbols)]
    if not options.ends:
        amounts.append(float(max(EPOCHS[0] * symbols, UPDATES * (options.batch or TABLE[0][1].batch))))
    if options.minutes is not None:
        amounts.append(60 * SPEED * options.minutes)
    if options.epochs is not None:
        amounts.append(float(options.epochs * symbols))
    if options.steps is not None:
        amounts.append(options.steps * float(options.batch or TABLE[0][1].batch))
    return min(amounts)


def _why(options: Options, pairs: int, symbols: int) -> str:
    time = ends_in_words(options.minutes, options.epochs, options.steps) or f"about {UPDATES:,} updates"
    layers = "1 layer" if options.layers == 1 else f"{options.layers} layers"
    return (
        f"sizes for {pairs:,} pairs of {symbols / pairs:.1f} symbols and {time}: "
        f"{layers} of {options.hidden} units, {options.batch:,} symbols an update, "
        f"learning rate {options.learning_rate:g}; any that is named stays"
    )
