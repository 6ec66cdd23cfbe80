"""Functions of the user's, differentiated: `torch.sin(pi * p.x)` evaluated on jets instead of tensors.

A `Number` stands where a tensor (N,) would: it knows arithmetic and the functions in FUNCTIONS, and carries a jet
through them. So a target's derivatives come from the very lines that give its values, with no nested autograd.
FUNCTIONS has the derivatives of each function, as ACTIVATIONS has them: `f(z, order) -> [f(z), f'(z), ...]`.
Legend: N points; a stream has shape (N,), or (1,) where it is the same at every point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mask_pinns.activations import Activation, Values, sigmoid, sin, tanh
from mask_pinns.jet import Jet


def cos(z: Tensor, order: int) -> Values:
    """cos z, the derivative of sin z."""
    return sin(z, order + 1)[1:]


def exp(z: Tensor, order: int) -> Values:
    """exp z, each derivative itself."""
    return [torch.exp(z)] * (order + 1)


def power(z: Tensor, order: int, exponent: float) -> Values:
    """z^r: the k-th derivative is r (r - 1) ... (r - k + 1) z^(r - k), zero where a factor is."""
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
    """sinh z, cosh z, sinh z, ..."""
    pair = (torch.sinh(z), torch.cosh(z))
    return [pair[k % 2] for k in range(order + 1)]


def cosh(z: Tensor, order: int) -> Values:
    """cosh z, sinh z, cosh z, ..."""
    return sinh(z, order + 1)[1:]


def erf(z: Tensor, order: int) -> Values:
    """erf z; the k-th derivative is 2/sqrt(pi) (-1)^(k-1) H_(k-1)(z) exp(-z^2), H the Hermite polynomials."""
    values: Values = [torch.erf(z)]
    bell = torch.exp(-z * z) * (2 / math.sqrt(math.pi))
    before, polynomial = torch.zeros_like(z), torch.ones_like(z)
    for k in range(order):
        values.append((-1) ** k * polynomial * bell)
        before, polynomial = polynomial, 2 * z * polynomial - 2 * k * before
    return values


FUNCTIONS: dict[str, Activation] = {
    "sin": sin,
    "cos": cos,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "exp": exp,
    "log": log,
    "sinh": sinh,
    "cosh": cosh,
    "erf": erf,
    "sqrt": partial(power, exponent=0.5),
    "square": partial(power, exponent=2.0),
    "reciprocal": partial(power, exponent=-1.0),
}


class Number:
    """One number per point with its derivatives: what a user's function computes with in place of a tensor (N,).

    Raises ValueError for a function that is not in FUNCTIONS, and for a tensor whose derivatives are not known.
    """

    __array_ufunc__ = None  # numpy's numbers leave arithmetic with a Number to the Number

    def __init__(self, jet: Jet) -> None:
        self.jet = jet

    def __add__(self, other: Any) -> Number:
        if isinstance(other, Number):
            return Number(self.jet + other.jet)
        return Number(Jet(self.jet.derivatives, self.jet.streams | {"": self.jet.value + _constant(other)}))

    def __mul__(self, other: Any) -> Number:
        return Number(self.jet * (other.jet if isinstance(other, Number) else _constant(other)))

    def __pow__(self, exponent: Any) -> Number:
        if isinstance(exponent, bool) or not isinstance(exponent, int | float):
            raise ValueError(f"a power with a {type(exponent).__name__} as exponent; expected a number")
        return self.apply(partial(power, exponent=float(exponent)))

    def __neg__(self) -> Number:
        return self * -1.0

    def __sub__(self, other: Any) -> Number:
        return self + (-other)

    def __rsub__(self, other: Any) -> Number:
        return -self + other

    def __truediv__(self, other: Any) -> Number:
        return self * (other**-1.0 if isinstance(other, Number) else 1.0 / _constant(other))

    def __rtruediv__(self, other: Any) -> Number:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__

    def apply(self, function: Activation) -> Number:
        """f of this number, by the values of f and its derivatives."""
        return Number(self.jet.compose(function(self.jet.value, self.jet.derivatives.order)))

    def filled(self, constant: float) -> Number:
        """The same constant at every point."""
        return Number(Jet(self.jet.derivatives, {"": torch.full_like(self.jet.value, constant)}))

    def __getattr__(self, name: str) -> Callable[[], Number]:
        if name.startswith("_") or name == "jet":
            raise AttributeError(name)
        return partial(self.apply, _lookup(name))

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Number:
        if function not in DISPATCH:
            raise _not_known(getattr(function, "__name__", str(function)))
        return DISPATCH[function](*args, **(kwargs or {}))


def _applied(function: Activation, number: Number) -> Number:
    return number.apply(function)


OPERATIONS: dict[str, Any] = {  # name -> (numbers) -> Number
    "add": lambda a, b: a.__add__(b) if isinstance(a, Number) else b.__radd__(a),
    "sub": lambda a, b: a.__sub__(b) if isinstance(a, Number) else b.__rsub__(a),
    "mul": lambda a, b: a.__mul__(b) if isinstance(a, Number) else b.__rmul__(a),
    "div": lambda a, b: a.__truediv__(b) if isinstance(a, Number) else b.__rtruediv__(a),
    "pow": lambda a, b: a.__pow__(b),
    "neg": lambda a: -a,
    "zeros_like": lambda a: a.filled(0.0),
    "ones_like": lambda a: a.filled(1.0),
    "full_like": lambda a, fill_value: a.filled(fill_value),
} | {name: partial(_applied, f) for name, f in FUNCTIONS.items()}

# By the function itself, torch.sin or Tensor.sin, which the compiler can look up.
DISPATCH = {
    getattr(home, name): operation
    for name, operation in OPERATIONS.items()
    for home in (torch, torch.Tensor)
    if hasattr(home, name)
}


def _lookup(name: str) -> Activation:
    if name not in FUNCTIONS:
        raise _not_known(name)
    return FUNCTIONS[name]


def _not_known(name: str) -> ValueError:
    return ValueError(f"the derivatives of {name!r} are not known here; known: + - * / **, {', '.join(FUNCTIONS)}")


def _constant(x: Any) -> float:
    """x, if it is a number: of a tensor, the derivatives are not known."""
    if isinstance(x, int | float):
        return x
    shape = f" of shape {tuple(x.shape)}" if isinstance(x, Tensor) else ""
    raise ValueError(f"a {type(x).__name__}{shape} that is not made of the coordinates p.x, ...; expected a number")
