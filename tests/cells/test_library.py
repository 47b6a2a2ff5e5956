"""The registry: complete, as the papers print it, and doing what an independent step in plain torch does."""

import copy
import math
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, logsigmoid

from gatework.cells import TORCH_LAYERS, Cell, FrozenMap, cells
from gatework.engines import Arguments
from gatework.engines.reference import run
from gatework.errors import InputError
from gatework.layers.initial import initialise
from gatework.notation import EquationError
from numerics import all_same, same


def expand(text: str) -> list[str]:
    """ "WUb_i R_ii zeta" -> W_i U_i b_i R_ii zeta: what stands before the _ is a list of letters."""
    names = []
    for token in text.split():
        letters, _, gate = token.partition("_")
        names += [f"{letter}_{gate}" for letter in letters] if gate else [token]
    return names


# name: states, parameters in the order of the text
STRUCTURE = {
    "rnn": ("h", "WUb_h"),
    "rnn_relu": ("h", "WUb_h"),
    "lstm": ("h c", "WUb_i WUb_f WUb_g WUb_o"),
    "lstm_no_forget": ("h c", "WUb_i WUb_g WUb_o"),
    "lstm_1997": ("h i o c", "WU_i R_ii R_oi b_i WU_g R_ig R_og b_g WU_o R_io R_oo b_o"),
    "peephole_lstm": ("h c", "WUpb_i WUpb_f WUb_g WUpb_o"),
    "full_peephole_lstm": ("h c", "WUCb_i WUCb_f WUb_g WUCb_o"),
    "coupled_lstm": ("h c", "WUb_f WUb_g WUb_o"),
    "gru": ("h", "WUb_r WUb_z WUb_n"),
    "gru_reset_after": ("h", "WUb_r WUb_z WbU_n b_hn"),
    "nig": ("h c", "WUpb_f WUb_g WUpb_o"),
    "nfg": ("h c", "WUpb_i WUb_g WUpb_o"),
    "nog": ("h c", "WUpb_i WUpb_f WUb_g"),
    "niaf": ("h c", "WUpb_i WUpb_f WUb_g WUpb_o"),
    "noaf": ("h c", "WUpb_i WUpb_f WUb_g WUpb_o"),
    "np": ("h c", "WUb_i WUb_f WUb_g WUb_o"),
    "cifg": ("h c", "WUpb_i WUb_g WUpb_o"),
    "fgr": (
        "h i f c o",
        "WU_i R_ii R_fi R_oi pb_i WU_f R_if R_ff R_of pb_f WUb_g WU_o R_io R_fo R_oo pb_o",
    ),
    "projected_lstm": ("h c", "WUb_i WUb_f WUb_g WUb_o P_h"),
    "layer_norm_lstm": ("h c", "sWtUb_i sWtUb_f sWtUb_g sWtUb_o sb_c"),
    "multiplicative_lstm": ("h c", "WU_m WUb_i WUb_f WUb_g WUb_o"),
    "nested_lstm": ("h c2 c", "WUb_i WUb_f WUb_g WUb_o WUb_i2 WUb_f2 WUb_g2 WUb_o2"),
    "on_lstm": ("h c", "WUb_i WUb_f WUb_g WUb_o WUb_F WUb_I"),
    "slstm": ("h m c n", "WUb_i WUb_f WUb_g WUb_o"),
    "rhn_3": ("h", "WUb_n1 WUb_t1 Ub_n2 Ub_t2 Ub_n3 Ub_t3"),
    "mut1": ("h", "WUb_r Wb_z Ub_n"),
    "mut2": ("h", "Ub_r WUb_z UWb_n"),
    "mut3": ("h", "WUb_r WUb_z UWb_n"),
    "mgu": ("h", "WUb_f WUb_n"),
    "janet": ("h", "WUb_s WUb_g"),
    "ugrnn": ("h", "WUb_g WUb_n"),
    "cfn": ("h", "WUb_f WUb_i W_g"),
    "ran": ("h c", "WUb_i WUb_f W_c"),
    "atr": ("h", "W_p U_q"),
    "indrnn": ("h", "Wub_h"),
    "sru": ("c", "Wvb_f Wvb_r W_c"),
    "mingru": ("h", "Wb_z Wb_n"),
    "minlstm": ("h", "Wb_f Wb_i Wb_n"),
    "fastgrnn": ("h", "WU_p b_z b_n zeta nu"),
    "lem": ("y z", "WUb_s WUb_t WUb_z WUb_y"),
    "cornn": ("y z", "WUVb_z"),
}

