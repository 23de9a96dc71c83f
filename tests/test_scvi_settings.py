"""Every number that the chapter on scvi-tools states of it, read off the installed package.

Not those of how data are prepared: they are no part of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scvi", reason="the settings are scvi-tools': make test-scvi")

import scvi
import scvi_module
import torch
from scvi.dataloaders import DataSplitter

from velotrace.model.pathwise import beta_slope
from velotrace.report import scvi_settings
from velotrace.report.scvi_settings import SETTINGS, Setting

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints-scvi.txt"
ARGUMENTS = [one for one in SETTINGS.values() if one.argument and one.group != "data"]
INSIDE = [one for one in SETTINGS.values() if not one.argument and one.group != "data"]


def function(setting: Setting) -> Callable[..., Any]:
    owner, _, name = setting.where.rpartition(".")
    module, _, cls = owner.rpartition(".")
    if cls == "VELOVAE":  # not exported beside VELOVI
        module = "external.velovi"
    found = getattr(__import__(f"scvi.{module}", fromlist=[cls]), cls)
    return attrgetter(name)(found)


def module(cells: int = 4, genes: int = 400) -> Any:
    u, s = np.random.default_rng(0).uniform(0.1, 1.0, (2, cells, genes)).astype(np.float32)
    torch.manual_seed(0)
    return scvi_module.velovi(u, s, (4,), 2).module


def test_the_version_is_the_one_compared() -> None:
    assert scvi.__version__ == scvi_settings.VERSION
    assert f"scvi-tools=={scvi_settings.VERSION}" in CONSTRAINTS.read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", ARGUMENTS, ids=lambda one: one.key)
def test_defaults(setting: Setting) -> None:
    default = inspect.signature(function(setting)).parameters[setting.argument or ""].default
    assert default == setting.value
    assert isinstance(default, bool) == isinstance(setting.value, bool)


def test_where_free_values_start() -> None:
    made = module()
    for key, name in {
        "beta_free": "beta_mean_unconstr",
        "gamma_free": "gamma_mean_unconstr",
        "variance_free": "scale_unconstr",
    }.items():
        assert set(getattr(made, name).detach().numpy().ravel()) == {SETTINGS[key].value}
    drawn = made.switch_time_unconstr.detach().numpy()
    spread = scvi_settings.value("switch_time_spread")
    # 400 draws: the mean within 4 standard errors, the deviation too
    assert abs(drawn.mean() - scvi_settings.value("switch_time_free")) < 4 * spread / 20
    assert abs(drawn.std() - spread) < 4 * spread / np.sqrt(800)


def test_the_upper_cells() -> None:
    """α starts at the softplus inverse of the median of what lies above the quantile."""
    u = np.random.default_rng(1).uniform(0.1, 1.0, (250, 2)).astype(np.float32)
    made = scvi_module.velovi(u, u, (4,), 2).module
    kept = 250 - int(250 * scvi_settings.value("upper"))
    wanted = np.median(np.sort(u, axis=0)[-kept:], axis=0)
    start = torch.nn.functional.softplus(made.alpha_unconstr).detach().numpy()
    np.testing.assert_allclose(start, wanted, rtol=1e-6)
    np.testing.assert_allclose(made.switch_unspliced, wanted, rtol=1e-6)


def test_limits_and_scales() -> None:
    made = module(genes=2)
    with torch.no_grad():
        made.alpha_unconstr.fill_(1e3)
        rate = made._get_rates()[2]
        ones, pi = torch.ones(4, 2), torch.full((4, 2, 4), 0.25)
        rates = made._get_rates()
        mixture, _, _ = made.get_px(pi, ones / 2, ones / 2, torch.ones(4, 4), *rates)
    assert set(rate.numpy()) == {SETTINGS["limit"].value}
    scale = mixture.component_distribution.scale.numpy()
    np.testing.assert_allclose(scale[..., 3] / scale[..., 0], SETTINGS["state_scale"].value)
    np.testing.assert_array_equal(scale[..., 0], scale[..., 2])


def test_dropout_is_the_encoders_alone_and_norms_are_everywhere() -> None:
    from anndata import AnnData
    from scvi.external import VELOVI

    u = np.random.default_rng(0).uniform(size=(4, 3)).astype(np.float32)
    data = AnnData(layers={"unspliced": u, "spliced": u}, shape=u.shape)
    VELOVI.setup_anndata(data, spliced_layer="spliced", unspliced_layer="unspliced")
    made = VELOVI(data).module

    def count(of: Any, kind: Any) -> int:
        return sum(isinstance(layer, kind) for layer in of.modules())

    encoder, decoder = made.z_encoder, made.decoder
    (dropout,) = [layer for layer in made.modules() if isinstance(layer, torch.nn.Dropout)]
    assert count(encoder, torch.nn.Dropout) == 1
    assert dropout.p == SETTINGS["dropout"].value
    for kind in (torch.nn.BatchNorm1d, torch.nn.LayerNorm):
        assert (count(encoder, kind), count(decoder, kind)) == (1, 2)
    weights = sum(
        x.numel()
        for layer in made.modules()
        if isinstance(layer, torch.nn.Linear)
        for x in layer.parameters()
    )
    sizes = (int(scvi_settings.value(key)) for key in ("hidden", "latent"))
    assert weights == scvi_settings.network_weights(3, *sizes)


@pytest.mark.parametrize("cells", [20, 283, 290, 600])
def test_the_share_held_out(cells: int) -> None:
    u = np.ones((cells, 2), dtype=np.float32)
    manager = scvi_module.velovi(u, u, (4,), 2).adata_manager
    split = DataSplitter(manager, batch_size=int(scvi_settings.value("batch")))
    split.setup()
    assert split.n_val == cells - np.ceil((1.0 - scvi_settings.value("held_out")) * cells)
    assert len(split.train_dataloader()) == scvi_settings.steps_an_epoch(cells)


def test_permutation_scores() -> None:
    """These two stand in the function and nowhere else."""
    text = inspect.getsource(scvi.external.VELOVI.get_permutation_scores)
    assert re.findall(r"N = (\d+)", text) == [str(SETTINGS["score_cells"].value)]
    assert set(re.findall(r"n_samples=(\d+)", text)) == {str(SETTINGS["score_draws"].value)}


def test_every_setting_that_no_signature_has_is_tested_above() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [one.key for one in INSIDE if f'"{one.key}"' not in text] == []


def test_what_a_result_leaves_out() -> None:
    """Latent time counts state 4 as time 0, and its velocity as 0; the switch time has no clamp."""
    made = scvi_module.velovi(*np.ones((2, 3, 2), dtype=np.float32), (4,), 2)
    with torch.no_grad():
        made.module.switch_time_unconstr.fill_(25.0)  # past t_max
    pi = torch.zeros(3, 2, 4)
    pi[:, 0, 3], pi[:, 1, 1] = 1.0, 1.0
    real = made.module.generative

    def generative(*args: Any, **kwargs: Any) -> Any:
        return real(*args, **kwargs) | {"px_pi": pi}

    made.module.generative = generative
    made.is_trained_ = True
    time = made.get_latent_time(return_numpy=True)
    assert set(time[:, 0]) == {0.0}
    np.testing.assert_allclose(time[:, 1], 25.0, rtol=1e-6)
    assert not made.get_velocity(return_numpy=True).any()


def test_the_clamp_of_probabilities() -> None:
    eps = float(torch.finfo(torch.float32).eps)
    assert eps == scvi_settings.PI_CLAMP
    made = torch.distributions.Categorical(probs=torch.tensor([1.0 - 1e-12, 1e-12]))
    assert float(made.logits[1]) == pytest.approx(np.log(eps), rel=1e-6)


def test_torchs_derivative_of_a_draw() -> None:
    """Against velotrace's, on a fixed sample over the stated range."""
    numbers = np.random.default_rng(0)
    low, high = np.log(scvi_settings.SLOPE_RANGE)
    a, b = np.exp(numbers.uniform(low, high, (2, 200_000)))
    x = numbers.beta(a, b)
    inside = (x > 1e-12) & (x < 1.0 - 1e-9)  # where 1 − x still has digits
    a, b, x = a[inside], b[inside], x[inside]
    theirs = torch._dirichlet_grad(*map(torch.tensor, (x, a, a + b))).numpy()
    worst = np.max(np.abs(theirs / beta_slope(x, 1.0 - x, a, b) - 1.0))
    assert worst == pytest.approx(scvi_settings.SLOPE_ERROR, rel=0.01)
