"""From a scenario to the model's records: names looked up, defaults computed, draws made."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from velotrace.data import Expression, HighestCells, closest, highest_cells, read_expression
from velotrace.errors import InputError
from velotrace.model import networks, objective, random
from velotrace.model.holding import LARGEST_RATE, NOISE, held_values
from velotrace.model.readings import PRESET_OPTIMISERS, PRESETS, Optimiser, Reading, in_force
from velotrace.model.records import Architecture, Constants, Draws, Iteration, Parameters
from velotrace.quantities import PARAMETERS
from velotrace.scenario.load import load, under_reading
from velotrace.scenario.pins import Pair, Pins, look_up_pins
from velotrace.scenario.schema import OptimiserKeys, PerGene, ReadingKeys, Scenario


@dataclass(frozen=True)
class Resolved:
    """A scenario with everything worked out.

    Attributes:
        scenario: the same scenario with every key written out.
        expression: all cells of the data.
        cells: names of the mini-batch, in its order.
        parameters: θ and φ at the start, as the reading holds them.
        iteration: what the one iteration holds fixed; its reading has the weights of epoch 0.
        reading: the choices, weights as at the end of a warm-up.
        optimiser: settings of the step.
        architecture: sizes of the networks.
    """

    scenario: Scenario
    expression: Expression
    cells: tuple[str, ...]
    parameters: Parameters
    iteration: Iteration
    reading: Reading
    optimiser: Optimiser
    architecture: Architecture

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the genes."""
        return self.expression.genes

    @property
    def highest(self) -> HighestCells:
        """The cells that give alpha, u* and s*, and their medians."""
        return highest_cells(self.expression, _upper_cells(self.scenario, self.expression))


def resolve(path: Path, reading: Mapping[str, Any] | None = None) -> Resolved:
    """Load a scenario file and its data and work everything out.

    Args:
        path: the scenario; its data file is looked for beside it.
        reading: keys of [reading] to use instead of the file's, as `load.under_reading` takes them.

    Returns:
        The records to run.

    Raises:
        InputError: one line that names the file, the key or row, what was given and what is right.
    """
    scenario = load(path)
    table = path.parent / scenario.data.file
    if not os.path.isfile(table):  # noqa: PTH113 - says no of names that Path.is_file fails on
        given = f"key 'data.file' is {scenario.data.file!r}"
        raise InputError(f"{path}: {given}; it must be a CSV file, looked for at {table}")
    expression = read_expression(table)
    try:
        if reading is not None:
            scenario = under_reading(scenario, reading)
        return work_out(scenario, expression)
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from None


def work_out(scenario: Scenario, expression: Expression) -> Resolved:
    """Work everything out from a scenario and its data in memory.

    Raises:
        InputError: the two do not fit each other.
    """
    cells = _batch(scenario, expression)
    upper = _upper_cells(scenario, expression)
    highest = highest_cells(expression, upper)
    genes = expression.genes
    constants = Constants(
        scenario.constants.t_max,
        np.array(scenario.constants.state_scale),
        scenario.constants.pi_prior,
        _per_gene(scenario.constants.u_star, highest.unspliced, genes, "constants.u_star"),
        _per_gene(scenario.constants.s_star, highest.spliced, genes, "constants.s_star"),
    )
    theta = _theta(scenario, highest.unspliced, genes)
    reading = _reading(scenario.reading)
    keys = scenario.networks
    architecture = Architecture(
        keys.latent, tuple(keys.hidden), keys.activation, keys.initialiser, keys.seed
    )
    phi = networks.initialise(architecture, len(genes), reading.decoders)
    pins = look_up_pins(scenario.pins, expression, cells, theta["switch_time"])
    held = _held(theta, reading, genes)
    parameters, iteration = _iteration(
        scenario, expression, cells, held | phi, theta["switch_time"], constants, reading, pins
    )
    optimiser = _optimiser(scenario.optimiser, scenario.reading.preset)
    spelled = _spelled_out(scenario, cells, upper, theta, constants, reading, optimiser)
    return Resolved(
        spelled, expression, cells, parameters, iteration, reading, optimiser, architecture
    )


# ---- the parts ------------------------------------------------------------------------------


