"""Activations and the mask with their derivatives, in the form that `functions.py` describes.

    h = sigma(z) m(z),    m(z) = 1 - exp(-(alpha z)^2)

To add an activation, write a function here and add a line to ACTIVATIONS. Source of the mask: Mask-PINNs,
arXiv 2505.06331.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mask_pinns.jets.functions import Function, Values, hermite, identity, leibniz, sigmoid, sin, tanh


def softplus(z: Tensor, order: int) -> Values:
    """log(1 + exp(z)), the integral of the sigmoid; computed by logsigmoid, which autograd can differentiate twice."""
    return [-torch.nn.functional.logsigmoid(-z), *(sigmoid(z, order - 1) if order else [])]


def silu(z: Tensor, order: int) -> Values:
    """z sigmoid(z)."""
    return leibniz(identity(z, order), sigmoid(z, order))


def gelu(z: Tensor, order: int) -> Values:
    """z Phi(z), Phi the normal distribution function (not the tanh approximation of GELU).

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
    """
    w = alpha * z
    square = w * w
    value = -torch.expm1(-square)
    values: Values = [value]
    if order:
        gaussian = 1 - value  # exp(-square) up to an absolute rounding error; saves one transcendental function
        values += [-((-alpha) ** k) * h * gaussian for k, h in enumerate(hermite(w, order)) if k]
    return values


ACTIVATIONS: dict[str, Function] = {
    "gelu": gelu,
    "tanh": tanh,
    "sin": sin,
    "silu": silu,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "identity": identity,
}

MAX_FLAT_SLOPE, MAX_FLAT_CURVATURE = 0.05, 0.1
"""Limits of |f'| and |f''| below which an activation f counts as flat."""


def share(condition: Tensor, x: Tensor) -> Tensor:
    """The fraction of entries of x for which the condition holds; NaN if x contains NaN."""
    return torch.where(x.isnan(), x, condition.to(x.dtype)).mean()


def flat_share(name: str, z: Tensor) -> Tensor:
    """The fraction of entries of z at which the activation is flat: |f'(z)| < 0.05 and |f''(z)| < 0.1.

    The limit of |f''| excludes a minimum, as GELU has at z = -0.75, since the slope is not small beside it. The flat
    regions are |z| > 2.18 for tanh, |z| > 2.89 for the sigmoid, z < -2.35 for GELU, z < -4.08 for SiLU and z < -2.94
    for softplus; sin and the identity have none.
    """
    _, *slopes = ACTIVATIONS[name](z, 2)
    slope, curvature = (torch.zeros_like(z) if s is None else s.abs() for s in slopes)
    return share((slope < MAX_FLAT_SLOPE) & (curvature < MAX_FLAT_CURVATURE), z)
