"""A language model as a network: tokens in, log probabilities of the next token out."""

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.network import Network, Port, Stack, stack
from gatework.network.steps import Add, Embedding, Join, Linear, LogSoftmax, OneHot, Part, Step
from gatework.text.options import Shape

TOKENS, LOG_P = "tokens", "log_p"  # what goes in and comes out
CUTOFFS = (500, 2500)  # of an adaptive softmax, tokens from which on a cluster begins
NARROWER = 4  # times are the units of a cluster those of the one before


def cutoffs(classes: int, width: int) -> tuple[int, ...]:
    """Where the clusters of an adaptive softmax over so many classes begin, common tokens first (Grave et al. 2017).

    Those of `CUTOFFS` that the vocabulary reaches, or its last class alone. InputError where width, the units that the
    softmax reads, is too small for the narrowest cluster.
    """
    found = tuple(cutoff for cutoff in CUTOFFS if cutoff < classes) or (classes - 1,)
    if width < (least := NARROWER ** len(found)):
        raise InputError(
            f"an adaptive softmax over {classes:,} tokens needs a recurrent output of {least} units or more; it has "
            f"{width}: more units, or a full softmax"
        )
    return found


def check_softmax(shape: Shape) -> None:
    """Raises InputError for tied weights where the softmax is adaptive."""
    if shape.tied and shape.softmax == "adaptive":
        raise InputError("an adaptive softmax has no weights to tie to the embedding: leave out tied, or softmax=full")


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
    if shape.softmax == "adaptive":
        check_softmax(shape)
        steps += _adaptive(steps[-1].y, cutoffs(V, shape.projection or shape.hidden))
    else:
        weight = "embedding.weight" if shape.tied else "output.weight"
        steps.append(Linear(steps[-1].y, "logits", weight, "output.bias"))
        steps.append(LogSoftmax("logits", LOG_P))
    tokens, log_p = Port(TOKENS, ("T", "B"), "int64"), Port(LOG_P, ("T", "B", V))
    return Network((tokens,), (log_p,), tuple(steps))


def _adaptive(x: str, begins: tuple[int, ...]) -> list[Step]:
    """x -> log p: of the common tokens, and of each cluster's its own and what it has in the cluster."""
    first = begins[0]
    steps: list[Step] = [Linear(x, "head", "output.head.weight"), LogSoftmax("head", "head_log_p")]
    steps.append(Part("head_log_p", "common", 0, first))
    for i in range(len(begins)):
        steps += [
            Linear(x, f"narrow_{i}", f"output.tail.{i}.0.weight"),
            Linear(f"narrow_{i}", f"tail_{i}", f"output.tail.{i}.1.weight"),
            LogSoftmax(f"tail_{i}", f"inside_{i}"),
            Part("head_log_p", f"cluster_{i}", first + i, first + i + 1),
            Add((f"inside_{i}", f"cluster_{i}"), f"rare_{i}"),
        ]
    return [*steps, Join(("common", *(f"rare_{i}" for i in range(len(begins)))), LOG_P)]
