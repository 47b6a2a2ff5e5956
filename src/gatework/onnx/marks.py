"""Which steps lie within the lengths, and before which the state is the start again."""

from dataclasses import dataclass

from gatework.onnx.graph import Graph


@dataclass(frozen=True)
class Marks:
    """Marks of steps [T,B], bool; None where all steps run, or nothing is ever reset."""

    graph: Graph
    running: str | None
    resets: str | None

    @classmethod
    def of(cls, graph: Graph, x: str, lengths: str | None, resets: str | None) -> "Marks":
        """lengths [B] and resets [T,B] of a layer's x [T,B,I]; past a length nothing is reset."""
        running = None if lengths is None else within(graph, x, lengths)
        if running is not None and resets is not None:
            resets = graph.node("And", resets, running)
        return cls(graph, running, resets)

    def turned(self) -> "Marks":
        """The same from the last step to the first: a border before step t lies, seen from the end, before t - 1."""
        graph = self.graph
        running, resets = (v and graph.reversed(v) for v in (self.running, self.resets))
        if resets is not None:
            before = graph.node("Slice", resets, [0], [-1], [0])
            first = graph.node("Slice", resets, [0], [1], [0])
            none = graph.node("And", first, graph.node("Not", first))
            resets = graph.node("Concat", none, before, axis=0)
        return Marks(graph, running, resets)

    @property
    def columns(self) -> tuple[str | None, str | None]:
        """Resets and running as [T,B,1]."""
        resets, running = (v and self.graph.node("Unsqueeze", v, [2]) for v in (self.resets, self.running))
        return resets, running


def within(graph: Graph, x: str, lengths: str) -> str:
    """Which steps of x [T,B,...] lie within the lengths [B]: [T,B]."""
    T = graph.node("Gather", graph.node("Shape", x), 0, axis=0)
    steps = graph.node("Unsqueeze", graph.node("Range", 0, T, 1), [1])
    return graph.node("Less", steps, lengths)


def column(graph: Graph, x: str, lengths: str) -> str:
    """The same as [T,B,1]."""
    return graph.node("Unsqueeze", within(graph, x, lengths), [2])
