"""The keys of a scenario file, their types and defaults; an unknown key is an error."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from velotrace.model.readings import (
    Decoders,
    Denominator,
    EncoderInput,
    LatentVariance,
    Likelihood,
    NoiseParameter,
    Parameterisation,
    Reduction,
    RepressionStart,
)
from velotrace.model.records import Activation, Initialiser

SCHEMA = "velotrace-scenario/1"

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0.0, lt=1.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=100_000)]
"""Of a layer; the bound keeps a slip of the keyboard from asking for more memory than there is."""
Seed = Annotated[int, Field(ge=0)]
PerGene = Number | list[Number]
"""One number for all genes, or one per gene."""


class Section(BaseModel):
    """A table of the file: strict types, no unknown keys, frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Data(Section):
    """Where the expression comes from."""

    file: str
    upper_cells: Count | None = None


class Batch(Section):
    """The cells of the one iteration."""

    cells: list[str] | None = None


class ReadingKeys(Section):
    """A preset, and single choices that override it."""

    preset: Literal["document", "paper", "joint", "scvi-tools"] = "document"
    likelihood: Likelihood | None = None
    repression_start: RepressionStart | None = None
    switch_weight: NotNegative | None = None
    kl_weight: NotNegative | None = None
    reduction: Reduction | None = None
    latent_variance: LatentVariance | None = None
    parameterisation: Parameterisation | None = None
    noise_parameter: NoiseParameter | None = None
    encoder_input: EncoderInput | None = None
    decoders: Decoders | None = None
    denominator: Denominator | None = None
    kl_warmup: Annotated[int, Field(ge=0)] | None = None
    switch_fades: bool | None = None


class Initial(Section):
    """Start values of θ."""

    alpha: Literal["upper-median"] | PerGene = "upper-median"
    beta: PerGene = 0.1
    gamma: PerGene = 0.05
    switch_time: PerGene = 10.0
    sigma_u: PerGene = 0.1
    sigma_s: PerGene = 0.1


class ConstantKeys(Section):
    """What no gradient changes."""

    t_max: Positive = 20.0
    state_scale: Annotated[list[Positive], Field(min_length=4, max_length=4)] = [1.0, 1.0, 1.0, 0.1]
    pi_prior: Positive = 0.25
    u_star: PerGene | None = None
    s_star: PerGene | None = None


class Networks(Section):
    """Sizes and start of the networks."""

    latent: Width = 10
    hidden: list[Width] = [16]
    activation: Activation = "tanh"
    initialiser: Initialiser = "glorot-uniform"
    seed: Seed = 0


class Noise(Section):
    """The seed of all draws."""

    seed: Seed = 0


class PinKeys(Section):
    """What is given instead of drawn or computed, keyed 'cell/gene'."""

    time_induction: dict[str, Number] = {}
    pi: dict[str, list[Number]] = {}
    state: dict[str, int] = {}


class OptimiserKeys(Section):
    """The step; what is left out comes from the reading's preset."""

    name: Literal["sgd", "adam", "adamw"] | None = None
    learning_rate: Positive | None = None
    betas: Annotated[list[Decay], Field(min_length=2, max_length=2)] | None = None
    eps: Positive | None = None
    weight_decay: NotNegative | None = None
    clip_norm: Positive | None = None


class Scenario(Section):
    """A whole file. Only `schema` and `data.file` have no default."""

    schema_: Literal["velotrace-scenario/1"] = Field(alias="schema")
    title: str = ""
    data: Data
    batch: Batch = Batch()
    reading: ReadingKeys = ReadingKeys()
    initial: Initial = Initial()
    constants: ConstantKeys = ConstantKeys()
    networks: Networks = Networks()
    noise: Noise = Noise()
    pins: PinKeys = PinKeys()
    optimiser: OptimiserKeys = OptimiserKeys()
