"""The version, for whatever writes files that name it."""

__version__ = "0.1.0"
