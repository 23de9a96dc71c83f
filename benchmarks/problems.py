"""Iterations of any size to measure on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from velotrace.model import networks, objective, random
from velotrace.model.readings import DOCUMENT, JOINT, PAPER, Reading
from velotrace.model.records import Architecture, Constants, Draws, Iteration, Parameters
from velotrace.resources import data_path
from velotrace.scenario import resolve

READINGS = {"sampled-state": DOCUMENT, "separate-mixtures": PAPER, "joint-mixture": JOINT}


def walkthrough(reading: Reading = DOCUMENT) -> tuple[Parameters, Iteration]:
    """The document's two cells and three genes, under any reading."""
    resolved = resolve(data_path("walkthrough.toml"))
    return resolved.parameters, replace(resolved.iteration, reading=reading)


def synthetic(cells: int, genes: int, reading: Reading = DOCUMENT) -> tuple[Parameters, Iteration]:
    """As many cells and genes as wanted, with the walkthrough's networks."""
    numbers = np.random.default_rng(0)
    theta = {
        "alpha": numbers.uniform(0.2, 2.0, genes),
        "beta": numbers.uniform(0.1, 1.0, genes),
        "gamma": numbers.uniform(0.1, 1.0, genes),
        "switch_time": numbers.uniform(4.0, 16.0, genes),
        "sigma_u": numbers.uniform(0.2, 0.6, genes),
        "sigma_s": numbers.uniform(0.2, 0.6, genes),
    }
    architecture = Architecture(10, (16,), "tanh", "glorot-uniform", 0)
    parameters = theta | networks.initialise(architecture, genes, reading.decoders)
    upper = numbers.uniform(0.5, 1.0, (2, genes))
    constants = Constants(20.0, np.array([1.0, 1.0, 1.0, 0.1]), 0.25, *upper)
    u, s = numbers.uniform(0.0, 1.0, (2, cells, genes))
    draws = Draws(numbers.standard_normal((cells, 10)), np.zeros((cells, genes, 4)), None)
    iteration = Iteration(u, s, draws, constants, reading, "tanh")
    concentration = objective.infer(parameters, iteration, u, s)["concentration"]
    pi = random.draw_pi(0, 0, concentration)
    state = random.draw_state(0, 0, pi) if reading.draws_state else None
    return parameters, replace(iteration, draws=Draws(draws.epsilon_z, pi, state))


def loss_of(iteration: Iteration) -> Any:
    """The loss as a function of the parameters."""
    return partial(objective.loss, iteration=iteration)
