"""A session runs what torch's layers run: every cell, lengths, resets, one step at a time, forks, narrow weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

import gatework as gw
from gatework.errors import InputError
from gatework.exporting import model_of
from gatework.lowering import threads
from gatework.runtime import Session
from gatework.runtime.stepping import Stepping

T, B, I = 7, 5, 6
LENGTHS = torch.tensor([7, 3, 0, 1, 6])


def layer_of(cell: str, **options: object) -> gw.Recurrent:
    torch.manual_seed(1)
    return gw.Recurrent(cell, I, I, **options).eval()  # type: ignore[arg-type]


def boundaries() -> dict[str, dict[str, torch.Tensor]]:
    resets = torch.rand(T, B, generator=torch.Generator().manual_seed(2)) < 0.3
    resets[0, :2] = torch.tensor([True, False])
    return {
        "plain": {},
        "lengths": {"lengths": LENGTHS},
        "resets": {"resets": resets},
        "both": {"lengths": LENGTHS, "resets": resets},
    }


def check(layer: gw.Recurrent, how: dict[str, torch.Tensor]) -> None:
    x, state = torch.randn(T, B, I), tuple(torch.rand(n, B, s) for n, s in layer.state_shapes.values())
    with torch.no_grad():
        expected, after = layer(x, state, **how)  # type: ignore[arg-type]
    given = dict(zip(layer.state_names, (each.numpy() for each in state), strict=True))
    output, new = Session(model_of(layer)).run(x.numpy(), given, **{name: v.numpy() for name, v in how.items()})
    np.testing.assert_array_equal(output, expected.numpy())  # the same core, the same order: to the last bit
    for name, values in zip(layer.state_names, after, strict=True):
        np.testing.assert_array_equal(new[name], values.numpy())


@pytest.mark.parametrize("how", boundaries())
@pytest.mark.parametrize("cell", gw.cells)
def test_every_cell_is_what_the_layer_is(cell: str, how: str) -> None:
    check(layer_of(cell, num_layers=2), boundaries()[how])


@pytest.mark.parametrize("how", boundaries())
@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True},
        {"bidirectional": True, "num_layers": 3},
        {"residual": True, "num_layers": 2, "initial": "learned"},
        {"proj_size": 3, "zoneout": {"h": 0.3, "c": 0.1}},
    ],
    ids=str,
)
def test_every_arrangement_is_what_the_layer_is(options: dict[str, object], how: str) -> None:
    check(layer_of("lstm", **options), boundaries()[how])


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm", "layer_norm_lstm"])
def test_steps_are_the_sequence_and_forks_go_on_by_themselves(cell: str) -> None:
    layer = layer_of(cell, num_layers=2)
    session, x = Session(model_of(layer)), np.random.default_rng(0).standard_normal((T, B, I), np.float32)
    whole, after = session.run(x)
    assert session.state is None
    for t in range(4):
        np.testing.assert_allclose(session.step(x[t]), whole[t], rtol=0, atol=2e-6)
    other = session.fork()
    other.step(-x[4])
    for t in range(4, T):
        np.testing.assert_allclose(session.step(x[t]), whole[t], rtol=0, atol=2e-6)
    state = session.state
    assert state is not None
    for name, values in after.items():
        np.testing.assert_allclose(state[name], values, rtol=0, atol=2e-6)
    session.reset()
    np.testing.assert_allclose(session.step(x[0]), whole[0], rtol=0, atol=2e-6)
    session.state = state
    np.testing.assert_array_equal(session.step(x[0]), Session(model_of(layer)).run(x[:1], state)[0][0])


def test_a_state_is_a_copy() -> None:
    session = Session(model_of(layer_of("lstm")))
    session.step(np.ones((1, I), np.float32))
    before = session.state
    assert before is not None
    session.state["h"][:] = 7.0  # type: ignore[index]
    np.testing.assert_array_equal(session.state["h"], before["h"])  # type: ignore[index]
    session.state = before
    before["h"][:] = 7.0
    assert (session.state["h"] != 7.0).all()


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_narrow_weights_are_those_of_a_frozen_layer(weights: str) -> None:
    layer = layer_of("lstm", num_layers=2)
    x = np.random.default_rng(0).standard_normal((T, 1, I), np.float32)
    expected, _ = layer.frozen(weights)(torch.from_numpy(x))
    output, _ = Session(model_of(layer), weights=weights).run(x)
    np.testing.assert_array_equal(output, expected.numpy())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(threads: int) -> None:
    torch.manual_seed(0)
    layer = gw.Recurrent("gru", 9, 130, num_layers=2).eval()
    x = np.random.default_rng(0).standard_normal((40, 33, 9), np.float32)
    one, many = (Session(model_of(layer), threads=n).run(x)[0] for n in (1, threads))
    np.testing.assert_allclose(many, one, rtol=0, atol=1e-6)


WRONG = {
    "x has shape [4, 6]; expected [T,B,6]": lambda s: s.run(np.zeros((4, 6))),
    "x has shape [2, 3, 5]; expected [T,B,6]": lambda s: s.run(np.zeros((2, 3, 5))),
    "x is <U1": lambda s: s.run(np.full((2, 3, 6), "a")),
    "state has h; expected h, c": lambda s: s.run(np.zeros((2, 3, 6)), {"h": np.zeros((1, 3, 6))}),
    "state c has shape [1, 2, 6]; expected [1, 3, 6]": lambda s: s.run(
        np.zeros((2, 3, 6)), {"h": np.zeros((1, 3, 6)), "c": np.zeros((1, 2, 6))}
    ),
    "lengths has 0 to 3; expected 0 to T = 2": lambda s: s.run(np.zeros((2, 3, 6)), lengths=[0, 1, 3]),
    "lengths is float64 [3]": lambda s: s.run(np.zeros((2, 3, 6)), lengths=[0, 1, 1.5]),
    "resets is int64 [2, 3]": lambda s: s.run(np.zeros((2, 3, 6)), resets=[[0, 1, 0], [0, 0, 0]]),
    "x has 2 sequences and the state 3": lambda s: (s.step(np.zeros((3, 6))), s.step(np.zeros((2, 6)))),
    "state has nothing": lambda s: setattr(s, "state", {}),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_fit_is_named(message: str) -> None:
    session = Session(model_of(layer_of("lstm")))
    with pytest.raises(InputError) as error:
        WRONG[message](session)
    assert message in str(error.value)


def test_options_are_checked() -> None:
    model = model_of(layer_of("lstm"))
    with pytest.raises(InputError, match="weights is 'int4'; expected one of 'float32', 'bfloat16', 'int8'"):
        Session(model, weights="int4")
    with pytest.raises(InputError, match="threads is 0; expected a whole number from 1 to 1024"):
        Session(model, threads=0)


def test_both_directions_need_whole_sequences() -> None:
    with pytest.raises(InputError, match=r"needs whole sequences: call run\(x\)"):
        Session(model_of(layer_of("lstm", bidirectional=True))).step(np.zeros((1, I)))


# -- many streams


@pytest.mark.parametrize("by_core", [True, False])
@pytest.mark.parametrize("most", [1, 2, 3, 4, 9, 31, 100, 333])
def test_streams_that_step_together_are_sessions_of_their_own(
    most: int, by_core: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stepping, "runs", staticmethod(lambda _: by_core))
    model, random = model_of(layer_of("gru", num_layers=2, initial="learned")), np.random.default_rng(most)
    streams, whole = Session(model).streams(most), Session(model)
    inputs: dict[int, list[np.ndarray]] = {}
    outputs: dict[int, list[np.ndarray]] = {}
    for number in (streams.join() for _ in range(most)):
        inputs[number], outputs[number] = [], []
    assert len(streams) == most
    for _ in range(4):
        active = random.permutation(most)[: random.integers(1, most + 1)]
        x = random.standard_normal((len(active), I), np.float32)
        for number, one, y in zip(active.tolist(), x, streams.step(active, x), strict=True):
            inputs[number].append(one)
            outputs[number].append(y)
    for number in (number for number in range(most) if inputs[number]):
        expected, state = whole.run(np.stack(inputs[number])[:, None])
        np.testing.assert_allclose(np.stack(outputs[number]), expected[:, 0], rtol=0, atol=1e-5)
        for name, values in streams.state(number).items():
            np.testing.assert_allclose(values, state[name], rtol=0, atol=1e-5)


def test_a_place_is_taken_anew_from_the_start_or_from_a_state() -> None:
    session = Session(model_of(layer_of("lstm")))
    streams, x = session.streams(2), np.ones((1, I), np.float32)
    first = streams.join()
    y = streams.step([first], x)
    kept = streams.state(first)
    streams.leave(first)
    again = streams.join()
    np.testing.assert_array_equal(streams.step([again], x), y)
    branch = streams.join(kept)
    np.testing.assert_array_equal(streams.step([branch], -x), streams.step([again], -x))


def test_streams_that_are_not_there_are_named() -> None:
    session = Session(model_of(layer_of("lstm")))
    streams = session.streams(2)
    number, x = streams.join(), np.ones((1, I))
    for numbers, message in (
        ([number + 1], f"stream {number + 1} is not there"),
        ([-1], "stream -1 is not there"),
        ([7], "stream 7 is not there"),
        ([number, number], "a stream is named twice"),
    ):
        with pytest.raises(InputError, match=message):
            streams.step(numbers, np.repeat(x, len(numbers), 0))
    assert streams.step([number], x).shape == (1, I)
    with pytest.raises(InputError, match="x has 1 inputs; expected one for each of 2 streams"):
        streams.step([number, streams.join()], x)
    with pytest.raises(InputError, match="all 2 streams are taken"):
        streams.join()
    streams.leave(number)
    with pytest.raises(InputError, match="is not there"):
        streams.leave(number)
    with pytest.raises(InputError, match="streams is 0; expected a whole number of 1 or more"):
        session.streams(0)
    with pytest.raises(InputError, match="needs whole sequences"):
        Session(model_of(layer_of("lstm", bidirectional=True))).streams(2)


# -- layers in files


@pytest.mark.parametrize("cell", ["lstm", "slstm", "mgu"])
def test_a_layer_in_a_file_is_the_layer(cell: str, tmp_path: Path) -> None:
    layer, x = layer_of(cell, num_layers=2, initial="learned"), torch.randn(T, B, I)
    gw.export(layer, tmp_path / "layer.gw")
    session = Session(tmp_path / "layer.gw")
    with torch.no_grad():
        np.testing.assert_array_equal(session.run(x.numpy())[0], layer(x)[0].numpy())


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trained is LSTM; expected a layer of gatework, or the folder of a run"):
        gw.export(torch.nn.LSTM(2, 2), tmp_path / "layer.gw")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"l0\.W_i is torch.float64; a file has float32: layer.float\(\)"):
        gw.export(gw.Recurrent("lstm", 2, 2).double(), tmp_path / "layer.gw")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("many", [64, 97, 300])
def test_threads_that_share_a_step_give_what_one_gives(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SHARED", 0.0)
    model, random = model_of(layer_of("lstm", num_layers=2)), np.random.default_rng(many)
    alone, shared = (Session(model, threads=n) for n in (1, 2))
    sides = [(session, session.streams(many)) for session in (alone, shared)]
    places = [np.array([streams.join() for _ in range(many)]) for _, streams in sides]
    for _ in range(3):
        x = random.standard_normal((many, I), np.float32)
        np.testing.assert_array_equal(alone.step(x), shared.step(x))
        made = [streams.step(where[::-1], x) for (_, streams), where in zip(sides, places, strict=True)]
        np.testing.assert_array_equal(*made)
    assert {bands for _, bands in shared._stepping.ready} == {2}  # type: ignore[union-attr]
