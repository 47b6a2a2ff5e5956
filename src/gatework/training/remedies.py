"""What a training says that went wrong, and what may mend it."""

from collections.abc import Collection

from gatework.training.progress import Progress
from gatework.training.settings import Settings

RECENT = 50  # steps whose mean loss is compared with the first one's, where there is no validation


def for_overflow(settings: Settings) -> str:
    """What may keep the numbers finite."""
    clip = "clip the gradient" if settings.clip is None else f"clip the gradient at less than {settings.clip:g}"
    return f"lower the learning rate of {settings.learning_rate:g}, or {clip}"


def no_better(progress: Progress, validated: str | None, recent: Collection[float], settings: Settings) -> str | None:
    """That the training was no good for anything, if so.

    validated: what validation measures, None where there is none. recent: the losses of the last steps.
    """
    best, what = progress.best, f"validation {validated}"
    if validated is None:
        best, what = sum(recent) / RECENT if len(recent) == RECENT else None, f"loss of the last {RECENT} steps"
    if progress.untrained is None or best is None or best < progress.untrained:
        return None
    rate = f"lower the learning rate of {settings.learning_rate:g}"
    return f"the {what} never came below that of the untrained weights: {rate}, or train for longer"
