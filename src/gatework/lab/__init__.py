"""Published experiments: each a file with its task, the figures of the paper, and the networks tried here."""

from gatework.lab import (
    adding,
    airline,
    continual_reber,
    copy_and_reverse,
    copying,
    counting,
    digit_strings,
    embedded_reber,
    gradient_flow_by_cell,
    long_lags,
    multiplication,
    odyssey,
    sunspots,
    temporal_order,
    timing,
    two_sequences,
)
from gatework.lab.experiment import Experiment, Picture, Progress, Size, Trial, Variant

# In the order in which they are listed. A new experiment is a file of its own and a line here.
ALL: tuple[Experiment, ...] = (
    adding.EXPERIMENT,
    multiplication.EXPERIMENT,
    temporal_order.EXPERIMENT,
    embedded_reber.EXPERIMENT,
    long_lags.EXPERIMENT,
    two_sequences.EXPERIMENT,
    continual_reber.EXPERIMENT,
    counting.EXPERIMENT,
    timing.EXPERIMENT,
    copying.EXPERIMENT,
    copy_and_reverse.EXPERIMENT,
    gradient_flow_by_cell.EXPERIMENT,
    odyssey.EXPERIMENT,
    sunspots.EXPERIMENT,
    airline.EXPERIMENT,
    digit_strings.EXPERIMENT,
)

EXPERIMENTS = {experiment.name: experiment for experiment in ALL}

__all__ = ["EXPERIMENTS", "Experiment", "Picture", "Progress", "Size", "Trial", "Variant"]