MATRICES = frozenset("WURCVP")
EVERY = pytest.mark.parametrize("name", STRUCTURE)


def test_the_registry_holds_these_cells_in_this_order():
    assert list(cells) == list(STRUCTURE)


@EVERY
def test_states_and_parameters_are_those_of_the_paper(name):
    program = cells[name].program
    states, parameters = STRUCTURE[name]
    assert [state.name for state in program.states] == states.split()
    assert [parameter.name for parameter in program.parameters] == expand(parameters)


@EVERY
def test_parameters_have_the_size_of_what_they_multiply(name):
    """A W is [H,I], any other matrix [H,H], a vector [H]; R where the output is projected."""
    for parameter in cells[name].program.parameters:
        letter, last = parameter.name[0], "R" if name == "projected_lstm" and parameter.name[0] == "U" else "H"
        width = "I" if letter == "W" and not parameter.name.endswith("2") and not cells[name].program.tied else last
        assert parameter.kind == ("matrix" if letter in MATRICES else "vector")
        assert parameter.shape == (("R", "H") if letter == "P" else ("H", width) if letter in MATRICES else ("H",))


def test_input_and_hidden_size_are_tied_where_x_is_added_as_it_is():
    assert {name for name, cell in cells.items() if cell.program.tied} == {"mut1", "mut2", "sru"}


@EVERY
def test_cells_know_their_name_and_their_source(name):
    assert cells[name].name == name
    assert any(digit.isdigit() for digit in cells[name].source)


@EVERY
def test_shipped_texts_stand_at_the_margin(name):
    assert all(line and line == line.strip() for line in cells[name].equations.splitlines())


def test_the_texts_that_compute_one_thing_are_the_ones_that_say_so():
    """Only np says of itself that it is another cell again."""
    functions: dict[frozenset[str], list[str]] = {}
    for name, cell in cells.items():
        functions.setdefault(frozenset(cell.equations.splitlines()), []).append(name)
    assert [names for names in functions.values() if len(names) > 1] == [["lstm", "np"]]


def test_the_registry_cannot_be_written():
    with pytest.raises(TypeError):
        cells["mine"] = cells["lstm"]  # type: ignore[index]


# -- weight counts, as published


def count(name: str, input_size: int, hidden_size: int) -> int:
    sizes = {"I": input_size, "H": hidden_size}
    return sum(math.prod(sizes[side] for side in p.shape) for p in cells[name].program.parameters)


def test_lstm_1997_has_the_weights_of_the_1997_experiments():
    blocks, outputs = 3, 1  # two sequences (experiment 3): 3 blocks of size 1, one input, one output
    assert count("lstm_1997", 1, blocks) + blocks * outputs == 102
    blocks, outputs = 4, 7  # embedded Reber (experiment 1): 4 blocks of size 1, seven symbols, cells without bias
    assert count("lstm_1997", 7, blocks) - blocks + blocks * outputs == 264


@pytest.mark.parametrize(
    ("name", "products_of_x", "products_of_state", "vectors"),
    [
        ("lstm", 4, 4, 4),
        ("gru", 3, 3, 3),
        ("fgr", 4, 13, 7),
        ("peephole_lstm", 4, 4, 7),
        ("mgu", 2, 2, 2),
        ("janet", 2, 2, 2),
        ("lem", 4, 4, 4),  # "as many as an LSTM"
        ("cornn", 1, 2, 1),
        ("indrnn", 1, 0, 2),
        ("mingru", 2, 0, 2),
        ("minlstm", 3, 0, 3),
        ("atr", 1, 1, 0),
        ("ran", 3, 2, 2),
        ("rhn_3", 2, 6, 6),
        ("on_lstm", 6, 6, 6),
        ("fastgrnn", 1, 1, 4),  # two vectors and two scalars in the paper
    ],
)
def test_weight_counts(name, products_of_x, products_of_state, vectors):
    I, H = 7, 11
    assert count(name, I, H) == products_of_x * H * I + products_of_state * H * H + vectors * H


