"""`Blend`: A and B of one field, u = A(p) + B(p) N(p), with values on shapes too.

Each group of shapes with one target g_i has a factor f_i, which is zero on their boundaries and positive inside of the
domain (`Domain.factor`); so have all walls across coordinates together, whose A and B are those of their `Ansatz`:

    B = product of all f_i                  A = sum of w_i T_i,   w_i = (1 / f_i) / (sum over k of 1 / f_k)
    T_i = g_i;  u0 + g_i(p) - g_i(p at t0) with initial values u0;  the Ansatz' A for the walls

A known part S of the solution has to be zero on the shapes: T_i = g_i - S would take it away again everywhere.
The weights are by inverse distance (Rvachev et al. 2001; Sukumar and Srivastava 2022). Where two groups meet, they have
no limit and no derivatives: then their targets must be one.

Legend: N points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mask_pinns.domains import Domain
from mask_pinns.domains.domain import product
from mask_pinns.domains.places import Place, kronecker
from mask_pinns.jets import Scalar
from mask_pinns.jets.points import JetPoints
from mask_pinns.networks.exact.ansatz import Ansatz, target_on_jets
from mask_pinns.problems import Condition
from mask_pinns.problems.conditions import Target

LENGTH = 0.5
"""Length over which the factor of a hole rises, relative to the size of the domain.

Around small holes, shorter ones (their radius, a quarter) make A and B rough: Gauss-Newton took more steps."""
MEETING = 1e-3
"""Factors below this on another group's boundary tell that both meet."""
SAMPLES = 4096
"""Number of points on a boundary at which this is tried."""


@dataclass
class Group:
    """Shapes on whose boundaries a field has one target; the domain lies outside of some of them."""

    target: Target
    shapes: list[tuple[Domain, bool]] = field(default_factory=list)

    def factor(self, p: Any, length: float) -> Any:
        return product(s.outer_factor(p, length) if outside else s.factor(p, length) for s, outside in self.shapes)


@dataclass
class Blend:
    """A and B of one field: those of the walls and initial values, and of groups of shapes."""

    ansatz: Ansatz
    groups: list[Group] = field(default_factory=list)

    @property
    def prescribes(self) -> bool:
        """Whether any values hold by construction."""
        return bool(self.ansatz.initial or self.ansatz.walls or self.groups)

    def add(self, condition: Condition, shape: Domain, target: Target) -> None:
        """Adds the values on the boundary of a shape.

        Raises ValueError if the domain lies on both sides of it, or its distance is not smooth.
        """
        if not shape.is_smooth:
            raise ValueError(f"condition {condition.name!r} cannot be exact: {shape!r} has no smooth distance here")
        try:
            outside = lies_outside(self.ansatz.domain, shape)
        except ValueError as error:
            raise ValueError(f"condition {condition.name!r} cannot be exact: {error}") from None
        group = next((g for g in self.groups if _same(g.target, target)), None)
        if group is None:
            self.groups.append(group := Group(target))
        group.shapes.append((shape, outside))

    def require_apart(self, condition: Condition) -> None:
        """Raises ValueError if parts of the boundary with different targets meet."""
        p = self.ansatz.domain
        factors = self._factors()
        for i, (place, _) in enumerate(factors):
            x = place.draw(SAMPLES, kronecker)
            for j, (_, factor) in enumerate(factors):
                if i != j and bool((factor(place.at(x, p.names)) < MEETING).any()):
                    raise ValueError(
                        f"condition {condition.name!r} cannot be exact: parts of the boundary with different values "
                        "meet, where a blend of them has no derivatives; make one of them soft"
                    )

    def _factors(self) -> list[tuple[Place, Callable[[Any], Any]]]:
        """The place and the factor of each group, and of all walls if their target is another one."""
        domain = self.ansatz.domain
        found: list[tuple[Place, Callable[[Any], Any]]] = []
        for group in self.groups:
            place = domain.boundary(*(shape for shape, _ in group.shapes))
            found.append((place, partial(group.factor, length=self._length)))
        if self.ansatz.walls and not self._is_one:
            sides = ("low", "high")
            walls = [domain.boundary(c, side=sides[end]) for c, ends in self.ansatz.walls.items() for end in ends]
            place = Place(tuple(group for wall in walls for group in wall.groups))
            found.append((place, self.ansatz.wall_factor))
        return found

    @property
    def _is_one(self) -> bool:
        """Whether walls and shapes have one target together."""
        targets = [target for ends in self.ansatz.walls.values() for target in ends.values()]
        return len(self.groups) == 1 and all(_same(target, self.groups[0].target) for target in targets)

    @property
    def _length(self) -> float:
        return LENGTH * self.ansatz.domain.size

    def parts(self, p: JetPoints) -> tuple[Scalar | float, Scalar | float]:
        """A and B, from one evaluation of each group's factor."""
        factors = self._group_factors(p)
        return self._lift(p, factors), product([self.ansatz.factor(p), *factors])

    def lift(self, p: JetPoints) -> Scalar | float:
        """A alone."""
        return self._lift(p, self._group_factors(p))

    def factor(self, p: JetPoints) -> Scalar | float:
        """B alone."""
        return product([self.ansatz.factor(p), *self._group_factors(p)])

    def _group_factors(self, p: JetPoints) -> list[Any]:
        return [group.factor(p, self._length) for group in self.groups]

    def _lift(self, p: JetPoints, factors: list[Any]) -> Scalar | float:
        if not self.groups:
            return self.ansatz.lift(p)
        targets = [self._target(group.target, p) for group in self.groups]
        if self.ansatz.walls and not self._is_one:
            targets.append(self.ansatz.lift(p))
            factors = [*factors, self.ansatz.wall_factor(p)]
        if len(targets) == 1:
            return targets[0]
        parts = [product(factors[:i] + factors[i + 1 :]) for i in range(len(factors))]
        whole = sum(parts[1:], start=parts[0])
        return sum((t * part for t, part in zip(targets, parts, strict=True)), start=0.0) / whole

    def _target(self, target: Target, p: JetPoints) -> Scalar | float:
        """T_i."""
        values = target_on_jets(target, p)
        if not self.ansatz.initial:
            return values
        start = target_on_jets(target, p.at("t", self.ansatz.domain["t"][0]))
        return self.ansatz.initial_lift(p) + (values - start)


def _same(a: Target, b: Target) -> bool:
    """Whether two targets are one number or one function."""
    return a is b if callable(a) or callable(b) else float(a) == float(b)


def lies_outside(domain: Domain, shape: Domain) -> bool:
    """Whether a domain lies outside of a shape; False: inside.

    Raises ValueError if it is on both sides of the shape's boundary.
    """
    place = domain.section({})
    inside = shape.contains(place.at(place.draw(SAMPLES, kronecker), domain.names))
    if (inside.any() and not inside.all()) or domain.divides(shape):
        raise ValueError(
            f"the domain lies inside and outside of {shape!r}; name the shapes that it is made of, or the whole domain"
        )
    return not bool(inside.all())
