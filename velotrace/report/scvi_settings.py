"""What scvi-tools sets where nobody says otherwise: each setting, its value, where it stands.

The chapter on scvi-tools takes its numbers from here. Where scvi-tools is installed,
`tests/test_scvi_settings.py` reads them off the package itself, all but those of the group 'data':
scvi-tools has no preparation of data, and these are copied from the tutorial of `velovi`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from velotrace.model.networks import network_widths
from velotrace.model.records import Architecture
from velotrace.report.book_tables import markdown

VERSION = "1.4.2"
"""Of scvi-tools: the one compared, and the newest for Python 3.11."""

TUTORIAL_VERSION = "0.4.0"
"""Of `velovi`, whose tutorial and `preprocess_data` the group 'data' was read from."""

Group = Literal["sizes", "data", "start", "model", "training", "results"]
Value = float | str | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a program.

    Attributes:
        group: of the table that shows it.
        key: what this book calls it.
        value: unless a user says otherwise.
        where: the function of scvi-tools, dotted below `scvi`; for the group 'data' the file of
            the package `velovi`, from which scvi-tools took the model but not this.
        argument: of that function, where the value is its default; else None, for what stands in
            the function itself.
        about: what it is, in a few words.
    """

    group: Group
    key: str
    value: Value
    where: str
    argument: str | None
    about: str


_MODEL, _MODULE = "external.VELOVI", "external.VELOVAE"
_TUTORIAL, _UTILS = "docs/tutorial.ipynb", "velovi/_utils.py"


_INIT, _TRAIN, _MODULE_INIT = f"{_MODEL}.__init__", f"{_MODEL}.train", f"{_MODULE}.__init__"
_PLAN, _TRAINER = "train.TrainingPlan.__init__", "train.Trainer.__init__"
_VELOCITY, _TIME = f"{_MODEL}.get_velocity", f"{_MODEL}.get_latent_time"
_SCORES = f"{_MODEL}.get_permutation_scores"

_ROWS: tuple[tuple[Group, str, Value, str, str | None, str], ...] = (
    ("sizes", "hidden", 256, _INIT, "n_hidden", "width of a hidden layer"),
    ("sizes", "layers", 1, _INIT, "n_layers", "hidden layers of each network"),
    ("sizes", "latent", 10, _INIT, "n_latent", "dimensions of z"),
    ("sizes", "batch", 256, _TRAIN, "batch_size", "cells of a mini-batch"),
    ("data", "top_genes", 2000, _TUTORIAL, "n_top_genes", "genes kept, most variable first"),
    ("data", "shared_counts", 30, _TUTORIAL, "min_shared_counts", "counts that a gene needs"),
    ("data", "neighbours", 30, _TUTORIAL, "n_neighbors", "cells averaged into one"),
    ("data", "components", 30, _TUTORIAL, "n_pcs", "dimensions in which they are near"),
    ("data", "minmax", True, _UTILS, "min_max_scale", "scale each gene and layer to 0–1"),
    ("data", "filter", True, _UTILS, "filter_on_r2", "drop genes that fit no line"),
    ("data", "clock", 20.0, _TUTORIAL, None, "length of every gene's time afterwards"),
    ("data", "draws", 25, _TUTORIAL, "n_samples", "draws averaged in results"),
    ("start", "upper", 0.99, _INIT, None, "quantile of cells above which α, u*, s* are taken"),
    ("start", "beta_free", 0.5, _MODULE_INIT, None, "free value of β"),
    ("start", "gamma_free", -1.0, _MODULE_INIT, None, "free value of γ"),
    ("start", "switch_time_free", 7.0, _MODULE_INIT, None, "free value of the switch time, mean"),
    ("start", "switch_time_spread", 0.5, _MODULE_INIT, None, "its standard deviation over genes"),
    ("start", "variance_free", -1.0, _MODULE_INIT, None, "free values of both variances"),
    ("model", "t_max", 20.0, _MODULE_INIT, "t_max", "end of time"),
    ("model", "penalty", 0.2, _MODULE_INIT, "penalty_scale", "weight λ of the switch penalty"),
    ("model", "prior", 0.25, _MODULE_INIT, "dirichlet_concentration", "prior of π: concentration"),
    ("model", "limit", 50.0, f"{_MODULE}._get_rates", None, "largest rate"),
    ("model", "state_scale", 0.1, f"{_MODULE}.get_px", None, "factor on σ in state 4"),
    ("model", "eps", 1e-6, f"{_MODULE}._get_induction_unspliced_spliced", "eps", "in γ − β"),
    ("model", "least_variance", 1e-4, "nn.Encoder.__init__", "var_eps", "added to z's"),
    ("training", "epochs", 500, _TRAIN, "max_epochs", "passes over the cells, at most"),
    ("training", "rate", 0.01, _TRAIN, "lr", "learning rate of AdamW"),
    ("training", "decay", 0.01, _TRAIN, "weight_decay", "weight decay, of θ too"),
    ("training", "step_eps", 0.01, _PLAN, "eps", "added to AdamW's denominator"),
    ("training", "clip", 10, _TRAIN, "gradient_clip_val", "largest norm of all gradients"),
    ("training", "warmup", 400, _PLAN, "n_epochs_kl_warmup", "epochs until KL of z is whole"),
    ("training", "held_out", 0.1, "dataloaders.DataSplitter.__init__", None, "share held out"),
    ("training", "stopping", True, _TRAIN, "early_stopping", "stop when nothing improves"),
    ("training", "watched", "elbo_validation", _TRAINER, "early_stopping_monitor",
     "quantity watched"),
    ("training", "patience", 45, _TRAINER, "early_stopping_patience", "epochs without gain"),
    ("training", "dropout", 0.1, _INIT, "dropout_rate", "dropout, in the encoder of z only"),
    ("training", "batch_norm", "both", _MODULE_INIT, "use_batch_norm", "norm over a mini-batch"),
    ("training", "layer_norm", "both", _MODULE_INIT, "use_layer_norm", "norm over a layer's units"),
    ("results", "velocity_draws", 1, _VELOCITY, "n_samples", "draws of a velocity"),
    ("results", "velocity_mode", "mean", _VELOCITY, "velo_statistic", "how states are joined"),
    ("results", "velocity_clip", True, _VELOCITY, "clip", "not below minus spliced"),
    ("results", "time_draws", 1, _TIME, "n_samples", "draws of a latent time"),
    ("results", "time_mode", "mean", _TIME, "time_statistic", "how states are joined"),
    ("results", "state_draws", 20, f"{_MODEL}.get_state_assignment", "n_samples", "draws of π"),
    ("results", "direction_draws", 50, f"{_MODEL}.get_directional_uncertainty", "n_samples",
     "draws whose directions are compared"),
    ("results", "score_cells", 200, _SCORES, None, "cells of a type in a permutation score"),
    ("results", "score_draws", 10, _SCORES, None, "draws of its fits"),
)  # fmt: skip

