"""`Interface`: where a coefficient jumps, a field is continuous and so is its flux, but its slope has a jump.

Legend: N points on each side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mask_pinns.checks import is_finite
from mask_pinns.domains import Domain, Place, Points
from mask_pinns.jets import Derivatives
from mask_pinns.problems.conditions.boundary import NamedByPlace, label_of, normal_derivative
from mask_pinns.problems.conditions.condition import Condition, Fields, Residuals
from mask_pinns.problems.conditions.targets import Target, check_targets, target_values


class Interface(NamedByPlace, Condition):
    """a1 du/dn inside of a shape = a2 du/dn outside + g, on its surface: `Interface(core, a=(1.0, 50.0), u=0.0)`.

    The normal points out of the shape. Fields are continuous there by construction: the network receives the shape's
    distance |d| as a further input, which has a kink on its surface (Tseng, Lin, Hu & Lai 2022, arXiv 2210.08424).

    Args:
        shape: shape in the interior of the domain, with a smooth distance.
        a: the coefficients inside and outside, numbers or functions of the points.
        targets: the jump g of the flux for each field, mostly 0.

    Example:
        >>> from mask_pinns import Box, Disk, Interface
        >>> core = Disk(x=0.5, y=0.5, radius=0.2)
        >>> condition = Interface(core, a=(1.0, 50.0), u=0.0)
        >>> condition.name, len(condition.place(Box(x=(0, 1), y=(0, 1))))
        ('interface_disk', 2)

    Raises ValueError for other coefficients, and for a shape that is not in the interior.
    """

    kind = "interface"
    paired = True

    def __init__(
        self, shape: Domain, a: Sequence[Target], name: str | None = None, weight: float = 1.0, **targets: Target
    ) -> None:
        if not isinstance(shape, Domain):
            raise ValueError(f"Interface: {shape!r} is no shape; expected e.g. a Disk, or a HalfPlane")
        if not isinstance(a, tuple | list) or len(a) != 2 or not all(callable(c) or is_finite(c) for c in a):
            raise ValueError(f"Interface: a is {a!r}; expected the coefficients inside and outside, e.g. (1.0, 50.0)")
        if not shape.is_smooth:
            raise ValueError(f"Interface: {shape!r} has no smooth distance, of which a kink could be made")
        self.shape, self.a = shape, tuple(a)
        super().__init__(name or self.kind, residual=lambda *_: None, weight=weight)
        self._name = name
        if not targets:
            raise ValueError(f"condition {self.name!r}: give at least one field, e.g. u=0.0")
        self.targets: Mapping[str, Any] = targets

    def labels(self) -> list[str]:
        return [label_of(self.shape)]

    @property
    def derivatives(self) -> Derivatives:
        return Derivatives(self.shape.spatial)

    def place(self, domain: Domain) -> Place:
        with self._named():
            return domain.interface(self.shape)

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        n = len(p) // 2
        jumps = {}
        for key, target in self.targets.items():
            slopes = normal_derivative(fields[key], p, place)
            inside, outside = (target_values(a, p, self.name, "a") * slopes for a in self.a)
            values = target_values(target, p, self.name, key) + 0.0 * slopes
            jumps[key] = inside[:n] - outside[n:] - values[:n]
        return jumps

    def check(self, domain: Domain, fields: Sequence[str]) -> None:
        super().check(domain, fields)
        check_targets(self.name, self.targets, fields)
        if derived := [key for key in self.targets if key not in fields]:
            raise ValueError(f"condition {self.name!r} sets {derived[0]!r}; an Interface sets jumps of fluxes")
