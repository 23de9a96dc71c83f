"""The readings: where the document, the paper and scvi-tools disagree, each choice by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

Likelihood = Literal["sampled-state", "separate-mixtures", "joint-mixture"]
RepressionStart = Literal["steady-state", "switch-time"]
Reduction = Literal["sum", "mean"]
LatentVariance = Literal["exp", "softplus"]
Parameterisation = Literal["natural", "softplus"]
NoiseParameter = Literal["standard-deviation", "variance"]
EncoderInput = Literal["interleaved", "spliced-first"]
Decoders = Literal["separate", "shared-hidden"]
Denominator = Literal["exact", "eps"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the model; nothing is silently fixed.

    Attributes:
        likelihood: what becomes of the four states. 'sampled-state': log N(u) + log N(s) at the
            drawn k; 'separate-mixtures': (23) + (24), k summed out of u and of s on its own;
            'joint-mixture': log Σ_k π_k N(u) N(s), what (15) implies.
        repression_start: u0, s0 of (9), (10). 'steady-state': α/β, α/γ; 'switch-time': (3), (4) at
            t_s.
        switch_weight: λ of (27).
        kl_weight: weight of KL_z in the loss.
        reduction: over the cells of the mini-batch.
        latent_variance: what the encoder's second half a stands for. 'exp': variance e^a;
            'softplus': softplus(a) + 1e-4.
        parameterisation: how θ is held. 'natural': as it is; 'softplus': of a free value.
        noise_parameter: what the noise parameter is.
        encoder_input: order of the encoder's inputs. 'interleaved': u_A, s_A, u_B, …;
            'spliced-first': all s, then all u.
        decoders: 'separate': two networks; 'shared-hidden': one set of hidden layers, two heads.
        denominator: of (4) and (8). 'exact', or 'eps': 1e-6 added to γ − β.
        kl_warmup: epochs over which KL_z's weight rises from 0 to `kl_weight`; 0 for none.
        switch_fades: whether λ is multiplied by 1 − (weight of KL_z), so that it fades in turn.
    """

    likelihood: Likelihood = "sampled-state"
    repression_start: RepressionStart = "steady-state"
    switch_weight: float = 1.0
    kl_weight: float = 1.0
    reduction: Reduction = "sum"
    latent_variance: LatentVariance = "exp"
    parameterisation: Parameterisation = "natural"
    noise_parameter: NoiseParameter = "standard-deviation"
    encoder_input: EncoderInput = "interleaved"
    decoders: Decoders = "separate"
    denominator: Denominator = "exact"
    kl_warmup: int = 0
    switch_fades: bool = False

    @property
    def draws_state(self) -> bool:
        """Whether a state k is drawn; the mixtures sum over it instead."""
        return self.likelihood == "sampled-state"


@lru_cache(maxsize=64)
def in_force(reading: Reading, epoch: int) -> Reading:
    """The reading with the two weights as they stand in an epoch.

    w = kl_weight · min(1, epoch/kl_warmup); λ = switch_weight · (1 − w) where it fades.

    Args:
        reading: with its weights at the end of the warm-up.
        epoch: from 0.

    Returns:
        The same without a schedule.

    Example:
        >>> now = in_force(SCVI_TOOLS, 100)
        >>> now.kl_weight, round(now.switch_weight, 12)
        (0.25, 0.15)
    """
    weight, switch = reading.kl_weight, reading.switch_weight
    if reading.kl_warmup:
        weight *= min(1.0, epoch / reading.kl_warmup)
    if reading.switch_fades:
        switch *= max(0.0, 1.0 - weight)
    return replace(reading, kl_weight=weight, switch_weight=switch, kl_warmup=0, switch_fades=False)


DOCUMENT = Reading()
PAPER = Reading("separate-mixtures", "switch-time", switch_weight=0.2)
JOINT = Reading("joint-mixture", "switch-time", switch_weight=0.2)
SCVI_TOOLS = Reading(
    "separate-mixtures",
    "switch-time",
    switch_weight=0.2,
    reduction="mean",
    latent_variance="softplus",
    parameterisation="softplus",
    noise_parameter="variance",
    encoder_input="spliced-first",
    decoders="shared-hidden",
    denominator="eps",
    kl_warmup=400,
    switch_fades=True,
)

PRESETS: Mapping[str, Reading] = MappingProxyType(
    {"document": DOCUMENT, "paper": PAPER, "joint": JOINT, "scvi-tools": SCVI_TOOLS}
)
"""The readings that have a name."""


@dataclass(frozen=True, slots=True)
class Optimiser:
    """Settings of a step.

    Attributes:
        name: 'sgd', 'adam' (weight decay enters the gradient) or 'adamw' (decoupled decay).
        learning_rate: η.
        betas: decay of Adam's two moments.
        eps: added to Adam's denominator.
        weight_decay: 0 for none.
        clip_norm: largest norm of all gradients together; None for no clipping.
    """

    name: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None


PRESET_OPTIMISERS: Mapping[str, Optimiser] = MappingProxyType(
    {
        "document": Optimiser(),
        "paper": Optimiser(weight_decay=0.01),
        "joint": Optimiser(),
        "scvi-tools": Optimiser("adamw", eps=0.01, weight_decay=0.01, clip_norm=10.0),
    }
)
"""What `[optimiser]` says when it is silent, by reading."""
