"""Tables and files to series that stand on a grid of times."""
