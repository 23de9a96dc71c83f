"""The real module of scvi-tools, `scvi.external.VELOVI`, holding velotrace's parameters.

Nothing of it is copied or replaced: it draws, predicts and differentiates by itself, and what it
made is read off its outputs under velotrace's names. Dropout and norms are off, as in the reading.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

with warnings.catch_warnings():  # what other packages say of each other on import
    warnings.simplefilter("ignore")
    from anndata import AnnData
    from scvi.external import VELOVI
    from scvi.external.velovi import _module

THETA = {
    "alpha_free": "alpha_unconstr",
    "beta_free": "beta_mean_unconstr",
    "gamma_free": "gamma_mean_unconstr",
    "switch_time_free": "switch_time_unconstr",
}
"""Free values of θ and what the module calls them; the two variances share `scale_unconstr`."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Made:
    """What one call of the module made, by velotrace's names; weights as 'encoder_z.0.W'."""

    values: Arrays
    adjoints: Arrays


def velovi(unspliced: np.ndarray, spliced: np.ndarray, hidden: tuple[int, ...], latent: int) -> Any:
    """The model of scvi-tools for these data, as wide and deep as velotrace's networks.

    Args:
        unspliced: shape (cell, gene).
        spliced: same shape.
        hidden: widths of the hidden layers, all the same.
        latent: dimensions of z.
    """
    data = AnnData(layers={"unspliced": unspliced, "spliced": spliced}, shape=unspliced.shape)
    VELOVI.setup_anndata(data, spliced_layer="spliced", unspliced_layer="unspliced")
    return VELOVI(
        data,
        n_hidden=hidden[0],
        n_layers=len(hidden),
        n_latent=latent,
        dropout_rate=0.0,
        use_batch_norm="none",
        use_layer_norm="none",
    )


def linear_layers(module: Any) -> dict[str, list[Any]]:
    """The module's linear layers by velotrace's networks; those with one input stand together."""

    def hidden(stack: Any) -> list[Any]:
        return [(layers[0],) for layers in stack.fc_layers]

    encoder, decoder = module.z_encoder, module.decoder
    return {
        "encoder_z": [*hidden(encoder.encoder), (encoder.mean_encoder, encoder.var_encoder)],
        "encoder_pi": [*hidden(decoder.pi_first_decoder), (decoder.px_pi_decoder,)],
        "decoder_shared": hidden(decoder.rho_first_decoder),
        "decoder_ind": [(decoder.px_rho_decoder[0],)],
        "decoder_rep": [(decoder.px_tau_decoder[0],)],
    }


@torch.no_grad()
def load(module: Any, parameters: dict[str, Any]) -> None:
    """Copy velotrace's θ and φ into the module."""
    for ours, theirs in THETA.items():
        getattr(module, theirs).copy_(torch.tensor(parameters[ours]))
    variances = np.concatenate([parameters["variance_u_free"], parameters["variance_s_free"]])
    module.scale_unconstr[:, 0] = torch.tensor(variances)  # its other columns are never read
    for name, layers in linear_layers(module).items():
        for together, layer in zip(layers, parameters[name], strict=True):
            ends = np.cumsum([linear.out_features for linear in together])[:-1]
            weights = np.split(layer["W"], ends, axis=1), np.split(layer["b"], ends)
            for linear, W, b in zip(together, *weights, strict=True):
                linear.weight.copy_(torch.tensor(W.T))
                linear.bias.copy_(torch.tensor(b))


@contextlib.contextmanager
def divergences() -> Iterator[dict[str, Any]]:
    """Listen to the KL divergences that the module's loss asks for, by kind of distribution."""
    heard, original = {}, _module.kl

    def listening(q: Any, p: Any) -> Any:
        heard[type(q).__name__] = original(q, p)
        return heard[type(q).__name__]

    _module.kl = listening
    try:
        yield heard
    finally:
        _module.kl = original


def run(module: Any, unspliced: np.ndarray, spliced: np.ndarray, kl_weight: float) -> Made:
    """One forward and backward pass; the module draws z and π itself."""
    dtype = module.alpha_unconstr.dtype
    batch = {"X": torch.tensor(spliced, dtype=dtype), "U": torch.tensor(unspliced, dtype=dtype)}
    module.zero_grad()
    with divergences() as kl:
        inferred, generated, loss = module(batch, loss_kwargs={"kl_weight": kl_weight})
    mixtures = {kind: generated[f"mixture_dist_{kind}"] for kind in "us"}
    tensors = {
        "mu_z": inferred["qzm"],
        "var_z": inferred["qzv"],
        "z": inferred["z"],
        "concentration": generated["px_pi_alpha"],
        "pi": generated["px_pi"],
        "rho_induction": generated["px_rho"],
        "rho_repression": generated["px_tau"],
        **{name: inferred[name] for name in ("alpha", "beta", "gamma")},
        "variances": generated["scale"],
        "u_bar": mixtures["u"].component_distribution.loc,
        "s_bar": mixtures["s"].component_distribution.loc,
    }
    for tensor in tensors.values():
        tensor.retain_grad()
    loss.loss.backward()
    adjoints = {name: _array(tensor.grad) for name, tensor in tensors.items()}
    values = {name: _array(tensor) for name, tensor in tensors.items()}
    observed = {"u": batch["U"], "s": batch["X"]}
    for kind, mixture in mixtures.items():
        densities = mixture.component_distribution.log_prob(observed[kind][..., None])
        values[f"log_density_{kind}"] = _array(densities)
    values["log_likelihood"] = _array(sum(mixtures[k].log_prob(observed[k]) for k in "us"))
    values["kl_z"] = _array(kl["Normal"]).sum(axis=-1)
    values["kl_pi"] = _array(kl["Dirichlet"])
    values["reconstruction"] = _array(loss.reconstruction_loss["reconstruction_loss"]).mean()
    values["penalties"] = _array(generated["end_penalty"])
    values["loss"] = _array(loss.loss)
    _spell_variances(values, adjoints)
    return Made(values, adjoints | parameters(module, lambda tensor: tensor.grad))


def _spell_variances(values: Arrays, adjoints: Arrays) -> None:
    """log Σ from the variance of z; the two noise variances from the column that is read."""
    variance = values.pop("var_z")
    values["log_var_z"], adjoints["log_var_z"] = np.log(variance), adjoints.pop("var_z") * variance
    for arrays in (values, adjoints):
        arrays["variance_u"], arrays["variance_s"] = np.split(arrays.pop("variances")[:, 0], 2)


def parameters(module: Any, of: Callable[[Any], Any] = lambda tensor: tensor) -> Arrays:
    """The module's θ and φ by velotrace's names, or what `of` makes of each."""
    found = {ours: _array(of(getattr(module, theirs))) for ours, theirs in THETA.items()}
    noise = np.split(_array(of(module.scale_unconstr))[:, 0], 2)
    found |= zip(("variance_u_free", "variance_s_free"), noise, strict=True)
    for name, layers in linear_layers(module).items():
        for place, together in enumerate(layers):
            weights = [_array(of(linear.weight)).T for linear in together]
            biases = [_array(of(linear.bias)) for linear in together]
            found[f"{name}.{place}.W"] = np.concatenate(weights, axis=1)
            found[f"{name}.{place}.b"] = np.concatenate(biases)
    return found


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)
