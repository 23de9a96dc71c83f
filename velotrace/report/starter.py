"""A commented scenario for one's own table, as `velotrace init` writes it."""

from __future__ import annotations

import json

from velotrace.data import Expression

_TEMPLATE = """\
# A velotrace scenario. Only `schema` and `data.file` are required; every other value is a default.
schema = "velotrace-scenario/1"
title = {title}

[data]
file = {file}              # beside this file; columns cell,gene,unspliced,spliced; every pair once
upper_cells = {upper}               # how many of the highest cells give alpha, u* and s*

[batch]                       # the cells of the one iteration; leave it out for all
cells = {cells}

[reading]
preset = "document"           # document | paper | joint | scvi-tools; single choices override it:
# likelihood = "joint-mixture"      # sampled-state | separate-mixtures | joint-mixture
# repression_start = "switch-time"  # steady-state | switch-time
# switch_weight = 0.2               # of the switch penalty
# switch_fades = false              # whether that weight falls as the next one rises
# kl_weight = 1.0                   # of the KL of z
# kl_warmup = 400                   # epochs over which it rises from 0; 0 for none
# reduction = "mean"                # over cells: sum | mean
# latent_variance = "softplus"      # exp | softplus
# parameterisation = "softplus"     # of the rates, times and noise: natural | softplus
# noise_parameter = "variance"      # standard-deviation | variance
# encoder_input = "spliced-first"   # interleaved | spliced-first
# decoders = "shared-hidden"        # separate | shared-hidden
# denominator = "eps"               # of (4) and (8): exact | eps

[initial]                     # one number for all genes, or one per gene: {genes}
alpha = "upper-median"        # or numbers
beta = 0.1
gamma = 0.05
switch_time = 10.0            # between 0 and t_max
sigma_u = 0.1
sigma_s = 0.1

[constants]
t_max = 20.0
state_scale = [1.0, 1.0, 1.0, 0.1]  # scales the standard deviations in states 1 to 4
pi_prior = 0.25               # also u_star, s_star, one per gene; default: from the highest cells

[networks]
latent = 10
hidden = [16]                 # widths of the hidden layers of all networks
activation = "tanh"           # tanh | relu
initialiser = "glorot-uniform"  # glorot-uniform | kaiming-uniform
seed = 0

[noise]
seed = 0

[pins]                        # what is given instead of drawn or computed, keyed "cell/gene"
# time_induction = {{ {pair} = 8.0 }}
# pi = {{ {pair} = [0.7, 0.1, 0.1, 0.1] }}
# state = {{ {pair} = 1 }}

[optimiser]
name = "adam"                 # sgd | adam | adamw
learning_rate = 0.01          # also betas, eps, weight_decay, clip_norm
"""

BATCH = 4
"""How many cells a new scenario's mini-batch names."""


def starter_scenario(file: str, expression: Expression) -> str:
    """The text of a scenario for a table of expression.

    Args:
        file: the data file's name, relative to where the scenario will be.
        expression: what it holds.

    Returns:
        TOML, which loads as it stands.
    """
    cells, genes = expression.cells, expression.genes
    return _TEMPLATE.format(
        title=_quoted(f"One iteration on {file}"),
        file=_quoted(file),
        upper=-(-len(cells) // 100),
        cells="[" + ", ".join(_quoted(cell) for cell in cells[:BATCH]) + "]",
        genes=_comment(", ".join(genes[:6]) + (", …" if len(genes) > 6 else "")),
        pair=_quoted(f"{cells[0]}/{genes[0]}"),
    )


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's, and what cannot be seen gets one."""
    return "".join(
        c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False)
    )


def _comment(text: str) -> str:
    """Text that cannot leave a comment: TOML allows no control characters there but the tab."""
    return "".join(c if c.isprintable() else "?" for c in text)
