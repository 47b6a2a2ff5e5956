"""Every cell that gatework ships, each written as its equations.

A cell is a name, a text in the notation of `gatework.notation`, and where they matter the constants, the
values its states start at and the initial values of its parameters. Nothing else in the package knows any
cell: a new one is an entry here.

In the texts x is the input and h the output; i f g o are the input gate, forget gate, candidate and output
gate of the LSTM family, r z n the reset gate, update gate and candidate of the GRU family. `W_f` multiplies x
for f, `U_f` multiplies a state (or what stands in for it), `p_f` is a peephole, `b_f` a bias; `R_of` carries
the old value of gate o to gate f, in that order. Where a paper has one scalar for all units the text has a
number per unit, and says so.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from gatework.cells.cell import NOTHING, Cell, FrozenMap, Registry, Rule
from gatework.errors import InputError

# A forget gate that starts open lets the gradient through from the first step (Gers et al. 2000; Jozefowicz
# et al. 2015). Where the gate is the share that is new, -1 says the same.
REMEMBER: Mapping[str, Rule] = FrozenMap({"b_f": 1.0})

# What the field calls the values of its two families.
LSTM: Mapping[str, str] = FrozenMap(
    {
        "i": "input gate",
        "f": "forget gate",
        "g": "candidate",
        "o": "output gate",
        "c": "cell state",
        "h": "hidden state",
    }
)
GRU: Mapping[str, str] = FrozenMap({"r": "reset gate", "z": "update gate", "n": "candidate", "h": "hidden state"})

_entry = partial(partial, Cell)  # what makes a cell, once it is asked for

VANILLA = (
    # The output fed back, no memory beside it.
    _entry(
        "rnn",
        "h = tanh(W_h @ x + U_h @ h + b_h)",
        words={"h": "hidden state"},
        source="Elman 1990",
    ),
    # Starts as a copy of its last output, rectified.
    _entry(
        "rnn_relu",
        "h = relu(W_h @ x + U_h @ h + b_h)",
        init={"U_h": "identity"},
        words={"h": "hidden state"},
        source="Le, Jaitly & Hinton 2015 (IRNN): the recurrent matrix starts as the identity",
    ),
    # The LSTM that the word means today.
    _entry(
        "lstm",
        """\
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        c = f * c + i * g
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000. Without peepholes, "
        "as in cuDNN, torch and Keras",
    ),
    # The constant error carousel: nothing is ever forgotten.
    _entry(
        "lstm_no_forget",
        """\
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        g = tanh(W_g @ x + U_g @ h + b_g)
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        c = c + i * g
        h = o * tanh(c)
        """,
        words=LSTM,
        source="Hochreiter & Schmidhuber 1997, their memory cell in today's form: tanh, gates that read x and h "
        "only; for the network of the paper see lstm_1997",
    ),
    # The network of the 1997 experiments: gates are hidden units too, and read by all.
    _entry(
        "lstm_1997",
        """\
        i = sigmoid(W_i @ x + U_i @ h + R_ii @ prev(i) + R_oi @ prev(o) + b_i)
        g = 4 * sigmoid(W_g @ x + U_g @ h + R_ig @ prev(i) + R_og @ prev(o) + b_g) - 2
        o = sigmoid(W_o @ x + U_o @ h + R_io @ prev(i) + R_oo @ prev(o) + b_o)
        c = c + i * g
        h = o * (2 * sigmoid(c) - 1)
        """,
        init={"*": "uniform(-0.1, 0.1)"},
        words=LSTM,
        source="Hochreiter & Schmidhuber 1997: fully connected hidden layer, memory cell blocks of size 1. With "
        "b_g, as in their experiments 3 to 6; experiment 1 (Reber) has none",
    ),
    # The gates see the memory itself, also while the output gate is shut.
    _entry(
        "peephole_lstm",
        """\
        i = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        f = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + i * g
        o = sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Gers, Schraudolph & Schmidhuber 2002; i and f look at the old memory, o at the new one",
    ),
    # Peepholes from every unit to every unit.
    _entry(
        "full_peephole_lstm",
        """\
        i = sigmoid(W_i @ x + U_i @ h + C_i @ c + b_i)
        f = sigmoid(W_f @ x + U_f @ h + C_f @ c + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + i * g
        o = sigmoid(W_o @ x + U_o @ h + C_o @ c + b_o)
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Graves 2013 with matrices where he took diagonals: each gate a one-layer network over h, x and c",
    ),
    # One gate decides both: what is forgotten makes room for what is added.
    _entry(
        "coupled_lstm",
        """\
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        i = 1 - f
        g = tanh(W_g @ x + U_g @ h + b_g)
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        c = f * c + i * g
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Greff et al. 2017 without their peepholes (with them: cifg, which learns i where this learns f)",
    ),
    # Memory and output are one; reset before the product, so two stages.
    _entry(
        "gru",
        """\
        r = sigmoid(W_r @ x + U_r @ h + b_r)
        z = sigmoid(W_z @ x + U_z @ h + b_z)
        n = tanh(W_n @ x + U_n @ (r * h) + b_n)
        h = z * h + (1 - z) * n
        """,
        words=GRU,
        source="Cho et al. 2014, where z is the share that is kept; Chung et al. 2014 swap z and 1 - z",
    ),
    # Reset after the product: one stage, and the form that the fast libraries run.
    _entry(
        "gru_reset_after",
        """\
        r = sigmoid(W_r @ x + U_r @ h + b_r)
        z = sigmoid(W_z @ x + U_z @ h + b_z)
        n = tanh(W_n @ x + b_n + r * (U_n @ h + b_hn))
        h = z * h + (1 - z) * n
        """,
        words=GRU,
        source="Cho et al. 2014 as in cuDNN, torch and Keras: the reset gate acts on the product, and b_hn inside it",
    ),
)

# The eight of "A Search Space Odyssey": peephole_lstm with one thing changed.
ODYSSEY = (
    # No input gate, i = 1.
    _entry(
        "nig",
        """\
        f = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + g
        o = sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Greff et al. 2017, no input gate",
    ),
    # No forget gate, f = 1.
    _entry(
        "nfg",
        """\
        i = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = c + i * g
        o = sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)
        h = o * tanh(c)
        """,
        words=LSTM,
        source="Greff et al. 2017, no forget gate",
    ),
    # No output gate, o = 1.
    _entry(
        "nog",
        """\
        i = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        f = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + i * g
        h = tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Greff et al. 2017, no output gate",
    ),
    # No input activation function: the candidate is linear.
    _entry(
        "niaf",
        """\
        i = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        f = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
        g = W_g @ x + U_g @ h + b_g
        c = f * c + i * g
        o = sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Greff et al. 2017, no input activation function",
    ),
    # No output activation function: the memory leaves as it is.
    _entry(
        "noaf",
        """\
        i = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        f = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + i * g
        o = sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)
        h = o * c
        """,
        init=REMEMBER,
        words=LSTM,
        source="Greff et al. 2017, no output activation function",
    ),
    # No peepholes: the lstm again, under the name it has in this comparison.
    _entry(
        "np",
        """\
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + i * g
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Greff et al. 2017, no peepholes: the same function as lstm",
    ),
    # Coupled input and forget gate: f = 1 - i.
    _entry(
        "cifg",
        """\
        i = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
        f = 1 - i
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + i * g
        o = sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)
        h = o * tanh(c)
        """,
        init={"b_i": -1.0},
        words=LSTM,
        source="Greff et al. 2017, coupled input and forget gate: f = 1 - i, with peepholes",
    ),
    # Full gate recurrence: nine more matrices, R_of from the old o to the new f.
    _entry(
        "fgr",
        """\
        i = sigmoid(W_i @ x + U_i @ h + R_ii @ prev(i) + R_fi @ prev(f) + R_oi @ prev(o) + p_i * c + b_i)
        f = sigmoid(W_f @ x + U_f @ h + R_if @ prev(i) + R_ff @ prev(f) + R_of @ prev(o) + p_f * c + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        c = f * c + i * g
        o = sigmoid(W_o @ x + U_o @ h + R_io @ prev(i) + R_fo @ prev(f) + R_oo @ prev(o) + p_o * c + b_o)
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Greff et al. 2017, full gate recurrence: every gate reads all three gates of the step before",
    ),
)

