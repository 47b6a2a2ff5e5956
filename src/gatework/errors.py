"""The one error a user causes and a user can mend."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one line: what was given, what was expected, the remedy. The command line prints it
    and ends with status 2; nothing is half-written when it is raised.
    """
