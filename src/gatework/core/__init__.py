"""The compiled core, `_native`: what `native/` at the root of the repository is built into. It needs no torch."""
