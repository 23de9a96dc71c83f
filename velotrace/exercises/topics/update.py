"""Exercises on the update: gradient descent and Adam."""

from __future__ import annotations

import math

import numpy as np

from velotrace.exercises.chooser import Chooser
from velotrace.exercises.parts import Draft, Entry, choice, number, plain, stated, vector
from velotrace.learning.optimisers import Info, adam_start, adam_step, clip, sgd_step
from velotrace.model.readings import Optimiser


def first_step(c: Chooser) -> Draft:
    """One step of each from the same gradient."""
    old = c.decimal("alpha", 0.5, 1.5, 0.01)
    size = c.decimal("size", 150.0, 4000.0, 10.0)
    gradient = size * c.pick("sign", (1.0, -1.0))
    settings = Optimiser(learning_rate=c.pick("eta", (0.005, 0.01, 0.02, 0.03)))
    eta, start, pull = settings.learning_rate, np.array(old), np.array(gradient)
    plain_step = float(sgd_step(start, pull, settings)["updated"])
    adam = float(adam_step(start, pull, adam_start(start), settings)[1]["updated"])
    uncorrected = old - eta * 0.1 * gradient / math.sqrt(0.001 * gradient**2)
    descent = number(
        r"The new $\alpha$ after one step of gradient descent.",
        plain_step,
        (
            "Adam for SGD",
            adam,
            "That is Adam's step; the formula asked for multiplies by the gradient itself.",
        ),
        (
            "step along the gradient",
            2.0 * old - plain_step,
            "The step goes along the gradient; it must go against it.",
        ),
        ("change for new value", plain_step - old, "That is the change; add it to the old value."),
        ("learning rate forgotten", old - gradient, "The learning rate is missing."),
    )
    named = number(
        r"The new $\alpha$ after the first step of Adam ($\beta_1 = 0.9$, $\beta_2 = 0.999$, with "
        r"bias "
        "correction; its eps is negligible).",
        adam,
        (
            "SGD for Adam",
            plain_step,
            "That is plain gradient descent. In Adam's first step the gradient's size cancels.",
        ),
        (
            "bias correction forgotten",
            uncorrected,
            "The bias correction is missing: $m$ and $v$ start at 0 and are too small at first, "
            "not by the same factor.",
        ),
        (
            "step along the gradient",
            2.0 * old - adam,
            "The step goes along the gradient; it must go against it.",
        ),
        (
            "root forgotten",
            old - eta / gradient,
            "$\\hat m$ is divided by $\\hat v$; the root is missing.",
        ),
    )
    why = choice(
        c,
        "why",
        "With a gradient ten times as large, Adam's first step would be",
        "as large as now: the gradient is divided by its own size.",
        (
            "ten times",
            "ten times as large: a step is proportional to its gradient.",
            "That is so for gradient descent. Adam divides by the root of the squared gradient.",
        ),
        (
            "a tenth",
            "a tenth as large: it is divided by the square of the gradient.",
            "By the *root* of its square; and the gradient itself stands above.",
        ),
        (
            "learning rate",
            "as large as now: the learning rate adapts to the loss.",
            "The size is right, but the loss does not enter; and the learning rate stays.",
        ),
    )
    return Draft(
        rf"A step from {stated(alpha=old)} with $\partial L/\partial\alpha = {gradient:g}$ and the "
        f"learning rate {stated(eta=eta)}.",
        (descent, named, why),
        r"Descent: $\alpha - \eta\,g$. Adam's first step: $\hat m = g$, $\hat v = g^2$, so the "
        r"change is $-\eta\,g/|g|$. The document prints the first and names the second.",
    )


