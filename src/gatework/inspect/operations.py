"""The table of operations as JavaScript, for the interpreter of the page."""

from gatework.notation.ops import NORM_EPSILON, OPS, Op


def filled(script: str) -> str:
    """A script of the page with the operations of the table in the places that it marks."""
    rows = [_row_function(op) for op in OPS.values() if op.row]
    loops = [_loop(op) for op in OPS.values() if not op.row]
    for mark, functions in (("rows", rows), ("pointwise", loops)):
        script = script.replace(f"/* {{{{{mark}}}}} */", "\n  ".join(functions))
    return script


def _loop(op: Op) -> str:
    """A pointwise operation, written out as the loop that a browser runs fastest."""
    second, b = (", B", ", b = B[i]") if op.arity == 2 else ("", "")
    return (
        f"{op.name}: (y, A{second}) => {{ "
        f"for (let i = 0; i < y.length; i++) {{ const a = A[i]{b}; y[i] = {op.javascript}; }} }},"
    )


def _row_function(op: Op) -> str:
    return f"{op.name}: (a) => {op.javascript},".replace("EPSILON", repr(NORM_EPSILON))
