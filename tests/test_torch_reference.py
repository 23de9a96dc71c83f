"""The PyTorch reference tested alone, before it is allowed to judge the package.

Its values are held against the document's numbers, an ODE solver, mpmath and scipy; its adjoints
against central differences that move one named value at a time.
"""

import copy
import importlib
import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import betainc, betaincinv

torch = pytest.importorskip("torch", reason="the PyTorch reference needs torch (optional extra)")
mpmath = pytest.importorskip("mpmath", reason="the PyTorch reference needs mpmath")

inputs = importlib.import_module("torch_inputs")
reference = importlib.import_module("torch_reference")
special = importlib.import_module("torch_special")

MIXTURES = ("separate-mixtures", "joint-mixture")
READINGS = {
    "document": {},
    "paper": {
        "likelihood": "separate-mixtures",
        "repression_start": "switch-time",
        "switch_weight": 0.2,
    },
    "joint": {
        "likelihood": "joint-mixture",
        "repression_start": "switch-time",
        "switch_weight": 0.2,
        "hidden": (6, 5),
    },
    "scvi-tools": {
        "likelihood": "separate-mixtures",
        "repression_start": "switch-time",
        "switch_weight": 0.2 * 0.7,
        "kl_weight": 0.3,
        "reduction": "mean",
        "latent_variance": "softplus",
        "parameterisation": "softplus",
        "noise_parameter": "variance",
        "encoder_input": "spliced-first",
        "decoders": "shared-hidden",
        "denominator": "eps",
        "activation": "relu",
    },
    "free deviations": {"parameterisation": "softplus", "repression_start": "switch-time"},
    "held variances": {"noise_parameter": "variance", "likelihood": "joint-mixture"},
    "a mixture of all": {
        "likelihood": "sampled-state",
        "repression_start": "switch-time",
        "reduction": "mean",
        "decoders": "shared-hidden",
        "denominator": "eps",
        "hidden": (),
        "cells": 3,
        "genes": 2,
    },
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def tensor(data):
    return torch.tensor(data, dtype=torch.float64, requires_grad=True)


# The document's numbers ------------------------------------------------------------------------


def cell_1_gene_a(**reading):
    """Section 3a of the document; all weights are 0, so that biases alone set the times."""
    made = inputs.make_inputs(
        np.random.default_rng(0), cells=1, genes=1, latent=1, hidden=(), **reading
    )
    made["constants"] |= {"u_star": [0.85], "s_star": [0.15], "switch_weight": 0.0}
    given = {
        "unspliced": [[0.8]],
        "spliced": [[0.2]],
        "alpha": [0.85],
        "beta": [0.1],
        "gamma": [0.05],
        "switch_time": [10.0],
        "sigma_u": [0.1],
        "sigma_s": [0.1],
        "pi": [[[0.7, 0.1, 0.1, 0.1]]],
        "state": [[1]],
    }
    for key, data in given.items():
        if key in made["values"]:
            made["values"][key]["data"] = data
    for layers in made["networks"].values():
        layers[0]["W"] = np.zeros_like(layers[0]["W"]).tolist()
        layers[0]["b"] = np.zeros_like(layers[0]["b"]).tolist()
    made["networks"]["decoder_ind"][0]["b"] = [math.log(0.8 / 0.2)]  # rho = 0.8, so t = 8
    return made


def test_numbers_of_section_3a():
    """model.md 3 and 4.5: (3), (4), (20), (21) at t = 8."""
    values, adjoints, _ = reference.recompute(cell_1_gene_a())
    assert values["time_induction"][0, 0] == pytest.approx(8.0, rel=1e-15)
    assert values["u_bar"][0, 0, 0] == pytest.approx(4.6807, abs=5e-5)
    assert values["s_bar"][0, 0, 0] == pytest.approx(1.8477, abs=5e-5)
    assert values["log_density_u"][0, 0, 0] == pytest.approx(-751.609, abs=5e-4)
    assert values["log_density_s"][0, 0, 0] == pytest.approx(-134.364, abs=5e-4)
    assert values["log_likelihood"][0, 0] == pytest.approx(-885.97, abs=5e-3)
    assert adjoints["alpha"][0] == pytest.approx(2495, abs=0.5)


@pytest.mark.parametrize(
    ("start", "u", "s", "u_part"),
    [("steady-state", 8.5, 17.0, 58.5225), ("switch-time", 5.3730, 2.6319, 20.4578)],
)
def test_start_of_repression(start, u, s, u_part):
    """model.md 4.2: (9), (10) at t_s against the steady state."""
    values, _, _ = reference.recompute(cell_1_gene_a(repression_start=start))
    assert values["u_switch"][0] == pytest.approx(u, abs=5e-5)
    assert values["s_switch"][0] == pytest.approx(s, abs=5e-5)
    s_part = (values["s_switch"][0] - 0.15) ** 2
    assert values["switch_penalty"][0] - s_part == pytest.approx(u_part, abs=5e-5)


def test_the_documents_penalty_does_not_pull_on_the_switch_time():
    """model.md 4.3: with alpha/beta the gradient of the penalty is exactly 0."""
    with_penalty, without = cell_1_gene_a(), cell_1_gene_a()
    with_penalty["constants"]["switch_weight"] = 1.0
    pulls = [reference.recompute(made)[1]["switch_time"][0] for made in (with_penalty, without)]
    assert pulls[0] == pulls[1]


@pytest.mark.parametrize(
    ("likelihood", "expected", "tolerance"),
    [
        ("sampled-state", -886.0, 0.05),
        ("separate-mixtures", -437.95, 0.005),
        ("joint-mixture", -886.3, 0.05),
    ],
)
def test_three_likelihoods(likelihood, expected, tolerance):
    """model.md 4.10: one k for u and s, or one each, makes all the difference."""
    made = cell_1_gene_a(likelihood=likelihood, repression_start="switch-time")
    values, _, _ = reference.recompute(made)
    assert values["log_likelihood"][0, 0] == pytest.approx(expected, abs=tolerance)


# Kinetics --------------------------------------------------------------------------------------


def solve(u, s, alpha, beta, gamma, duration):
    solution = solve_ivp(
        lambda _, y: [alpha - beta * y[0], beta * y[0] - gamma * y[1]],
        (0, duration),
        [u, s],
        method="DOP853",
        rtol=1e-13,
        atol=1e-15,
    )
    return solution.y[:, -1]


@pytest.mark.parametrize("gap", [None, 0.0, 1e-9, -1e-6, 1e-3, 3.0])
@pytest.mark.parametrize("start", ["steady-state", "switch-time"])
def test_kinetics_against_the_differential_equation(rng, start, gap):
    """(3) to (12); gap is gamma - beta."""
    made = inputs.make_inputs(rng, cells=3, genes=2, repression_start=start)
    if gap is not None:
        made["values"]["gamma"]["data"] = [b + gap for b in made["values"]["beta"]["data"]]
    v, _, _ = reference.recompute(made)
    for g in range(2):
        rates = v["beta"][g], v["gamma"][g]
        alpha, t_s = v["alpha"][g], v["switch_time"][g]
        u_0, s_0 = v["u_switch"][g], v["s_switch"][g]
        if start == "switch-time":
            np.testing.assert_allclose([u_0, s_0], solve(0, 0, alpha, *rates, t_s), rtol=1e-10)
        else:
            np.testing.assert_allclose(solve(u_0, s_0, alpha, *rates, 5), [u_0, s_0], rtol=1e-10)
        for n in range(3):
            t_1, tau = v["time_induction"][n, g], v["time_repression"][n, g] - t_s
            steady = [alpha / rates[0], alpha / rates[1]]
            expected = [
                solve(0, 0, alpha, *rates, t_1),
                steady,
                solve(u_0, s_0, 0, *rates, tau),
                [0, 0],
            ]
            found = np.stack([v["u_bar"][n, g], v["s_bar"][n, g]], -1)
            np.testing.assert_allclose(found, expected, rtol=1e-10)


def exponential_difference_in_mpmath(beta, gamma, t):
    """The plain quotient; a shift of the rates too small to show stands for the limit."""
    beta, gamma, t = beta - mpmath.mpf(10) ** -30, gamma + mpmath.mpf(10) ** -30, mpmath.mpf(t)
    return (mpmath.exp(-gamma * t) - mpmath.exp(-beta * t)) / (gamma - beta)


@pytest.mark.parametrize("gap", [0.0, 1e-15, -1e-9, 1e-7, -1e-4, 0.0999, -0.1001, 0.7, 49.0])
@pytest.mark.parametrize("t", [0.0, 1e-9, 0.3, 20.0])
@pytest.mark.parametrize("beta", [0.05, 50.0])
def test_removable_singularity_with_its_gradient(beta, gap, t):
    """(4), (8) and their derivatives through beta = gamma, t = 0, and both ends of the clamps."""
    gamma = beta + gap if beta + gap > 0 else 0.05
    arguments = tensor(beta), tensor(gamma), tensor(t)
    value = reference.exponential_difference(*arguments, "exact")
    slopes = torch.autograd.grad(value, arguments)
    with mpmath.workdps(90):
        expected = exponential_difference_in_mpmath(beta, gamma, t)
        expected_slopes = [
            mpmath.diff(exponential_difference_in_mpmath, (beta, gamma, t), order)
            for order in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        ]
    assert value.item() == pytest.approx(float(expected), rel=2e-13, abs=1e-300)
    natural = math.exp(-min(beta, gamma) * t)  # d/dt is 0 at t = 1 / beta = 1 / gamma
    for found, wanted in zip(slopes, expected_slopes, strict=True):
        assert found.item() == pytest.approx(float(wanted), rel=2e-12, abs=1e-15 * natural)


def test_added_denominator():
    """denominator = "eps": 1e-6 more in (4) and (8), for all rates, and nothing at beta = gamma."""
    beta, gamma = 0.3, 0.30002
    value = reference.exponential_difference(tensor(beta), tensor(gamma), tensor(5.0), "eps")
    with mpmath.workdps(40):
        gap = mpmath.mpf(gamma) - mpmath.mpf(beta)
        exact = (mpmath.exp(-5 * mpmath.mpf(gamma)) - mpmath.exp(-5 * mpmath.mpf(beta))) / gap
        expected = float(exact * gap / (gap + mpmath.mpf("1e-6")))
    # gap + 1e-6 is known to eps * 0.3 / 2e-5 only
    assert value.item() == pytest.approx(expected, rel=1e-11)
    same = reference.exponential_difference(tensor(0.3), tensor(0.3), tensor(5.0), "eps")
    assert same.item() == 0


# Distributions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("concentration", "expected"),
    [
        ([1.0, 1.0, 1.0, 1.0], 1.4438),
        ([2.0, 2.0, 2.0, 2.0], 2.5273),
        ([0.7, 0.1, 0.1, 0.1], 2.2748),
        ([0.25, 0.25, 0.25, 0.25], 0.0),
    ],
)
def test_kl_of_dirichlets(concentration, expected):
    """model.md 4.1: doc (2) with the Gamma ratios the right way up."""
    found = reference.kl_dirichlet(tensor(concentration), 0.25)
    assert found.item() == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 30.0, 1e3])