# -- the same numbers as torch.nn

T, B, H = 4, 3, 5


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def parameters_of(name: str, sizes: dict[str, int]) -> dict[str, Tensor]:
    return {p.name: 0.7 * random(*(sizes[side] for side in p.shape)) for p in cells[name].program.parameters}


@pytest.mark.parametrize("name", TORCH_LAYERS)
def test_the_torch_table_packs_a_cell_as_torch_does(name):
    torch.manual_seed(0)
    layout, R = TORCH_LAYERS[name], 2 if TORCH_LAYERS[name].projection else 0
    p = parameters_of(name, {"I": 4, "H": H, "R": R})
    zero = torch.zeros(H, dtype=torch.float64)
    packed = {
        "weight_ih_l0": [p[f"W_{gate}"] for gate in layout.gates],
        "weight_hh_l0": [p[f"U_{gate}"] for gate in layout.gates],
        "bias_ih_l0": [p[f"b_{gate}"] for gate in layout.gates],
        "bias_hh_l0": [p.get(layout.hidden_bias.get(gate, ""), zero) for gate in layout.gates],
    } | ({"weight_hr_l0": [p[layout.projection]]} if R else {})
    layer = {
        "RNN_TANH": lambda: nn.RNN(4, H),
        "RNN_RELU": lambda: nn.RNN(4, H, nonlinearity="relu"),
        "LSTM": lambda: nn.LSTM(4, H, proj_size=R),
        "GRU": lambda: nn.GRU(4, H),
    }[layout.mode]().double()
    assert layer.mode == layout.mode
    layer.load_state_dict({key: torch.cat(blocks) for key, blocks in packed.items()})
    x, state = random(T, B, 4), tuple(random(B, R or H) for _ in cells[name].program.states)
    if R:
        state = (state[0], random(B, H))
    given = state[0][None] if len(state) == 1 else tuple(value[None] for value in state)
    expected, final = layer(x, given)
    output, new, _ = run(Arguments(cells[name].program, p, x, state))
    all_same((output, *new), (expected, *((final[0],) if len(state) == 1 else (value[0] for value in final))))


# -- the same numbers as an independent step, from the papers

Values = dict[str, Tensor]
sigmoid, tanh, relu = torch.sigmoid, torch.tanh, torch.relu


def affine(p: Values, gate: str, x: Tensor, h: Tensor) -> Tensor:
    return x @ p[f"W_{gate}"].T + h @ p[f"U_{gate}"].T + p[f"b_{gate}"]


def lstm_gates(p: Values, x: Tensor, h: Tensor, suffix: str = "") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    i, f, g, o = (affine(p, gate + suffix, x, h) for gate in "ifgo")
    return sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)


def odyssey(lacks: str = "", linear: str = "", peepholes: bool = True, coupled: bool = False, recurrence: bool = False):
    """The LSTM of the Search Space Odyssey with one thing changed: `lacks` a gate, `linear` at g or h."""

    def step(p: Values, x: Tensor, s: Values) -> Values:
        def gate(name: str, memory: Tensor) -> Tensor:
            if name == lacks:
                return torch.ones_like(memory)
            a = affine(p, name, x, s["h"]) + (p[f"p_{name}"] * memory if peepholes else 0)
            if recurrence:
                a = a + sum(s[other] @ p[f"R_{other}{name}"].T for other in "ifo")
            return sigmoid(a)

        i = gate("i", s["c"])
        f = 1 - i if coupled else gate("f", s["c"])
        g = affine(p, "g", x, s["h"])
        c = f * s["c"] + i * (g if linear == "g" else tanh(g))
        o = gate("o", c)
        return {"h": o * (c if linear == "h" else tanh(c)), "c": c, "i": i, "f": f, "o": o}

    return step


def lstm_no_forget(p, x, s):
    i, g, o = (affine(p, gate, x, s["h"]) for gate in "igo")
    c = s["c"] + sigmoid(i) * tanh(g)
    return {"h": sigmoid(o) * tanh(c), "c": c}


