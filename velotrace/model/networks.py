"""Small multilayer perceptrons: the encoder and the two decoders, doc section 2c."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from velotrace.model.random import generator
from velotrace.model.readings import Decoders
from velotrace.model.records import Activation, Architecture, Initialiser, Network
from velotrace.tape import defvjp, named, primitive

Array = Any


@primitive
def relu(x: Array) -> Array:
    """max(x, 0), whose derivative at 0 is taken to be 0."""
    return np.maximum(x, 0.0)


defvjp(relu, lambda ans, x: lambda g: g * (ans > 0.0))

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {"tanh": np.tanh, "relu": relu}


def perceptron(
    network: str, layers: list[dict[str, Array]], x: Array, activation: Activation
) -> Array:
    """Apply x @ W + b layer by layer, the activation between layers, the last one linear.

    Args:
        network: its name; the hidden layers are named after it, such as 'encoder_z.0.h'.
        layers: each with W of shape (inputs, outputs) and b of shape (outputs,).
        x: shape (cell, inputs of the first layer).
        activation: 'tanh' or 'relu'.

    Returns:
        Shape (cell, outputs of the last layer).
    """
    x = hidden_stack(network, layers[:-1], x, activation)
    return x @ layers[-1]["W"] + layers[-1]["b"]


def hidden_stack(
    network: str, layers: list[dict[str, Array]], x: Array, activation: Activation
) -> Array:
    """Apply hidden layers only: the activation follows every one of them; none gives `x`."""
    for place, layer in enumerate(layers):
        h = ACTIVATIONS[activation](x @ layer["W"] + layer["b"])
        x = named(h, f"{network}.{place}.h")
    return x


def network_widths(
    architecture: Architecture, genes: int, decoders: Decoders
) -> dict[str, list[int]]:
    """The widths of each network from its inputs to its outputs, in order of use."""
    latent, hidden = architecture.latent, list(architecture.hidden)
    encoders = {
        "encoder_z": [2 * genes, *hidden, 2 * latent],
        "encoder_pi": [latent, *hidden, 4 * genes],
    }
    if decoders == "separate":
        one = [latent, *hidden, genes]
        return encoders | {"decoder_ind": one, "decoder_rep": one}
    head = [hidden[-1] if hidden else latent, genes]
    shared = {"decoder_shared": [latent, *hidden]}
    return encoders | shared | {"decoder_ind": head, "decoder_rep": head}


def initialise(architecture: Architecture, genes: int, decoders: Decoders) -> dict[str, Network]:
    """First weights of all networks; every bias starts at 0.

    Each layer has random numbers of its own, keyed by the seed, its network and its place, so
    that no other size changes them.

    Args:
        architecture: sizes, rule and seed.
        genes: number of genes.
        decoders: whether the decoders share their hidden layers.

    Returns:
        The layers of each network by its name.
    """
    return {
        name: [
            _first_layer(architecture, f"{name}.{place}", inputs, outputs)
            for place, (inputs, outputs) in enumerate(pairwise(widths))
        ]
        for name, widths in network_widths(architecture, genes, decoders).items()
    }


def _first_layer(architecture: Architecture, where: str, inputs: int, outputs: int) -> Any:
    limit = initial_limit(architecture.initialiser, inputs, outputs)
    numbers = generator(architecture.seed, f"weights {where}", 0)
    return {"W": numbers.uniform(-limit, limit, (inputs, outputs)), "b": np.zeros(outputs)}


def initial_limit(initialiser: Initialiser, inputs: int, outputs: int) -> float:
    """Half the width of the uniform distribution of first weights.

    Glorot and Bengio (2010): √(6/(inputs + outputs)). Kaiming He et al. (2015): √(6/inputs).
    """
    if initialiser == "glorot-uniform":
        return math.sqrt(6.0 / (inputs + outputs))
    return math.sqrt(6.0 / inputs)
