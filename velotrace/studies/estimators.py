"""Ways to estimate the gradient that the data send to the state probabilities.

With a hard state k the loss of one cell and gene is −log N_k, k ~ Categorical(π),
π ~ Dirichlet(conc). Its expectation is linear in E π = conc/Σconc, so the exact gradient is known:

    ∂/∂conc_i E[−log N_k] = −(log N_i − Σ_k log N_k conc_k/Σconc)/Σconc

and every estimator can be held against it. The document's step takes none of it: a drawn k has no
derivative. The score function (REINFORCE, Williams 1992) takes −log N_k times the derivative of the
log probability of what was drawn: of π, which the concentrations make likely, or of k given π,
where π moves along its path. In the mixtures k is summed out and π* carries the implicit
derivative of the draw; that is the gradient of another loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import digamma

from velotrace.model import random
from velotrace.model.distributions import log_sum_exp
from velotrace.model.objective import infer, loss
from velotrace.model.pathwise import dirichlet_pullback_log
from velotrace.model.readings import PRESETS
from velotrace.model.records import Draws
from velotrace.scenario import Resolved
from velotrace.tape import evaluate

NONE = "none (document)"
SCORE_OF_PI = "score of π"
SCORE_OF_STATE = "score of k"
WITH_BASELINE = "score of k, baseline"
JOINT = "joint mixture"
SEPARATE = "separate mixtures"


@dataclass(frozen=True)
class Estimate:
    """What one estimator gives over many draws, by state.

    Attributes:
        estimator: which.
        mean: of the gradient over draws, shape (state,).
        deviation: standard deviation of one draw, same shape.
        draws: how many.
        target: the exact expectation of what it estimates; None where no closed form is known.
    """

    estimator: str
    mean: np.ndarray
    deviation: np.ndarray
    draws: int
    target: np.ndarray | None

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean."""
        return self.deviation / np.sqrt(self.draws)

    @property
    def signal_to_noise(self) -> float:
        """Length of the mean over the root mean square length of one draw's deviation."""
        noise = float(np.sqrt(np.sum(self.deviation**2)))
        return float(np.sqrt(np.sum(self.mean**2))) / noise if noise else 0.0


def exact_gradient(log_density: np.ndarray, concentration: np.ndarray) -> np.ndarray:
    """∂/∂conc E[−log N_k] in closed form.

    Args:
        log_density: log N of each state, shape (state,).
        concentration: of the Dirichlet, same shape.

    Returns:
        Same shape, nat.

    Example:
        >>> exact_gradient(np.array([0.0, -4.0, -4.0, -4.0]), np.ones(4))
        array([-0.75,  0.25,  0.25,  0.25])
    """
    total = float(np.sum(concentration))
    expected = float(log_density @ concentration) / total
    return -(log_density - expected) / total


def state_gradients(
    log_u: np.ndarray, log_s: np.ndarray, concentration: np.ndarray, draws: int, seed: int
) -> list[Estimate]:
    """Every estimator of the data's gradient to the concentrations of one cell and gene.

    Args:
        log_u: log N(u) of each state, shape (state,).
        log_s: log N(s) of each state, same shape.
        concentration: of q(π | z), same shape.
        draws: how many of π and k.
        seed: of the draws.

    Returns:
        One estimate each; only the first four are of the loss with a hard k.
    """
    many = np.broadcast_to(concentration, (draws, 1, 4))
    pi = random.draw_pi(seed, 0, many)
    state = random.draw_state(seed, 0, pi)[:, 0] - 1
    log_density, log_pi = log_u + log_s, np.log(pi)
    cost = -log_density[state][:, None]  # of the drawn state
    chosen = (state[:, None] == np.arange(4)).astype(np.float64)

    def through_pi(of_log_pi: np.ndarray) -> np.ndarray:
        return dirichlet_pullback_log(pi, many, of_log_pi[:, None, :])[:, 0]

    score_pi = log_pi[:, 0] - digamma(concentration) + digamma(concentration.sum())
    score_k = through_pi(chosen)
    baseline = (cost.sum() - cost) / (draws - 1)  # of the other draws: it leaves the mean alone
    exact = exact_gradient(log_density, concentration)

    def shares(logs: np.ndarray) -> np.ndarray:
        mixed = log_pi[:, 0] + logs
        return np.exp(mixed - log_sum_exp(mixed)[:, None])

    found = {
        NONE: (np.zeros((draws, 4)), exact),
        SCORE_OF_PI: (cost * score_pi, exact),
        SCORE_OF_STATE: (cost * score_k, exact),
        WITH_BASELINE: ((cost - baseline) * score_k, exact),
        JOINT: (-through_pi(shares(log_density)), None),
        SEPARATE: (-through_pi(shares(log_u) + shares(log_s)), None),
    }
    return [
        Estimate(name, each.mean(axis=0), each.std(axis=0, ddof=1), draws, target)
        for name, (each, target) in found.items()
    ]


@dataclass(frozen=True)
class OneSample:
    """How far one draw's loss lies from its expectation.

    Attributes:
        reading: under which.
        term: of the loss.
        mean: over draws.
        deviation: of one draw.
        error: standard error of the mean.
    """

    reading: str
    term: str
    mean: float
    deviation: float
    error: float


def one_sample_errors(
    resolved: Resolved, draws: int, presets: tuple[str, ...] = ("document", "paper", "joint")
) -> list[OneSample]:
    """The Monte Carlo error of estimating E_q by one draw of z, π and k, as every step does.

    Args:
        resolved: the iteration; its parameters and cells, each reading's own choices of the
            likelihood and of the start of repression.
        draws: how many.
        presets: the readings.

    Returns:
        For each reading the loss and each of its terms.
    """
    iteration, parameters = resolved.iteration, resolved.parameters
    cells, latent = iteration.draws.epsilon_z.shape
    found = []
    for preset in presets:
        chosen = PRESETS[preset]
        reading = replace(
            iteration.reading,
            likelihood=chosen.likelihood,
            repression_start=chosen.repression_start,
            switch_weight=chosen.switch_weight,
        )
        losses: dict[str, list[float]] = {"loss": [], "reconstruction": [], "kl_z": [], "kl_pi": []}
        for number in range(draws):
            epsilon = random.draw_epsilon(number, 0, cells, latent)
            undrawn = Draws(epsilon, np.zeros(0), None)
            now = replace(iteration, reading=reading, draws=undrawn)
            posterior = infer(parameters, now, now.unspliced, now.spliced)
            pi = random.draw_pi(number, 0, posterior["concentration"])
            state = random.draw_state(number, 0, pi) if reading.draws_state else None
            now = replace(now, draws=Draws(epsilon, pi, state))
            values: Mapping[str, np.ndarray] = evaluate(
                partial(loss, iteration=now), parameters
            ).values
            for term, kept in losses.items():
                kept.append(float(np.sum(values[term])))
        for term, kept in losses.items():
            spread = float(np.std(kept, ddof=1))
            found.append(
                OneSample(preset, term, float(np.mean(kept)), spread, spread / np.sqrt(draws))
            )
    return found
