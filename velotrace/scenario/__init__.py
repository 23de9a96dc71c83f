"""Scenarios: a TOML file that says what to run, and the model's records it stands for."""

from velotrace.scenario.load import load, resolved_dict
from velotrace.scenario.resolve import Resolved, resolve

__all__ = ["Resolved", "load", "resolve", "resolved_dict"]
