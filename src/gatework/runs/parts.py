"""What jobs do with their data: shares for training, validation and test, and what stands for the unknown."""

import math
from collections.abc import Sequence

from gatework.errors import InputError

Splits = tuple[float, float, float]
UNKNOWN = "<unk>"  # the token of all that a vocabulary does not list: no character and no word is spelled so
IGNORED = -100  # the target that torch's cross_entropy leaves out


def check_splits(splits: Sequence[float]) -> Splits:
    """Give the three shares as a tuple; InputError unless they add up to 1 with something to train on."""
    try:
        train, validation, test = map(float, splits)
    except (TypeError, ValueError):
        train, validation, test = 0.0, 0.0, 0.0
    if not (train > 0 and validation >= 0 and test >= 0 and math.isclose(train + validation + test, 1)):
        raise InputError(
            f"splits {splits}: expected three shares for training, validation and test that add up to 1, "
            "the first above 0, such as 0.9, 0.05, 0.05"
        )
    return train, validation, test
