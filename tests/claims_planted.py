"""What the tests of the ledger plant: for every claim one change of what it looks at.

Nothing below touches a verdict. Each change gives a claim another document, another iteration or
other trainings, under which the statement comes out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.special import digamma, gamma, gammaln

from velotrace.claims import Context
from velotrace.counterfactuals import rerun
from velotrace.data import Expression
from velotrace.model.objective import loss
from velotrace.tape import Cut, Intervention, Replace, record
from velotrace.walkthrough import Trace

Plant = Callable[[Context, Any], Context]  # of the context and pytest's monkeypatch
THETA = ("alpha", "beta", "gamma", "switch_time", "sigma_u", "sigma_s")


# ---- other documents and other iterations ---------------------------------------------------


def document(**fields: Any) -> Plant:
    """The document stating something else."""
    return lambda context, _: replace(context, document=replace(context.document, **fields))


def read_as(reading: str) -> Plant:
    """Another reading than the document's as the one that the verdict is about."""
    return lambda context, _: replace(context, traces={reading: context.traces[reading]})


def iterated(change: Callable[[Trace], Any]) -> Plant:
    """Another iteration of the document's reading."""

    def plant(context: Context, _: Any) -> Context:
        return replace(context, traces={**context.traces, "document": change(context.trace)})

    return plant


def rewired(**changes: Intervention) -> Plant:
    """The iteration with values put in, or gradients cut; lost where a test runs it again."""
    return iterated(lambda trace: rerun(trace, changes))


def again(trace: Trace, **fields: Any) -> Trace:
    """The iteration of other records."""
    resolved = replace(trace.resolved, **fields)
    function = partial(loss, iteration=resolved.iteration)
    return Trace(resolved, record(function, resolved.parameters))


def parameters(**values: float) -> Plant:
    """Other values of θ."""

    def change(trace: Trace) -> Trace:
        held = trace.resolved.parameters
        new = {name: np.full_like(held[name], value) for name, value in values.items()}
        return again(trace, parameters=held | new)

    return iterated(change)


def weights(network: str, factor: float, bias: float = 0.0) -> Plant:
    """All weights of a network multiplied, and something added to its biases."""

    def change(trace: Trace) -> Trace:
        held = trace.resolved.parameters
        layers = [{"W": factor * one["W"], "b": one["b"] + bias} for one in held[network]]
        return again(trace, parameters=held | {network: layers})

    return iterated(change)


def held_fixed(**fields: Any) -> Plant:
    """Other data, draws or constants of the iteration; constants by their names."""

    def change(trace: Trace) -> Trace:
        iteration, own = trace.resolved.iteration, dict(fields)
        if "epsilon_z" in own:
            own["draws"] = replace(iteration.draws, epsilon_z=own.pop("epsilon_z"))
        if "s_star" in own:
            own["constants"] = replace(iteration.constants, s_star=own.pop("s_star"))
        return again(trace, iteration=replace(iteration, **own))

    return iterated(change)


def measured(change: Callable[[np.ndarray], np.ndarray]) -> Plant:
    """Other data of all cells; the iteration stays."""

    def plant(trace: Trace) -> Trace:
        data = trace.resolved.expression
        other = replace(data, unspliced=change(data.unspliced), spliced=change(data.spliced))
        return Trace(replace(trace.resolved, expression=other), trace.tape)

    return iterated(plant)


def min_max(columns: np.ndarray) -> np.ndarray:
    """What the document says was done to the data."""
    return (columns - columns.min(axis=0)) / np.ptp(columns, axis=0)


def fitted(trace: Trace) -> Trace:
    """Predictions a tenth off in every state."""
    near = {
        f"{which}_bar": Replace(np.repeat(trace.tape[name].value[..., None], 4, axis=-1) + 0.1)
        for which, name in (("u", "unspliced"), ("s", "spliced"))
    }
    return rerun(trace, near)


def with_tape(**tape: Any) -> Plant:
    """A tape made up."""
    return iterated(
        lambda trace: SimpleNamespace(tape=SimpleNamespace(**tape), resolved=trace.resolved)
    )


def patched(module: str, name: str, value: Any) -> Plant:
    """Another function where a test calls one of its own."""

    def plant(context: Context, monkeypatch: Any) -> Context:
        monkeypatch.setattr(f"velotrace.claims.statements.{module}.{name}", value)
        return context

    return plant


# ---- trainings made up ----------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """An ensemble in which everything comes true that the document promises of training."""

    theta: Mapping[str, np.ndarray]
    final: Mapping[str, np.ndarray]
    misfit: np.ndarray
    off_prior: np.ndarray
    off_samples: np.ndarray
    off_switch_points: np.ndarray
    found_states: np.ndarray
    unseen: np.ndarray
    stayed: np.ndarray = field(default_factory=lambda: np.ones(50, dtype=bool))
    epochs: int = 1000

    def misfit_of(self, expression: Expression) -> np.ndarray:
        """Of cells that were not trained on."""
        return self.unseen


