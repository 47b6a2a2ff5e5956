"""What `import gatework as gw` offers: these names, and no others by accident."""

import gatework
import gatework.layers

PUBLIC = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "EquationError",
    "Forecaster",
    "InputError",
    "Recurrent",
    "SequenceClassifier",
    "SequenceRegressor",
    "Tagger",
    "cells",
    "convert",
    "gradient_flow",
    "record",
]


def test_the_public_names_are_these():
    assert gatework.__all__ == PUBLIC


def test_every_public_name_is_there_and_says_what_it_is():
    for name in PUBLIC:
        assert getattr(gatework, name).__doc__ or name == "cells"


def test_the_layers_offer_the_same_things():
    for name in gatework.layers.__all__:
        assert getattr(gatework, name) is getattr(gatework.layers, name)
