"""Functions of the coordinates that a user writes, with their derivatives: `torch.sin(pi * p.x)` evaluated on jets.

A `Scalar` takes the place of a tensor (N,): it supports arithmetic and the functions in FUNCTIONS, and carries a jet
through them. The code that gives a target's values thus gives its derivatives too, without nested autograd.
Legend: N points; a stream has shape (N,), or (1,) if it is the same at every point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mask_pinns.jets.functions import FUNCTIONS, Function, arctan, power
from mask_pinns.jets.jet import Jet


class Scalar:
    """One number per point with its derivatives, which takes the place of a tensor (N,) in a user's function.

    Raises ValueError for a function that is not in FUNCTIONS, and for a tensor whose derivatives are not known.
    """

    __array_ufunc__ = None  # numpy numbers then leave arithmetic with a Scalar to this class

    def __init__(self, jet: Jet) -> None:
        self.jet = jet

    def __add__(self, other: Any) -> Scalar:
        if isinstance(other, Scalar):
            return Scalar(self.jet + other.jet)
        return Scalar(Jet(self.jet.derivatives, self.jet.streams | {"": self.jet.value + _constant(other)}))

    def __mul__(self, other: Any) -> Scalar:
        return Scalar(self.jet * (other.jet if isinstance(other, Scalar) else _constant(other)))

    def __pow__(self, exponent: Any) -> Scalar:
        if isinstance(exponent, bool) or not isinstance(exponent, int | float):
            raise ValueError(f"a power with a {type(exponent).__name__} as exponent; expected a number")
        return self.apply(partial(power, exponent=float(exponent)))

    def __neg__(self) -> Scalar:
        return self * -1.0

    def __sub__(self, other: Any) -> Scalar:
        return self + (-other)

    def __rsub__(self, other: Any) -> Scalar:
        return -self + other

    def __truediv__(self, other: Any) -> Scalar:
        return self * (other**-1.0 if isinstance(other, Scalar) else 1.0 / _constant(other))

    def __rtruediv__(self, other: Any) -> Scalar:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__

    def apply(self, function: Function) -> Scalar:
        """f of this scalar, from the values of f and its derivatives."""
        return Scalar(self.jet.compose(function(self.jet.value, self.jet.derivatives.order)))

    @property
    def value(self) -> Tensor:
        """The numbers themselves, (N,) or (1,)."""
        return self.jet.value

    def _where(self, condition: Tensor, other: Scalar) -> Scalar:
        """This one where the condition (N,) holds, else the other, with the derivatives of each.

        It is for functions that are smooth although they are written in pieces: not for those of users, who may write
        a jump, as torch.where is not.
        """
        zero = self.value.new_zeros(1)
        streams = {
            m: torch.where(condition, self.jet.streams.get(m, zero), other.jet.streams.get(m, zero))
            for m in self.jet.derivatives.indices if m in self.jet.streams or m in other.jet.streams
        }  # fmt: skip
        return Scalar(Jet(self.jet.derivatives, streams))

    def filled(self, constant: float) -> Scalar:
        """The same constant at every point."""
        return Scalar(Jet(self.jet.derivatives, {"": torch.full_like(self.jet.value, constant)}))

    def __getattr__(self, name: str) -> Callable[[], Scalar]:
        if name.startswith("_") or name == "jet":
            raise AttributeError(name)
        return partial(self.apply, _lookup(name))

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Scalar:
        if function not in DISPATCH:
            raise _unsupported(getattr(function, "__name__", str(function)))
        return DISPATCH[function](*args, **(kwargs or {}))


def _applied(function: Function, scalar: Scalar) -> Scalar:
    return scalar.apply(function)


def _arctan2(y: Scalar, x: Scalar) -> Scalar:
    """The angle of (x, y) from -pi to pi, by the quotient that is below 1; it jumps where y = 0, x < 0."""
    if not isinstance(y, Scalar) or not isinstance(x, Scalar):
        raise ValueError("atan2 of a number; expected two functions of the coordinates")
    angle = (y / x).apply(arctan)._where(x.value.abs() >= y.value.abs(), -(x / y).apply(arctan))
    return Scalar(Jet(angle.jet.derivatives, angle.jet.streams | {"": torch.atan2(y.value, x.value)}))


OPERATIONS: dict[str, Any] = {
    "add": lambda a, b: a.__add__(b) if isinstance(a, Scalar) else b.__radd__(a),
    "sub": lambda a, b: a.__sub__(b) if isinstance(a, Scalar) else b.__rsub__(a),
    "mul": lambda a, b: a.__mul__(b) if isinstance(a, Scalar) else b.__rmul__(a),
    "div": lambda a, b: a.__truediv__(b) if isinstance(a, Scalar) else b.__rtruediv__(a),
    "pow": lambda a, b: a.__pow__(b),
    "neg": lambda a: -a,
    "atan2": _arctan2,
    "arctan2": _arctan2,
    "zeros_like": lambda a: a.filled(0.0),
    "ones_like": lambda a: a.filled(1.0),
    "full_like": lambda a, fill_value: a.filled(fill_value),
} | {name: partial(_applied, f) for name, f in FUNCTIONS.items()}
"""Functions from scalars to a Scalar, by the name of the torch function that they replace."""

DISPATCH = {
    getattr(namespace, name): operation
    for name, operation in OPERATIONS.items()
    for namespace in (torch, torch.Tensor)
    if hasattr(namespace, name)
}
"""OPERATIONS by the functions themselves, torch.sin or Tensor.sin: keys that the compiler can look up."""


def _lookup(name: str) -> Function:
    if name not in FUNCTIONS:
        raise _unsupported(name)
    return FUNCTIONS[name]


def _unsupported(name: str) -> ValueError:
    return ValueError(
        f"the derivatives of {name!r} are not known here; known: + - * / **, {', '.join(FUNCTIONS)}, atan2"
    )


def _constant(x: Any) -> float:
    """x, if it is a number. Raises ValueError for anything else: the derivatives of a tensor are not known."""
    if isinstance(x, int | float):
        return x
    shape = f" of shape {tuple(x.shape)}" if isinstance(x, Tensor) else ""
    raise ValueError(f"a {type(x).__name__}{shape} that is not made of the coordinates p.x, ...; expected a number")
