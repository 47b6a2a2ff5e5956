"""`python -m gatework` is the command `gatework`."""

from gatework.cli import main

main()