def _own(name: str) -> np.ndarray:
    """How the genes' values end apart; the noise is the same for all."""
    return np.ones(3) if name.startswith("sigma") else np.array([1.0, 1.2, 1.5])


def all_comes_true() -> Made:
    """Fifty runs, all alike, in which all parameters run towards new values and settle."""
    late = 1.0 - np.exp(-np.arange(1001) / 150.0)
    starts = dict(zip(THETA, (0.85, 0.1, 0.05, 10.0, 0.1, 0.1), strict=True))
    ends = dict(zip(THETA, (0.4, 0.5, 0.3, 5.0, 0.15, 0.15), strict=True))
    theta = {
        name: np.broadcast_to(
            (start + (ends[name] * _own(name) - start) * late[:, None])[None], (50, 1001, 3)
        ).copy()
        for name, start in starts.items()
    }
    place = np.array([[0.0, 0.1], [0.1, 0.0], [1.0, 1.1], [1.1, 1.0]])
    time = np.linspace(0.0, 8.0, 4)[:, None] * np.ones(3)
    final = {
        "mu_z": np.tile(place, (50, 1, 1)),
        "concentration": np.full((50, 4, 3, 4), 1.0),
        "time_induction": np.tile(time, (50, 1, 1)),
        "time_repression": np.tile(time, (50, 1, 1)),
    }
    few = {name: np.full(50, value) for name, value in (("misfit", 0.05), ("off_prior", 1.0))}
    other = {name: np.full(50, 0.05) for name in ("off_samples", "off_switch_points", "unseen")}
    return Made(theta, final, found_states=np.ones(50, dtype=bool), **few, **other)


def without_kl_z() -> Made:
    """The same without KL_z: it fits, but is scattered far away."""
    scattered = {"mu_z": np.tile(np.eye(4) * np.array([[1.0], [9.0], [1.0], [1.0]]), (50, 1, 1))}
    made = all_comes_true()
    return replace(
        made,
        final=dict(made.final) | scattered,
        off_prior=np.full(50, 30.0),
        off_samples=np.full(50, 0.5),
        unseen=np.full(50, 0.5),
    )


def training(change: Callable[[Made], Mapping[str, Any]]) -> Plant:
    """The document's trainings otherwise."""

    def plant(context: Context, _: Any) -> Context:
        made: Any = context.trainings["document"]
        changed = {**context.trainings, "document": replace(made, **change(made))}
        return replace(context, trainings=changed)

    return plant


def theta(**changes: Callable[[np.ndarray], np.ndarray]) -> Plant:
    """Other courses of some parameters."""
    return training(
        lambda made: {"theta": {**made.theta, **{n: f(made.theta[n]) for n, f in changes.items()}}}
    )


def still(course: np.ndarray) -> np.ndarray:
    """A parameter that stays where it starts."""
    return np.repeat(course[:, :1], course.shape[1], axis=1)


def restless(course: np.ndarray) -> np.ndarray:
    """A parameter that never comes to rest."""
    return course * (1.0 + 0.1 * np.sin(np.arange(course.shape[1]) / 10.0))[:, None]


def at_once(course: np.ndarray) -> np.ndarray:
    """A parameter that is there after the first epoch."""
    made = np.repeat(course[:, -1:], course.shape[1], axis=1)
    made[:, 0] = course[:, 0]
    return made


def free(**fields: Any) -> Plant:
    """The trainings without KL_z otherwise."""

    def plant(context: Context, _: Any) -> Context:
        made: Any = context.without_kl_z["document"]
        return replace(context, without_kl_z={"document": replace(made, **fields)})

    return plant


def known(**values: float) -> Plant:
    """Data whose truth is known."""
    truth = {name: value * _own(name) for name, value in values.items()}
    return lambda context, _: replace(context, truth=truth)


# ---- the right formulas ---------------------------------------------------------------------


