"""Encoder-decoders of many options with large random weights, and problems for them."""

from typing import Any

import numpy as np
import torch

import gatework as gw
from gatework.pairs.options import Options

V_S, V_T = 7, 5
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dot": {"attention": "dot", "embedding": None},
    "additive, heads": {"attention": "additive", "heads": 2},
    "none": {"attention": "none"},
    "one way, two layers": {"bidirectional": False, "layers": 2, "recurrent": {"residual": False}},
    "tied": {"tied": True, "embedding": 8},
    "projected": {"recurrent": {"proj_size": 4}, "layers": 2},
    "window": {"window": 2, "heads": 2},
    "coverage": {"coverage": True, "heads": 2},
    "additive coverage": {"attention": "additive", "coverage": True},
    "fed": {"input_feeding": True, "attention": "dot"},
    "fed, all": {"input_feeding": True, "coverage": True, "window": 1, "layers": 2},
    "learned, zoneout": {"recurrent": {"initial": "learned", "zoneout": {"h": 0.2}}},
}


def built(**chosen: Any) -> tuple[Options, gw.EncoderDecoder]:
    options = Options(**{"hidden": 8, "layers": 1, "embedding": 8, **chosen})
    torch.manual_seed(0)
    model = gw.EncoderDecoder(
        V_S,
        V_T,
        options.hidden or 0,
        cell=options.cell,
        num_layers=options.layers or 0,
        bidirectional=options.bidirectional,
        embedding=options.embedding,
        attention=options.attention,
        heads=options.heads,
        window=options.window,
        coverage=options.coverage,
        input_feeding=options.input_feeding,
        tied=options.tied,
        recurrent=options.recurrent,
    ).eval()
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.4)
    return options, model


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sources [S,B], lengths [B], targets [T,B]."""
    rng = np.random.default_rng(0)
    return rng.integers(0, V_S, (6, 3)), np.array([6, 1, 3]), rng.integers(0, V_T, (4, 3))
