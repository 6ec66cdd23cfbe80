"""Pointwise functions with their derivatives: what `Jet.compose` needs to carry a jet through them.

A function is `f(z, order) -> [f(z), f'(z), ..., f^(order)(z)]`; None stands for a derivative that is zero everywhere.
Two rules build nearly all of them: the product rule, and `s' = q(s)`, which makes every derivative of tanh and of the
logistic sigmoid a polynomial in the value. FUNCTIONS lists those that functions written by a user may call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from mask_pinns.jets.jet import times, total

Values = list[Tensor | None]
Function = Callable[[Tensor, int], Values]


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


def hermite(w: Tensor, order: int) -> list[Tensor]:
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


def sin(z: Tensor, order: int) -> Values:
    """sin z; each derivative is the previous one, shifted by a quarter period."""
    s, c = torch.sin(z), torch.cos(z) if order else None
    cycle = (s, c, -s if order > 1 else None, -c if c is not None and order > 2 else None)
    return [cycle[k % 4] for k in range(order + 1)]


def cos(z: Tensor, order: int) -> Values:
    """cos z, the derivative of sin z."""
    return sin(z, order + 1)[1:]


def exp(z: Tensor, order: int) -> Values:
    """exp z; each derivative is exp z."""
    return [torch.exp(z)] * (order + 1)


def power(z: Tensor, order: int, exponent: float) -> Values:
    """z^r: the k-th derivative is r (r - 1) ... (r - k + 1) z^(r - k), zero if one of the factors is zero."""
    values: Values = []
    factor = 1.0
    for k in range(order + 1):
        values.append(factor * z ** (exponent - k) if factor else None)
        factor *= exponent - k
    return values


def log(z: Tensor, order: int) -> Values:
    """log z, whose derivative is 1 / z."""
    return [torch.log(z), *(power(z, order - 1, -1.0) if order else [])]


def sinh(z: Tensor, order: int) -> Values:
    """sinh z; its derivatives are cosh z, sinh z, ..."""
    pair = (torch.sinh(z), torch.cosh(z))
    return [pair[k % 2] for k in range(order + 1)]


def cosh(z: Tensor, order: int) -> Values:
    """cosh z; its derivatives are sinh z, cosh z, ..."""
    return sinh(z, order + 1)[1:]


def arctan(z: Tensor, order: int) -> Values:
    """arctan z: (1 + z^2) f^(k+1) + 2 k z f^(k) + k (k - 1) f^(k-1) = 0, from f' = 1 / (1 + z^2)."""
    slope = 1 / (1 + z * z)
    values: list[Tensor] = [torch.arctan(z), slope]
    for k in range(1, order):
        values.append(-slope * (2 * k * z * values[k] + k * (k - 1) * values[k - 1]))
    return list(values[: order + 1])


def absolute(z: Tensor, order: int) -> Values:
    """|z|, whose slope is the sign of z; it has a kink at 0."""
    slope: Values = [torch.sign(z)] if order else []
    return [z.abs(), *slope, *([None] * (order - 1))]


def erf(z: Tensor, order: int) -> Values:
    """erf z; the k-th derivative is 2/sqrt(pi) (-1)^(k-1) H_(k-1)(z) exp(-z^2), H the Hermite polynomials."""
    gaussian = torch.exp(-z * z) * (2 / math.sqrt(math.pi))
    polynomials = hermite(z, order - 1) if order else []
    return [torch.erf(z), *((-1) ** k * polynomial * gaussian for k, polynomial in enumerate(polynomials))]


FUNCTIONS: dict[str, Function] = {
    "sin": sin,
    "cos": cos,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "exp": exp,
    "log": log,
    "sinh": sinh,
    "cosh": cosh,
    "erf": erf,
    "arctan": arctan,
    "atan": arctan,
    "sqrt": partial(power, exponent=0.5),
    "square": partial(power, exponent=2.0),
    "reciprocal": partial(power, exponent=-1.0),
}
