"""What goes on inside Adam while one parameter is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from velotrace.errors import InputError
from velotrace.learning.ensemble import Settings, plan_of
from velotrace.learning.optimisers import clip, take_step
from velotrace.learning.training import after, begin, epoch_steps
from velotrace.model import random
from velotrace.walkthrough import Trace

ADAM = ("gradient", "first_moment", "first_moment_corrected", "second_moment",
        "second_moment_corrected", "change")  # fmt: skip
"""What is kept of each step of Adam."""


def adam_history(trace: Trace, name: str, gene: str, steps: int = 50) -> dict[str, np.ndarray]:
    """Adam's inside over the first steps of training one parameter.

    The training is the scenario's, with mini-batches as large as the trace's and the same seeds;
    its first step draws π and k itself, where the walkthrough may have them pinned.

    Args:
        trace: whose scenario is trained.
        name: of a parameter, as the reading holds it.
        gene: its label.
        steps: how many.

    Returns:
        Each of `ADAM`, shape (step,); the gradient is what reaches Adam, after clipping.

    Raises:
        InputError: no such parameter or gene, or the optimiser keeps no moments.
    """
    resolved = trace.resolved
    if gene not in trace.coords["gene"]:
        raise InputError(f"there is no gene {gene!r}; there are {', '.join(trace.coords['gene'])}")
    if name not in trace.held:
        raise InputError(f"{name} is not trained here; there are {', '.join(trace.held)}")
    if resolved.optimiser.name == "sgd":
        raise InputError("plain gradient descent keeps no moments; choose adam or adamw")
    plan = plan_of(resolved, Settings(epochs=1, batch_size=len(resolved.cells)))
    at = plan.layout.places[name].start + trace.coords["gene"].index(gene)
    state, numbers = begin(plan), random.Keyed()
    found: list[dict[str, float]] = []
    while len(found) < steps and state.going.all():
        for before, step in epoch_steps(plan, state, numbers):
            _, info = take_step(before.rows, step.gradient, before.memory, plan.optimiser)
            info["gradient"] = clip(step.gradient, plan.optimiser.clip_norm)
            found.append({key: float(info[key][0, at]) for key in ADAM})
            state = after(before, step)
        state = replace(state, epoch=state.epoch + 1)
    return {key: np.array([one[key] for one in found[:steps]]) for key in ADAM}
