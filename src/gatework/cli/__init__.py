"""The command line: parse, call, print."""

from gatework.cli.app import main

__all__ = ["main"]
