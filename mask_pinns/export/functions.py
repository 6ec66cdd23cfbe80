"""Operations that ONNX or its runtime lacks, made of others: onnxruntime has no erf, sinh, cosh or arctan in float64.

REPLACED is for ONNX in any precision, IN_FLOAT64 for that precision too; keys are operations of torch's ATen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor

aten = torch.ops.aten
ERFC_DEGREE = 25
"""Degree of the polynomial in `erf`; the rest of its Chebyshev series is below rounding."""
ERFC_NODES = 256
"""Number of points at which its coefficients are found: many, so that their rounding cancels."""
HALVINGS = 3
"""How often `arctan` halves an angle; what is left is below pi / 16."""
ARCTAN_TERMS = 12
"""Number of terms of the series of `arctan` for such angles."""


def expm1(x: Tensor) -> Tensor:
    """exp x - 1 = tanh(x / 2) (exp x + 1), which loses no digits near 0."""
    return torch.tanh(x * 0.5) * (torch.exp(x) + 1)


def searchsorted(axis: Tensor, x: Tensor, *, right: bool = False, **others: Any) -> Tensor:
    """The number of entries of an axis (n,) below each x (N,): at most as large, if right."""
    below = axis <= x[:, None] if right else axis < x[:, None]
    return below.to(torch.int64).sum(1)


def sinh(x: Tensor) -> Tensor:
    """sign(x) (e + e / (e + 1)) / 2 with e = exp |x| - 1."""
    e = expm1(x.abs())
    return torch.sign(x) * (e + e / (e + 1)) * 0.5


def cosh(x: Tensor) -> Tensor:
    return (torch.exp(x) + torch.exp(-x)) * 0.5


def arctan(x: Tensor) -> Tensor:
    """2 arctan(x / (1 + sqrt(1 + x^2))) for small angles, whose series is x - x^3 / 3 + ..."""
    for _ in range(HALVINGS):
        x = x / (1 + torch.sqrt(1 + x * x))
    return 2**HALVINGS * x * _horner([(-1) ** k / (2 * k + 1) for k in range(ARCTAN_TERMS)], x * x)


def log_sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    """min(x, 0) - log(1 + exp(-|x|)), and an empty buffer, which the operation has for its gradient."""
    return torch.clamp(x, max=0) - torch.log(1 + torch.exp(-x.abs())), x.new_zeros(0)


def erf(x: Tensor) -> Tensor:
    """erf x = sign(x) (1 - t exp(P(t) - x^2)), t = 2 / (2 + |x|), up to 1e-15.

    log(erfc(z) exp(z^2) / t) is a smooth function of t in [0, 1]; P is the start of its Chebyshev series.
    """
    t = 2 / (2 + x.abs())
    return torch.sign(x) * (1 - t * torch.exp(_horner(LOG_OF_ERFC, 2 * t - 1) - x * x))


def _log_of_erfc() -> list[float]:
    """The coefficients of P as a polynomial in 2 t - 1."""

    def logarithm(y: np.ndarray) -> np.ndarray:
        t = (y + 1) / 2
        return np.log(torch.special.erfcx(torch.from_numpy(2 / t - 2)).numpy() / t)

    series = Chebyshev.interpolate(logarithm, ERFC_NODES - 1).truncate(ERFC_DEGREE + 1)
    return list(series.convert(kind=Polynomial).coef)


LOG_OF_ERFC = _log_of_erfc()
"""The coefficients; a trace has no numbers of which they could be made."""


def _horner(coefficients: list[float], x: Tensor) -> Tensor:
    total = torch.full_like(x, float(coefficients[-1]))
    for c in reversed(coefficients[:-1]):
        total = total * x + float(c)
    return total


def exactly(operation: Any) -> Callable[..., Any]:
    """An operation with a Python number as its second argument: it becomes a tensor in the precision of the first one.

    torch writes Python numbers to ONNX in float32, whatever they are multiplied with.
    """

    def with_tensor(x: Any, number: Any, *others: Any, **options: Any) -> Any:
        if not isinstance(number, float) or not isinstance(x, Tensor):
            return NotImplemented
        return operation(x, torch.tensor(number, dtype=x.dtype), *others, **options)

    return with_tensor


def filled(zeros: Callable[..., Tensor]) -> Callable[..., Any]:
    """Tensors of one number as zeros plus this number, which stays exact."""

    def made(x: Tensor, *size_and_number: Any, **options: Any) -> Tensor:
        *size, number = size_and_number
        return zeros(x, *size) + torch.tensor(float(number), dtype=x.dtype)

    return made


REPLACED: Mapping[Any, Callable[..., Any]] = {aten.expm1.default: expm1, aten.searchsorted.Tensor: searchsorted}
IN_FLOAT64: Mapping[Any, Callable[..., Any]] = {
    aten.erf.default: erf, aten.sinh.default: sinh, aten.cosh.default: cosh, aten.atan.default: arctan,
    aten.log_sigmoid_forward.default: log_sigmoid,
    **{getattr(aten, name).Tensor: exactly(getattr(aten, name).Tensor) for name in ("add", "sub", "mul", "div")},
    **{getattr(aten, name).Scalar: exactly(getattr(aten, name).Tensor) for name in ("gt", "ge", "lt", "le")},
    aten.rsub.Scalar: exactly(aten.rsub.Tensor), aten.pow.Tensor_Scalar: exactly(aten.pow.Tensor_Tensor),
    aten.full_like.default: filled(torch.zeros_like), aten.new_full.default: filled(Tensor.new_zeros),
}  # fmt: skip
