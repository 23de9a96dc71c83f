"""The exercises solved from a student's parameters with plain arithmetic: no engine, no autograd.

Formulas are those of the document and the paper as a student would write them, derivatives by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln, polygamma

Data = Mapping[str, Any]
Answers = list[Any]


def row(d: Data, name: str) -> np.ndarray:
    """The numbers 'name 1', 'name 2', … of the parameters."""
    return np.array([d[f"{name} {i}"] for i in range(1, 20) if f"{name} {i}" in d])


def pi_of(d: Data) -> np.ndarray:
    """Shares as probabilities of two decimals."""
    pi = np.round(row(d, "share") / row(d, "share").sum(), 2)
    pi[np.argmax(pi)] += 1.0 - pi.sum()
    return pi.round(2)


def u_on(a: float, b: float, t: float) -> float:
    """Paper (3)."""
    return a / b * (1 - math.exp(-b * t))


def s_on(a: float, b: float, g: float, t: float) -> float:
    """Paper (4), and its limit."""
    first = a / g * (1 - math.exp(-g * t))
    if abs(b - g) < 1e-9:
        return first - a * t * math.exp(-b * t)
    return first + a / (g - b) * (math.exp(-g * t) - math.exp(-b * t))


def log_n(x: float, mean: float, sd: float) -> float:
    """Logarithm of the normal density."""
    return -0.5 * ((x - mean) / sd) ** 2 - math.log(sd * math.sqrt(2 * math.pi))


def kl_dirichlet(q: np.ndarray, p: np.ndarray) -> float:
    """doc (2) with its Gamma ratios put right."""
    total = gammaln(q.sum()) - gammaln(p.sum())
    each = gammaln(p) - gammaln(q) + (q - p) * (digamma(q) - digamma(q.sum()))
    return float(total + each.sum())


def table(d: Data) -> Answers:
    u, s = row(d, "u").reshape(4, 2), row(d, "s").reshape(4, 2)
    here = d["cell"], d["gene"]
    return [u[here] / (u[here] + s[here]), u.sum(axis=0) / 4]


def highest(d: Data) -> Answers:
    pairs = sorted(zip(row(d, "u"), -np.arange(6), row(d, "s"), strict=True), reverse=True)
    kept = pairs[: d["count"]]
    return [np.median([u for u, _, _ in kept]), np.median([s for _, _, s in kept])]


def hidden_unit(d: Data) -> Answers:
    (u_a, u_b), (s_a, s_b), w = row(d, "u"), row(d, "s"), row(d, "w")
    return [math.tanh(u_a * w[0] + s_a * w[1] + u_b * w[2] + s_b * w[3] + d["b"])]


def concentrations(d: Data) -> Answers:
    conc = np.log(1 + np.exp(row(d, "a")))
    return [conc, conc / conc.sum()]


def log_draw(d: Data) -> Answers:
    x = row(d, "x")  # the common shift drops out
    return [x - math.log(sum(math.exp(v) for v in x))]


def times(d: Data) -> Answers:
    rho, t_s = 1 / (1 + math.exp(-d["a"])), d["switch_time"]
    return [rho * t_s, t_s + (d["t_max"] - t_s) * rho]


def repression(d: Data) -> Answers:
    b, g, tau = d["beta"], d["gamma"], d["since"]
    fast, slow = math.exp(-b * tau), math.exp(-g * tau)
    return [(d["u_0"] * fast, d["s_0"] * slow - b * d["u_0"] / (g - b) * (slow - fast))]


def equal_rates(d: Data) -> Answers:
    a, b, t = d["alpha"], d["beta"], d["time"]
    names = ("alpha", "beta", "gamma", "time")
    points = [tuple(d[f"probe {i} {name}"] for name in names) for i in range(1, 5)]
    return [s_on(a, b, b, t), [s_on(*p) for p in [*points, (a, b, b, t)]]]


def units(d: Data) -> Answers:
    a, b, g, t = d["alpha"], d["beta"], d["gamma"], d["time"]
    v = b * u_on(a, b, t) - g * s_on(a, b, g, t)
    return [b * d["factor"], v * d["factor"], "They stay as they are"]


def velocity(d: Data) -> Answers:
    v = d["beta"] * d["u_bar"] - d["gamma"] * d["s_bar"]
    return [v, "It rises: more is spliced" if v > 0 else "It falls: more is degraded"]


def read_curve(d: Data) -> Answers:
    spliced = ("solid", "dashed")[d["line of spliced"]]
    top = u_on(d["alpha"], d["beta"], d["switch_time"])  # unspliced RNA turns at the switch
    return [d["switch_time"], top, f"The {spliced} one: it starts flat"]


def phase_portrait(d: Data) -> Answers:
    a, b, g, t, t_s = (d[n] for n in ("alpha", "beta", "gamma", "place of the cell", "switch_time"))
    u, s = u_on(a, b, min(t, t_s)), s_on(a, b, g, min(t, t_s))
    step = 1e-4
    for _ in range(round(max(t - t_s, 0.0) / step)):  # Euler's steps of the equations themselves
        u, s = u - step * b * u, s + step * (b * u - g * s)
    way, place = ("rising", "above") if b * u > g * s else ("falling", "below")
    return [g / b, f"It is {way}: the cell lies {place}"]


def underflow(d: Data) -> Answers:
    total = log_n(d["u"], d["u_bar"], d["sigma"]) + log_n(d["s"], d["s_bar"], d["sigma"])
    return [total, total / math.log(10), "Exactly 0.0"]


def mixture(d: Data) -> Answers:
    each = pi_of(d) * np.exp(row(d, "log u"))
    return [math.log(each.sum()), each / each.sum()]


def joint_or_separate(d: Data) -> Answers:
    pi, of_u, of_s = pi_of(d), np.exp(row(d, "log u")), np.exp(row(d, "log s"))
    return [math.log(sum(pi * of_u * of_s)), math.log(sum(pi * of_u)) + math.log(sum(pi * of_s))]


def kl_z(d: Data) -> Answers:
    mu, log_var = row(d, "mu"), row(d, "log_var")
    return [0.5 * sum(np.exp(log_var) + mu**2 - log_var - 1)]


def switch_penalty(d: Data) -> Answers:
    a, b, g, t_s = d["alpha"], d["beta"], d["gamma"], d["switch_time"]
    starts = (a / b, a / g), (u_on(a, b, t_s), s_on(a, b, g, t_s))
    return [(u - d["u_star"]) ** 2 + (s - d["s_star"]) ** 2 for u, s in starts]


def prediction(d: Data) -> Answers:
    gap = d["u_bar"] - d["u"]
    return [gap / d["sigma"] ** 2, "Down: the prediction" if gap > 0 else "Up: the prediction"]


def noise(d: Data) -> Answers:
    gap, sigma = d["u"] - d["u_bar"], d["sigma"]
    far = abs(gap) > sigma
    words = "It grows: the data lie more" if far else "It shrinks: the data lie less"
    return [1 / sigma - gap**2 / sigma**3, words]


def pull_on_concentrations(d: Data) -> Answers:
    q = row(d, "concentration")
    return [(q - 0.25) * polygamma(1, q) - (q.sum() - 1) * polygamma(1, q.sum())]


def pull_on_alpha(d: Data) -> Answers:
    a, b, g, t, sigma = (d[n] for n in ("alpha", "beta", "gamma", "time", "sigma"))
    u, s = u_on(a, b, t), s_on(a, b, g, t)
    by_u = (u - d["u"]) / sigma**2 * u / a
    return [by_u, by_u + (s - d["s"]) / sigma**2 * s / a]


def pull_on_switch_time(d: Data) -> Answers:
    tau = (d["t_max"] - d["switch_time"]) * d["rho_3"]
    return [d["u_0"] * d["beta"] * d["rho_3"] * math.exp(-d["beta"] * tau)]


def through(pull: float, mu: float, log_var: float, eps: float) -> Answers:
    path = pull * 0.5 * math.exp(0.5 * log_var) * eps
    return [pull + mu, path + 0.5 * (math.exp(log_var) - 1)]


def through_code(d: Data) -> Answers:
    points = zip(*(
        [d[f"probe {i} {name}"] for i in range(1, 6)] for name in ("pull", "log_var", "eps")
    ), strict=True)  # fmt: skip
    weight = d["kl_weight"]
    return [[through(p / weight, 0.0, v, e)[1] * weight for p, v, e in points]]


def steady_start(d: Data) -> Answers:
    a, b, g, t = d["alpha"], d["beta"], d["gamma"], d["switch_time"]
    u, s = u_on(a, b, t), s_on(a, b, g, t)
    slope_u, slope_s = a - b * u, b * u - g * s  # the differential equations
    pull = 2 * (u - d["u_star"]) * slope_u + 2 * (s - d["s_star"]) * slope_s
    return [pull, "No path: a steady state"]


def quotient(d: Data) -> Answers:
    a, b, t, h = d["alpha"], d["beta"], d["time"], d["h"]
    return [(u_on(a, b + h, t) - u_on(a, b - h, t)) / (2 * h), "No: the two values"]


def first_step(d: Data) -> Answers:
    pull = d["size"] * d["sign"]
    same = "as large as now: the gradient"
    return [d["alpha"] - d["eta"] * pull, d["alpha"] - d["eta"] * math.copysign(1, pull), same]


def bias_correction(d: Data) -> Answers:
    (g_1, g_2), b_1, b_2 = row(d, "gradient"), d["beta_1"], d["beta_2"]
    m = (b_1 * g_1 + g_2) / (1 + b_1)  # (1 − b²) = (1 − b)(1 + b)
    return [(m, (b_2 * g_1**2 + g_2**2) / (1 + b_2))]


def bug_adam(d: Data) -> Answers:
    (g_1, g_2), b_1, b_2 = row(d, "gradient"), 0.9, 0.95
    m, v = (b_1 * g_1 + g_2) / (1 + b_1), (b_2 * g_1**2 + g_2**2) / (1 + b_2)
    return [None, d["x"] - d["rate"] * (math.copysign(1, g_1) + m / math.sqrt(v))]


def free_value(d: Data) -> Answers:
    pull = d["pull"] / (1 + math.exp(-d["a"]))
    return [pull, math.log(1 + math.exp(d["a"] - d["eta"] * pull))]


def warm_up(d: Data) -> Answers:
    share = d["epoch"] / d["length"]
    return [share, d["switch_weight"] * (1 - share)]


PRIOR = np.full(4, 0.25)

SOLUTIONS: Mapping[str, Callable[[Data], Answers]] = {
    "read-the-table": table,
    "highest-cells": highest,
    "glorot": lambda d: [math.sqrt(6 / (d["inputs"] + d["outputs"]))],
    "hidden-unit": hidden_unit,
    "reparameterise": lambda d: [
        row(d, "mu") + np.sqrt(np.exp(row(d, "log_var"))) * row(d, "epsilon")
    ],
    "concentrations": concentrations,
    "log-draw": log_draw,
    "latent-times": times,
    "unspliced-induction": lambda d: [u_on(d["alpha"], d["beta"], d["time"])],
    "spliced-induction": lambda d: [s_on(d["alpha"], d["beta"], d["gamma"], d["time"])],
    "repression": repression,
    "velocity": velocity,
    "units-of-time": units,
    "equal-rates": equal_rates,
    "read-the-curve": read_curve,
    "phase-portrait": phase_portrait,
    "bug-kinetics": lambda d: [None, s_on(d["alpha"], d["beta"], d["gamma"], d["time"])],
    "log-density": lambda d: [log_n(d["u"], d["u_bar"], d["sigma"] * d["scale"])],
    "underflow": underflow,
    "responsibilities": mixture,
    "joint-or-separate": joint_or_separate,
    "kl-z": kl_z,
    "kl-pi": lambda d: [kl_dirichlet(row(d, "concentration"), PRIOR), "It is negative"],
    "bug-divergence": lambda d: [None, kl_dirichlet(row(d, "posterior"), PRIOR)],
    "switch-penalty": switch_penalty,
    "pull-on-prediction": prediction,
    "pull-on-noise": noise,
    "pull-on-concentrations": pull_on_concentrations,
    "pull-on-alpha": pull_on_alpha,
    "pull-on-switch-time": pull_on_switch_time,
    "through-the-draw": lambda d: through(d["pull"], d["mu"], d["log_var"], d["epsilon"]),
    "through-the-draw-code": through_code,
    "hard-state": lambda d: [f"Only that of state {d['state']}", "No path: a small change"],
    "steady-start": steady_start,
    "difference-quotient": quotient,
    "first-step": first_step,
    "bias-correction": bias_correction,
    "clipping": lambda d: [
        row(d, "gradient") * d["bound"] / math.sqrt(sum(row(d, "gradient") ** 2))
    ],
    "bug-adam": bug_adam,
    "free-value": free_value,
    "warm-up": warm_up,
    "where-it-leads": lambda d: [f"All four to {d['prior']:g}:", "To sum the state out"],
}
"""By exercise, each part's answer: numbers, how the right option begins, or None to leave out.

Left out altogether: 'drawn-state' and 'loss', which are solved from the text of the question.
"""
