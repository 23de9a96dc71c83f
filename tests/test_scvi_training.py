"""`VELOVI.train` itself, step by step: velotrace makes the same steps from the same draws.

What the network is shown, and the z and π that it drew, are taken down during training; velotrace
then does the steps with its own forward pass, backward pass and optimiser, and must arrive where
the module did. It is turned to float64, so that no float32 error grows from step to step.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scvi", reason="the real training needs scvi-tools: make test-scvi")

import scvi
import scvi_cases
import scvi_module
import torch
from iterations import Case, make_case

from velotrace.learning.layout import Layout
from velotrace.learning.optimisers import AdamState, take_step
from velotrace.model.adjoint import backward
from velotrace.model.objective import loss
from velotrace.model.readings import PRESET_OPTIMISERS, SCVI_TOOLS, in_force
from velotrace.tape import evaluate, leaves

CELLS, GENES, LATENT, WIDTH, BATCH, EPOCHS = 11, 3, 4, 6, 4, 6
"""Three batches an epoch, the last of three cells."""

OPTIMISER = PRESET_OPTIMISERS["scvi-tools"]
PER_STEP = 2e-7
"""How far a step may differ, relative to its size: when torch clips it adds 1e-6 to the norm, which
is 10 or more (1e-7), and the weight of KL_z reaches the loss in float32 (6e-8)."""


@dataclass(frozen=True)
class Seen:
    """One step of scvi-tools: what went in, what it drew, in which epoch."""

    unspliced: np.ndarray
    spliced: np.ndarray
    z: np.ndarray
    pi: np.ndarray
    epoch: int


def train(model: Any, epochs: int) -> list[Seen]:
    """Run `VELOVI.train` on a module in float64 and take its steps down."""
    module, seen = model.module, []

    def to_float64(module: Any, inputs: Any, named: Any) -> Any:
        (batch,) = inputs
        return ({key: tensor.double() for key, tensor in batch.items()},), named

    def take_down(module: Any, inputs: Any, outputs: Any) -> None:
        (batch,), (inferred, generated, _) = inputs, outputs
        arrays = (batch["U"], batch["X"], inferred["z"], generated["px_pi"])
        step = len(seen)
        seen.append(Seen(*(x.detach().numpy().copy() for x in arrays), step // -(-CELLS // BATCH)))

    module.register_forward_pre_hook(to_float64, with_kwargs=True)
    module.register_forward_hook(take_down)
    model.train(
        max_epochs=epochs,
        batch_size=BATCH,
        train_size=1.0,
        early_stopping=False,
        accelerator="cpu",
        enable_progress_bar=False,
    )
    return seen


def replay(
    patch: pytest.MonkeyPatch, case: Case, module: Any, seen: list[Seen]
) -> tuple[dict[str, np.ndarray], list[float]]:
    """The same steps by velotrace: where they lead, and the norms of their gradients."""
    layout, eps = Layout.of(case.parameters), scvi_cases.EPS[torch.float64]
    row = layout.pack(dict(leaves(case.parameters)), 1)[0]
    memory, norms = AdamState(0, np.zeros_like(row), np.zeros_like(row)), []
    for step in seen:
        parameters = layout.one_run(row)
        iteration = replace(
            scvi_cases.with_constants(case.iteration, module),
            unspliced=step.unspliced,
            spliced=step.spliced,
            reading=in_force(SCVI_TOOLS, step.epoch),
        )
        used = scvi_cases.probabilities_used(step.pi, eps)
        iteration = scvi_cases.with_draws(iteration, parameters, step.z, used)
        scvi_cases.torch_derivative(patch, step.pi, torch.float64, eps)
        values = evaluate(partial(loss, iteration=iteration), parameters).values
        gradient = layout.pack(backward(parameters, iteration, values), 1)[0]
        norms.append(float(np.linalg.norm(gradient)))
        memory, info = take_step(row, gradient, memory, OPTIMISER)
        row = info["updated"]
    return dict(leaves(layout.one_run(row))), norms


@pytest.mark.filterwarnings("ignore")  # Lightning's, on data loaders and loggers
def test_the_steps_of_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """model.md 2: AdamW with eps 0.01, decay of θ and φ alike, clipping at 10, KL weight epoch/400.

    σ is such that some gradients are clipped and some are not.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    case = make_case(5, CELLS, GENES, LATENT, (WIDTH,), "relu", noise=0.7, **asdict(SCVI_TOOLS))
    u, s = (x.astype(np.float32) for x in (case.iteration.unspliced, case.iteration.spliced))
    scvi.settings.seed = 5  # of torch and of the order of cells
    model = scvi_module.velovi(u, s, (WIDTH,), LATENT)
    model.module.double()
    scvi_module.load(model.module, case.parameters)
    seen = train(model, EPOCHS)
    assert [len(step.z) for step in seen] == [4, 4, 3] * EPOCHS

    ended, norms = replay(monkeypatch, case, model.module, seen)
    assert max(norms) > OPTIMISER.clip_norm > min(norms)
    began, wanted = dict(leaves(case.parameters)), scvi_module.parameters(model.module)
    allowed = PER_STEP * OPTIMISER.learning_rate * len(seen)
    for name, ours in ended.items():
        assert np.max(np.abs(ours - began[name])) > 5 * OPTIMISER.learning_rate, name
        np.testing.assert_allclose(ours, wanted[name], rtol=0, atol=allowed, err_msg=name)
