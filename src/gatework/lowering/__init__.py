"""Lowering: a Program as what the core runs, without torch.

`plans` says what of a Program, or of its adjoint, is stored where; `simplify`, `placement` and `instructions` make
blocks of its nodes, which `blocks` writes as the integers that the core interprets tile by tile. `layout` has the
arrays of a call, `binding` notes what is done to them; `forward` and `stream` bind whole sequences and single steps.
"""