def lstm_1997(p, x, s):
    """The hidden layer as one vector of gates and cells, all reading all."""
    before = torch.cat([s["h"], s["i"], s["o"]], 1)
    net = {g: x @ p[f"W_{g}"].T + before @ torch.cat([p[f"U_{g}"], p[f"R_i{g}"], p[f"R_o{g}"]], 1).T for g in "igo"}
    i, o = sigmoid(net["i"] + p["b_i"]), sigmoid(net["o"] + p["b_o"])
    c = s["c"] + i * (4 / (1 + torch.exp(-net["g"] - p["b_g"])) - 2)
    return {"h": o * (2 / (1 + torch.exp(-c)) - 1), "i": i, "o": o, "c": c}


def full_peephole_lstm(p, x, s):
    i, f = (sigmoid(affine(p, gate, x, s["h"]) + s["c"] @ p[f"C_{gate}"].T) for gate in "if")
    c = f * s["c"] + i * tanh(affine(p, "g", x, s["h"]))
    return {"h": sigmoid(affine(p, "o", x, s["h"]) + c @ p["C_o"].T) * tanh(c), "c": c}


def coupled_lstm(p, x, s):
    f, g, o = (affine(p, gate, x, s["h"]) for gate in "fgo")
    c = sigmoid(f) * s["c"] + sigmoid(-f) * tanh(g)
    return {"h": sigmoid(o) * tanh(c), "c": c}


def gru(p, x, s):
    r, z = sigmoid(affine(p, "r", x, s["h"])), sigmoid(affine(p, "z", x, s["h"]))
    n = tanh(affine(p, "n", x, r * s["h"]))
    return {"h": n + z * (s["h"] - n)}


def layer_norm_lstm(p, x, s):
    def gate(name: str) -> Tensor:
        ours = layer_norm(x @ p[f"W_{name}"].T, (H,), weight=p[f"s_{name}"], bias=p[f"b_{name}"])
        return ours + layer_norm(s["h"] @ p[f"U_{name}"].T, (H,), weight=p[f"t_{name}"])

    i, f, g, o = sigmoid(gate("i")), sigmoid(gate("f")), tanh(gate("g")), sigmoid(gate("o"))
    c = f * s["c"] + i * g
    return {"h": o * tanh(layer_norm(c, (H,), p["s_c"], p["b_c"])), "c": c}


def multiplicative_lstm(p, x, s):
    """For each sample its own recurrent matrix, U_gate diag(W_m x) U_m."""
    factor = torch.diag_embed(x @ p["W_m"].T) @ p["U_m"]
    net = {g: x @ p[f"W_{g}"].T + (p[f"U_{g}"] @ factor @ s["h"][:, :, None])[:, :, 0] + p[f"b_{g}"] for g in "ifgo"}
    c = sigmoid(net["f"]) * s["c"] + sigmoid(net["i"]) * tanh(net["g"])
    return {"h": sigmoid(net["o"]) * tanh(c), "c": c}


def nested_lstm(p, x, s):
    i, f, g, o = lstm_gates(p, x, s["h"])
    i2, f2, g2, o2 = lstm_gates(p, i * g, f * s["c"], "2")
    c2 = f2 * s["c2"] + i2 * g2
    c = o2 * tanh(c2)
    return {"h": o * tanh(c), "c": c, "c2": c2}


def on_lstm(p, x, s):
    i, f, g, o = lstm_gates(p, x, s["h"])
    forget = torch.softmax(affine(p, "F", x, s["h"]), 1).cumsum(1)
    master = 1 - torch.softmax(affine(p, "I", x, s["h"]), 1).cumsum(1)
    overlap = forget * master
    c = (f * overlap + (forget - overlap)) * s["c"] + (i * overlap + (master - overlap)) * g
    return {"h": o * tanh(c), "c": c}


def rhn_3(p, x, s):
    state = s["h"]
    for depth in "123":
        n, t = ((state @ p[f"U_{gate}{depth}"].T + p[f"b_{gate}{depth}"]) for gate in "nt")
        if depth == "1":
            n, t = n + x @ p["W_n1"].T, t + x @ p["W_t1"].T
        state = (tanh(n) - state) * sigmoid(t) + state
    return {"h": state}


def mut(number: int):
    def step(p, x, s):
        h = s["h"]
        z = x @ p["W_z"].T + p["b_z"] + (0 if number == 1 else (tanh(h) if number == 3 else h) @ p["U_z"].T)
        r = (x if number == 2 else x @ p["W_r"].T) + h @ p["U_r"].T + p["b_r"]
        n = (sigmoid(r) * h) @ p["U_n"].T + (tanh(x) if number == 1 else x @ p["W_n"].T) + p["b_n"]
        return {"h": tanh(n) * sigmoid(z) + h * sigmoid(-z)}

    return step


