"""The networks of a forecaster as data: a history in, quantiles of the next steps out."""

from gatework.cells import Cell
from gatework.forecast.fitted import HOLDOUT_MEMBERS, Sizes, Training
from gatework.network import Network, Port, Stack, stack
from gatework.network.steps import LENGTHS, Linear, Quantiles, Step, Summary

X, KNOWN, OUTPUT, QUANTILES = "x", "known", "output", "quantiles"


def layers(cell: Cell, inputs: int, units: int) -> Stack:
    """The recurrent layer of several networks side by side, of so many units together."""
    return Stack(cell, units if cell.program.tied else inputs, units)


def forecast_network(options: Training, sizes: Sizes, horizon: int, probabilities: int) -> Network:
    """x [T,B,I], known [B,h,K] -> quantiles [B,h,P]: the mean of the networks that forecast, in units of the scale.

    As of a `gatework.forecast.model.Ensemble`, whose weights' names in a checkpoint are theirs. `known` goes in where
    there are columns known in the future. The last step is that of `lengths`, which may go in too.
    """
    members = len(HOLDOUT_MEMBERS) + options.members
    x, steps = X, list[Step]()
    if options.cell.program.tied:  # such a cell adds x to its state, so that I = H
        steps.append(Linear(X, "lifted", "lift.weight", "lift.bias"))
        x = steps[-1].y
    steps += stack(layers(options.cell, sizes.inputs, members * options.hidden), x, "recurrent.")
    steps.append(Summary(steps[-1].y, OUTPUT, "last"))
    ports = [Port(X, ("T", "B", sizes.inputs))]
    if sizes.known:
        ports.append(Port(KNOWN, ("B", horizon, sizes.known)))
        ahead = Quantiles(OUTPUT, QUANTILES, "weight", "offset", KNOWN, "known", "mixed", first=len(HOLDOUT_MEMBERS))
    else:
        ahead = Quantiles(OUTPUT, QUANTILES, "weight", "offset", first=len(HOLDOUT_MEMBERS))
    return Network(
        (*ports, Port(LENGTHS, ("B",), "int64")),
        (Port(QUANTILES, ("B", horizon, probabilities)),),
        (*steps, ahead),
    )
