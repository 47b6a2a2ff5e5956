"""Cells: the registry of those that gatework ships, and the class of your own."""

from gatework.cells.cell import Cell, FrozenMap, Rule
from gatework.cells.library import TORCH_LAYERS, TorchLayer, cells, find_cell

__all__ = ["TORCH_LAYERS", "Cell", "FrozenMap", "Rule", "TorchLayer", "cells", "find_cell"]
