"""`Unknown`: a number, or a function of some of the coordinates, that is found together with the fields.

    unknowns = (Unknown("k", start=1.0, positive=True), Unknown("a", of="xy", positive=True))

    def residual(self, p, u, a, k): ...      fields, then unknown functions, then unknown numbers

A number is `p.k` too, in every condition. It is trained as theta, which is zero at the start:

    k = start + s theta, s = |start| or 1             without bounds
    k = low + (start - low) exp(theta)                above a bound (positive: above 0)
    k = high - (high - start) exp(-theta)             below a bound
    k = low + (high - low) / (1 + exp(-theta - c))    between two, c such that k = start at theta = 0

so that it stays within its bounds and one step of theta changes it by about its size. A function is the same map of a
network of its coordinates, and one more field.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains import Domain, Points
from mask_pinns.domains.points import ATTRIBUTES


@dataclass(frozen=True)
class Unknown:
    """A number or a function that is found in training.

    Args:
        name: its name in residuals.
        start: its value at the start.
        positive: whether it is above zero.
        low, high: bounds that it stays within.
        of: the coordinates of a function: "xy", ("x", "y"); by default it is a number.
        network: the network of a function, as for MaskPINN, or options of the usual small one: {"width": 4}.

    Example:
        >>> from mask_pinns import Unknown
        >>> Unknown("k", start=2.0, positive=True).value(torch.tensor([0.0]))
        tensor([2.])

    Raises ValueError for a start that is not within the bounds, and for names that are no identifiers.
    """

    name: str
    start: float = 1.0
    positive: bool = False
    low: float | None = None
    high: float | None = None
    of: Sequence[str] = ()
    network: str | Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        what = f"unknown {self.name!r}"
        if not isinstance(self.name, str) or not self.name.isidentifier() or self.name in ATTRIBUTES:
            raise ValueError(f"{what}: its name is a word of letters and digits, and none of {', '.join(ATTRIBUTES)}")
        for name in ("start", "low", "high"):
            value = getattr(self, name)
            if not is_finite(value) and not (value is None and name != "start"):
                raise ValueError(f"{what}: {name} is {value!r}; expected a finite number")
        low, high = self.bounds
        if not low < self.start < high:
            raise ValueError(f"{what}: start is {self.start:g}; expected a number above {low:g} and below {high:g}")
        if not all(isinstance(c, str) and len(c) == 1 for c in self.of):
            raise ValueError(f'{what}: of is {self.of!r}; expected coordinates, e.g. of="xy"')
        object.__setattr__(self, "of", tuple(self.of))

    @property
    def bounds(self) -> tuple[float, float]:
        low = -math.inf if self.low is None else self.low
        return max(low, 0.0) if self.positive else low, math.inf if self.high is None else self.high

    def value(self, theta: Any) -> Any:
        """The unknown from theta: a tensor, or a function with derivatives (`Scalar`)."""
        low, high = self.bounds
        if math.isfinite(low) and math.isfinite(high):
            share = (self.start - low) / (high - low)
            centre = math.log(share / (1 - share))
            return (torch.tanh((theta + centre) * 0.5) + 1.0) * (0.5 * (high - low)) + low
        if math.isfinite(low):
            return torch.exp(theta) * (self.start - low) + low
        if math.isfinite(high):
            return torch.exp(-theta) * (self.start - high) + high
        return theta * self.scale + self.start

    def theta(self, value: Any) -> Any:
        """The theta of a value: a number, a tensor, or a function with derivatives."""
        low, high = self.bounds
        log: Any = math.log if isinstance(value, int | float) else torch.log
        below, above = (value - low) if math.isfinite(low) else 0.0, (high - value) if math.isfinite(high) else 0.0
        if math.isfinite(low) and math.isfinite(high):
            return log(below * (1 / (self.start - low))) - log(above * (1 / (high - self.start)))
        if math.isfinite(low):
            return log(below * (1 / (self.start - low)))
        if math.isfinite(high):
            return -log(above * (1 / (high - self.start)))
        return (value - self.start) * (1 / self.scale)

    @property
    def scale(self) -> float:
        """Its size: that of the start."""
        return abs(self.start) or 1.0


def with_unknowns(p: Points, values: Mapping[str, Tensor]) -> Points:
    """Points that know the values of unknown numbers, (N,) or (1,) each."""
    p.unknowns = {name: value.to(p.tensor).expand(len(p)) for name, value in values.items()}
    return p


def start_values(unknowns: Sequence[Unknown], like: Tensor) -> dict[str, Tensor]:
    """The starts of unknown numbers, (1,) each, in the dtype and on the device of `like`."""
    return {u.name: like.new_full((1,), u.start) for u in unknowns}


def check_unknowns(unknowns: Any, domain: Domain, taken: Collection[str], title: str) -> tuple[Unknown, ...]:
    """A tuple of unknowns. Raises ValueError for anything else, for names that are taken, and for other coordinates."""
    given = (unknowns,) if isinstance(unknowns, Unknown) else unknowns
    if not isinstance(given, tuple | list) or not all(isinstance(u, Unknown) for u in given):
        raise ValueError(f'{title}: unknowns is {unknowns!r}; expected e.g. (Unknown("k", start=1.0),)')
    names = [u.name for u in given]
    for unknown in given:
        if unknown.name in taken or unknown.name in domain or names.count(unknown.name) > 1:
            raise ValueError(f"{title}: the name of the unknown {unknown.name!r} is taken; give it another one")
        if unknown.of and "_" in unknown.name:
            raise ValueError(f"{title}: {unknown.name!r} cannot name a function, which is a field: letters and digits")
        if strange := [c for c in unknown.of if c not in domain]:
            raise ValueError(
                f"{title}: unknown {unknown.name!r} is a function of {strange[0]}; "
                f"the domain has {', '.join(domain.names)}"
            )
    return tuple(given)