SETTINGS = {one.key: one for one in (Setting(*row) for row in _ROWS)}

# ---- findings of the comparison with the real module ----------------------------------------

PI_CLAMP = 2.0**-23
"""Least probability in torch's `Categorical`, which works in float32: the distance from 1 to the
next number."""

SLOPE_RANGE = (0.05, 10.0)
"""Of the Beta parameters for which torch's derivative of a draw was compared."""

SLOPE_ERROR = 3.07e-3
"""Largest relative error of torch's slope g of a Beta draw, over `SLOPE_RANGE`."""


# ---- what follows from them -----------------------------------------------------------------


def value(key: str) -> float:
    """A setting that is a number."""
    return float(SETTINGS[key].value)


def network_weights(genes: int, hidden: int, latent: int) -> int:
    """How many weights and biases the networks of a `VELOVI` have, norms left out.

    Args:
        genes: how many.
        hidden: width of the one hidden layer.
        latent: dimensions of z.

    Returns:
        Of the encoder of z, of the states' network, and of the two times' shared one.

    Example:
        >>> network_weights(genes=3, hidden=16, latent=10)
        1110
    """
    architecture = Architecture(latent, (hidden,), "relu", "glorot-uniform", 0)
    networks = network_widths(architecture, genes, "shared-hidden").values()
    return sum(
        (inputs + 1) * outputs for widths in networks for inputs, outputs in pairwise(widths)
    )


def stretch(abundance: np.ndarray) -> np.ndarray:
    """By how much min–max scaling stretches each gene: 1/(max − min) over cells.

    Args:
        abundance: shape (cell, gene).

    Returns:
        Factors, shape (gene,); infinite for a gene that is the same in all cells.

    Example:
        >>> stretch(np.array([[0.1, 3.0], [0.5, 1.0], [0.6, 5.0]]))
        array([2.  , 0.25])
    """
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.ptp(abundance, axis=0))


def steps_an_epoch(cells: int) -> int:
    """Mini-batches of one epoch of `VELOVI.train`, after some cells were held out.

    scvi-tools adds a last batch of one or two cells to those held out; that is left out here.

    Example:
        >>> steps_an_epoch(200), steps_an_epoch(1000)
        (1, 4)
    """
    trained = math.ceil((1.0 - value("held_out")) * cells)
    return math.ceil(trained / value("batch"))


def table(*groups: Group) -> str:
    """The settings of some groups: what, value, and where it stands in scvi-tools."""
    rows = []
    for one in SETTINGS.values():
        if one.group in groups:
            place = one.where.removeprefix("external.").removesuffix(".__init__")
            argument = "" if one.argument is None else f"<br>`{one.argument}`"
            rows.append([one.about, _word(one.value), f"`{place}`{argument}"])
    return markdown(["setting", "value", "where it stands"], rows, 3)


def _word(setting: Value) -> str | float:
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    return f"`{setting}`" if isinstance(setting, str) else setting
