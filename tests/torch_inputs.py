"""Random inputs in the test-vector format, so that the PyTorch reference can be tested alone."""

import itertools

import numpy as np
from torch_reference import DIMENSIONS

DOCUMENT_READING = {
    "likelihood": "sampled-state",
    "repression_start": "steady-state",
    "reduction": "sum",
    "latent_variance": "exp",
    "encoder_input": "interleaved",
    "decoders": "separate",
    "denominator": "exact",
}


def _labelled(key, data):
    return {"dims": list(DIMENSIONS[key]), "data": np.asarray(data).tolist()}


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
        "alpha": rng.uniform(0.4, 0.9, genes),
        "beta": rng.uniform(0.3, 0.9, genes),
        "gamma": rng.uniform(0.2, 0.8, genes),
        "switch_time": rng.uniform(4, 12, genes),
        "sigma_u": rng.uniform(0.3, 0.8, genes),
        "sigma_s": rng.uniform(0.3, 0.8, genes),
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
