"""What the toy's data show by themselves, for trainings to be held against."""

from __future__ import annotations

INDUCED = {"A": (True, True, False, False), "B": (False, False, True, True)}
"""Which cells are on their way up, by gene, as the data have it; C is not as clear."""