MORE_MACHINERY = (
    # A short output of size R from a large memory of size H.
    _entry(
        "projected_lstm",
        """\
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        c = f * c + i * g
        h = P_h @ (o * tanh(c))
        """,
        init=REMEMBER,
        words=LSTM,
        source="Sak, Senior & Beaufays 2014, without their peepholes: torch's proj_size",
    ),
    # Every product is brought to mean 0 and variance 1, then scaled by gains s (of x), t (of h).
    _entry(
        "layer_norm_lstm",
        """\
        i = sigmoid(s_i * norm(W_i @ x) + t_i * norm(U_i @ h) + b_i)
        f = sigmoid(s_f * norm(W_f @ x) + t_f * norm(U_f @ h) + b_f)
        g = tanh(s_g * norm(W_g @ x) + t_g * norm(U_g @ h) + b_g)
        o = sigmoid(s_o * norm(W_o @ x) + t_o * norm(U_o @ h) + b_o)
        c = f * c + i * g
        h = o * tanh(s_c * norm(c) + b_c)
        """,
        init={"s_*": 1.0, "t_*": 1.0, **REMEMBER},
        words=LSTM,
        source="Ba, Kiros & Hinton 2016; normalised gate by gate, where the paper takes the four gates as one "
        "vector, and with one bias for the two products",
    ),
    # The input chooses the recurrent matrix: m takes the place of h.
    _entry(
        "multiplicative_lstm",
        """\
        m = (W_m @ x) * (U_m @ h)
        i = sigmoid(W_i @ x + U_i @ m + b_i)
        f = sigmoid(W_f @ x + U_f @ m + b_f)
        g = tanh(W_g @ x + U_g @ m + b_g)
        o = sigmoid(W_o @ x + U_o @ m + b_o)
        c = f * c + i * g
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Krause et al. 2016",
    ),
    # The memory is the output of a second LSTM (i2 to c2), whose input is i * g and whose last output is f * c.
    _entry(
        "nested_lstm",
        """\
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        x2 = i * g
        h2 = f * c
        i2 = sigmoid(W_i2 @ x2 + U_i2 @ h2 + b_i2)
        f2 = sigmoid(W_f2 @ x2 + U_f2 @ h2 + b_f2)
        g2 = tanh(W_g2 @ x2 + U_g2 @ h2 + b_g2)
        o2 = sigmoid(W_o2 @ x2 + U_o2 @ h2 + b_o2)
        c2 = f2 * c2 + i2 * g2
        c = o2 * tanh(c2)
        h = o * tanh(c)
        """,
        init={"b_f": 1.0, "b_f2": 1.0},
        words={
            **LSTM,
            "i2": "inner input gate",
            "f2": "inner forget gate",
            "g2": "inner candidate",
            "o2": "inner output gate",
            "c2": "inner cell state",
        },
        source="Moniz & Krueger 2018, depth 2",
    ),
    # Units have an order: master gates F and I rise and fall along it, and cut the memory in nested spans.
    _entry(
        "on_lstm",
        """\
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        F = cumsum(softmax(W_F @ x + U_F @ h + b_F))
        I = 1 - cumsum(softmax(W_I @ x + U_I @ h + b_I))
        w = F * I
        c = (f * w + F - w) * c + (i * w + I - w) * g
        h = o * tanh(c)
        """,
        init=REMEMBER,
        words={**LSTM, "F": "master forget gate", "I": "master input gate", "w": "overlap of the master gates"},
        source="Shen et al. 2019, a master gate per unit (in the paper several units may share one)",
    ),
    # The input gate is an exponential; m keeps all exponents at or below 0, n makes h a weighted mean.
    _entry(
        "slstm",
        """\
        a = W_i @ x + U_i @ h + b_i
        l = logsigmoid(W_f @ x + U_f @ h + b_f)
        g = tanh(W_g @ x + U_g @ h + b_g)
        o = sigmoid(W_o @ x + U_o @ h + b_o)
        m = max(l + m, a)
        i = exp(a - m)
        f = exp(l + prev(m) - m)
        c = f * c + i * g
        n = f * n + i
        h = o * c / n
        """,
        init=REMEMBER,
        # Before the first step the memory is empty: f is 0 and i is 1 there, whatever the gates say.
        start={"m": -math.inf},
        words={**LSTM, "n": "normaliser", "m": "stabiliser"},
        source="Beck et al. 2024 (the sLSTM of xLSTM): sigmoid forget gate, stabilised, one head, so that U is "
        "not block-diagonal",
    ),
    # A step is three: the state passes a highway layer three times, and x enters the first.
    _entry(
        "rhn_3",
        """\
        n1 = tanh(W_n1 @ x + U_n1 @ h + b_n1)
        t1 = sigmoid(W_t1 @ x + U_t1 @ h + b_t1)
        s1 = n1 * t1 + h * (1 - t1)
        n2 = tanh(U_n2 @ s1 + b_n2)
        t2 = sigmoid(U_t2 @ s1 + b_t2)
        s2 = n2 * t2 + s1 * (1 - t2)
        n3 = tanh(U_n3 @ s2 + b_n3)
        t3 = sigmoid(U_t3 @ s2 + b_t3)
        h = n3 * t3 + s2 * (1 - t3)
        """,
        init={"b_t*": -2.0},  # the carry gates 1 - t start open
        source="Zilly et al. 2017, recurrence depth 3, carry gate coupled as 1 - t",
    ),
    # The three best of a search over ten thousand units. In all of them z is the share that is new.
    _entry(
        "mut1",
        """\
        r = sigmoid(W_r @ x + U_r @ h + b_r)
        z = sigmoid(W_z @ x + b_z)
        n = tanh(U_n @ (r * h) + tanh(x) + b_n)
        h = n * z + h * (1 - z)
        """,
        words=GRU,
        source="Jozefowicz, Zaremba & Sutskever 2015; x enters n as it is, so input and hidden size are equal",
    ),
    _entry(
        "mut2",
        """\
        r = sigmoid(x + U_r @ h + b_r)
        z = sigmoid(W_z @ x + U_z @ h + b_z)
        n = tanh(U_n @ (r * h) + W_n @ x + b_n)
        h = n * z + h * (1 - z)
        """,
        words=GRU,
        source="Jozefowicz, Zaremba & Sutskever 2015; x enters r as it is, so input and hidden size are equal",
    ),
    _entry(
        "mut3",
        """\
        r = sigmoid(W_r @ x + U_r @ h + b_r)
        z = sigmoid(W_z @ x + U_z @ tanh(h) + b_z)
        n = tanh(U_n @ (r * h) + W_n @ x + b_n)
        h = n * z + h * (1 - z)
        """,
        words=GRU,
        source="Jozefowicz, Zaremba & Sutskever 2015",
    ),
)

LESS = (
    # A GRU with one gate for both tasks. f is the share that is new.
    _entry(
        "mgu",
        """\
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        n = tanh(W_n @ x + U_n @ (f * h) + b_n)
        h = (1 - f) * h + f * n
        """,
        init={"b_f": -1.0},
        words={"f": "forget gate", "n": "candidate", "h": "hidden state"},
        source="Zhou et al. 2016; what they call the forget gate is the share that is new",
    ),
    # Only the forget gate is left; beta makes it add a little more than it forgets.
    _entry(
        "janet",
        """\
        s = W_s @ x + U_s @ h + b_s
        f = sigmoid(s)
        i = 1 - sigmoid(s - beta)
        g = tanh(W_g @ x + U_g @ h + b_g)
        h = f * h + i * g
        """,
        init={"b_s": 1.0},
        constants={"beta": 1.0},
        words=LSTM,
        source='van der Westhuizen & Lasenby 2018, who start it by "chrono(T)"',
    ),
    # One gate, reset nowhere. g is the gate here, n the candidate.
    _entry(
        "ugrnn",
        """\
        g = sigmoid(W_g @ x + U_g @ h + b_g)
        n = tanh(W_n @ x + U_n @ h + b_n)
        h = g * h + (1 - g) * n
        """,
        init={"b_g": 1.0},
        words={"g": "update gate", "n": "candidate", "h": "hidden state"},
        source="Collins, Sohl-Dickstein & Sussillo 2017 (update gate RNN)",
    ),
    # Without input the state falls to 0, so the dynamics hold no chaos.
    _entry(
        "cfn",
        """\
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        h = f * tanh(h) + i * tanh(W_g @ x)
        """,
        init={"b_f": 1.0, "b_i": -1.0},
        words=LSTM,
        source="Laurent & von Brecht 2017 (chaos-free network); their theta is f, their eta i",
    ),
    # The memory is a weighted sum of the inputs, and only that.
    _entry(
        "ran",
        """\
        i = sigmoid(W_i @ x + U_i @ h + b_i)
        f = sigmoid(W_f @ x + U_f @ h + b_f)
        c = i * (W_c @ x) + f * c
        h = tanh(c)
        """,
        init=REMEMBER,
        words=LSTM,
        source="Lee, Levy & Zettlemoyer 2017 (recurrent additive network), tanh at the output",
    ),
    # Twin gates of two products, by their sum and their difference.
    _entry(
        "atr",
        """\
        p = W_p @ x
        q = U_q @ h
        i = sigmoid(p + q)
        f = sigmoid(p - q)
        h = i * p + f * h
        """,
        words=LSTM,
        source="Zhang et al. 2018 (addition-subtraction twin-gated)",
    ),
    # Each unit hears itself alone.
    _entry(
        "indrnn",
        "h = relu(W_h @ x + u_h * h + b_h)",
        # Spread over memories from none to all; above 1 a rectified unit would grow without bound.
        init={"u_h": "uniform(0, 1)"},
        words={"h": "hidden state"},
        source="Li et al. 2018; their bound on u_h is kept at the start, not enforced in training",
    ),
    # No matrix reads a state, so all products of a sequence can run at once.
    _entry(
        "sru",
        """\
        f = sigmoid(W_f @ x + v_f * c + b_f)
        r = sigmoid(W_r @ x + v_r * c + b_r)
        c = f * c + (1 - f) * (W_c @ x)
        h = r * c + (1 - r) * x
        """,
        init={"v_*": "uniform(-1.2247, 1.2247)"},  # variance 1/2, as in the authors' code
        words={"f": "forget gate", "r": "reset gate", "c": "cell state"},
        source="Lei et al. 2018, without their scaling of the highway's x; input and hidden size are equal",
    ),
    # Gates from x alone: h is a weighted mean of all candidates, and may be computed by a scan.
    _entry(
        "mingru",
        """\
        z = sigmoid(W_z @ x + b_z)
        n = W_n @ x + b_n
        h = (1 - z) * h + z * n
        """,
        init={"b_z": -1.0},
        words=GRU,
        source="Feng et al. 2024, the form with a linear candidate; z is the share that is new",
    ),
    _entry(
        "minlstm",
        """\
        f = sigmoid(W_f @ x + b_f)
        i = sigmoid(W_i @ x + b_i)
        n = W_n @ x + b_n
        h = f / (f + i) * h + i / (f + i) * n
        """,
        init=REMEMBER,
        words={"f": "forget gate", "i": "input gate", "n": "candidate", "h": "hidden state"},
        source="Feng et al. 2024, the form with a linear candidate and gates that add up to 1",
    ),
    # Gate and candidate share their matrices. The scalars zeta and nu of the paper are a number per unit here.
    _entry(
        "fastgrnn",
        """\
        p = W_p @ x + U_p @ h
        z = sigmoid(p + b_z)
        n = tanh(p + b_n)
        h = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * n + z * h
        """,
        init={"zeta": 1.0, "nu": -4.0, "b_z": 1.0, "b_n": 1.0},
        words=GRU,
        source="Kusupati et al. 2018, full rank; zeta and nu per unit where the paper has one of each",
    ),
)

OSCILLATORS = (
    # Two time steps, learned and gated: s moves the slow z, t the output y.
    _entry(
        "lem",
        """\
        s = dt * sigmoid(W_s @ x + U_s @ y + b_s)
        t = dt * sigmoid(W_t @ x + U_t @ y + b_t)
        z = (1 - s) * z + s * tanh(W_z @ x + U_z @ y + b_z)
        y = (1 - t) * y + t * tanh(W_y @ x + U_y @ z + b_y)
        """,
        output="y",
        init={"*": "torch"},
        constants={"dt": 1.0},
        source="Rusch et al. 2022 (long expressive memory), which starts as torch's layers do",
    ),
    # Driven, damped oscillators, coupled by U and V: y is where they are, z how fast they move.
    _entry(
        "cornn",
        """\
        z = z + dt * (tanh(W_z @ x + U_z @ y + V_z @ z + b_z) - gamma * y - epsilon * z)
        y = y + dt * z
        """,
        output="y",
        constants={"dt": 0.042, "gamma": 2.7, "epsilon": 4.7},
        source="Rusch & Mishra 2021, damping by the old z; the constants are theirs for sequential MNIST",
    ),
)

cells: Mapping[str, Cell] = Registry((*VANILLA, *ODYSSEY, *MORE_MACHINERY, *LESS, *OSCILLATORS))


def find_cell(cell: str | Cell) -> Cell:
    """A cell of the registry by name, a Cell, or equations as text."""
    if isinstance(cell, Cell):
        return cell
    if not isinstance(cell, str):
        raise InputError(f"cell is {cell!r}; expected a name of gw.cells, a gw.Cell, or equations as text")
    if "=" in cell or "\n" in cell or not cell.strip():
        return Cell("custom", cell)
    if cell not in cells:
        near = difflib.get_close_matches(cell.lower(), list(cells), n=3, cutoff=0.5)
        closest = f"closest are {', '.join(near)}" if near else f"there are {', '.join(cells)}"
        raise InputError(f"unknown cell {cell!r}; {closest}")
    return cells[cell]


@dataclass(frozen=True)
class TorchLayer:
    """How torch.nn packs a cell: `mode` of nn.RNNBase, `gates` in the order of their rows.

    Rows of weight_ih are W_<gate>, of weight_hh U_<gate>, of bias_ih b_<gate>. Rows of bias_hh are added to
    b_<gate>, but where `hidden_bias` names a parameter for the gate they are that parameter. weight_hr is the
    matrix `projection`.
    """

    mode: str
    gates: tuple[str, ...]
    hidden_bias: Mapping[str, str] = NOTHING
    projection: str = ""


TORCH_LAYERS: Mapping[str, TorchLayer] = MappingProxyType(
    {
        "rnn": TorchLayer("RNN_TANH", ("h",)),
        "rnn_relu": TorchLayer("RNN_RELU", ("h",)),
        "lstm": TorchLayer("LSTM", ("i", "f", "g", "o")),
        "projected_lstm": TorchLayer("LSTM", ("i", "f", "g", "o"), projection="P_h"),
        "gru_reset_after": TorchLayer("GRU", ("r", "z", "n"), hidden_bias=FrozenMap({"n": "b_hn"})),
    }
)
