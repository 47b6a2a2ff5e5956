"""Still pictures: each shows the values it was given, in its colours, and refuses what it cannot show."""

import sys
from typing import Any

import numpy as np
import pytest
import torch

import gatework as gw
from gatework.errors import InputError
from gatework.inspect import pictures

pytest.importorskip("matplotlib", reason="pictures need matplotlib (extra plot)")
TEXT = "def f(x):\n    return x\n"


def image(figure: Any) -> Any:
    """The coloured cells of a picture."""
    return figure.axes[0].images[0]


def hexes(mapped: Any, *values: float) -> list[str]:
    rgba = mapped.cmap(mapped.norm(np.array(values)), bytes=True)
    return ["#" + bytes(row[:3]).hex() for row in rgba]


def drawn(figure: Any) -> None:
    """Draws it, so that an error or warning of matplotlib's shows."""
    figure.canvas.draw()


# -- text


def test_every_character_has_the_colour_of_its_value() -> None:
    values = torch.linspace(-1, 1, len(TEXT))
    figure = pictures.coloured_text(TEXT, values, columns=40)
    drawn(figure)
    rows = TEXT.splitlines(keepends=True)
    shown = np.concatenate([image(figure).get_array()[row, : len(line)] for row, line in enumerate(rows)])
    np.testing.assert_allclose(shown, values)
    assert np.ma.getmaskarray(image(figure).get_array())[0, len(rows[0]) :].all()  # nothing beyond the end of a line
    assert "".join(text.get_text() for text in figure.axes[0].texts) == TEXT.replace(" ", "·").replace("\n", "↵")


def test_words_are_coloured_whole_and_long_lines_wrapped() -> None:
    figure = pictures.coloured_text(["ab", "cde"], [0.5, -0.5], columns=3)
    assert image(figure).get_array().tolist() == [[0.5, 0.5, -0.5], [-0.5, -0.5, None]]


def test_states_and_gates_have_scales_of_their_own() -> None:
    state = image(pictures.coloured_text("abc", [0.0, 0.1, 0.2]))
    gate = image(pictures.coloured_text("abc", [0.0, 0.1, 0.2], kind="gate"))
    heat = image(pictures.heat_map(torch.zeros(3, 2)))
    assert hexes(state, -1, 1) == ["#f1a340", "#998ec3"]
    assert hexes(heat, -1, 1) == ["#b35806", "#542788"]
    assert hexes(gate, 0, 1) == ["#f7f7f7", "#01665e"]
    assert {*hexes(state, 0), *hexes(heat, 0)} <= {"#f6f6f6", "#f7f7f7"}


def test_a_memory_is_shown_as_its_tanh() -> None:
    shown = image(pictures.coloured_text("abc", [505.0, -0.5, 0.0], kind="memory")).get_array()[0, :3]
    np.testing.assert_allclose(shown, np.tanh([505.0, -0.5, 0.0]))


# -- units by time