def mgu(p, x, s):
    f = sigmoid(affine(p, "f", x, s["h"]))
    return {"h": s["h"] + f * (tanh(affine(p, "n", x, f * s["h"])) - s["h"])}


def janet(p, x, s):
    f = affine(p, "s", x, s["h"])
    return {"h": sigmoid(f) * s["h"] + sigmoid(1 - f) * tanh(affine(p, "g", x, s["h"]))}


def ugrnn(p, x, s):
    n = tanh(affine(p, "n", x, s["h"]))
    return {"h": n + sigmoid(affine(p, "g", x, s["h"])) * (s["h"] - n)}


def cfn(p, x, s):
    theta, eta = sigmoid(affine(p, "f", x, s["h"])), sigmoid(affine(p, "i", x, s["h"]))
    return {"h": theta * tanh(s["h"]) + eta * tanh(x @ p["W_g"].T)}


def ran(p, x, s):
    i, f = sigmoid(affine(p, "i", x, s["h"])), sigmoid(affine(p, "f", x, s["h"]))
    c = i * (x @ p["W_c"].T) + f * s["c"]
    return {"h": tanh(c), "c": c}


def atr(p, x, s):
    ours, theirs = x @ p["W_p"].T, s["h"] @ p["U_q"].T
    return {"h": sigmoid(ours + theirs) * ours + sigmoid(ours - theirs) * s["h"]}


def indrnn(p, x, s):
    return {"h": relu(x @ p["W_h"].T + s["h"] @ torch.diag(p["u_h"]) + p["b_h"])}


def sru(p, x, s):
    f, r = (sigmoid(x @ p[f"W_{g}"].T + p[f"v_{g}"] * s["c"] + p[f"b_{g}"]) for g in "fr")
    c = f * s["c"] + (1 - f) * (x @ p["W_c"].T)
    return {"h": r * c + (1 - r) * x, "c": c}


def mingru(p, x, s):
    z = sigmoid(x @ p["W_z"].T + p["b_z"])
    return {"h": torch.lerp(s["h"], x @ p["W_n"].T + p["b_n"], z)}


def minlstm(p, x, s):
    """In logarithms, as their parallel form computes it."""
    f, i, n = (x @ p[f"W_{g}"].T + p[f"b_{g}"] for g in "fin")
    keep, add = torch.softmax(torch.stack([logsigmoid(f), logsigmoid(i)]), 0)
    return {"h": keep * s["h"] + add * n}


def fastgrnn(p, x, s):
    shared = x @ p["W_p"].T + s["h"] @ p["U_p"].T
    z = sigmoid(shared + p["b_z"])
    return {"h": z * s["h"] + (sigmoid(p["zeta"]) * (1 - z) + sigmoid(p["nu"])) * tanh(shared + p["b_n"])}


def lem(p, x, s):
    slow, fast = (sigmoid(affine(p, gate, x, s["y"])) for gate in "st")
    z = (1 - slow) * s["z"] + slow * tanh(affine(p, "z", x, s["y"]))
    return {"z": z, "y": (1 - fast) * s["y"] + fast * tanh(affine(p, "y", x, z))}


def cornn(p, x, s):
    force = tanh(torch.cat([x, s["y"], s["z"]], 1) @ torch.cat([p["W_z"], p["U_z"], p["V_z"]], 1).T + p["b_z"])
    z = s["z"] + 0.042 * (force - 2.7 * s["y"] - 4.7 * s["z"])
    return {"z": z, "y": s["y"] + 0.042 * z}


