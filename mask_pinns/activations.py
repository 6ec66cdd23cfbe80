"""Activations and the mask, each with its own derivatives: what `Jet.compose` needs.

An activation is a function `f(z, order) -> [f(z), f'(z), ..., f^(order)(z)]` (None: identically zero).
Two rules build nearly all of them: the product rule, and `s' = q(s)`, by which tanh and the logistic
sigmoid turn every derivative into a polynomial of the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mask_pinns.jet import times, total

Values = list[Tensor | None]
Activation = Callable[[Tensor, int], Values]


def leibniz(a: Sequence[Tensor | None], b: Sequence[Tensor | None]) -> Values:
    """Derivatives of the product a b of two functions of one variable: (a b)^(k) = sum C(k, j) a^(j) b^(k-j)."""
    return [total(times(a[j], b[k - j], math.comb(k, j)) for j in range(k + 1)) for k in range(len(a))]


def _horner(coefficients: Sequence[float], s: Tensor) -> Tensor:
    """coefficients[0] + coefficients[1] s + ..."""
    result = torch.full_like(s, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = result * s + c
    return result


def _polynomials_of(s: Tensor, q: Sequence[float], order: int) -> Values:
    """s and its derivatives, given s' = q(s): p_0 = s, p_(k+1) = p_k' q, all polynomials in s."""
    p: list[float] = [0.0, 1.0]
    values: Values = [s]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(p)][1:]
        p = [0.0] * (len(slope) + len(q) - 1)
        for i, a in enumerate(slope):
            for j, b in enumerate(q):
                p[i + j] += a * b
        values.append(_horner(p, s))
    return values


def _hermite(w: Tensor, order: int) -> list[Tensor]:
    """The physicists' Hermite polynomials H_0 .. H_order: H_(k+1) = 2 w H_k - 2 k H_(k-1)."""
    h = [torch.ones_like(w), 2 * w]
    for k in range(1, order):
        h.append(2 * w * h[k] - 2 * k * h[k - 1])
    return h[: order + 1]


def identity(z: Tensor, order: int) -> Values:
    """f(z) = z."""
    ones: Values = [torch.ones_like(z)] if order else []
    return [z, *ones, *([None] * (order - 1))]


def tanh(z: Tensor, order: int) -> Values:
    """s = tanh z, s' = 1 - s^2."""
    return _polynomials_of(torch.tanh(z), (1.0, 0.0, -1.0), order)


def sigmoid(z: Tensor, order: int) -> Values:
    """s = 1 / (1 + exp(-z)), s' = s - s^2."""
    return _polynomials_of(torch.sigmoid(z), (0.0, 1.0, -1.0), order)


def softplus(z: Tensor, order: int) -> Values:
    """log(1 + exp(z)), the integral of the sigmoid; by logsigmoid, which autograd differentiates twice."""
    return [-torch.nn.functional.logsigmoid(-z), *(sigmoid(z, order - 1) if order else [])]


def silu(z: Tensor, order: int) -> Values:
    """z sigmoid(z)."""
    return leibniz(identity(z, order), sigmoid(z, order))


def sin(z: Tensor, order: int) -> Values:
    """sin z: each derivative is the one before, a quarter period on."""
    s, c = torch.sin(z), torch.cos(z) if order else None
    quarter = (s, c, -s if order > 1 else None, -c if c is not None and order > 2 else None)
    return [quarter[k % 4] for k in range(order + 1)]


def gelu(z: Tensor, order: int) -> Values:
    """z Phi(z), Phi the normal distribution function (the exact GELU, not the tanh approximation).

    Phi' = phi, the normal density, and phi^(n+1) = -z phi^(n) - n phi^(n-1).
    """
    cdf = 0.5 * (1 + torch.erf(z * math.sqrt(0.5)))
    normal: Values = [cdf]
    if order:
        pdf = torch.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
        normal += [pdf, -z * pdf][:order]
        for k in range(3, order + 1):  # Phi^(k) = phi^(k-1): the recursion with n = k - 2
            before, last = normal[k - 2], normal[k - 1]
            assert before is not None and last is not None
            normal.append(-z * last - (k - 2) * before)
    return leibniz(identity(z, order), normal)


def mask(z: Tensor, alpha: Tensor, order: int) -> Values:
    """m(z) = 1 - exp(-(alpha z)^2), and m^(k)(z) = -(-alpha)^k H_k(alpha z) exp(-(alpha z)^2) for k > 0.

    z: (N, H), alpha: (H,) or a scalar. `expm1` keeps the digits that 1 - exp loses at small alpha z.
    Source: Mask-PINNs, arXiv 2505.06331.
    """
    w = alpha * z
    square = w * w
    opened = -torch.expm1(-square)
    values: Values = [opened]
    if order:
        bell = 1 - opened  # exp(-square), to an absolute rounding error: one transcendental less
        values += [-((-alpha) ** k) * h * bell for k, h in enumerate(_hermite(w, order)) if k]
    return values


ACTIVATIONS: dict[str, Activation] = {
    "gelu": gelu,
    "tanh": tanh,
    "sin": sin,
    "silu": silu,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "identity": identity,
}

FLAT_SLOPE, FLAT_CURVATURE = 0.05, 0.1


def share(condition: Tensor, x: Tensor) -> Tensor:
    """The share of entries of x for which the condition holds; NaN where x has one: nothing is known of it."""
    return torch.where(x.isnan(), x, condition.to(x.dtype)).mean()


def flat_share(name: str, z: Tensor) -> Tensor:
    """The share of entries of z where the activation is flat: |f'(z)| < 0.05 and |f''(z)| < 0.1.

    A minimum, as GELU has at z = -0.75, is no flat part: the slope comes back beside it. So flat are |z| > 2.18 of tanh
    and > 2.89 of the sigmoid, z < -2.35 of GELU, < -4.08 of SiLU, < -2.94 of softplus; of sin and identity nothing.
    """
    _, *slopes = ACTIVATIONS[name](z, 2)
    slope, curvature = (torch.zeros_like(z) if s is None else s.abs() for s in slopes)
    return share((slope < FLAT_SLOPE) & (curvature < FLAT_CURVATURE), z)
