"""What the divergences are part of: the evidence of one cell and gene, and the average over z."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from velotrace.model import random
from velotrace.model.distributions import log_sum_exp
from velotrace.model.objective import infer
from velotrace.model.records import Draws
from velotrace.scenario import Resolved
from velotrace.studies.divergences import integrated_kl, kl_dirichlet, mean_logs

Array = np.ndarray


@dataclass(frozen=True)
class Evidence:
    """log p(x) = ELBO + KL(q ‖ posterior) for one cell and gene, z held at its draw.

    Attributes:
        log_evidence: log Σ_k N_k/4: with π from the symmetric prior each state is as likely.
        expected: E_q log Σ_k π_k N_k, nat.
        divergence: KL(q ‖ prior).
        gap: KL(q ‖ posterior), the posterior being Dir(α_p) with 1 more at the state that answers
            for the measurement.
        others: log of what all other states add to the evidence, relative to the one that
            answers; `expected` and `gap` leave it out.
        sampled: E_q Σ_k π_k log N_k, what the mean of log N_k is with a drawn k, nat.
    """

    log_evidence: float
    expected: float
    divergence: float
    gap: float
    others: float
    sampled: float

    @property
    def elbo(self) -> float:
        """Evidence lower bound: the expected log likelihood less the divergence."""
        return self.expected - self.divergence


def evidence(log_density: Array, q: Array, p: Array) -> Evidence:
    """Compute every part of the identity by a route of its own.

    Args:
        log_density: log N of each state, shape (state,); one must be far above the others.
        q: concentrations of q(π | z*).
        p: of the prior, symmetric.
    """
    best = int(np.argmax(log_density))
    others = log_density.copy()
    others[best] = -np.inf
    posterior = p + (np.arange(len(p)) == best)
    return Evidence(
        log_evidence=float(log_sum_exp(log_density)) - math.log(len(p)),
        expected=float(log_density[best] + mean_logs(q)[best]),
        divergence=integrated_kl(q, p),
        gap=integrated_kl(q, posterior),
        others=float(log_sum_exp(others) - log_density[best]),
        sampled=float(log_density @ q / q.sum()),
    )


def kl_pi_over_z(resolved: Resolved, draws: int, seed: int) -> tuple[Array, Array]:
    """KL_π at many draws of z, and at the mean of z.

    Args:
        resolved: the iteration.
        draws: of z, for every cell.
        seed: of the draws.

    Returns:
        KL_π of shape (draws, cell, gene), and at z = μ of shape (cell, gene).
    """
    iteration, parameters = resolved.iteration, resolved.parameters
    shape = iteration.draws.epsilon_z.shape
    noise = random.generator(seed, "kl_pi_over_z", 0).standard_normal((draws + 1, *shape))
    noise[-1] = 0.0  # the last is the mean itself
    many = replace(iteration, draws=Draws(noise, np.zeros(0), None))
    made = infer(parameters, many, iteration.unspliced, iteration.spliced)
    divergence = kl_dirichlet(made["concentration"], iteration.constants.pi_prior)
    return divergence[:-1], divergence[-1]
