"""Conditions on walls: `Dirichlet`, `Neumann`, `Periodic`.

The walls across x are the pieces of the boundary at the two ends of x.

Legend: N points on each wall, R walls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mask_pinns.domains import SIDES, Domain, Place, Points
from mask_pinns.jets import MAX_ORDER, Derivatives
from mask_pinns.problems.conditions.condition import Condition, Fields, Residuals
from mask_pinns.problems.conditions.targets import Prescribing, Target, check_targets, target_values
from mask_pinns.problems.fields import Field


class WallCondition(Condition):
    """The base class of conditions on walls: the walls are `across` some coordinates, on one `side` or both."""

    kind = ""

    def __init__(self, across: Sequence[str], name: str | None, weight: float, side: str) -> None:
        are_names = all(isinstance(coordinate, str) for coordinate in across)
        if not across or not are_names or len(set(across)) < len(across):
            raise ValueError(f"{type(self).__name__}: across is {across!r}; expected distinct coordinates, e.g. 'x'")
        if side not in list(SIDES):
            raise ValueError(f"{type(self).__name__}: side is {side!r}; known: {', '.join(SIDES)}")
        super().__init__(name or f"{self.kind}_{''.join(across)}", {}, residual=lambda *_: None, weight=weight)
        self.across, self.side = tuple(across), side

    def place(self, domain: Domain) -> Place:
        return domain.walls(self.across, self.side)


class _TargetsOnWalls(WallCondition):
    """Conditions with a target on walls, a number or a function, for each field that they name."""

    def __init__(
        self, *across: str, name: str | None = None, weight: float = 1.0, side: str = "both", **targets: Target
    ) -> None:
        super().__init__(across, name, weight, side)
        if not targets:
            raise ValueError(f"condition {self.name!r}: give at least one target, e.g. u=0.0")
        self.targets: Mapping[str, Target] = targets

    def check(self, domain: Domain, fields: Sequence[str]) -> None:
        super().check(domain, fields)
        check_targets(self.name, self.targets, fields)
        for key in self.targets:
            if key not in fields:
                raise ValueError(
                    f"condition {self.name!r} sets {key!r}; a {type(self).__name__} condition sets field values"
                )


class Dirichlet(Prescribing, _TargetsOnWalls):
    """Prescribed values on the walls across some coordinates: `Dirichlet("x", u=0.0)`, `Dirichlet("x", "y", u=g)`.

    `side` is "both", "low" or "high".

    Example:
        >>> from mask_pinns import Box, Dirichlet
        >>> condition = Dirichlet("x", u=0.0)
        >>> condition.name, len(condition.place(Box(x=(0, 1), t=(0, 5))))
        ('dirichlet_x', 2)
    """

    kind = "dirichlet"


class Neumann(_TargetsOnWalls):
    """Prescribed outward normal derivatives du/dn on the walls: `Neumann("x", u=0.0)`.

    The normal points out of the domain: du/dn is -du/dx on the low wall, du/dx on the high one.

    Example:
        >>> from mask_pinns import Box, Neumann
        >>> condition = Neumann("x", u=0.0)
        >>> [piece.normal for piece in condition.place(Box(x=(0, 1), t=(0, 5))).pieces]
        [{'x': -1.0}, {'x': 1.0}]
    """

    kind = "neumann"

    @property
    def derivatives(self) -> Derivatives:
        return Derivatives(self.across)

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        normals = [piece.normal for piece in place.pieces]
        return {
            key: normal_derivative(fields[key], normals) - target_values(target, p, self.name, key)
            for key, target in self.targets.items()
        }


def normal_derivative(field: Field, normals: Sequence[Mapping[str, float]]) -> Tensor:
    """du/dn (R N,), the sum over coordinates of n_c du/dc on each piece, from the normals of the R pieces."""
    n = len(field) // len(normals)
    parts = []
    for i, normal in enumerate(normals):
        slopes = [component * field.derivative(c)[i * n : (i + 1) * n] for c, component in normal.items()]
        parts.append(torch.stack(slopes).sum(0) if len(slopes) > 1 else slopes[0])
    return torch.cat(parts)


class Periodic(WallCondition):
    """Every field, and its normal derivatives up to `order`, are equal on the two walls across a coordinate.

    Example:
        >>> from mask_pinns import Periodic
        >>> condition = Periodic("x", order=1)
        >>> condition.name, condition.derivatives
        ('periodic_x', Derivatives(x))
    """

    kind = "periodic"
    paired = True

    def __init__(self, across: str, order: int = 0, name: str | None = None, weight: float = 1.0) -> None:
        super().__init__((across,), name, weight, "both")
        if not isinstance(order, int) or not 0 <= order <= MAX_ORDER:
            raise ValueError(f"condition {self.name!r}: order is {order!r}; expected a whole number, 0 to {MAX_ORDER}")
        self.order = order

    @property
    def derivatives(self) -> Derivatives:
        return Derivatives([self.across[0] * self.order])

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        n = len(p) // 2
        jumps = {}
        for name, field in fields.items():
            for k in range(self.order + 1):
                low, high = field.derivative(self.across[0] * k).split(n)
                jumps[f"{name}_{self.across[0] * k}".rstrip("_")] = low - high
        return jumps
