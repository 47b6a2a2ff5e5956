import pytest
import torch

import gatework as gw
from gatework.lab.bench.measure import Shape
from gatework.lab.bench.work import (
    activations,
    draw,
    inference,
    multiplies,
    recurrent_weights,
    step_of,
    training,
    work,
)

I, H = 3, 5
COUNTS = {
    "rnn": H * I + H * H,
    "lstm": 4 * (H * I + H * H),
    "peephole_lstm": 4 * (H * I + H * H),
    "gru": 3 * (H * I + H * H),
    "gru_reset_after": 3 * (H * I + H * H),
    "indrnn": H * I,
    "full_peephole_lstm": 4 * (H * I + H * H) + 3 * H * H,
    "projected_lstm": 4 * (H * I + H * H) + H * H,
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_multiplies_of_a_step_are_those_of_its_matrices(name: str):
    program = gw.cells[name].program
    assert multiplies(program, program.bind(I, H)) == COUNTS[name]


def test_work_counts_steps_sequences_layers_and_both_passes():
    lstm = gw.cells["lstm"]
    assert work(lstm, Shape(7, 2, I, H), train=False) == 7 * 2 * COUNTS["lstm"]
    assert work(lstm, Shape(7, 2, I, H), train=True) == 3 * 7 * 2 * COUNTS["lstm"]
    assert work(lstm, Shape(1, 1, I, H, 3), train=False) == COUNTS["lstm"] + 2 * 8 * H * H


# floats: saved values twice, states three times, gradients of sums twice, the input three times, the output once
MOVED = {
    "rnn": 2 * H + 3 * H + 2 * H + 3 * I + H,
    "lstm": 2 * 5 * H + 3 * 2 * H + 2 * 4 * H + 3 * I + H,  # i, f, g, o, tanh(c); h, c; of four gates
    "indrnn": 2 * H + 3 * H + 2 * H + 3 * I + H,
    "mingru": 2 * 2 * H + 3 * H + 2 * 2 * H + 3 * I + H,
}


@pytest.mark.parametrize("name", MOVED)
def test_the_bytes_of_a_step_are_those_of_what_is_saved_carried_and_given_back(name: str):
    program = gw.cells[name].program
    assert activations(program, program.bind(I, H)) == 4 * MOVED[name]


def test_the_weights_of_a_step_are_the_matrices_that_multiply_what_the_step_computes():
    expected = {"lstm": 4 * H * H, "indrnn": 0, "full_peephole_lstm": 7 * H * H, "gru": 3 * H * H}
    programs = {name: gw.cells[name].program for name in expected}
    found = {name: recurrent_weights(program, program.bind(I, H)) for name, program in programs.items()}
    assert found == {name: 4 * floats for name, floats in expected.items()}


def test_inference_keeps_nothing_for_a_backward_pass():
    output, _ = inference(gw.LSTM(I, H), draw(Shape(2, 1, I, H)))()
    assert output.shape == (2, 1, H) and not output.requires_grad


def test_a_training_step_leaves_the_gradients_of_one_step():
    layer = gw.LSTM(I, H)
    step = step_of(layer, draw(Shape(4, 2, I, H)), train=True)
    step()
    first = [parameter.grad.clone() for parameter in layer.parameters()]
    step()
    torch.testing.assert_close([parameter.grad for parameter in layer.parameters()], first)


def test_a_training_step_asks_for_the_gradient_of_the_input_and_lets_the_given_one_be():
    x, weight, given = torch.ones(2, 1, 3), torch.ones(3, requires_grad=True), []
    training(lambda value: given.append(value) or value * weight, x, [weight])()
    assert torch.equal(given[0].grad, torch.ones(2, 1, 3))
    assert x.grad is None and not x.requires_grad