def right_kl_dirichlet(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The divergence with the Gamma ratios the right way up."""
    total = np.sum(q, axis=-1, keepdims=True)
    weighed = np.sum((q - p) * (digamma(q) - digamma(total)), axis=-1)
    gammas = np.sum(gammaln(p) - gammaln(q), axis=-1)
    return gammaln(total[..., 0]) - gammaln(np.sum(p)) + gammas + weighed


def _minus(name: str) -> Plant:
    """Terms of doc (2) with their sign turned round."""

    def plant(context: Context, _: Any) -> Context:
        before = {part: getattr(context.document, part) for part in name.split()}
        turned = {part: lambda q, p, f=f: -f(q, p) for part, f in before.items()}
        return replace(context, document=replace(context.document, **turned))

    return plant


def _difference(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    """What the third term is said to be."""
    of_q, of_p = (digamma(a) - digamma(np.sum(a)) for a in (q, p))
    return np.sum(of_q - of_p, axis=-1)


def _with_the_switch_time(trace: Trace, name: str) -> np.ndarray:
    """Steady states that move with the switch time."""
    own = trace.tape["switch_time"].value
    return own if name == "switch_time" else np.tile(own[:, None], (2, 1, 4))


NOT = np.zeros(50, dtype=bool)
CUT_Z = {"mu_z": Cut(), "log_var_z": Cut()}

PLANTS: dict[str, Plant] = {
    "three-genes-four-cells": document(cells=5, genes=2),
    "list-of-parameters": document(parameters=("alpha",)),
    "noise-is-deviation": read_as("scvi-tools"),
    "noise-by-gene": patched("data", "rerun", lambda trace, changes: trace),
    "min-max-scaled": measured(min_max),
    "table-of-data": document(unspliced=((0.3,) * 3,) * 4),
    "counts": measured(lambda x: np.round(10.0 * x)),
    "alpha-values": document(alpha=(0.9, 0.8, 0.6)),
    "alpha-cells": document(highest={"A": ("Cell 3", "Cell 4"), "B": ("Cell 1", "Cell 2")}),
    "alpha-percentile": document(percentile=50.0),
    "beta-start": document(beta=0.2),
    "gamma-start": document(gamma=0.2),
    "switch-time-start": document(switch_time=5.0),
    "sigma-start": document(sigma=0.2),
    "sigma-reflects": iterated(fitted),
    "state-scale": document(state_scale=(1.0, 1.0, 1.0, 1.0)),
    "encoder-gives-pi": weights("encoder_z", 0.0),
    "random-weights": weights("encoder_z", 0.0),
    "initialisers-help": patched("networks", "initial_limit", lambda *_: 100.0),
    "decoder-range": weights("decoder_ind", 1.0, bias=50.0),
    "two-decoders": read_as("scvi-tools"),
    "input-order": read_as("scvi-tools"),
    "latent-dimension": document(latent=9),
    "log-variance": read_as("scvi-tools"),
    "four-concentrations": document(states=5),
    "reparameterisation": document(reparameterised=lambda m, v, e: m + np.exp(v) * e),
    "state-drawn": read_as("paper"),
    "state-likely": document(likely_state=2),
    "time-in-induction": document(time_induction=lambda share, t_s: 2.0 * share * t_s),
    "time-in-repression": document(time_repression=lambda share, t_s, t_max: share * t_max),
    "example-time": document(time=12.0),
    "predictions-use": document(parameters=("alpha", "beta", "gamma", "sigma_u")),
    "example-u": document(u_bar=5.2),
    "example-s": document(s_bar=2.2),
    "example-mismatch": parameters(sigma_u=100.0, sigma_s=100.0),
    "normal-densities": document(state_scale=(1.0, 1.0, 1.0, 1.0)),
    "likelihood-product": read_as("paper"),
    "likelihood-tiny": document(sigma=10.0),
    "reconstruction-sum": read_as("scvi-tools"),
    "kl-z-formula": document(kl_normal=lambda m, v: np.sum(m**2 + v**2, axis=-1)),
    "kl-z-direct": document(kl_normal=lambda m, v: np.sum(m**2 + v**2, axis=-1)),
    "kl-z-penalises": document(kl_normal=lambda m, v: -np.sum(m**2 + v**2, axis=-1)),
    "kl-z-cheap": document(kl_normal=lambda m, v: np.sum(m**2, axis=-1) + 1e3),
    "kl-pi-one-draw": document(pooled=np.mean),
    "uniform-prior": document(prior=(1.0, 1.0, 1.0, 1.0)),
    "switch-depends": read_as("paper"),
    "steady-at-switch": document(switch_time=2000.0),
    "switch-points": document(u_star=0.5),
    "repression-start": read_as("paper"),
    "penalty-example": held_fixed(s_star=np.array([17.0, 15.0, 11.0])),
    "loss-sum": read_as("paper"),
    "loss-large": parameters(sigma_u=100.0, sigma_s=100.0),
    "every-parameter": rewired(**CUT_Z),
    "backward-efficient": with_tape(entries=(1,), backward_order=(1, 2, 3)),
    "starts-from-one": iterated(
        lambda trace: SimpleNamespace(tape={"loss": SimpleNamespace(adjoint=2.0)})
    ),
    "pull-on-predictions": rewired(log_density_u=Cut(), log_density_s=Cut()),
    "pull-on-noise": rewired(log_density_u=Cut()),
    "noise-sharp-or-flat": parameters(sigma_u=100.0, sigma_s=100.0),
    "kinetics-to-rates": parameters(alpha=0.0),
    "penalty-to-rates": parameters(alpha=0.0),
    "penalty-to-switch-time": read_as("paper"),
    "alpha-should-fall": held_fixed(unspliced=np.full((2, 3), 50.0)),
    "pull-on-times": read_as("paper"),
    "pull-on-decoders": rewired(time_induction=Cut()),
    "pull-on-z": read_as("paper"),
    "reparameterisation-vital": held_fixed(epsilon_z=np.zeros((2, 10))),
    "gradient-of-mean": read_as("scvi-tools"),
    "gradient-of-log-variance": read_as("scvi-tools"),
    "kl-z-pulls-mean": document(kl_normal=lambda m, v: np.sum((m - 1.0) ** 2, axis=-1)),
    "kl-z-pulls-log-variance": document(log_var_target=0.0),
    "pull-on-encoder": rewired(**CUT_Z),
    "data-teach-states": read_as("joint"),
    "gradients-summed": read_as("scvi-tools"),
    "update-is-adam": document(updated=lambda old, slope, rate: old - rate * np.sign(slope)),
    "one-step-small": theta(**dict.fromkeys(THETA, at_once)),
    "hundreds-of-epochs": theta(**dict.fromkeys(THETA, at_once)),
    "all-adapt": theta(gamma=still),
    "rates-converge": theta(beta=restless),
    "rates-by-gene": theta(beta=lambda course: course[..., :1] * np.ones(3)),
    "rates-true": known(alpha=0.4, beta=0.5, gamma=0.3, switch_time=5.0),
    "fits-data": training(lambda made: {"misfit": made.misfit + 1.0}),
    "penalty-satisfied": training(lambda made: {"off_switch_points": np.full(50, 3.0)}),
    "alpha-falls": theta(alpha=lambda course: 2.0 - course),
    "beta-gamma-adjust": theta(beta=still),
    "switch-time-matches": patched("course", "values", _with_the_switch_time),
    "noise-appropriate": theta(sigma_s=lambda course: 10.0 * course),
    "noise-rises-first": theta(sigma_u=lambda course: 1.0 - course),
    "larger-noise-likelier": parameters(sigma_u=100.0, sigma_s=100.0),
    "noise-stabilises": theta(sigma_u=restless),
    "noise-true": known(sigma_u=0.15, sigma_s=0.15),
    "latent-meaningful": training(lambda made: {"final": without_kl_z().final}),
    "states-learnt": training(lambda made: {"found_states": NOT}),
    "compressing": iterated(
        lambda trace: SimpleNamespace(
            tape={"z": SimpleNamespace(value=np.zeros((2, 3)))}, resolved=trace.resolved
        )
    ),
    "kl-z-keeps-near": free(off_prior=np.full(50, 0.1)),
    "kl-z-costs-fit": free(off_prior=np.full(50, 0.1), misfit=np.full(50, 1.0)),
    "kl-z-orders": free(final=all_comes_true().final),
    "kl-z-samples": free(off_samples=np.full(50, 0.01)),
    "generalises": lambda context, _: replace(context, held_out=context.data),
    "times-specific": training(
        lambda made: {"final": {n: np.zeros_like(x) for n, x in made.final.items()}}
    ),
    "reconstructs": training(lambda made: {"misfit": made.misfit + 1.0}),
    "divergence": document(kl_dirichlet=right_kl_dirichlet),
    "prior": document(prior=(1.0, 1.0, 1.0, 1.0)),
    "pi-from-z": weights("encoder_pi", 0.0),
    "kl-pi-regularises": document(kl_dirichlet=right_kl_dirichlet),
    "prior-decided": document(prior=(10.0, 10.0, 10.0, 10.0)),
    "decisive": document(pi=(0.25, 0.25, 0.25, 0.25)),
    "closed-form": rewired(kl_pi=Replace(0.0)),
    "doc-2": document(kl_dirichlet=right_kl_dirichlet),
    "normaliser-term": _minus("normaliser_term log_gamma_term"),
    "log-gamma-term": _minus("log_gamma_term"),
    "expected-log": document(expected_log=digamma),
    "digamma-term": document(digamma_term=_difference),
    "gamma-factorial": document(factorial_shift=0),
    "libraries": document(libraries={"scipy.special": ("gammaln", "digamma")}),
    "digamma-derivative": document(digamma=np.log),
    "log-gamma-stable": document(log_gamma=lambda x: np.log(gamma(x))),
    "digamma-direct": document(digamma=gamma),
    "automatic": patched("dirichlet", "integrated_kl", lambda q, p: 0.0),
}
"""By claim, the change under which its verdict is another."""