def _batch(scenario: Scenario, expression: Expression) -> tuple[str, ...]:
    cells = scenario.batch.cells
    if cells is None:
        return expression.cells
    if not cells:
        raise InputError("key 'batch.cells' is []; name at least one cell, or leave it out for all")
    known, named = set(expression.cells), set()
    for cell in cells:
        if cell not in known:
            hint = closest(cell, expression.cells)
            raise InputError(f"key 'batch.cells' names {cell!r}, which is not in the data{hint}")
        if cell in named:
            raise InputError(f"key 'batch.cells' names {cell!r} twice; name each cell once")
        named.add(cell)
    return tuple(cells)


def _upper_cells(scenario: Scenario, expression: Expression) -> int:
    cells, upper = len(expression.cells), scenario.data.upper_cells
    if upper is None:
        return -(-cells // 100)  # 1 % of the cells, rounded up, in whole numbers
    if upper > cells:
        raise InputError(f"key 'data.upper_cells' is {upper}; the data have {cells} cells")
    return upper


def _per_gene(
    given: PerGene | None, default: np.ndarray, genes: tuple[str, ...], key: str
) -> np.ndarray:
    if given is None:
        return default
    if isinstance(given, list) and len(given) != len(genes):
        right = f"the data have {len(genes)} genes ({', '.join(genes[:6])})"
        raise InputError(f"key {key!r} has {len(given)} numbers; {right}")
    return np.array(np.broadcast_to(np.asarray(given, dtype=np.float64), len(genes)))


def _theta(scenario: Scenario, highest: np.ndarray, genes: tuple[str, ...]) -> Parameters:
    theta = {}
    for name in PARAMETERS:
        given = getattr(scenario.initial, name)
        given = None if given == "upper-median" else given
        theta[name] = values = _per_gene(given, highest, genes, f"initial.{name}")
        limits, allowed = "greater than 0", values > 0.0
        if name == "alpha":  # a gene without any unspliced RNA is dull but lawful
            limits, allowed = "0 or more", values >= 0.0
        if name == "switch_time":
            t_max = scenario.constants.t_max
            limits, allowed = f"between 0 and t_max = {t_max:g}", (values > 0.0) & (values < t_max)
        _refuse_unless(allowed, name, values, genes, limits)
    return theta


def _held(theta: Parameters, reading: Reading, genes: tuple[str, ...]) -> Parameters:
    """θ as the reading holds it; what cannot be held so is refused."""
    if reading.parameterisation == "softplus":
        limits = f"above 0, at most {LARGEST_RATE:g}, with parameterisation 'softplus'"
        for name in ("alpha", "beta", "gamma"):
            allowed = (theta[name] > 0.0) & (theta[name] <= LARGEST_RATE)
            _refuse_unless(allowed, name, theta[name], genes, limits)
    if reading.noise_parameter == "variance":  # so that the square neither vanishes nor overflows
        limits = "from 1e-150 to 1e150 where the noise parameter is a variance"
        for name in NOISE:
            allowed = (theta[name] >= 1e-150) & (theta[name] <= 1e150)
            _refuse_unless(allowed, name, theta[name], genes, limits)
    return held_values(theta, reading)


def _refuse_unless(
    allowed: np.ndarray, name: str, values: np.ndarray, genes: tuple[str, ...], limits: str
) -> None:
    if not allowed.all():
        gene = int(np.argmin(allowed))
        given = f"key 'initial.{name}' is {values[gene]:g} for gene {genes[gene]!r}"
        raise InputError(f"{given}; it must be {limits}")


def _reading(keys: ReadingKeys) -> Reading:
    chosen = keys.model_dump(exclude={"preset"}, exclude_none=True)
    if "kl_weight" in chosen:  # a weight that is given holds from the start
        chosen.setdefault("kl_warmup", 0)
    if "switch_weight" in chosen:
        chosen.setdefault("switch_fades", False)
    return replace(PRESETS[keys.preset], **chosen)


def _optimiser(keys: OptimiserKeys, preset: str) -> Optimiser:
    chosen = keys.model_dump(exclude_none=True)
    if "betas" in chosen:
        chosen["betas"] = tuple(chosen["betas"])
    return replace(PRESET_OPTIMISERS[preset], **chosen)


def _iteration(
    scenario: Scenario,
    expression: Expression,
    cells: tuple[str, ...],
    parameters: Parameters,
    switch_time: np.ndarray,
    constants: Constants,
    reading: Reading,
    pins: Pins,
) -> tuple[Parameters, Iteration]:
    """Draw the noise, meet the pinned times by the decoder's biases, draw π and k."""
    seed, genes, now = scenario.noise.seed, expression.genes, in_force(reading, 0)
    epsilon = random.draw_epsilon(seed, 0, len(expression.cells), scenario.networks.latent)

    def undrawn(of: Expression) -> Iteration:
        rows = expression.rows(of.cells)
        nothing = np.zeros((len(rows), len(genes), 4))
        draws = Draws(epsilon[rows], nothing, None)
        activation = scenario.networks.activation
        return Iteration(of.unspliced, of.spliced, draws, constants, now, activation)

    if pins.time:
        parameters = _meet_times(
            parameters, switch_time, undrawn(expression), expression, pins.time
        )
    iteration = undrawn(expression.take(cells))
    posterior = objective.infer(parameters, iteration, iteration.unspliced, iteration.spliced)
    _check_concentrations(posterior["concentration"], cells, genes)
    pi = random.draw_pi(seed, 0, posterior["concentration"])
    for (cell, gene), given in pins.pi.items():
        pi[cells.index(cell), genes.index(gene)] = given
    state = None
    if reading.draws_state:
        state = random.draw_state(seed, 0, pi)
        for (cell, gene), k in pins.state.items():
            state[cells.index(cell), genes.index(gene)] = k
    draws = Draws(iteration.draws.epsilon_z, pi, state)
    return parameters, replace(iteration, draws=draws)


def _check_concentrations(
    concentration: np.ndarray, cells: tuple[str, ...], genes: tuple[str, ...]
) -> None:
    """Networks with outputs far below 0 give concentrations that underflow: no Dirichlet then."""
    lawful = np.isfinite(concentration) & (concentration >= random.SMALLEST)
    if not lawful.all():
        n, g, k = (int(i) for i in np.argwhere(~lawful)[0])
        raise InputError(
            f"the concentration of cell {cells[n]!r}, gene {genes[g]!r}, state {k + 1} is "
            f"{concentration[n, g, k]:g}, which no Dirichlet has; scale the data nearer to 1, or "
            "choose other [networks]"
        )


def _meet_times(
    parameters: Parameters,
    switch_time: np.ndarray,
    everyone: Iteration,
    expression: Expression,
    times: dict[Pair, float],
) -> Parameters:
    """Solve for the output biases of `decoder_ind` that give the pinned times.

    The network then really gives them, and gradients flow as ever: with everything else as it is,
    the bias is what is missing to logit(t/t_s).
    """
    posterior = objective.infer(parameters, everyone, everyone.unspliced, everyone.spliced)
    shared, activation = parameters.get("decoder_shared", []), everyone.activation
    hidden = networks.hidden_stack("decoder_shared", shared, posterior["z"], activation)
    layers = parameters["decoder_ind"]
    outputs = networks.perceptron("decoder_ind", layers, hidden, activation)
    bias = layers[-1]["b"].copy()
    for (cell, gene), time in times.items():
        n, g = expression.cells.index(cell), expression.genes.index(gene)
        rho = time / switch_time[g]
        bias[g] += math.log(rho) - math.log1p(-rho) - outputs[n, g]
    return parameters | {"decoder_ind": [*layers[:-1], {"W": layers[-1]["W"], "b": bias}]}


def _spelled_out(
    scenario: Scenario,
    cells: tuple[str, ...],
    upper: int,
    theta: Parameters,
    constants: Constants,
    reading: Reading,
    optimiser: Optimiser,
) -> Scenario:
    """The scenario with every default replaced by what it stands for."""
    step: dict[str, Any] = asdict(optimiser) | {"betas": list(optimiser.betas)}
    return scenario.model_copy(
        update={
            "data": scenario.data.model_copy(update={"upper_cells": upper}),
            "batch": scenario.batch.model_copy(update={"cells": list(cells)}),
            "reading": ReadingKeys(preset=scenario.reading.preset, **asdict(reading)),
            "initial": scenario.initial.model_copy(
                update={name: theta[name].tolist() for name in PARAMETERS}
            ),
            "constants": scenario.constants.model_copy(
                update={"u_star": constants.u_star.tolist(), "s_star": constants.s_star.tolist()}
            ),
            "optimiser": OptimiserKeys(**step),
        }
    )
