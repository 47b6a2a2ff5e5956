"""Layers and trained runs as files of ONNX: `gw.onnx.export`.

described -> recognise -> operators        a cell that is an operator of ONNX
          -> sums -> scan, expressions     every other cell: a Scan over the steps, from the operations' table
emission, graph, model                     all steps of a network, as nodes, as a checked file
translation                                scans within a module that torch itself exports
"""

from gatework.onnx.exported import export, translations

__all__ = ["export", "translations"]
