"""The exercises themselves, one module per page of the book; plots and bugs have their own."""

from __future__ import annotations

from collections.abc import Mapping

from velotrace.exercises.parts import Entry
from velotrace.exercises.topics import (
    backward,
    bugs,
    certificates,
    chainrule,
    curves,
    data,
    divergences,
    encoder,
    equal_rates,
    initialisation,
    kinetics,
    likelihood,
    loss,
    nopath,
    reparameterisation,
    states,
    switch,
    times,
    training,
    update,
)

BY_TOPIC: Mapping[str, tuple[Entry, ...]] = {
    "data": data.QUESTIONS,
    "initialisation": initialisation.QUESTIONS,
    "encoder": encoder.QUESTIONS,
    "states": states.QUESTIONS,
    "times": times.QUESTIONS,
    "kinetics": (
        *kinetics.QUESTIONS,
        *equal_rates.QUESTIONS,
        *curves.QUESTIONS,
        *bugs.KINETICS_QUESTIONS,
    ),
    "likelihood": likelihood.QUESTIONS,
    "divergences": (*divergences.QUESTIONS, *bugs.DIVERGENCES_QUESTIONS),
    "switch": switch.QUESTIONS,
    "loss": loss.QUESTIONS,
    "backward": backward.QUESTIONS,
    "chainrule": chainrule.QUESTIONS,
    "reparameterisation": reparameterisation.QUESTIONS,
    "nopath": nopath.QUESTIONS,
    "certificates": certificates.QUESTIONS,
    "update": (*update.QUESTIONS, *bugs.UPDATE_QUESTIONS, *training.QUESTIONS),
}
"""In the book's order."""
