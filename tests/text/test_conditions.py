"""One to many: what a document is written on sets the state at its beginning, wherever in a stream that is."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from text_toys import At, go_on, rows, start
from torch import Tensor, nn
from torch.nn import functional as F

import gatework as gw
from gatework.errors import InputError
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.model import LanguageModel
from gatework.text.options import Batching, Draw, Shape
from gatework.text.pieces import Pieces
from gatework.text.run import Run
from gatework.text.sampling import sample
from gatework.text.scoring import each, score
from gatework.training.events import Step
from numerics import all_same

V, K = 5, 3
SMALL = Shape(hidden=7, embedding=4)
WORDS = ("RIVER", "STONE", "CLOUD", "BRIDGE", "WINTER")


def model(cell: str = "lstm", shape: Shape = SMALL) -> LanguageModel:
    """A model that no one trained, with starts and opinions of its own."""
    net = LanguageModel(cell, V, shape, K)
    assert net.starts is not None
    for table in net.starts.parameters():
        nn.init.normal_(table)
    nn.init.normal_(net.output.weight)
    return net.eval()


def streams(T: int, B: int, often: float = 0.3) -> Tensor:
    """Ids [T,B] in which documents begin often."""
    ids = torch.randint(V, (T, B))
    return torch.where(torch.rand(T, B) < often, torch.randint(V + 1, V + 1 + K, (T, B)), ids)


def by_steps(net: LanguageModel, inputs: Tensor, state: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
    """Logits [T,V+1] and the last state of one stream [T], a step at a time: at a beginning the state is replaced."""
    layer, starts = net.recurrent, net.starts
    assert starts is not None
    base = [
        torch.stack(values) for values in zip(*(layer.start(k, "", 1) for k in range(layer.num_layers)), strict=True)
    ]
    logits = []
    state = base if state is None else state
    for token in inputs.tolist():
        if token > V:
            tables = [getattr(starts, name) for name in starts.names]
            state = [
                value if table is None else value + table[token - V - 1][:, None]
                for value, table in zip(base, tables, strict=True)
            ]
        output, state = layer(net._embedded(torch.tensor([[min(token, V)]])), state)
        logits.append(net.output(output)[0, 0])
    return torch.stack(logits), list(state)


SHAPES = {
    "one layer": SMALL,
    "two": replace(SMALL, layers=2, initial="learned"),
    "one-hot": replace(SMALL, embedding=None),
    "reference": replace(SMALL, engine="reference"),
}


@pytest.mark.parametrize(
    ("cell", "shape"),
    [("lstm", name) for name in SHAPES] + [("gru", "two"), ("slstm", "one layer"), ("full_peephole_lstm", "one layer")],
)
@pytest.mark.parametrize("carried", [False, True])
def test_streams_of_documents_are_the_loop_over_steps(cell: str, shape: str, carried: bool) -> None:
    net, inputs = model(cell, SHAPES[shape]), streams(9, 4)
    state = None
    if carried:
        _, state = net.logits(streams(3, 4))
    logits, new = net.logits(inputs, state)
    assert new._fields == net.recurrent.state_names
    for b in range(4):
        expected, last = by_steps(net, inputs[:, b], None if state is None else [part[:, b : b + 1] for part in state])
        all_same((logits[:, b], *(part[:, b : b + 1] for part in new)), (expected, *last))


def test_batches_of_any_length_give_the_same_documents() -> None:
    net, inputs = model(), streams(12, 3)
    whole, last = net.logits(inputs)
    state, parts = None, []
    for part in inputs.split(5):
        logits, state = net.logits(part, state)
        parts.append(logits)
    assert state is not None
    all_same((torch.cat(parts), *state), (whole, *last))


def test_a_stream_that_has_ended_keeps_its_state() -> None:
    net, inputs, lengths = model(), streams(8, 4, often=0.4), torch.tensor([8, 3, 0, 1])
    _, state = net.logits(streams(3, 4))
    logits, new = net.logits(inputs, state, lengths)
    for b, T in enumerate(lengths.tolist()):
        before = [part[:, b : b + 1] for part in state]
        expected, last = by_steps(net, inputs[:T, b], before) if T else (logits[:0, b], before)
        all_same((logits[:T, b], *(part[:, b : b + 1] for part in new)), (expected, *last))


@pytest.mark.parametrize("cell", list(gw.cells))
def test_every_cell_learns_its_starts(cell: str) -> None:
    net = LanguageModel(cell, V, Shape(hidden=6, embedding=6), K)
    assert net.starts is not None
    inputs = streams(6, 3)
    inputs[0] = V + 1
    loss, _ = net(inputs, inputs.roll(-1, 0).clamp(max=V), None)
    loss.backward()
    grads = [table.grad for table in net.starts.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)
    assert any(grad is not None and grad[0].abs().sum() > 0 for grad in grads)


def test_no_gradient_crosses_a_beginning() -> None:
    net, state = model(), [torch.randn(1, 1, 7, requires_grad=True) for _ in range(2)]
    inputs = torch.tensor([[0], [1], [V + 2], [3]])
    logits, _ = net.logits(inputs, state)
    assert all(grad.abs().sum() == 0 for grad in torch.autograd.grad(logits[2:].sum(), state, retain_graph=True))
    assert all(grad.abs().sum() > 0 for grad in torch.autograd.grad(logits[:2].sum(), state))


def test_starts_have_a_gradient_in_every_batch_so_that_processes_agree() -> None:
    net = model()
    assert net.starts is not None
    _, state = net.logits(streams(3, 2))
    inputs = streams(4, 2, often=0.0)
    net(inputs, inputs.roll(-1, 0), tuple(part.detach() for part in state))[0].backward()
    assert all(table.grad is not None and not table.grad.any() for table in net.starts.parameters())


def test_pieces_are_streams_cut_at_beginnings() -> None:
    conditions = np.array([[-1, 2], [-3, -1], [0, 1], [-1, 0]])
    ids = np.array([[1, 5], [2, 6], [3, 7], [4, 8]])
    pieces = Pieces.of(conditions)
    assert pieces.cut(ids).T.tolist() == [[1, 2], [3, 4], [5, 6], [7, 0], [8, 0]]
    assert pieces.length.tolist() == [2, 2, 2, 1, 1]
    assert (pieces.stream.tolist(), pieces.last.tolist()) == ([0, 0, 1, 1, 1], [1, 4])
    assert pieces.condition.clip(min=-1).tolist() == [-1, 0, 2, 1, 0]
    assert np.array_equal(pieces.join(pieces.cut(ids)), ids)
    ended = Pieces.of(conditions, np.array([3, 0]))
    assert (ended.length.tolist(), ended.condition.clip(min=-1).tolist()) == ([2, 1, 0], [-1, 0, -1])


def test_a_model_without_conditions_is_what_it_was() -> None:
    torch.manual_seed(3)
    plain = LanguageModel("lstm", V, SMALL)
    assert "starts" not in "".join(plain.state_dict())
    torch.manual_seed(3)
    conditioned = LanguageModel("lstm", V, SMALL, K)
    assert conditioned.output.out_features == V + 1
    assert not any(table.any() for table in conditioned.starts.parameters())  # type: ignore[union-attr]


# -- from documents to documents


def manners(count: int, seed: int = 7) -> list[dict[str, str]]:
    """Documents in two manners, upper-case words and digits, the one after the other."""
    draw = random.Random(seed)
    words = [" ".join(draw.choices(WORDS, k=draw.randint(1, 4))) for _ in range(count)]
    digits = ["".join(draw.choices("0123456789", k=draw.randint(3, 20))) for _ in range(count)]
    return [{"text": text, "condition": "words"} for text in words] + [
        {"text": text, "condition": "digits"} for text in digits
    ]


def write(path: Path, documents: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("manners")
    start(
        folder / "run",
        write(folder / "d.jsonl", manners(300)),
        documents=True,
        shape=Shape(hidden=32, embedding=8),
        batching=Batching(8, 24),
        steps=150,
        evaluate_every=75,
        learning_rate=0.02,
    )
    return Run.open(folder / "run")


def bits(run: Run, text: str, condition: str) -> float:
    tokens = np.array([run.vocabulary.begin(condition), *run.vocabulary.encode(text)])
    found = score(run.model(), run.vocabulary, tokens).bits_per_character
    assert found is not None
    return found


def test_the_right_condition_makes_a_text_likelier_than_the_wrong_one(trained: Run) -> None:
    for document in manners(3, seed=11):
        right, wrong = (
            bits(trained, document["text"], on) for on in sorted(("words", "digits"), key=document["condition"].__ne__)
        )
        assert right < wrong - 0.3


def test_a_text_is_written_in_the_manner_of_its_condition_and_ends(trained: Run) -> None:
    for seed in range(5):
        texts = {
            on: "".join(sample(trained.model(), trained.vocabulary, length=200, condition=on, seed=seed))
            for on in ("words", "digits")
        }
        assert set(texts["digits"]) <= set("0123456789")
        assert set(texts["words"]) <= set("".join(WORDS) + " ")
        assert all(0 < len(text) < 200 for text in texts.values())


def test_held_out_documents_are_learnt_as_well_as_can_be(trained: Run) -> None:
    """A word costs at least log2(5) bits, a digit log2(10), and an end what the lengths drawn leave open."""
    test = json.loads((trained.path / "results.json").read_text())["test"]
    assert 1.0 < test["bits_per_character"] < 2.4


def test_starts_are_learnt_apart(trained: Run) -> None:
    starts = trained.model().starts
    assert starts is not None
    digits, words = starts.initial_h
    assert (digits - words).abs().max() > 0.05


def test_documents_are_resumed_to_the_same_losses(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", manners(60))
    start(tmp_path / "whole", path, documents=True)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "cut", path, documents=True, save_every=1e-9, report=At(Step, 7, stop))
    go_on(tmp_path / "cut")
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    assert Run.open(tmp_path / "cut").vocabulary.conditions == ("digits", "words")


def test_a_run_on_documents_is_json_and_safetensors(tmp_path: Path) -> None:
    start(tmp_path / "run", write(tmp_path / "d.jsonl", manners(60)), documents=True, steps=2)
    values = json.loads((tmp_path / "run" / "run.json").read_text())
    assert values["vocabulary"]["conditions"] == ["digits", "words"]
    assert (values["text"]["documents"], values["counts"]["documents"]) == (True, 120)


def test_a_run_on_plain_text_is_described_as_before_there_were_documents(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abcabd\n" * 100)
    start(tmp_path / "run", tmp_path / "text.txt", steps=2)
    values = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "documents" not in values["text"] | values["counts"]
    assert "conditions" not in values["vocabulary"]
    run = Run.open(tmp_path / "run")
    assert not run.text.documents
    assert go_on(tmp_path / "run", steps=3).result.step == 3
    assert len("".join(sample(run.model(), run.vocabulary, "a", 5, seed=1))) == 5


# -- scoring and sampling by hand

ABC = Vocabulary("char", ("<unk>", *"abcd"), ("x", "y", "z"))


def test_documents_are_scored_with_their_ends() -> None:
    net = model()
    tokens = np.array([6, 1, 2, 8, 3, 7, 4, 4, 5])  # ab on x, c on z, dd on y
    logits, _ = net.logits(torch.from_numpy(tokens[:-1])[:, None])
    targets = torch.tensor([1, 2, 5, 3, 5, 4, 4, 5])
    expected = F.cross_entropy(logits[:, 0], targets, reduction="none")
    for streams_ in (1, 2, 3, 9):
        found = score(net, ABC, tokens, streams_)
        assert found.nats == pytest.approx(expected.sum().item(), rel=1e-5)
        assert (found.tokens, found.characters) == (8, 5)
    listed = list(each(net, ABC, tokens))
    assert [token for token, _ in listed] == ["a", "b", "<end>", "c", "<end>", "d", "d", "<end>"]
    assert [lost for _, lost in listed] == pytest.approx((expected / math.log(2)).tolist(), abs=1e-5)


class Scripted(nn.Module):
    """Writes fixed tokens, and keeps what it is given."""

    def __init__(self, script: list[int]) -> None:
        super().__init__()
        self.weight, self.script, self.given = nn.Parameter(torch.zeros(1)), script, []

    def logits(self, inputs: Tensor, state: int | None = None, *_: object) -> tuple[Tensor, int]:
        self.given.append(inputs[:, 0].tolist())
        made = 0 if state is None else state
        return 50.0 * F.one_hot(torch.tensor([[self.script[made]]]), V + 1).float(), made + 1


def test_a_document_begins_with_its_condition_then_the_prompt_and_stops_at_its_end() -> None:
    net = Scripted([3, 4, 5, 1, 1])
    assert "".join(sample(net, ABC, "ab", 9, condition="z", draw=Draw(0))) == "cd"
    assert net.given == [[8, 1, 2], [3], [4]]
    net = Scripted([3, 4, 5])
    assert "".join(sample(net, ABC, "", 2, condition="x", draw=Draw(0))) == "cd"
    assert net.given == [[6], [3]]


def test_a_condition_that_is_not_there_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(InputError, match="unknown condition 'q'; there are x, y, z"):
        sample(model(), ABC, condition="q")
    with pytest.raises(InputError, match="none was given; there are x, y, z"):
        sample(model(), ABC)
    with pytest.raises(InputError, match="condition 'x': the model was trained on a text without any"):
        sample(model(), Vocabulary("char", ("<unk>", "a")), condition="x")
