"""Exercises on the encoder: one hidden unit, the draw of z."""

from __future__ import annotations

import numpy as np
import scipy.special

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import drawn_z
from velotrace.exercises.parts import Draft, Entry, number, stated, vector
from velotrace.model.networks import hidden_stack
from velotrace.model.objective import encoder_input
from velotrace.model.readings import DOCUMENT


def hidden_unit(c: Chooser) -> Draft:
    """tanh(x·w + b) of the interleaved input."""
    u, s = (np.array([c.decimals(name, 2, 0.1, 0.9, 0.1)]) for name in "us")
    w = np.array(c.decimals("w", 4, -0.9, 0.9, 0.1))
    b = c.decimal("b", -0.3, 0.3, 0.05)
    x = encoder_input(u, s, DOCUMENT)
    other = np.concatenate([u, s], axis=-1)
    layer = [{"W": w[:, None], "b": np.array([b])}]
    right = hidden_stack("encoder_z", layer, x, "tanh")[0, 0]
    total = float(x[0] @ w + b)
    part = number(
        "What does the unit put out?",
        right,
        ("activation forgotten", total, "That is what goes into the activation; apply tanh."),
        ("bias forgotten", np.tanh(total - b), "The bias is missing."),
        (
            "order of inputs",
            np.tanh(other[0] @ w + b),
            "The inputs are in another order: $u_A, s_A, u_B, s_B$.",
        ),
        (
            "logistic for tanh",
            scipy.special.expit(total),
            "That is the logistic function; this layer uses tanh.",
        ),
    )
    numbers = stated(u_A=u[0, 0], u_B=u[0, 1], s_A=s[0, 0], s_B=s[0, 1])
    return Draft(
        f"A cell has {numbers}. The encoder sees unspliced and spliced gene by gene. One unit of "
        f"its hidden layer has the weights {stated(w=w)} and the bias {stated(b=b)}, and the "
        "activation is tanh.",
        (part,),
        r"$\tanh(u_A w_1 + s_A w_2 + u_B w_3 + s_B w_4 + b)$.",
    )


def reparameterise(c: Chooser) -> Draft:
    """z* from mean, log variance and noise, three dimensions."""
    mu = np.array(c.decimals("mu", 3, -0.9, 0.9, 0.1))
    log_var = np.array(c.decimals("log_var", 3, -1.6, 1.6, 0.2))
    eps = np.array(c.decimals("epsilon", 3, -1.8, 1.8, 0.15))
    z = drawn_z(mu, log_var, eps)
    part = vector(
        "The three components of $z^*$.",
        z,
        ["first", "second", "third"],
        (
            "variance for standard deviation",
            mu + np.exp(log_var) * eps,
            "The noise is multiplied by the variance; it must be the standard deviation.",
        ),
        (
            "log variance itself",
            mu + log_var * eps,
            "The noise is multiplied by the logarithm of the variance itself.",
        ),
        ("half log variance itself", mu + 0.5 * log_var * eps, "The exponential is missing."),
        ("mean forgotten", z - mu, "The mean is missing."),
        ("sign", 2.0 * mu - z, "The noise has the wrong sign."),
    )
    return Draft(
        f"For one cell the encoder puts out {stated(mu=mu, log_var=log_var)}, the mean and the "
        f"logarithm of the variance. The noise is {stated(epsilon=eps)}.",
        (part,),
        r"$z^* = \mu_z + e^{\frac12 \log\Sigma_z}\,\varepsilon_z$, component by component: "
        r"$e^{\frac12\log\Sigma}$ is the standard deviation.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("hidden-unit", "One hidden unit", "number", hidden_unit),
    ("reparameterise", "The draw of z by hand", "vector", reparameterise),
)
