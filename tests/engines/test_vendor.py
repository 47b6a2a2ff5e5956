"""The engine "torch": which Programs it takes by their equations, and that its answers are those of torch.nn."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import gatework as gw
from gatework.cells import TORCH_LAYERS
from gatework.engines import Arguments, reference
from gatework.engines.vendor import recognise, run, runs
from gatework.engines.vendor.recognise import Fused
from gatework.engines.vendor.weights import kept, names, stacked, unstacked
from gatework.errors import InputError
from gatework.notation import parse
from gatework.verify.check import PLAIN
from gatework.verify.problems import Case, answer, draw
from numerics import all_same, random, same, weighed

CPU = torch.device("cpu")
LSTM = """\
i = sigmoid(W_i @ x + U_i @ h + b_i)
f = sigmoid(W_f @ x + U_f @ h + b_f)
g = tanh(W_g @ x + U_g @ h + b_g)
o = sigmoid(W_o @ x + U_o @ h + b_o)
c = f * c + i * g
h = o * tanh(c)
"""
GRU = """\
r = sigmoid(W_r @ x + U_r @ h + b_r)
z = sigmoid(W_z @ x + U_z @ h + b_z)
n = tanh(W_n @ x + b_n + r * (U_n @ h + b_hn))
h = z * h + (1 - z) * n
"""
SPELLINGS = {
    "other names": (
        "a = sigmoid(A @ x + B @ y + k)\ne = sigmoid(C @ x + D @ y + l)\nm = tanh(E @ x + F @ y + q)\n"
        "w = sigmoid(G @ x + J @ y + v)\ns = e * s + a * m\ny = w * tanh(s)",
        "lstm",
    ),
    "other order": (
        "o = sigmoid(b_o + U_o @ h + W_o @ x)\ng = tanh(U_g @ h + (b_g + W_g @ x))\n"
        "f = sigmoid(W_f @ x + U_f @ h + b_f)\ni = sigmoid(W_i @ x + U_i @ h + b_i)\n"
        "c = g * i + c * f\nh = tanh(c) * o",
        "lstm",
    ),
    "on two lines": (
        "c = sigmoid(W_f @ x + U_f @ h + b_f) * c + sigmoid(W_i @ x + U_i @ h + b_i) * tanh(W_g @ x + U_g @ h + b_g)\n"
        "h = sigmoid(W_o @ x + U_o @ h + b_o) * tanh(c)",
        "lstm",
    ),
    "two biases": (LSTM.replace("+ b_i)", "+ b_i + d_i)"), "lstm"),
    "three biases": (LSTM.replace("+ b_i)", "+ b_i + d_i + e_i)"), "lstm"),
    "shared by gates": (LSTM.replace("W_f", "W_i").replace("b_f", "b_i").replace("b_o", "b_i"), "lstm"),
    "zeros": (GRU.replace("b_hn", "0").replace("b_z", "0 + b_z"), "gru"),
    "no biases": ("h = tanh(W @ x + U @ h)", "rnn_tanh"),
    "some biases": (LSTM.replace(" + b_i", ""), "lstm"),
    "a projection": (LSTM.replace("h = o * tanh(c)", "h = P @ (tanh(c) * o)"), "lstm"),
    "gru": (GRU, "gru"),
    "gru, other order": (
        "z = sigmoid(U_z @ h + W_z @ x)\nr = sigmoid(W_r @ x + b_r + U_r @ h)\n"
        "n = tanh((U_n @ h) * r + W_n @ x)\nh = (1 - z) * n + h * z",
        "gru",
    ),
    "relu": ("h = relu(U @ h + b + W @ x)", "rnn_relu"),
}
OTHERS = {
    "peephole": LSTM.replace("U_i @ h", "U_i @ h + p_i * c"),
    "coupled": LSTM.split("\n", 1)[1].replace("i * g", "(1 - f) * g"),
    "tanh gate": LSTM.replace("o = sigmoid", "o = tanh"),
    "sigmoid candidate": LSTM.replace("g = tanh", "g = sigmoid"),
    "no tanh of c": LSTM.replace("o * tanh(c)", "o * c"),
    "old c shown": LSTM.replace("c = f * c + i * g\nh = o * tanh(c)", "h = o * tanh(c)\nc = f * c + i * g"),
    "a gate without h": LSTM.replace("U_i @ h + ", ""),
    "a matrix more": LSTM.replace("U_i @ h", "U_i @ h + V_i @ h"),
    "a number": LSTM.replace("b_f)", "b_f + 1)"),
    "a stopped gradient": LSTM.replace("U_i @ h", "U_i @ stop_gradient(h)"),
    "reset before": GRU.replace("W_n @ x + b_n + r * (U_n @ h + b_hn)", "W_n @ x + U_n @ (r * h) + b_n"),
    "z and 1 - z": GRU.replace("h = z * h + (1 - z) * n", "h = (1 - z) * h + z * n"),
    "2 - z": GRU.replace("1 - z", "2 - z"),
    "another share": GRU.replace("(1 - z) * n", "(1 - r) * n"),
    "b_n inside too few": GRU.replace("r * (U_n @ h + b_hn)", "r * b_hn + U_n @ h"),
    "sigmoid rnn": "h = sigmoid(W @ x + U @ h + b)",
    "input added": "h = tanh(W @ x + U @ h + b) + V @ x",
}
CASES = (
    *PLAIN,
    Case(7, 5, 6, 17, 5, resets=True),
    Case(7, 5, 6, 17, 5, lengths=True, resets=True),
    Case(7, 5, 6, 17, 5, lengths=True),
)


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_text_of_the_same_equations_is_recognised_and_gives_the_same_numbers(name):
    text, kind = SPELLINGS[name]
    cell = gw.Cell("mine", text, output="y" if name == "other names" else "h")
    known = recognise(cell.program)
    assert isinstance(known, Fused) and known.kind == kind
    for case in CASES[1:]:
        problem = draw(cell, case)
        all_same(answer(run, problem), answer(reference.run, problem))


@pytest.mark.parametrize("name", OTHERS)
def test_a_near_miss_is_refused_in_words(name):
    program = parse(OTHERS[name])
    assert " is not " in str(recognise(program)) or name == "a stopped gradient"
    problem = draw(gw.Cell("near", OTHERS[name]), PLAIN[1])
    with pytest.raises(InputError, match=r"^engine='torch' runs torch's LSTM, GRU \(reset after\) and RNN, and this"):
        answer(run, problem)


def test_the_registry_has_torchs_cells_and_one_under_another_name():
    known = {name for name, cell in gw.cells.items() if isinstance(recognise(cell.program), Fused)}
    assert known == {*TORCH_LAYERS, "np"}


@pytest.mark.parametrize("cell", TORCH_LAYERS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_answers_are_those_of_the_reference_engine(cell, dtype):
    if not runs(CPU, dtype):
        pytest.skip(f"torch has no {dtype} here")
    for case in CASES if cell != "projected_lstm" else CASES[1:]:
        problem = draw(gw.cells[cell], case, dtype if dtype != torch.float16 else torch.bfloat16)
        found, wanted = answer(run, problem.to(dtype)), answer(reference.run, problem)
        floor = max(value.abs().max().item() for value in wanted.values())
        for name in wanted:
            if dtype == torch.float16:
                assert (found[name].double() - wanted[name]).abs().max() < 0.02 * floor
            else:
                same(found[name], wanted[name], name, 0.1 * floor)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("reverse", [False, True])
def test_answers_and_all_gradients_are_those_of_torchs_module(dtype, reverse):
    for T, B, I, H, R in ((3, 1, 1, 2, 1), (9, 7, 19, 33, 16)):
        theirs = nn.LSTM(I, H, proj_size=R, dtype=dtype)
        x, known = random(T, B, I, dtype=dtype), recognise(gw.cells["projected_lstm"].program)
        rows = {name: p.detach().chunk(4) for name, p in theirs.named_parameters() if "hr" not in name}
        params = {"P_h": theirs.weight_hr_l0.detach().clone()}
        for k, gate in enumerate("ifgo"):
            params |= {f"W_{gate}": rows["weight_ih_l0"][k].clone(), f"U_{gate}": rows["weight_hh_l0"][k].clone()}
            params[f"b_{gate}"] = rows["bias_ih_l0"][k] + rows["bias_hh_l0"][k]
        params = {name: value.requires_grad_() for name, value in params.items()}
        state = x.new_zeros(B, R), x.new_zeros(B, H)
        output, new, _ = run(Arguments(gw.cells["projected_lstm"].program, params, x, state, reverse=reverse))
        turn = (lambda value: value.flip(0)) if reverse else (lambda value: value)
        expected, (h, c) = theirs(turn(x))
        all_same((output, *new), (turn(expected), h[0], c[0]))
        weighed(output, *new).backward()
        weighed(turn(expected), h[0], c[0]).backward()
        found = stacked(known, {name: value.grad for name, value in params.items()})
        wanted = [p.grad for p in theirs.parameters()]
        all_same((found[0], found[1], found[2], found[4]), (wanted[0], wanted[1], wanted[2], wanted[4]))


@pytest.mark.parametrize("cell", TORCH_LAYERS)
def test_gradients_of_gradients_are_right(cell):
    problem = draw(gw.cells[cell], Case(3, 2, 2, 3, 2))
    leaves = {name: value.requires_grad_() for name, value in problem.params.items()}

    def loss(*values):
        params = dict(zip(leaves, values, strict=True))
        return run(Arguments(problem.program, params, problem.x, problem.state))[0].square().sum()

    assert torch.autograd.gradgradcheck(loss, tuple(leaves.values()))


def test_what_lies_past_the_ends_is_unread():
    problem = draw(gw.cells["lstm"], CASES[-1])
    spoilt = draw(gw.cells["lstm"], CASES[-1])
    for b, length in enumerate(spoilt.lengths):
        spoilt.x[length:, b] = torch.nan
    found, wanted = answer(run, spoilt), answer(run, problem)
    for name in wanted:
        assert torch.equal(found[name], wanted[name]), name


@pytest.mark.parametrize("lengths", [[2, 1, 3, 0, 2], [0, 0, 0, 0, 0]])
@pytest.mark.parametrize("reverse", [False, True])
def test_all_sequences_may_end_before_the_last_step(lengths, reverse):
    problem = draw(gw.cells["lstm"], CASES[-1])
    given = replace(problem.arguments(), lengths=torch.tensor(lengths), reverse=reverse, record=["h"])
    (output, state, recorded), (wanted, final, _) = run(given), reference.run(given)
    all_same((output, *state, recorded["h"]), (wanted, *final, wanted))


@pytest.mark.parametrize("resets", [[0], [0, 1, 2, 3, 4, 5, 6], [6], [3, 4]])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_reset_may_be_before_any_step(resets, reverse):
    problem = draw(gw.cells["lstm"], CASES[-2])
    borders = torch.zeros(7, 5, dtype=torch.bool)
    borders[resets, 1:] = True
    given = replace(problem.arguments(), resets=borders, lengths=torch.tensor([7, 7, 4, 0, 1]), reverse=reverse)
    leaves = [value.requires_grad_() for value in given.tensors()]
    answers = []
    for engine in (run, reference.run):
        output, state, _ = engine(given)
        answers.append((output, *state, *torch.autograd.grad(weighed(output, *state), leaves, materialize_grads=True)))
    all_same(*answers)


def test_no_steps_and_no_sequences():
    for T, B in ((0, 3), (4, 0), (0, 0)):
        problem = draw(gw.cells["lstm"], PLAIN[1])
        x, state = problem.x.new_zeros(T, B, 7), tuple(value.new_ones(B, 17) for value in problem.state)
        output, new, recorded = run(Arguments(problem.program, problem.params, x, state, record=["h"]))
        assert output.shape == recorded["h"].shape == (T, B, 17)
        assert all(torch.equal(a, b) for a, b in zip(new, state, strict=True))


def test_what_torchs_functions_have_not_is_refused():
    hidden = draw(gw.cells["lstm"], PLAIN[1])
    with pytest.raises(InputError, match=r"^engine='torch' has no recorded f: use"):
        run(Arguments(hidden.program, hidden.params, hidden.x, hidden.state, record=["h", "f"]))
    with pytest.raises(InputError, match=r"^engine='torch' has no projection to as many units"):
        answer(run, draw(gw.cells["projected_lstm"], PLAIN[0]))


@pytest.mark.parametrize("name", SPELLINGS)
def test_gradients_by_the_stacked_weights_go_back_to_the_parameters(name):
    cell = gw.Cell("mine", SPELLINGS[name][0], output="y" if name == "other names" else "h")
    known = recognise(cell.program)
    params = {n: value.requires_grad_() for n, value in draw(cell, PLAIN[1]).params.items()}
    made = stacked(known, params)
    gradients = [torch.randn_like(weight) for weight in made]
    followed = [(value, gradient) for value, gradient in zip(made, gradients, strict=True) if value.requires_grad]
    values, by_values = zip(*followed, strict=True)
    wanted = torch.autograd.grad(values, [params[n] for n in names(known)], by_values)
    found = unstacked(known, gradients)
    assert all(torch.equal(found[n], value) for n, value in zip(names(known), wanted, strict=True))


def test_weights_are_laid_out_once_and_again_when_a_parameter_changed():
    known = recognise(gw.cells["gru_reset_after"].program)
    params = draw(gw.cells["gru_reset_after"], PLAIN[1]).params
    used = [params[name] for name in names(known)]
    first = kept(known, used)
    assert kept(known, used)[0] is first[0]
    used[3].mul_(2)
    again = kept(known, used)
    assert again[0] is not first[0]
    assert all(torch.equal(a, b) for a, b in zip(again, stacked(known, params), strict=True))
    replaced = [used[0], used[1].clone() + 1, *used[2:]]
    assert not torch.equal(kept(known, replaced)[1], again[1])
