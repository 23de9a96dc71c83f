"""What became of trainings from many seeds, reading by reading: `model.md` 4.9 and 4.14."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from velotrace.claims.checks import share
from velotrace.claims.ensembles import Ensemble
from velotrace.scenario import Resolved
from velotrace.scenario.resolve import work_out
from velotrace.scenario.schema import PinKeys


def without_pins(resolved: Resolved) -> Resolved:
    """The same scenario with nothing pinned: no decoder starts from a bias that meets a time."""
    scenario = resolved.scenario.model_copy(update={"pins": PinKeys()})
    return work_out(scenario, resolved.expression)


def outcomes(trainings: Mapping[str, Ensemble]) -> pd.DataFrame:
    """A row for each training: who left, who found the states, what the concentrations became.

    Args:
        trainings: ensembles by name, as a `claims.Context` has them.

    Returns:
        By training: how many seeds; how many left the domain of their parameters; the share that
        found the states of genes A and B, with its 95 % Wilson interval; how far the concentrations
        of the others are from the prior's at most; and their smallest σ.
    """
    rows = []
    for name, made in trainings.items():
        found, stayed = share(made.found_states), made.stayed
        reading, _, held = name.partition(", ")
        final = made.final["concentration"][stayed]
        sigma = [made.theta[f"sigma_{kind}"][stayed, -1] for kind in ("u", "s")]
        rows.append(
            {
                "reading": reading,
                "θ held as": held or made.plan.reading.parameterisation,
                "seeds": len(stayed),
                "left": int(np.sum(~stayed)),
                "found states": found.successes / found.runs,
                "from": found.low,
                "to": found.high,
                "off prior": float(np.max(np.abs(final - made.plan.constants.pi_prior))),
                "least σ": float(np.min(sigma)),
            }
        )
    return pd.DataFrame(rows)
