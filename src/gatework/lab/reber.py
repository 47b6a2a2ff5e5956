"""The embedded Reber grammar: strings of it, endless streams of them, and the symbols that may come next.

A string of the grammar is B, then T or P, then a string of the inner grammar, then the same T or P, then E. Where
the inner grammar has two ways on, each is taken with probability 1/2 (Reber 1967; embedded: Smith & Zipser 1989).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

SYMBOLS = "BTPSXVE"
START = "start"

Edges = Mapping[str, str]  # the symbol taken -> the state after it

INNER: Mapping[str, Edges] = {
    "0": {"B": "1"},
    "1": {"T": "2", "P": "3"},
    "2": {"S": "2", "X": "4"},
    "3": {"T": "3", "V": "5"},
    "4": {"X": "3", "S": "6"},
    "5": {"P": "4", "V": "6"},
    "6": {"E": "7"},
}


def _embedded() -> dict[str, Edges]:
    """The whole grammar, its end joined to its start: the inner one twice, inside T and inside P."""
    graph: dict[str, Edges] = {START: {"B": "choice"}, "choice": {"T": "T0", "P": "P0"}, "last": {"E": START}}
    for outer in "TP":
        graph |= {outer + state: {s: outer + to for s, to in edges.items()} for state, edges in INNER.items()}
        graph[outer + "7"] = {outer: "last"}
    return graph


GRAPH = _embedded()
STATES = {state: number for number, state in enumerate(GRAPH)}  # START is 0
# Tables by number of the state: the two ways on, twice the same where there is one, and the legal symbols.
WAYS = [(list(edges.items()) * 2)[:2] for edges in GRAPH.values()]
TAKEN = torch.tensor([[SYMBOLS.index(symbol) for symbol, _ in ways] for ways in WAYS])
AFTER = torch.tensor([[STATES[state] for _, state in ways] for ways in WAYS])
LEGAL = torch.tensor([[symbol in edges for symbol in SYMBOLS] for edges in GRAPH.values()])
WAY_OF = [list(zip(taken, after, strict=True)) for taken, after in zip(TAKEN.tolist(), AFTER.tolist(), strict=True)]


class Stream:
    """B endless streams of strings, one after another without a mark: the continual embedded Reber grammar."""

    def __init__(self, B: int, generator: torch.Generator) -> None:
        self.generator = generator
        self.state, self.symbol = torch.zeros(2, B, dtype=torch.long)
        self.restart(torch.ones(B, dtype=torch.bool))

    def restart(self, chosen: Tensor) -> None:
        """Restarts the chosen streams, [B] bool: their next symbol is the B of a string."""
        self.state[chosen], self.symbol[chosen] = AFTER[0, 0], TAKEN[0, 0]

    def take(self, T: int) -> tuple[Tensor, Tensor, Tensor]:
        """T symbols and those after them, [T,B] each, as numbers, and which are legal after them, [T,B,7] bool."""
        ways = torch.randint(2, (T, len(self.state)), generator=self.generator)
        symbols, states = torch.empty_like(ways), torch.empty_like(ways)
        for t, way in enumerate(ways):
            states[t] = self.state
            symbols[t] = TAKEN[self.state, way]
            self.state = AFTER[self.state, way]
        given = torch.cat([self.symbol[None], symbols[:-1]])
        self.symbol = symbols[-1].clone()
        return given, symbols, LEGAL[states]


def strings(count: int, generator: torch.Generator) -> list[list[int]]:
    """Different strings of the grammar, as numbers of symbols; the order is that of drawing."""
    distinct: dict[tuple[int, ...], None] = {}
    while len(distinct) < count:
        ways = torch.randint(2, (1000,), generator=generator).tolist()
        string, state = [], 0
        for way in ways:
            symbol, state = WAY_OF[state][way]
            string.append(symbol)
            if state == 0:
                distinct[tuple(string)] = None
                string = []
    return [list(string) for string in distinct][:count]


def may_follow(string: Sequence[int]) -> list[list[bool]]:
    """After each symbol of a string, which of the seven may come next."""
    state, legal = 0, []
    for symbol in string:
        state = next(after for taken, after in WAY_OF[state] if taken == symbol)
        legal.append(LEGAL[state].tolist())
    return legal


def legal_lead(outputs: Tensor, legal: Tensor) -> Tensor:
    """Whether each legal next symbol is more active than every other one: outputs, legal [...,7] -> [...].

    The criterion of 1997: the outputs of the symbols that may come next are always the most active ones.
    """
    least = outputs.masked_fill(~legal, torch.inf).amin(-1)
    return least > outputs.masked_fill(legal, -torch.inf).amax(-1)


def one_hot(symbols: Tensor) -> Tensor:
    """[T,B] -> [T,B,7], floating."""
    return F.one_hot(symbols, len(SYMBOLS)).float()
