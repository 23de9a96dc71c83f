"""The special functions of the PyTorch reference: softplus, digamma, and the draw from a Dirichlet.

Torch's own are not good enough to judge others to 1e-9: its softplus turns linear at 20, its
trigamma (needed for the derivative of digamma) is good to 1e-9 only, and the derivative that its
Dirichlet ``rsample`` takes is off by up to 2e-3. Here mpmath stands behind all three.
"""

from functools import lru_cache

import mpmath
import torch


def softplus(x):
    """log(1 + e^x), exact on both sides (torch's own returns x above 20)."""
    return torch.logaddexp(x, torch.zeros_like(x))


def _elementwise(function, x):
    flat = [float(function(value)) for value in x.detach().reshape(-1).tolist()]
    return torch.tensor(flat, dtype=x.dtype).reshape(x.shape)


class Digamma(torch.autograd.Function):
    """psi(x) whose derivative is an accurate trigamma."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return _elementwise(lambda value: mpmath.psi(0, value), x)

    @staticmethod
    def backward(context, upstream):
        (x,) = context.saved_tensors
        return upstream * _elementwise(lambda value: mpmath.psi(1, value), x)


@lru_cache(maxsize=100_000)
def draw_derivative(share: float, rest: float, a: float, b: float, digits: int = 40) -> float:
    """g = -d_a F(x; a, b) / (pdf(x; a, b) (1 - x)), F the Beta distribution function, b fixed.

    ``share`` is pi_i and ``rest`` the sum of the other three: 1 - pi_i would have lost the digits
    that matter when pi_i is close to 1. F is differentiated numerically at high precision, in the
    tail on whose side x lies, where F is not 1 less something tiny.
    """
    if share == 0 or rest == 0:
        return (
            0.0  # the draw at the very edge: it does not move, since g or what it multiplies is 0
        )
    with mpmath.workdps(digits):
        share, rest, a, b = (mpmath.mpf(value) for value in (share, rest, a, b))
        x, complement = share / (share + rest), rest / (share + rest)
        if x * (a + b) <= a:
            slope = mpmath.diff(lambda p: mpmath.betainc(p, b, 0, x, regularized=True), a)
        else:
            slope = -mpmath.diff(lambda p: mpmath.betainc(b, p, 0, complement, regularized=True), a)
        density_times_complement = x ** (a - 1) * complement**b / mpmath.beta(a, b)
        return float(-slope / density_times_complement)


class ImplicitDirichletDraw(torch.autograd.Function):
    """pi as drawn (or pinned), with the implicit derivative of the draw by the concentrations.

    d pi_i / d conc_i = (1 - pi_i) g_i and d pi_j / d conc_i = -pi_j g_i; since 1 - pi_i is the sum
    of the others, adjoint(conc_i) = g_i sum over j != i of pi_j (adjoint(pi_i) - adjoint(pi_j)).
    """

    @staticmethod
    def forward(context, concentration, pi):
        context.save_for_backward(concentration, pi)
        return pi.clone()

    @staticmethod
    def backward(context, upstream):
        concentration, pi = (tensor.flatten(0, -2) for tensor in context.saved_tensors)
        adjoint = upstream.reshape(pi.shape)
        others = 1 - torch.eye(pi.shape[-1], dtype=pi.dtype)
        rest, rest_concentration = pi @ others, concentration @ others
        columns = (x.flatten().tolist() for x in (pi, rest, concentration, rest_concentration))
        g = [draw_derivative(*row) for row in zip(*columns, strict=True)]
        g = torch.tensor(g, dtype=pi.dtype).reshape(pi.shape)
        contrast = adjoint[:, :, None] - adjoint[:, None, :]
        return (g * (contrast * pi[:, None, :]).sum(-1)).reshape(upstream.shape), None