def bias_correction(c: Chooser) -> Draft:
    """Adam's second step."""
    pulls = [c.decimal(f"gradient {i}", -9.0, 9.0, 0.5) for i in (1, 2)]
    settings = Optimiser(
        betas=(c.pick("beta_1", (0.8, 0.85, 0.9)), c.pick("beta_2", (0.95, 0.98, 0.99)))
    )
    state, info = adam_start(np.array(0.0)), Info()
    for pull in pulls:
        state, info = adam_step(np.array(0.0), np.array(pull), state, settings)
    m, v = float(info["first_moment"]), float(info["second_moment"])
    b_1, b_2 = settings.betas
    right = [float(info[f"{name}_moment_corrected"]) for name in ("first", "second")]
    alone = [(1 - b_1) * pulls[1], (1 - b_2) * pulls[1] ** 2]
    part = vector(
        r"$\hat m$ and $\hat v$ after the second gradient.",
        right,
        ["m̂", "v̂"],
        ("bias correction forgotten", (m, v), "The bias correction is missing."),
        (
            "correction of the first step",
            (m / (1 - b_1), v / (1 - b_2)),
            "The decay in the correction is raised to the number of the step, which is 2.",
        ),
        (
            "decays swapped",
            (m / (1 - b_2**2), v / (1 - b_1**2)),
            "Each moment is corrected with its own decay; they are swapped.",
        ),
        (
            "square forgotten",
            (right[0], _plain_second(pulls, b_2)),
            "$v$ averages the *squared* gradient.",
        ),
        (
            "memory forgotten",
            (alone[0] / (1 - b_1**2), alone[1] / (1 - b_2**2)),
            "The first gradient is forgotten: the old moment enters, times its decay.",
        ),
    )
    return Draft(
        rf"Adam starts with $m = v = 0$ and has the decays $\beta_1 = {b_1:g}$ and $\beta_2 = "
        rf"{b_2:g}$. Its "
        f"first two gradients are ${plain(pulls[0])}$ and ${plain(pulls[1])}$.",
        (part,),
        r"$m \leftarrow \beta_1 m + (1 - \beta_1) g$, $v \leftarrow \beta_2 v + (1 - \beta_2) "
        r"g^2$ twice; then $\hat m = m/(1 - \beta_1^2)$ and $\hat v = v/(1 - \beta_2^2)$.",
    )


def _plain_second(pulls: list[float], decay: float) -> float:
    v = (1 - decay) * (decay * pulls[0] + pulls[1])
    return v / (1 - decay**2)


def clipping(c: Chooser) -> Draft:
    """A gradient of three numbers, clipped by its norm."""
    pull = np.array(c.decimals("gradient", 3, -60.0, 60.0, 1.0))
    bound = Optimiser(clip_norm=c.pick("bound", (5.0, 8.0, 10.0, 12.0)))
    limit = float(bound.clip_norm or 0.0)
    size = float(np.linalg.norm(pull))
    right = clip(pull, limit)
    part = vector(
        "The three numbers after clipping.",
        right,
        ["first", "second", "third"],
        (
            "clipped one by one",
            np.clip(pull, -limit, limit),
            "Each number was clipped on its own; that changes the direction. All are scaled "
            "together.",
        ),
        ("unit length", pull / size, "That has length 1; multiply by the bound."),
        ("not clipped", pull, "Nothing was clipped, but the norm is above the bound."),
        (
            "sum of sizes for norm",
            pull * limit / np.abs(pull).sum(),
            "Scaled by the sum of sizes; the norm is the root of the sum of squares.",
        ),
        (
            "largest for norm",
            pull * limit / np.abs(pull).max(),
            "Scaled by the largest size; the norm is the root of the sum of squares.",
        ),
    )
    return Draft(
        f"All gradients together are ${plain(pull)}$. They are clipped by their joint norm, at "
        f"most {limit:g}.",
        (part,),
        r"Where the norm $\|g\|$ exceeds the bound $c$, each number is multiplied by $c/\|g\|$; "
        r"here "
        f"$\\|g\\| = {size:.4g}$.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("first-step", "As printed and as named", "number", first_step),
    ("bias-correction", "Adam's second step", "vector", bias_correction),
    ("clipping", "Clipped by the norm", "vector", clipping),
)
