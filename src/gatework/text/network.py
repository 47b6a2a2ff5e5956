"""A language model as a network: tokens in, log probabilities of the next token out."""

from gatework.cells import Cell
from gatework.network import Network, Port, Stack, stack
from gatework.network.steps import Embedding, Linear, LogSoftmax, OneHot, Step
from gatework.text.options import Shape

TOKENS, LOG_P = "tokens", "log_p"  # what goes in and comes out


def layers(cell: Cell, vocabulary_size: int, shape: Shape) -> Stack:
    """The recurrent layers of a language model."""
    return Stack(
        cell,
        vocabulary_size if shape.embedding is None else shape.embedding,
        shape.hidden,
        shape.layers,
        proj_size=shape.projection,
        residual=shape.residual,
        zoneout=shape.zoneout,
        learned=shape.initial == "learned",
    )


def language_network(cell: Cell, vocabulary_size: int, shape: Shape, conditions: int = 0) -> Network:
    """tokens [T,B] -> log p [T,B,V] of the token after each; weights named as in a run's checkpoint.

    conditions: as in `gatework.text.model.LanguageModel`; the starts of documents are not part of the network.
    """
    V = vocabulary_size + bool(conditions)
    read: Step = OneHot(TOKENS, "x", V) if shape.embedding is None else Embedding(TOKENS, "x", "embedding.weight")
    steps = [read, *stack(layers(cell, V, shape), "x", "recurrent.")]
    weight = "embedding.weight" if shape.tied else "output.weight"
    steps.append(Linear(steps[-1].y, "logits", weight, "output.bias"))
    steps.append(LogSoftmax("logits", LOG_P))
    tokens, log_p = Port(TOKENS, ("T", "B"), "int64"), Port(LOG_P, ("T", "B", V))
    return Network((tokens,), (log_p,), tuple(steps))
