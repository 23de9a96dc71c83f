"""The command line: one command per thing a person wants to do, no logic of its own."""

from velotrace.cli.application import app, main

__all__ = ["app", "main"]