STEPS = {
    "lstm_no_forget": lstm_no_forget,
    "lstm_1997": lstm_1997,
    "peephole_lstm": odyssey(),
    "full_peephole_lstm": full_peephole_lstm,
    "coupled_lstm": coupled_lstm,
    "gru": gru,
    "nig": odyssey(lacks="i"),
    "nfg": odyssey(lacks="f"),
    "nog": odyssey(lacks="o"),
    "niaf": odyssey(linear="g"),
    "noaf": odyssey(linear="h"),
    "np": odyssey(peepholes=False),
    "cifg": odyssey(coupled=True),
    "fgr": odyssey(recurrence=True),
    "layer_norm_lstm": layer_norm_lstm,
    "multiplicative_lstm": multiplicative_lstm,
    "nested_lstm": nested_lstm,
    "on_lstm": on_lstm,
    "rhn_3": rhn_3,
    "mut1": mut(1),
    "mut2": mut(2),
    "mut3": mut(3),
    "mgu": mgu,
    "janet": janet,
    "ugrnn": ugrnn,
    "cfn": cfn,
    "ran": ran,
    "atr": atr,
    "indrnn": indrnn,
    "sru": sru,
    "mingru": mingru,
    "minlstm": minlstm,
    "fastgrnn": fastgrnn,
    "lem": lem,
    "cornn": cornn,
}


@pytest.mark.parametrize("name", STEPS)
def test_a_cell_computes_what_its_paper_says(name):
    torch.manual_seed(1)
    program, I = cells[name].program, H if cells[name].program.tied else 4
    p, x = parameters_of(name, {"I": I, "H": H}), random(T, B, I)
    state = tuple(random(B, H) for _ in program.states)
    output, final, _ = run(Arguments(program, p, x, state))
    values = {s.name: value for s, value in zip(program.states, state, strict=True)}
    for t in range(T):
        values = STEPS[name](p, x[t], values)
        same(output[t], values[program.output], f"step {t}")
    all_same(final, tuple(values[s.name] for s in program.states))


@pytest.mark.parametrize("scale", [1, 1000])
def test_slstm_computes_the_quotient_of_the_paper_without_its_overflow(scale):
    """h = o * c / n with c and n summed by i = exp(.), in logarithms where the sums would overflow."""
    torch.manual_seed(1)
    program, p, x = cells["slstm"].program, parameters_of("slstm", {"I": 4, "H": H}), random(T, B, 4)
    p["W_i"] = scale * p["W_i"]
    state = tuple(torch.full((B, H), s.start, dtype=torch.float64) for s in program.states)
    output, (_, m, c, n), _ = run(Arguments(program, p, x, state))
    h, weights, candidates = state[0], torch.zeros(0, B, H).double(), torch.zeros(0, B, H).double()
    for t in range(T):
        weights = torch.cat([weights + logsigmoid(affine(p, "f", x[t], h)), affine(p, "i", x[t], h)[None]])
        candidates = torch.cat([candidates, tanh(affine(p, "g", x[t], h))[None]])
        h = sigmoid(affine(p, "o", x[t], h)) * (torch.softmax(weights, 0) * candidates).sum(0)
        same(output[t], h, f"step {t}")
    same(n.log() + m, weights.logsumexp(0))
    same(c / n, (torch.softmax(weights, 0) * candidates).sum(0))


def test_every_cell_is_compared_with_something():
    assert set(STEPS) | set(TORCH_LAYERS) | {"slstm"} == set(cells)


@EVERY
def test_a_cell_stays_finite_from_its_own_start(name):
    """60 steps of unit noise, all parameters as the cell starts them."""
    torch.manual_seed(2)
    program, sizes = cells[name].program, {"I": H, "H": H, "R": 2}
    p = {q.name: torch.empty([sizes[side] for side in q.shape]) for q in program.parameters}
    initialise(program, p, H, cell_init=cells[name].init)
    state = tuple(torch.full((B, sizes[s.size]), s.start) for s in program.states)
    output, final, _ = run(Arguments(program, p, torch.randn(60, B, H), state))
    assert output.isfinite().all() and all(value.isfinite().all() for value in final)
    assert output[-1].std() > 1e-3


OWN_START = {
    "rnn", "gru", "gru_reset_after", "lstm_no_forget", "lstm_1997", "nfg", "cifg", "rnn_relu", "rhn_3", "mut1", "mut2",
    "mut3", "mgu", "janet", "ugrnn", "atr", "indrnn", "sru", "mingru", "fastgrnn", "lem", "cornn",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in STRUCTURE if name not in OWN_START])
def test_forget_gates_start_open(name):
    assert cells[name].init["b_f"] == 1


