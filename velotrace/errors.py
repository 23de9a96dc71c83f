"""The one exception that a person who gave bad input ever sees."""


class InputError(ValueError):
    """Something given from outside cannot be used.

    The message is one line: what was given, where, and what would be right. The command line
    prints it and exits with 2; a caller of the Python API catches it as a `ValueError`.
    """
