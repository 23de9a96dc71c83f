"""Random inputs in the test-vector format, so that the PyTorch reference can be tested alone."""

import itertools

import numpy as np
from torch_reference import DIMENSIONS, RATES_AND_NOISE, held_as

DOCUMENT_READING = {
    "likelihood": "sampled-state",
    "repression_start": "steady-state",
    "reduction": "sum",
    "latent_variance": "exp",
    "parameterisation": "natural",
    "noise_parameter": "standard-deviation",
    "encoder_input": "interleaved",
    "decoders": "separate",
    "denominator": "exact",
}


def _labelled(key, data):
    return {"dims": list(DIMENSIONS[key]), "data": np.asarray(data).tolist()}


RANGES = {
    "alpha": (0.4, 0.9),
    "beta": (0.3, 0.9),
    "gamma": (0.2, 0.8),
    "switch_time": (4, 12),
    "sigma_u": (0.3, 0.8),
    "sigma_s": (0.3, 0.8),
}


def hold(key, natural, reading):
    """What to hold so that a parameter of theta is as given."""
    held = held_as(key, reading)
    if "variance" in held:
        natural = natural**2
    return np.log(np.expm1(natural)) if held.endswith("_free") else natural


def _held(rng, genes, reading):
    return {
        held_as(key, reading): hold(key, rng.uniform(*RANGES[key], genes), reading)
        for key in RATES_AND_NOISE
    }


def make_inputs(
    rng,
    cells=2,
    genes=3,
    latent=4,
    hidden=(5,),
    activation="tanh",
    switch_weight=1.0,
    kl_weight=1.0,
    **reading,
) -> dict:
    """A random file with inputs only; the noise is so wide that no loss term drowns the others."""
    chosen = DOCUMENT_READING | reading

    def layers(*widths):
        pairs = itertools.pairwise(widths)
        return [
            {"W": rng.normal(0, m**-0.5, (m, n)).tolist(), "b": rng.normal(0, 0.3, n).tolist()}
            for m, n in pairs
        ]

    networks = {
        "encoder_z": layers(2 * genes, *hidden, 2 * latent),
        "encoder_pi": layers(latent, *hidden, 4 * genes),
    }
    into_heads = (latent, *hidden)
    if chosen["decoders"] == "shared-hidden":
        networks["decoder_shared"] = layers(*into_heads)
        into_heads = into_heads[-1:]
    networks |= {key: layers(*into_heads, genes) for key in ("decoder_ind", "decoder_rep")}
    data = {
        "unspliced": rng.uniform(0, 1, (cells, genes)),
        "spliced": rng.uniform(0, 1, (cells, genes)),
        **_held(rng, genes, chosen),
        "epsilon_z": rng.normal(size=(cells, latent)),
        "pi": rng.dirichlet([1.0] * 4, (cells, genes)),
    }
    if chosen["likelihood"] == "sampled-state":
        data["state"] = rng.permuted(np.resize([1, 3, 2, 4], cells * genes)).reshape(cells, genes)
    return {
        "schema": "velotrace-vectors/1",
        "scenario": {"reading": chosen, "networks": {"activation": activation}},
        "coords": {
            "cell": [f"Cell {n + 1}" for n in range(cells)],
            "gene": [f"Gene {g + 1}" for g in range(genes)],
            "state": ["induction", "induction steady", "repression", "repression steady"],
            "latent": list(range(latent)),
        },
        "constants": {
            "t_max": 20.0,
            "state_scale": [1.0, 1.0, 1.0, 0.1],
            "pi_prior": 0.25,
            **{key: rng.uniform(0.2, 0.9, genes).tolist() for key in ("u_star", "s_star")},
            "switch_weight": switch_weight,
            "kl_weight": kl_weight,
        },
        "networks": networks,
        "values": {key: _labelled(key, array) for key, array in data.items()},
    }