def test_kl_of_dirichlets_and_its_gradient_in_mpmath(scale):
    start = [scale * x for x in (0.3, 1.0, 2.0, 0.7)]
    concentration = tensor(start)
    found = reference.kl_dirichlet(concentration, 0.25)
    (slope,) = torch.autograd.grad(found, concentration)
    with mpmath.workdps(50):
        q = [mpmath.mpf(x) for x in start]
        expected = (
            mpmath.loggamma(sum(q))
            - mpmath.loggamma(1)
            + sum(
                mpmath.loggamma(0.25)
                - mpmath.loggamma(x)
                + (x - 0.25) * (mpmath.psi(0, x) - mpmath.psi(0, sum(q)))
                for x in q
            )
        )
        pull = mpmath.psi(1, sum(q)) * (sum(q) - 1)
        expected_slope = [float((x - 0.25) * mpmath.psi(1, x) - pull) for x in q]
    # at scale 1e3 the log-Gammas, of order 1e4, leave a KL of order 10
    largest_term = max(1.0, math.lgamma(sum(start)))
    assert found.item() == pytest.approx(float(expected), rel=1e-13, abs=1e-15 * largest_term)
    # and there the pulls are known to the round-off of their terms, which are of order 1
    tolerance = 1e-13 * max(map(abs, expected_slope)) + 2e-15
    np.testing.assert_allclose(slope, expected_slope, rtol=0, atol=tolerance)


