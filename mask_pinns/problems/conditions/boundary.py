"""Conditions on boundaries: `Dirichlet`, `Neumann`, `Robin`, `Periodic`.

A condition names a coordinate ("x": the two ends of the domain across x), a shape, or a part by a function of the
points: `Dirichlet(pipes, u=0.0)`, `Neumann("x", lambda p: p.y > 0.5, u=1.0)`.

Legend: N points on each piece, R pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains import SIDES, Domain, Place, Points
from mask_pinns.jets import MAX_ORDER, Derivatives
from mask_pinns.problems.conditions.condition import Condition, Fields, Residuals, where_of
from mask_pinns.problems.conditions.targets import Prescribing, Target, check_targets, target_values
from mask_pinns.problems.fields import Field


class NamedByPlace:
    """What conditions share whose name, unless it is given, is made of their kind and of the names of their places.

    Shapes get their names when a problem is defined, after its conditions.
    """

    kind = ""
    _name: str | None = None

    @property
    def name(self) -> str:
        return self._name or "_".join(filter(None, (self.kind, *self.labels())))

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def labels(self) -> list[str]:
        """The names of its places."""
        raise NotImplementedError


class BoundaryCondition(NamedByPlace, Condition):
    """The base class of conditions on a part of the boundary.

    Args:
        where: coordinates, shapes and functions of the points, as `Region.boundary` takes them.
        name: name of the loss term; by default the kind and the names of coordinates and shapes: dirichlet_xy.
        side: "both", "low" or "high", for coordinates.
    """

    kind = ""

    def __init__(self, where: Sequence[Any], name: str | None, weight: float, side: str) -> None:
        kind = type(self).__name__
        places = where_of(tuple(where), kind)
        if not places or len({id(p) if isinstance(p, Domain) else p for p in places}) < len(places):
            raise ValueError(f"{kind}: where is {where!r}; expected distinct coordinates or shapes, e.g. 'x'")
        if strange := [p for p in places if isinstance(p, str) and len(p) != 1]:
            raise ValueError(f"{kind}: {strange[0]!r} is no coordinate, which is a single letter; write 'x', 'y'")
        if side not in list(SIDES):
            raise ValueError(f"{kind}: side is {side!r}; known: {', '.join(SIDES)}")
        super().__init__(name or self.kind, residual=lambda *_: None, weight=weight)
        self.where, self.side = places, side
        self._name = name

    def labels(self) -> list[str]:
        return ["".join(self.across), *map(label_of, self._shapes())]

    @property
    def across(self) -> tuple[str, ...]:
        """The coordinates among the places."""
        return tuple(place for place in self.where if isinstance(place, str))

    def _shapes(self) -> list[Any]:
        """The shapes and functions among the places."""
        return [place for place in self.where if not isinstance(place, str)]

    def place(self, domain: Domain) -> Place:
        with self._named():
            return domain.boundary(*self.where, side=self.side, paired=self.paired)


def label_of(place: Any) -> str:
    """The name of a shape or of a function, for the name of a condition."""
    label = place.label or type(place).__name__.lower() if isinstance(place, Domain) else getattr(place, "__name__", "")
    return label if label.isidentifier() else "part"


class _TargetsOnBoundary(BoundaryCondition):
    """Conditions with a target on a boundary, a number or a function, for each field that they name."""

    def __init__(
        self, *where: Any, name: str | None = None, weight: float = 1.0, side: str = "both", **targets: Target
    ) -> None:
        super().__init__(where, name, weight, side)
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


class Dirichlet(Prescribing, _TargetsOnBoundary):
    """Prescribed values on a part of the boundary: `Dirichlet("x", u=0.0)`, `Dirichlet(square, disk, u=g)`.

    `side` is "both", "low" or "high", for coordinates.

    Example:
        >>> from mask_pinns import Box, Dirichlet
        >>> condition = Dirichlet("x", u=0.0)
        >>> condition.name, len(condition.place(Box(x=(0, 1), t=(0, 5))))
        ('dirichlet_x', 2)
    """

    kind = "dirichlet"


class Neumann(_TargetsOnBoundary):
    """Prescribed outward normal derivatives du/dn: `Neumann("x", u=0.0)`, `Neumann(disk, u=g)`.

    The normal points out of the domain: du/dn is -du/dx on the low wall across x, du/dx on the high one.

    Example:
        >>> from mask_pinns import Box, Neumann
        >>> condition = Neumann("x", u=0.0)
        >>> tuple(piece.normal["x"] for piece in condition.place(Box(x=(0, 1), t=(0, 5))).pieces)
        (-1.0, 1.0)
    """

    kind = "neumann"
    coordinates: tuple[str, ...] = ()
    """The coordinates of the normals of a part that a function alone selects."""

    def check(self, domain: Domain, fields: Sequence[str]) -> None:
        if not any(isinstance(place, str | Domain) for place in self.where):
            self.coordinates = domain.spatial
        super().check(domain, fields)

    @property
    def derivatives(self) -> Derivatives:
        shapes = [name for place in self.where if isinstance(place, Domain) for name in place.spatial]
        return Derivatives([*self.across, *shapes, *self.coordinates])

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        return {
            key: normal_derivative(fields[key], p, place) - target_values(target, p, self.name, key)
            for key, target in self.targets.items()
        }


def normal_derivative(field: Field, p: Points, place: Place) -> Tensor:
    """du/dn (R N,), the sum over coordinates of n_c du/dc on each of the R pieces."""
    n = len(field) // len(place)
    parts = []
    for i, piece in enumerate(place.pieces):
        rows = slice(i * n, (i + 1) * n)
        slopes = [component * field.derivative(c)[rows] for c, component in piece.normal_at(p.tensor[rows]).items()]
        parts.append(torch.stack(slopes).sum(0) if len(slopes) > 1 else slopes[0])
    return torch.cat(parts)


class Robin(Neumann):
    """du/dn + a u = g on a part of the boundary: `Robin(disk, a=2.0, u=g)`; the normal points out of the domain.

    Args:
        where, name, weight, side: as for `Dirichlet`.
        a: a number, or a function of the points.
        targets: g for each field.

    Example:
        >>> from mask_pinns import Robin
        >>> Robin("x", a=2.0, u=0.0).name
        'robin_x'

    Raises ValueError for an `a` that is neither a finite number nor a function.
    """

    kind = "robin"

    def __init__(
        self,
        *where: Any,
        a: Target,
        name: str | None = None,
        weight: float = 1.0,
        side: str = "both",
        **targets: Target,
    ) -> None:
        super().__init__(*where, name=name, weight=weight, side=side, **targets)
        if not callable(a) and not is_finite(a):
            raise ValueError(
                f"condition {self.name!r}: a is {a!r}; expected a finite number, or a function of the points"
            )
        self.a = a

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        a = target_values(self.a, p, self.name, "a")
        return {key: slope + a * fields[key].value for key, slope in super().residuals(p, fields, place).items()}


class Periodic(BoundaryCondition):
    """Every field, and its normal derivatives up to `order`, are equal on the two walls across a coordinate.

    Without an order, it is one less than that of the problem's equation in this coordinate, which makes the solution
    smooth across the walls: for u_xx, values and slopes. With a smaller one, slopes are free, and the equation has many
    solutions.

    Example:
        >>> from mask_pinns import Periodic
        >>> condition = Periodic("x", order=1)
        >>> condition.name, condition.derivatives
        ('periodic_x', Derivatives(x))
    """

    kind = "periodic"
    paired = True

    def __init__(self, across: str, order: int | None = None, name: str | None = None, weight: float = 1.0) -> None:
        super().__init__((across,), name, weight, "both")
        if not isinstance(across, str):
            raise ValueError(
                f"condition {self.name!r}: {across!r} is no coordinate; expected a single letter, e.g. 'x'"
            )
        if order is not None and (not isinstance(order, int) or not 0 <= order <= MAX_ORDER):
            raise ValueError(f"condition {self.name!r}: order is {order!r}; expected a whole number, 0 to {MAX_ORDER}")
        self.order, self._follows = order or 0, order is None

    def attach(self, folder: Path, equation: Sequence[str]) -> None:
        """The order of the equation decides about that of the condition, if none is given."""
        if self._follows:
            self.order = max(self.order, *(m.count(self.across[0]) - 1 for m in equation), 0)

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
