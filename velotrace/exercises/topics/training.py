"""Exercises on what many steps do: held as free values, weights that change, where it all leads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from velotrace.errors import ContradictionError
from velotrace.exercises.chooser import Chooser
from velotrace.exercises.engine import slopes
from velotrace.exercises.parts import Draft, Entry, choice, number, plain, stated
from velotrace.learning.optimisers import sgd_step
from velotrace.model.distributions import kl_dirichlet_terms, logistic, softplus
from velotrace.model.readings import SCVI_TOOLS, Optimiser, in_force


def free_value(c: Chooser) -> Draft:
    """A rate held as a free value: its gradient, and one step."""
    a, pull = c.decimal("a", -2.0, 1.0, 0.05), c.decimal("pull", -9.0, 9.0, 0.2)
    settings = Optimiser(learning_rate=c.pick("eta", (0.05, 0.1, 0.2)))
    eta = settings.learning_rate
    beta, slope = float(softplus(a)), float(logistic(a))
    right = float(slopes(lambda a: pull * softplus(a), a=a)["a"])
    free = float(sgd_step(np.array(a), np.array(right), settings)["updated"])
    gradient = number(
        r"$\partial L/\partial a$.",
        right,
        (
            "slope forgotten",
            pull,
            "That is the derivative by $\\beta$; go one step further, to $a$.",
        ),
        ("value for slope", pull * beta, "Multiplied by softplus; it must be softplus's slope."),
        ("divided by the slope", pull / slope, "Divided by the slope; the chain rule multiplies."),
    )
    new = number(
        r"$\beta$ after one step of gradient descent on $a$.",
        softplus(free),
        (
            "step on β itself",
            beta - eta * pull,
            "That is a step on $\\beta$ itself; here $a$ moves.",
        ),
        ("free value for β", free, "That is the new $a$; $\\beta$ is its softplus."),
        (
            "slope forgotten",
            softplus(a - eta * pull),
            "$a$ moved by the gradient of $\\beta$; it has one of its own.",
        ),
        (
            "step along the gradient",
            softplus(2.0 * a - free),
            "The step goes along the gradient; it must go against it.",
        ),
        points=2,
        signed=False,
    )
    return Draft(
        rf"A splicing rate is held as $\beta = \log(1 + e^a)$ with {stated(a=a)}, so that it "
        rf"cannot become negative. The backward pass gives $\partial L/\partial\beta = {pull:g}$. "
        rf"The "
        f"learning rate is {stated(eta=eta)}.",
        (gradient, new),
        r"Softplus has the slope $1/(1 + e^{-a})$: multiply, step on $a$, and take the softplus of "
        "what comes out.",
    )


def warm_up(c: Chooser) -> Draft:
    """scvi-tools' two weights in an epoch of the warm-up."""
    length = int(c.decimal("length", 160.0, 600.0, 20.0))
    epoch = int(c.decimal("epoch", 20.0, 150.0, 1.0))
    full = c.decimal("switch_weight", 0.1, 0.9, 0.05)
    now = in_force(replace(SCVI_TOOLS, kl_warmup=length, switch_weight=full), epoch)
    share = number(
        r"The weight of $\mathrm{KL}_z$ in that epoch.",
        now.kl_weight,
        ("what is left", 1.0 - now.kl_weight, "That is what is still missing to the full weight."),
        ("times the penalty's", now.kl_weight * full, "The penalty's weight plays no part here."),
        signed=False,
    )
    switch = number(
        "The weight of the switch penalty in that epoch.",
        now.switch_weight,
        ("rises for fades", full * now.kl_weight, "It fades while the other weight rises."),
        ("does not fade", full, "It fades as the weight of $\\mathrm{KL}_z$ rises."),
        ("start weight forgotten", 1.0 - now.kl_weight, "Multiply by the weight at the start."),
        signed=False,
    )
    return Draft(
        rf"As in scvi-tools, but with other numbers, the weight of $\mathrm{{KL}}_z$ rises in "
        rf"a straight line, from 0 in "
        rf"epoch 0 to 1 in epoch {length}. The switch penalty has $\lambda\,(1 - w)$, where $w$ "
        rf"is that weight and {stated(lambda_=full)}. Now it is epoch {epoch}.",
        (share, switch),
        r"$w$ is the epoch divided by the length of the warm-up, and the penalty has what is left "
        r"of $\lambda$: at the end of the warm-up, nothing.",
    )


def where_it_leads(c: Chooser) -> Draft:
    """The concentrations and the noise after a long training with a drawn state."""
    conc = np.array(c.decimals("concentration", 4, 0.3, 2.5, 0.1))
    prior = c.decimal("prior", 0.2, 0.8, 0.05)

    def divergence(conc: np.ndarray) -> float:
        normaliser, log_gamma, digamma = kl_dirichlet_terms(conc, prior)
        return normaliser + log_gamma + digamma

    if np.abs(slopes(divergence, conc=np.full(4, prior))["conc"]).max() > 1e-9:
        raise ContradictionError("the divergence still pulls where posterior and prior agree")
    last = choice(
        c,
        "concentrations",
        "Where does a long training take the four concentrations?",
        f"All four to {prior:g}: nothing but the divergence moves them, and there it is smallest.",
        (
            "frequencies",
            "To the shares of cells in each state, as the data show them.",
            "No gradient of the data reaches them: the state is drawn.",
        ),
        (
            "stay",
            "Nowhere: without a gradient they stay as they are.",
            "The data give them none, but another term of the loss does.",
        ),
        (
            "corner",
            "Towards a corner, where one state has all the probability.",
            "The prior favours such *draws*; the concentrations are another matter. Where is the "
            "divergence 0?",
        ),
    )
    meaning = choice(
        c,
        "meaning",
        "What could make them tell the states of cells apart?",
        "To sum the state out of the likelihood, so that the data reach them.",
        (
            "longer",
            "A longer training with a smaller learning rate.",
            "It would come closer to the same place.",
        ),
        (
            "weight",
            "A smaller weight of the divergence alone.",
            "It would be slower on the way to the same place: nothing else moves them.",
        ),
        (
            "prior",
            "A prior with larger concentrations.",
            "They would be drawn to other numbers, the same for every cell.",
        ),
    )
    return Draft(
        rf"A state is drawn for every cell and gene, as in the document. In one cell and gene the "
        rf"posterior starts with the concentrations ${plain(conc)}$; the prior has {prior:g} for "
        rf"each "
        "state. The training is long.",
        (last, meaning),
        "A drawn state lets no gradient of the data through. The divergence alone pulls, to the "
        "prior, in every cell and gene alike.",
    )


QUESTIONS: tuple[Entry, ...] = (
    ("free-value", "A rate that cannot become negative", "number", free_value),
    ("warm-up", "Weights that change", "number", warm_up),
    ("where-it-leads", "Where training leads", "choice", where_it_leads),
)
