"""The error that a user causes and a user can mend."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one line: what was given, what was expected, the remedy. The command line prints it
    and ends with status 2; nothing is half-written when it is raised. (What is wrong in a cell's text is a
    `gatework.EquationError`, of the notation's own; both are ValueErrors.)
    """
