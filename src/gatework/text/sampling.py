"""Writing with a torch module: what it predicts, token by token."""

from collections.abc import Iterator
from typing import Any

import torch

from gatework.runs.overflow import check_answer
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.options import Draw
from gatework.text.scoring import Predictor
from gatework.text.writing import Ids, Numbers, Predict, write


def sample(
    model: Predictor,
    vocabulary: Vocabulary,
    prompt: str = "",
    length: int = 500,
    *,
    condition: str | None = None,
    draw: Draw = Draw(),
    seed: int | None = None,
) -> Iterator[str]:
    """Yields the text that a model writes after the prompt: see `gatework.text.writing.write`."""
    return write(predicting(model, vocabulary), vocabulary, prompt, length, condition=condition, draw=draw, seed=seed)


def predicting(model: Predictor, vocabulary: Vocabulary) -> Predict:
    """A model's logits of the next token."""
    device = next(model.parameters()).device

    def predict(ids: Ids, state: Any) -> tuple[Numbers, Any]:
        with torch.inference_mode():
            logits, state = model.logits(torch.from_numpy(ids)[:, None].to(device), state)
        last = logits[-1, 0].double().cpu()  # [V]
        if vocabulary.unknown is not None:
            last[vocabulary.unknown] = -torch.inf
        check_answer(last.max(), model)  # -inf is a probability of 0, unless all are
        return last.detach().numpy(), state

    return predict
