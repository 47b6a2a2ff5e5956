"""Published experiments: each a file with its task, the figures of the paper, and the networks tried here."""

from gatework.experiments import (
    adding,
    airline,
    copying,
    gradient_flow_by_cell,
    multiplication,
    sunspots,
    temporal_order,
)
from gatework.experiments.experiment import Arm, Experiment, Picture, Progress, Size, Trial

# In the order in which they are listed. A new experiment is a file of its own and a line here.
ALL: tuple[Experiment, ...] = (
    adding.EXPERIMENT,
    multiplication.EXPERIMENT,
    temporal_order.EXPERIMENT,
    copying.EXPERIMENT,
    gradient_flow_by_cell.EXPERIMENT,
    sunspots.EXPERIMENT,
    airline.EXPERIMENT,
)

EXPERIMENTS = {experiment.name: experiment for experiment in ALL}

__all__ = ["EXPERIMENTS", "Arm", "Experiment", "Picture", "Progress", "Size", "Trial"]
