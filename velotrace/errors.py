"""The exception that a person who gave bad input sees, and the one that nobody should."""


class InputError(ValueError):
    """Something given from outside cannot be used.

    The message is one line: what was given, where, and what would be right. The command line
    prints it and exits with 2; a caller of the Python API catches it as a `ValueError`.
    """


class ContradictionError(RuntimeError):
    """A check that velotrace makes of its own results failed: an error in it, never in the input.

    The command line prints it and exits with 1.
    """