@pytest.mark.parametrize(
    ("name", "init"),
    [
        ("rnn_relu", {"U_h": "identity"}),
        ("cifg", {"b_i": -1}),
        ("layer_norm_lstm", {"s_*": 1, "t_*": 1, "b_f": 1}),
        ("nested_lstm", {"b_f": 1, "b_f2": 1}),
        ("rhn_3", {"b_t*": -2}),
        ("ugrnn", {"b_g": 1}),
        ("fastgrnn", {"zeta": 1, "nu": -4, "b_z": 1, "b_n": 1}),
        ("gru", {}),
    ],
)
def test_other_cells_start_as_their_papers_say(name, init):
    assert cells[name].init == init


# -- Cell


def test_a_cell_is_its_values():
    text = "h = tanh(W @ x + U @ h + b)"
    assert Cell("mine", text, init={"b": 1}) == Cell("mine", text, init={"b": 1.0})
    assert hash(Cell("mine", text, init={"b": 1})) == hash(Cell("mine", text, init={"b": 1.0}))
    for other in (Cell("other", text), Cell("mine", text), Cell("mine", text, init={"b": 1}, start={"h": 1})):
        assert other != Cell("mine", text, init={"b": 1})


def test_the_order_of_patterns_is_part_of_a_cell():
    text = "h = tanh(W @ x + U @ h + b)"
    assert Cell("mine", text, init={"[bW]": 1, "[bU]": 2}) != Cell("mine", text, init={"[bU]": 2, "[bW]": 1})


def test_the_mappings_of_a_cell_can_be_read_and_not_written():
    cell = cells["janet"]
    assert cell.constants == {"beta": 1.0} and cell.init["b_s"] == 1 and dict(cell.start) == {}
    with pytest.raises(TypeError):
        cell.init["b_s"] = 2  # type: ignore[index]
    with pytest.raises(AttributeError):
        cell.output = "s"  # type: ignore[misc]


def test_a_cell_keeps_nothing_of_the_mappings_it_was_given():
    given = {"b": 1.0}
    cell = Cell("mine", "h = tanh(W @ x + U @ h + b)", init=given)
    given["b"] = 2.0
    assert cell.init == {"b": 1.0}


def test_none_is_an_empty_mapping():
    cell = Cell("mine", "h = tanh(W @ x + U @ h)", init=None, start=None, constants=None)  # type: ignore[arg-type]
    assert cell.init == cell.start == cell.constants == {}


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
def test_a_cell_can_be_copied_and_pickled(twin):
    assert twin(cells["slstm"]) == cells["slstm"]
    assert twin(cells["slstm"]).program == cells["slstm"].program


def test_a_cell_prints_its_equations_at_the_margin():
    cell = Cell("mine", "    a = W @ x\n    h = tanh(a + U @ h)\n")
    assert str(cell) == "a = W @ x\nh = tanh(a + U @ h)"
    assert repr(cell) == "Cell('mine', 2 lines, output 'h')"


def test_output_start_and_constants_reach_the_program():
    program = Cell("mine", "y = k * tanh(W @ x + U @ y)", output="y", start={"y": 2}, constants={"k": 3}).program
    assert program.output == "y" and program.states[0].start == 2
    assert [parameter.name for parameter in program.parameters] == ["W", "U"]


def test_equations_that_cannot_be_read_are_refused_at_once_by_the_line_as_given():
    with pytest.raises(EquationError, match=r"line 3: h = >>sigmod<<"):
        Cell("mine", "\n    a = W @ x\n    h = sigmod(a + U @ h)")


@pytest.mark.parametrize("name", ["", "my lstm", "a/b", "2lstm", "../x"])
def test_a_name_that_is_no_name_is_refused(name):
    with pytest.raises(InputError, match=r"cell name .*expected letters, digits and _"):
        Cell(name, "h = tanh(W @ x + U @ h)")


def test_init_of_a_parameter_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"init of cell mine: 'b_\*' matches no parameter; there are W, U"):
        Cell("mine", "h = tanh(W @ x + U @ h)", init={"b_*": 0})


def test_frozen_maps_equal_plain_ones_and_print_like_them():
    assert FrozenMap({"a": 1}) == {"a": 1} and FrozenMap({"a": 1}) == {"a": 1} and FrozenMap() != {"a": 1}
    assert repr(FrozenMap({"a": 1})) == "{'a': 1}"