def test_kl_of_normals(rng):
    """doc (1) against Gauss-Hermite quadrature of the log ratio, exact for a quadratic."""
    mean, log_variance = rng.normal(size=(2, 3))
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    z = mean[:, None] + np.exp(log_variance / 2)[:, None] * nodes
    q = stats.norm.logpdf(z, mean[:, None], np.exp(log_variance / 2)[:, None])
    expected = ((q - stats.norm.logpdf(z)) @ weights).sum() / weights.sum()
    assert reference.kl_normal(tensor(mean), tensor(log_variance)).item() == pytest.approx(expected)


def test_log_normal_far_out():
    found = reference.log_normal(torch.tensor(1e5), torch.tensor(0.0), torch.tensor(0.1)).item()
    assert found == pytest.approx(stats.norm.logpdf(1e5, 0, 0.1), rel=1e-6)


def test_softplus_beyond_torchs_threshold():
    x = tensor([-40.0, 0.0, 19.0, 21.0, 30.0])
    y = special.softplus(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    points = x.detach().numpy()
    np.testing.assert_allclose(y.detach(), np.logaddexp(points, 0), rtol=1e-15)
    np.testing.assert_allclose(slope, 1 / (1 + np.exp(-points)), rtol=1e-15)


# The draw from the Dirichlet -------------------------------------------------------------------


@pytest.mark.parametrize("a", [1e-3, 0.25, 3.0, 1e3])
@pytest.mark.parametrize("x", [1e-300, 1e-5, 0.4, 0.999])
def test_draw_derivative_in_closed_form(a, x):
    """For b = 1 F is x^a, so g = -x log(x) / (a (1 - x))."""
    found = special.draw_derivative(x, 1 - x, a, 1.0)
    assert found == pytest.approx(-x * math.log(x) / (a * (1 - x)), rel=1e-13)


def test_draw_derivative_does_not_depend_on_the_digits():
    for a, b, quantile in itertools.product(
        [1e-3, 0.1, 3.0, 1e3], [1e-3, 0.1, 3.0, 1e3], [0.02, 0.9]
    ):
        share = max(stats.beta.ppf(quantile, a, b), 1e-300)
        rest = max(stats.beta.ppf(1 - quantile, b, a), 1e-300)
        found = special.draw_derivative(share, rest, a, b)
        assert found == pytest.approx(
            special.draw_derivative(share, rest, a, b, digits=90), rel=1e-13
        )


def test_draw_derivative_near_torchs_own(rng):
    """torch's is coarse, up to 2e-3 (model.md 2)."""
    concentration = torch.tensor(rng.uniform(0.1, 4, (20, 4)))
    pi = torch.tensor(np.stack([rng.dirichlet(row) for row in concentration.numpy()]))
    total = concentration.sum(-1, keepdim=True).expand_as(concentration).contiguous()
    theirs = torch._dirichlet_grad(pi, concentration, total).numpy()
    ours = [
        [special.draw_derivative(x, 1 - x, a, t - a) for x, a, t in zip(*rows, strict=True)]
        for rows in zip(pi.tolist(), concentration.tolist(), total.tolist(), strict=True)
    ]
    np.testing.assert_allclose(theirs, ours, rtol=5e-3)


def moved_draw(base):
    """A draw that follows its concentrations by the Beta distribution function, never anew."""

    def draw(concentration, pi):
        now, share = base.copy(), pi.numpy().copy()
        for i in range(4):
            others = [j for j in range(4) if j != i]
            b, x = now[..., others].sum(-1), share[..., i].copy()
            quantile = betainc(now[..., i], b, x)
            now[..., i] = concentration.detach().numpy()[..., i]
            moved = betaincinv(now[..., i], b, quantile)
            share[..., others] *= ((1 - moved) / (1 - x))[..., None]
            share[..., i] = moved
        return torch.tensor(share)

    return draw


# Adjoints --------------------------------------------------------------------------------------


def central_difference(loss):
    """Of fourth order. With h = 1e-4 round-off (eps |loss| / h) rules."""
    h = 1e-4
    return (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)


def made_for(rng, reading):
    made = inputs.make_inputs(rng, **READINGS[reading])
    if (
        reading == "joint"
    ):  # beta = gamma is on trial as well; denominator = "eps" has a pole nearby
        made["values"]["gamma"]["data"][0] = made["values"]["beta"]["data"][0]
    return made


@pytest.mark.parametrize("reading", READINGS)
def test_adjoints_against_central_differences(rng, reading):
    made = made_for(rng, reading)
    values, adjoints, _ = reference.recompute(made)
    draw = special.ImplicitDirichletDraw.apply
    if made["scenario"]["reading"]["likelihood"] in MIXTURES:
        draw = moved_draw(values["concentration"])
    for key, adjoint in adjoints.items():
        if adjoint is None or key == "loss":
            continue
        direction = rng.normal(size=adjoint.shape) * np.abs(values[key])

        def loss(h, key=key, direction=direction):
            return reference.forward(made, {key: h * direction}, draw)[0]["loss"].item()

        expected = (adjoint * direction).sum()
        tolerance = 1e-11 * (1 + abs(values["loss"])) + 1e-9 * np.abs(adjoint * direction).sum()
        assert central_difference(loss) == pytest.approx(expected, rel=0, abs=tolerance), key


@pytest.mark.parametrize("reading", READINGS)
def test_network_adjoints_against_central_differences(rng, reading):
    made = made_for(rng, reading)
    values, _, network_adjoints = reference.recompute(made)
    draw = special.ImplicitDirichletDraw.apply
    if made["scenario"]["reading"]["likelihood"] in MIXTURES:
        draw = moved_draw(values["concentration"])
    for key, layers in network_adjoints.items():
        for (number, layer), p in itertools.product(enumerate(layers), ("W", "b")):
            direction = rng.normal(size=layer[p].shape) * 0.1

            def loss(h, place=(key, number, p), direction=direction):
                moved = copy.deepcopy(made)
                layer = moved["networks"][place[0]][place[1]]
                layer[place[2]] = (np.asarray(layer[place[2]]) + h * direction).tolist()
                return reference.forward(moved, draw=draw)[0]["loss"].item()

            expected = (layer[p] * direction).sum()
            tolerance = (
                1e-11 * (1 + abs(values["loss"])) + 1e-9 * np.abs(layer[p] * direction).sum()
            )
            assert central_difference(loss) == pytest.approx(expected, rel=0, abs=tolerance), (
                key,
                p,
            )


def test_which_values_have_no_path(rng):
    constants = {"unspliced", "spliced", "epsilon_z", "velocity"}
    for likelihood, expected in [
        ("sampled-state", constants | {"pi", "state"}),
        *((mixture, constants) for mixture in MIXTURES),
    ]:
        values, adjoints, _ = reference.recompute(inputs.make_inputs(rng, likelihood=likelihood))
        assert list(values) == [key for key in reference.DIMENSIONS if key in values]
        assert {key for key, adjoint in adjoints.items() if adjoint is None} == expected


def test_a_draw_at_the_floor_gives_finite_gradients(rng):
    """Components of 0 and of the smallest normal number, as a pin or an underflow leaves them."""
    for likelihood in MIXTURES:
        made = inputs.make_inputs(rng, likelihood=likelihood, repression_start="switch-time")
        made["values"]["pi"]["data"][0][0] = [1.0, 0.0, 2.0**-1022, 1e-200]
        _, adjoints, network_adjoints = reference.recompute(made)
        assert all(
            np.isfinite(adjoint).all() for adjoint in adjoints.values() if adjoint is not None
        )
        assert np.isfinite(network_adjoints["encoder_z"][0]["W"]).all()


# Order of the networks' inputs and outputs -----------------------------------------------------


@pytest.mark.parametrize("order", ["interleaved", "spliced-first"])
def test_order_of_the_encoders(rng, order):
    """encoder_z: mu_z, then log_var_z; encoder_pi: gene-major (design.md, vocabulary)."""
    made = inputs.make_inputs(rng, cells=1, genes=2, latent=2, hidden=(), encoder_input=order)
    made["networks"]["encoder_z"] = [{"W": np.eye(4).tolist(), "b": [0.0] * 4}]
    made["networks"]["encoder_pi"] = [{"W": np.zeros((2, 8)).tolist(), "b": list(range(8))}]
    values, _, _ = reference.recompute(made)
    (u_a, u_b), (s_a, s_b) = values["unspliced"][0], values["spliced"][0]
    x = [u_a, s_a, u_b, s_b] if order == "interleaved" else [s_a, s_b, u_a, u_b]
    assert [*values["mu_z"][0], *values["log_var_z"][0]] == x
    expected = np.logaddexp(np.arange(8.0).reshape(1, 2, 4), 0)
    np.testing.assert_allclose(values["concentration"], expected, rtol=1e-15)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_decoders_that_share_their_hidden_layer(rng, activation):
    """The activation follows the shared layer too; (16) to (19)."""
    made = inputs.make_inputs(rng, activation=activation, decoders="shared-hidden")
    values, _, _ = reference.recompute(made)
    shared, induction, repression = (
        [np.asarray(made["networks"][key][0][p]) for p in ("W", "b")]
        for key in ("decoder_shared", "decoder_ind", "decoder_rep")
    )
    hidden = values["z"] @ shared[0] + shared[1]
    hidden = np.tanh(hidden) if activation == "tanh" else np.maximum(hidden, 0)
    rho_1, rho_3 = (1 / (1 + np.exp(-hidden @ w - b)) for w, b in (induction, repression))
    t_s = values["switch_time"]
    np.testing.assert_allclose(values["time_induction"], rho_1 * t_s, rtol=1e-13)
    np.testing.assert_allclose(values["time_repression"], t_s + (20 - t_s) * rho_3, rtol=1e-13)


# What no central difference sees: a value and its adjoint wrong together -----------------------


@pytest.mark.parametrize("noise", ["standard-deviation", "variance"])
@pytest.mark.parametrize("parameterisation", ["natural", "softplus"])
def test_what_is_held(rng, parameterisation, noise):
    """model.md 2: softplus of a free value, and sd or variance; inputs are made by inverting."""
    natural = {key: rng.uniform(*bounds, 3).tolist() for key, bounds in inputs.RANGES.items()}
    made = inputs.make_inputs(rng, parameterisation=parameterisation, noise_parameter=noise)
    reading = made["scenario"]["reading"]
    for key, value in natural.items():
        held = reference.held_as(key, reading)
        made["values"][held]["data"] = inputs.hold(key, np.array(value), reading).tolist()
    values, adjoints, _ = reference.recompute(made)
    for key, value in natural.items():
        np.testing.assert_allclose(values[key], value, rtol=1e-14)
        slope = np.ones(3)
        if key in reference.VARIANCES and noise == "variance":
            slope = 0.5 / values[key]  # of the root
            np.testing.assert_allclose(values[f"variance_{key[-1]}"], values[key] ** 2, rtol=1e-14)
        held = reference.held_as(key, reading)
        if parameterisation == "softplus":
            slope = slope / (1 + np.exp(-values[held]))
        np.testing.assert_allclose(adjoints[held], adjoints[key] * slope, rtol=1e-13)


def test_clamps_of_free_values(rng):
    """min(softplus(free), 50), t_s at t_max: the gradient passes up to the bound, none beyond."""
    made = inputs.make_inputs(
        rng, parameterisation="softplus", repression_start="switch-time", switch_weight=3.0
    )
    free = {  # softplus(50) is 50 in float64; beyond 20 softplus(t) exceeds t_max
        "alpha_free": [50.0, 60.0, 0.3],
        "beta_free": [0.1, 50.0 + 1e-9, 50.0],
        "switch_time_free": [3.0, 20.0, 19.0],
    }
    for key, data in free.items():
        made["values"][key]["data"] = data
    values, adjoints, _ = reference.recompute(made)
    np.testing.assert_allclose(values["alpha"], [50.0, 50.0, math.log1p(math.exp(0.3))], rtol=1e-15)
    np.testing.assert_allclose(values["beta"], [math.log1p(math.exp(0.1)), 50.0, 50.0], rtol=1e-15)
    assert values["switch_time"][1] == 20.0
    held_back = {"alpha_free": [1], "beta_free": [1], "switch_time_free": [1]}
    for key, genes in held_back.items():
        natural = adjoints[key.removesuffix("_free")]
        assert (natural != 0).all(), key
        assert np.flatnonzero(adjoints[key] == 0).tolist() == genes, key


def test_variance_by_softplus():
    made = cell_1_gene_a(latent_variance="softplus")
    made["networks"]["encoder_z"][0]["b"] = [0.0, -9.0]  # the floor of 1e-4 nearly doubles this one
    values, _, _ = reference.recompute(made)
    assert values["log_var_z"][0, 0] == pytest.approx(math.log(math.log1p(math.exp(-9)) + 1e-4))
    noise = values["epsilon_z"][0, 0] * math.exp(values["log_var_z"][0, 0] / 2)
    assert values["z"][0, 0] == pytest.approx(noise, rel=1e-14)


@pytest.mark.parametrize("reading", READINGS)
def test_objective_and_velocity_put_together_again(rng, reading):
    """(25) to (27) with the weights and the reduction of the reading, and ds/dt at k or over pi."""
    made = made_for(rng, reading)
    v, _, _ = reference.recompute(made)
    constants, choice = made["constants"], made["scenario"]["reading"]
    cells = len(v["kl_z"]) if choice["reduction"] == "mean" else 1
    reconstruction = -v["log_likelihood"].sum() / cells
    divergence = (constants["kl_weight"] * v["kl_z"].sum() + v["kl_pi"].sum()) / cells
    penalty = constants["switch_weight"] * v["switch_penalty"].sum()
    assert v["reconstruction"] == pytest.approx(reconstruction, rel=1e-13)
    assert v["loss"] == pytest.approx(reconstruction + divergence + penalty, rel=1e-13)
    weights = np.eye(4)[v["state"] - 1] if "state" in v else v["pi"]
    unspliced, spliced = ((weights * v[key]).sum(-1) for key in ("u_bar", "s_bar"))
    velocity = v["beta"] * unspliced - v["gamma"] * spliced
    np.testing.assert_allclose(v["velocity"], velocity, rtol=1e-12, atol=1e-14)
    # state_scale holds for the standard deviation, in state 4 as in the others
    deviation = v["sigma_s"][:, None] * [1, 1, 1, 0.1]
    densities = stats.norm.logpdf(v["spliced"][..., None], v["s_bar"], deviation)
    np.testing.assert_allclose(v["log_density_s"], densities, rtol=1e-12)


# Comparing -------------------------------------------------------------------------------------


def completed(made):
    """The whole file, as a program that agrees would write it, after a trip through JSON."""
    values, adjoints, network_adjoints = reference.recompute(made)

    def labelled(key, array):
        return (
            None if array is None else {"dims": reference.DIMENSIONS[key], "data": array.tolist()}
        )

    whole = made | {
        "values": {key: labelled(key, array) for key, array in values.items()},
        "adjoints": {key: labelled(key, array) for key, array in adjoints.items()},
        "network_adjoints": {
            key: [{p: array.tolist() for p, array in layer.items()} for layer in layers]
            for key, layers in network_adjoints.items()
        },
    }
    return json.loads(json.dumps(whole))


@pytest.mark.parametrize("reading", READINGS)
def test_compare_accepts_what_agrees(rng, reading):
    assert reference.compare(completed(made_for(rng, reading))) == []


def test_compare_names_what_differs(rng):
    file = completed(inputs.make_inputs(rng, likelihood="joint-mixture"))
    file["values"]["u_bar"]["data"][1][2][0] *= 1 + 1e-3
    file["values"]["loss"]["data"] = float("nan")
    file["adjoints"]["pi"] = None
    del file["values"]["kl_z"]
    file["network_adjoints"]["decoder_rep"][1]["b"][2] += 1.0
    found = reference.compare(file)
    starts = [
        "values.u_bar[cell=Cell 2, gene=Gene 3, state=induction]: ",
        "values.kl_z: missing",
        "values.loss[]: nan",
        "adjoints.pi: null in the file, an array in the reference",
        "network_adjoints.decoder_rep[1].b[output=2]: ",
    ]
    assert len(found) == len(starts)
    assert all(line.startswith(start) for line, start in zip(found, starts, strict=True))
