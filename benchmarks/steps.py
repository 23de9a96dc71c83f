"""One step, forward and backward: by hand, bare, recorded, under autograd, in PyTorch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import autograd
import numpy as np

from benchmarks.problems import READINGS, loss_of, synthetic, walkthrough
from benchmarks.timing import Row, medians, ratio
from velotrace.model.adjoint import backward
from velotrace.model.objective import loss
from velotrace.tape import leaves, map_leaves, named_values, program_of, record

HAVE_TORCH = importlib.util.find_spec("torch") is not None


def by_hand(parameters: Any, iteration: Any) -> Callable[[], object]:
    """One step called as it is written: forward, then the backward pass by hand."""

    def step() -> object:
        _, values = named_values(loss, parameters, iteration)
        return backward(parameters, iteration, values)

    return step


def as_program(parameters: Any, iteration: Any) -> Callable[[], object]:
    """The same as a program of all that differs from step to step, as training has it."""
    data, weights = ("unspliced", "spliced"), ("kl_weight", "switch_weight")
    drawn = ("epsilon_z", "pi", "state") if iteration.reading.draws_state else ("epsilon_z", "pi")
    arguments = dict(leaves(parameters))
    for source, names in (
        (iteration, data),
        (iteration.draws, drawn),
        (iteration.reading, weights),
    ):
        arguments |= {name: getattr(source, name) for name in names}

    def step(given: dict[str, Any]) -> object:
        draws = replace(iteration.draws, **{name: given[name] for name in drawn})
        reading = replace(iteration.reading, **{name: given[name] for name in weights})
        u, s = (given[name] for name in data)
        moved = replace(iteration, unspliced=u, spliced=s, draws=draws, reading=reading)
        return by_hand(map_leaves(lambda path, _: given[path], parameters), moved)()

    return partial(program_of(step, arguments).repeat, arguments)


def _torch(parameters: Any, iteration: Any) -> dict[str, Callable[[], object]]:
    if not HAVE_TORCH:
        return {}
    import torch

    from benchmarks.torch_step import torch_step

    torch.set_num_threads(1)
    return {"torch": torch_step(parameters, iteration)}


def recording() -> list[Row]:
    """Recording everything against autograd's value and gradient of the same function."""
    parameters, iteration = walkthrough()
    of_parameters = loss_of(iteration)
    value_and_grad = autograd.value_and_grad(of_parameters)
    times = medians(
        {
            "record": lambda: record(of_parameters, parameters),
            "autograd": lambda: value_and_grad(parameters),
        },
        rounds=25,
    )
    return [ratio("recording / autograd, walkthrough", times, "record", "autograd", 1.5)]


def small_steps() -> list[Row]:
    """The walkthrough's two cells, in each reading."""
    rows = []
    for name, reading in READINGS.items():
        parameters, iteration = walkthrough(reading)
        value_and_grad = autograd.value_and_grad(loss_of(iteration))
        calls: dict[str, Callable[[], object]] = {
            "hand": by_hand(parameters, iteration),
            "program": as_program(parameters, iteration),
            "bare": partial(loss, parameters, iteration),
            "autograd": partial(value_and_grad, parameters),
        }
        times = medians(calls | _torch(parameters, iteration), rounds=25)
        wanted = {
            ("hand", "bare"): 4.0,
            ("hand", "autograd"): 0.15,
            ("hand", "torch"): None,
            ("program", "torch"): 0.35,  # as training does it
        }
        for (ours, other), target in wanted.items():
            if other in times:
                bound = target if name == "sampled-state" else None
                what = f"by {ours} / {other}, 2 × 3, {name}"
                rows.append(ratio(what, times, ours, other, bound))
    return rows


def large_steps() -> list[Row]:
    """256 cells × 200 genes against PyTorch, both on one thread."""
    rows = []
    for name, reading in READINGS.items():
        parameters, iteration = synthetic(256, 200, reading)
        calls = {"hand": by_hand(parameters, iteration)} | _torch(parameters, iteration)
        times = medians(calls, rounds=9)
        target = 1.0 if name == "sampled-state" else 1.5
        if "torch" in times:
            rows.append(
                ratio(f"by hand / torch, 256 × 200, {name}", times, "hand", "torch", target)
            )
    return rows


def scaling(entries: tuple[int, ...] = (10, 100, 1_000, 10_000, 100_000, 1_000_000)) -> Any:
    """Seconds of one step by hand against cells × genes, for the sampled state.

    Returns:
        (cells, genes, entries, seconds) for each size.
    """
    rows = []
    for wanted in entries:
        genes = max(1, min(200, round(np.sqrt(wanted / 2.5))))
        cells = max(1, round(wanted / genes))
        parameters, iteration = synthetic(cells, genes)
        rounds = 3 if wanted >= 100_000 else 9
        times = medians({"hand": by_hand(parameters, iteration)}, rounds=rounds)
        rows.append((cells, genes, cells * genes, times["hand"]))
    return rows
