"""Every paragraph of the document, and which claims it makes.

A paragraph is what stands between empty lines; a list item counts for itself, and so does a
heading. Each line below is one, in order: the first eight digits of the SHA-256 of its text (by
which whoever has the document can see that none is missing), and in our words what it is about.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from velotrace.claims.records import Claim

_LINES = """\
4bb84a04 title
6d103a9d three genes in four cells
dab52658 what follows is included
99a0b896 the rates and switch times
6a9aafda deviations of each gene
613e77f8 weights of the networks
545a6ecf heading: data
9d24ad06 the data are min–max scaled
47b8cd10 the table
e87f8a33 heading: start
cb9331bd heading: rates and switch times
4e0e70d3 heading: α
8c6850bc α of gene A
70f9d49e α of gene B
6c9a3b42 α of gene C
88d8e09d β starts small
949540a3 its value
402ce7bb γ starts small
372c94b2 its value
3cd7b1cb switch time starts inside its range
9b5feed2 its value, and t_max
ccac6d7a heading: deviations
7f19936a they belong to θ, by gene
94693c57 they start small and equal
eec995be value for u
8f058527 value for s
451f3365 c is fixed
8c9ef983 heading: networks
f6f39031 what they are
45ebc31f what the encoder takes
f22aa651 parameters of q(z)
1fe75892 parameters of q(π)
7a8b3ca4 random first weights
d339f7d6 what the decoders take and give
91189242 random as well
25a589ba heading: one iteration
74b10484 mini-batch of Cells 1 and 3
7f383370 heading: forward pass
2e1beb67 Cell 1
9ff94464 heading: inference
e1676d99 the encoder's inputs
d51da452 mean and log variance
dd0ea60d concentrations
24ad3393 heading: draws
df61a1ce the draw of z
1ec97527 the draw of π and the state
86c037c0 the decoders' shares
7372622a time in state 1
56f856c0 time in state 3
300b7d28 the example's state and time
bdbef4bc heading: predictions
545ad413 what they are made of
0ecf1b5a the example's rates
2e4fad8e predicted u
f60635cd predicted s
4ad7d64a observed, and the mismatch
6198d1ea heading: likelihoods
955fb4a3 normal densities, scaled by state
e2930857 product of two densities
f6256b16 a tiny number
188b86da the reconstruction term
20ec8e10 heading: divergences
09a38364 divergence of z
429705cd divergence of π
1cd1f805 heading: switch penalty
91c21491 what it depends on
edb058f5 the example's penalty
8b6f3309 the loss
71897c45 heading: backward pass
11a7ff66 a gradient for every parameter
6da0e13f it starts from one
2cf3babe heading: to means and variances
d9e923c7 through the log likelihoods
70e19a8f to the predictions
b166f106 to the noise
78f5abcf heading: to the rates
2b38750e through the kinetic equations
3bac7249 from the switch penalty
abd7f89a the sign for α
05bb4654 heading: to the times
a697c012 to both times
6a4ecfb7 heading: to the decoders
b80f864b through them; what it teaches
83fff35b heading: to z
6cd48d70 what reaches z
6d226422 heading: to the encoder's outputs
bf0eff98 the reparameterisation
ab9cf3d0 gradient of the mean
e897b393 gradient of the log variance
a244a34c what the divergence adds
675beebd heading: to the encoder
66f5c329 through it; what it teaches
61b7310b heading: update
024c51ef sum of gradients, and the formula
1745f4a6 heading: over training
2ab59f8f many small steps
38fe9b66 rates and switch times
e532855f α of gene A
5554a218 β and γ of gene A
295e77cd switch time of gene A
202651d2 the noise
e7f25155 heading: networks
d11e5d17 the encoder
a564281f the decoders
71537bbc heading: divergences in training
98d81175 what a divergence is
90c3bf75 heading: divergence of z
59907dcc what it measures
e2c15b9b heading: components
3ea27dce the posterior of z
94fc5622 the prior of z
c46b12be closed form without sampling
37116599 doc (1)
843abac4 cheap to compute
31dd1b73 heading: what it penalises
dbc04fc4 its goal
5e16313f what would happen without it
6760297c what it brings about
5b8633ff heading: divergence of π
cca8355b what it measures
e2c15b9b heading: components
deac2fe5 the posterior of π
ee5abf44 the prior of π
4a37a401 heading: one draw
a40adfa5 an average over z
b1ea4a3a one draw in its place
e84784e6 heading: a uniform prior
4099c12f it regularises
3916aa0c decided states
000e8597 a case of two Dirichlets
4da2df96 there is a closed form
19be0d7c what follows
c300bd49 first distribution
534af313 second distribution
f9340f38 what follows
733b5628 doc (2)
02cc020f what follows
686029a6 number of categories
6204fef5 the Gamma function
6a094714 the digamma function
42822e23 heading: its terms
d6371b42 what follows
70e2a3ab first term
a5a6aed4 second term
cfeb1a89 third term
8f103d9d heading: implementation
02eb8579 log Gamma
0ef26d87 digamma
9d3a3c87 automatic differentiation
"""

NOTHING = {
    1: "a title",
    **dict.fromkeys((7, 10, 22, 36, 38, 95), "a heading"),
    **dict.fromkeys((37, 39), "a choice"),
    137: "an introduction",
}
"""Why a paragraph makes no claim."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of the document.

    Attributes:
        number: from 1.
        digest: of its text.
        about: what it is about, in our words.
    """

    number: int
    digest: str
    about: str


PARAGRAPHS = tuple(
    Paragraph(number, *line.split(" ", maxsplit=1))
    for number, line in enumerate(_LINES.splitlines(), start=1)
)


def coverage(claims: Iterable[Claim]) -> dict[int, tuple[str, ...]]:
    """The claims of every paragraph by their ids; nothing where it makes none."""
    found: dict[int, list[str]] = {paragraph.number: [] for paragraph in PARAGRAPHS}
    for one in claims:
        for number in one.paragraphs:
            found[number].append(one.id)
    return {number: tuple(ids) for number, ids in found.items()}


def split(text: str) -> list[str]:
    """The paragraphs of the document's own text, as they are counted here.

    Args:
        text: the document, Markdown with front matter.

    Returns:
        Each on one line, formulas without the marks around them.
    """
    body = text.split("---\n", 2)[2] if text.startswith("---\n") else text
    body = re.sub(r"\{\{<\s*/?\s*math\s*>\}\}", "", body)
    body = re.sub(r"(?s)\$\$(.*?)\$\$", lambda m: f"$${' '.join(m[1].split())}$$", body)
    body = re.sub(r"(?m)^(?=- |\d+\. |#)", "\n", body)
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", body) if part.strip()]


def digest(paragraph: str) -> str:
    """What `Paragraph.digest` holds."""
    return hashlib.sha256(paragraph.encode()).hexdigest()[:8]