def test_the_heat_map_has_a_row_for_each_unit_in_the_order_asked_for() -> None:
    values = torch.rand(7, 1, 4) * 2 - 1
    figure = pictures.heat_map(values, list("abc de\n"), order=[2, 0])
    drawn(figure)
    np.testing.assert_allclose(image(figure).get_array(), values[:, 0, [2, 0]].T)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["2", "0"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == list("abc·de↵")


def test_many_steps_are_numbered() -> None:
    figure = pictures.heat_map(np.zeros((500, 3)), "x" * 500)
    assert figure.axes[0].get_xlabel() == "step"


# -- saturation


def test_a_dot_for_each_unit_says_how_often_its_gate_is_shut_and_open() -> None:
    gate = torch.tensor([[0.05, 0.95, 0.5], [0.05, 0.05, 0.5], [0.95, 0.95, 0.5], [0.05, 0.95, 0.5]])
    figure = pictures.saturation({"f": gate, "i": gate.view(2, 2, 3)})
    drawn(figure)
    for panel in figure.axes:
        dots = panel.collections[0].get_offsets()
        np.testing.assert_allclose(dots, [[0.75, 0.25], [0.25, 0.75], [0, 0]])
    assert [panel.get_title() for panel in figure.axes] == ["f", "i"]


def test_a_trace_is_drawn_as_it_is() -> None:
    layer = gw.LSTM(3, 5)
    with gw.record(layer, "f", "o") as trace:
        layer(torch.randn(9, 2, 3))
    assert [panel.get_title() for panel in pictures.saturation(trace).axes] == list(trace)


# -- gradient flow


def test_the_gradient_of_two_models_is_drawn_beside_each_other() -> None:
    torch.manual_seed(0)
    flows = {name: gw.gradient_flow(gw.Recurrent(name, 3, 8), torch.randn(30, 6, 3)) for name in ("lstm", "rnn")}
    figure = pictures.gradient_flow(flows)
    drawn(figure)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines) == ["lstm", "lstm: what c keeps", "rnn"]  # an RNN has no gate
    assert figure.axes[0].get_yscale() == "log"
    for name, flow in flows.items():
        expected = flow.relative("l0.x").median(1).values
        curve = lines[name].get_ydata()
        assert curve[0] == 1
        assert abs(curve[5] / expected[5] - 1) < 0.5  # the median of six lies between the third and the fourth


def test_a_gradient_that_vanishes_leaves_the_picture() -> None:
    flow = gw.gradient_flow(gw.Recurrent("rnn", 2, 2, init={"*": 0.0}), torch.randn(9, 2, 2))
    drawn(pictures.gradient_flow({"rnn": flow}, "h"))


# -- what cannot be shown


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: pictures.coloured_text("abc", [0.1, 0.2]), "3 pieces of text, but 2 values"),
        (lambda: pictures.coloured_text("abc", [0.1, 0.2, 3.0]), "kind='memory'"),
        (lambda: pictures.coloured_text("abc", [0.1, -0.2, 0.3], kind="gate"), "expected 0 to 1 of a gate"),
        (lambda: pictures.coloured_text("abc", [0.1, 0.2, float("nan")]), "no finite numbers"),
        (lambda: pictures.coloured_text("", []), "there are none"),
        (lambda: pictures.coloured_text("abc", torch.zeros(3, 4)), "values of shape [3, 4]; expected [T], one unit"),
        (lambda: pictures.coloured_text("abc", torch.zeros(3), kind="color"), "kind 'color': expected state"),
        (lambda: pictures.coloured_text("abc", torch.zeros(3), columns=0), "columns=0"),
        (lambda: pictures.coloured_text("a" * 5000, torch.zeros(5000)), "5,000 characters; a picture shows 4,000"),
        (lambda: pictures.heat_map(torch.zeros(3, 2, 4)), "expected [T,H], as trace[key][:, 0]"),
        (lambda: pictures.heat_map(torch.zeros(3, 4), order=[4]), "there is no unit 4; expected 0 to 3"),
        (lambda: pictures.heat_map(torch.zeros(3, 4), "ab"), "2 pieces, but 3 steps"),
        (lambda: pictures.saturation({}), "no gate to draw"),
        (lambda: pictures.saturation({"c": torch.full((3, 2), 7.0)}), "c from 7 to 7; expected 0 to 1"),
        (lambda: pictures.saturation({"f": torch.zeros(3)}), "f: values of shape [3]"),
        (lambda: pictures.gradient_flow({}), "no gradient flow to draw"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_words(draw: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        draw()
    assert said in str(refused.value)


def test_a_value_that_was_not_measured_is_named_with_those_that_were() -> None:
    flow = gw.gradient_flow(gw.Recurrent("gru", 2, 2), torch.randn(5, 2, 2))
    with pytest.raises(InputError, match="GRU: no gradient by 'c' was measured; there are x, h"):
        pictures.gradient_flow({"GRU": flow}, "c")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"gatework\[plot\]"):
        pictures.saturation({"f": torch.zeros(3, 2)})
