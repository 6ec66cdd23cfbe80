"""`Flux`: Neumann and Robin conditions that hold by construction, du/dn + a u = g (a = 0: Neumann).

    u = L + E B(x~) N(x~, ...)      x~ the map of `Insulation`: B and N have no normal derivatives
    E = product of (1 + a D)        with dE/dn = -a and E = 1 on the boundary
    L = A + sum of D (dA/dn + a A - g)                 with dD/dn = -1 and D = 0 there

A and B are those of values on other parts of the boundary and of initial values (`Blend`). For walls across a
coordinate the bracket is taken at the wall, one coordinate after another (transfinite interpolation), so that it is
zero wherever other conditions agree with it; for a shape it is taken less its value at the start of time.

Fields share the network and its map: a part of the boundary needs such conditions of all of them.
Sources: Rvachev and Sheiko 1995; Sukumar and Srivastava 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Any

from mask_pinns.domains import SIDES, Box, Domain, Union
from mask_pinns.domains.domain import product
from mask_pinns.domains.places import kronecker
from mask_pinns.jets import Derivatives, Scalar, slopes
from mask_pinns.jets.points import JetPoints, values_of
from mask_pinns.networks.exact.ansatz import target_on_jets
from mask_pinns.networks.exact.insulation import Distance, Insulation, Rim
from mask_pinns.networks.exact.shapes import LENGTH, MEETING, SAMPLES, Blend, lies_outside
from mask_pinns.problems import Interface, Neumann, Problem, Robin
from mask_pinns.problems.conditions import Target

Spot = tuple[str, int] | Domain
"""A part of the boundary that one distance describes: a wall (its coordinate, its end), or a shape."""

LENGTHS = (float("inf"), 0.5, 0.25, 0.125, 0.0625, 0.03125)
"""Lengths over which the distance from a shape levels off, relative to the domain; the first that serves is taken."""


@dataclass(frozen=True)
class Part:
    """One field's condition on one spot: du/dn + a u = g."""

    condition: Neumann
    spot: Spot
    a: Target
    g: Target


class Flux:
    """The Neumann and Robin conditions of a problem that hold by construction.

    Args:
        problem: problem with these conditions.
        conditions: the conditions.
        blends: A and B of each field.

    Raises ValueError for what cannot be exact, with the condition's name.
    """

    def __init__(self, problem: Problem, conditions: Sequence[Neumann], blends: Mapping[str, Blend]) -> None:
        self.domain, self.blends = problem.domain, blends
        self.names = [condition.name for condition in conditions]
        self.parts: dict[str, list[Part]] = {name: [] for name in problem.fields}
        for condition in conditions:
            try:
                _require_bare(problem)
                self._add(condition)
            except ValueError as error:
                raise ValueError(f"condition {condition.name!r} cannot be exact: {error}") from None
        self._require_all_fields()
        try:
            self._make_insulation()
            self._require_apart()
            p = JetPoints.of(_probes(self.domain), self.domain.names, Derivatives(problem.derivatives))
            for name in problem.fields:
                self.around(name, p)
        except ValueError as error:
            raise ValueError(f"condition {', '.join(map(repr, self.names))} cannot be exact: {error}") from None

    def _add(self, condition: Neumann) -> None:
        spots = [spot for place in condition.where for spot in self._spots(place, condition.side)]
        for name, target in condition.targets.items():
            for spot in spots:
                if any(part.spot == spot for part in self.parts[name]):
                    raise ValueError(f"{name} has another condition on its normal derivative there")
                a = condition.a if isinstance(condition, Robin) else 0.0
                self.parts[name].append(Part(condition, spot, a, target))

    def _spots(self, place: Any, side: str) -> list[Spot]:
        if isinstance(place, str):
            if place == "t":
                raise ValueError("it is across t; values at the two ends of time can be exact")
            return [(place, end) for end in SIDES[side]]
        if not isinstance(place, Domain):
            raise ValueError("a function selects a part of the boundary, of which no smooth distance is known")
        if isinstance(place, Box):
            if any(place[c] != self.domain[c] for c in place.spatial):
                raise ValueError(f"{place!r} has corners; name the coordinates of walls, or make it soft")
            return [(c, end) for c in place.spatial for end in (0, 1)]
        shapes = place.parts if isinstance(place, Union) else (place,)
        if corners := [shape for shape in shapes if not shape.is_round]:
            raise ValueError(f"{corners[0]!r} has corners, where its normals jump; make it soft")
        return list(shapes)

    def _require_all_fields(self) -> None:
        spots = self._all_spots()
        for name, parts in self.parts.items():
            if missing := [spot for spot in spots if spot not in [part.spot for part in parts]]:
                other = next(p.condition for own in self.parts.values() for p in own if p.spot == missing[0])
                raise ValueError(
                    f"condition {other.name!r} cannot be exact: {name} has no exact condition on its normal derivative "
                    "there, and the fields share a network"
                )
            for part in parts:
                walls = self.blends[name].ansatz.walls
                if isinstance(part.spot, tuple) and part.spot[1] in walls.get(part.spot[0], {}):
                    raise ValueError(
                        f"condition {part.condition.name!r} cannot be exact: the values of {name} are prescribed there"
                    )

    def _all_spots(self) -> list[Spot]:
        return list(dict.fromkeys(part.spot for parts in self.parts.values() for part in parts))

    # ---- distances ------------------------------------------------------------------------------------------

    def _make_insulation(self) -> None:
        """The map, with the longest lengths over which it does not fold the domain."""
        for length in LENGTHS:
            self.length = length * self.domain.size
            self.rims = {spot: self._rim(spot) for spot in self._all_spots()}
            try:
                self.insulation = Insulation(self.domain, self._joined())
            except ValueError:
                if length == LENGTHS[-1] or not any(isinstance(spot, Domain) for spot in self.rims):
                    raise
                continue
            return

    def _joined(self) -> list[Rim]:
        """The rims of the map: the two walls across a coordinate are one."""
        spots, rims = set(self.rims), []
        for spot, rim in self.rims.items():
            if isinstance(spot, Domain) or (spot[0], 1 - spot[1]) not in spots:
                rims.append(rim)
            elif spot[1] == 0:
                low, high = self.domain[spot[0]]
                rims.append(Rim(rim.along, partial(_between, spot[0], low, high), rim.others, rim.size))
        return rims

    def _rim(self, spot: Spot) -> Rim:
        size = self.domain.size
        others = self._valued_shapes() + [
            self._relative(s) for s in self._all_spots() if isinstance(s, Domain) and s is not spot
        ]
        if isinstance(spot, tuple):
            low, high = self.domain[spot[0]]
            return Rim((spot[0],), partial(_from_wall, spot[0], low, high, spot[1]), tuple(others), size)
        walls = {c for blend in self.blends.values() for c in blend.ansatz.walls if c != "t"}
        walls |= {s[0] for s in self._all_spots() if isinstance(s, tuple)}
        others += [partial(_relative_between, c, *self.domain[c]) for c in self.domain.spatial if c in walls]
        return Rim(spot.spatial, self._from_shape(spot, self.length), tuple(others), size)

    def _valued_shapes(self) -> list[Distance]:
        groups = [group for blend in self.blends.values() for group in blend.groups]
        return [partial(group.factor, length=LENGTH * self.domain.size) for group in groups]

    def _from_shape(self, shape: Domain, length: float) -> Distance:
        return partial(_levelled, shape, -1.0 if lies_outside(self.domain, shape) else 1.0, length)

    def _relative(self, shape: Domain) -> Distance:
        distance, size = self._from_shape(shape, float("inf")), self.domain.size
        return lambda p: distance(p) * (1 / size)

    def _require_apart(self) -> None:
        """Raises ValueError if a rim meets a part of the boundary that it must not move."""
        for spot, rim in self.rims.items():
            side = ("low", "high")[spot[1]] if isinstance(spot, tuple) else "both"
            place = self.domain.boundary(spot[0] if isinstance(spot, tuple) else spot, side=side)
            x = place.draw(SAMPLES, kronecker)
            p = place.at(x, self.domain.names)
            if any(bool((other(p) < MEETING).any()) for other in rim.others):
                raise ValueError("it meets another exact condition on a shape, or at an angle; make one of them soft")
            if not self.insulation.is_still(x, place.pieces[0].normal_at(x)):
                raise ValueError(
                    "walls across several coordinates move each other beside exact conditions on shapes; make one soft"
                )

    # ---- functions ------------------------------------------------------------------------------------------

    def around(self, field: str, p: JetPoints) -> tuple[Scalar | float, Scalar | float]:
        """L and E of a field."""
        parts = [part for part in self.parts[field] if callable(part.a) or part.a]
        factors = [1.0 + self._a(part, p) * self.rims[part.spot].distance(p) for part in parts]
        return self._lift(field, p, len(self._levels(field))), product(factors) if factors else 1.0

    def _a(self, part: Part, p: JetPoints) -> Scalar | float:
        return target_on_jets(part.a, self._foot(part, p))

    def _levels(self, field: str) -> list[list[Part]]:
        """The parts, walls coordinate by coordinate; those of shapes go with the first."""
        levels: dict[Any, list[Part]] = {}
        for part in sorted(self.parts[field], key=lambda part: isinstance(part.spot, Domain)):
            key = part.spot[0] if isinstance(part.spot, tuple) else next(iter(levels), "")
            levels.setdefault(key, []).append(part)
        return list(levels.values())

    def _lift(self, field: str, p: JetPoints, level: int) -> Scalar | float:
        """L with the first levels."""
        if level == 0:
            return self.blends[field].lift(p)
        lift = self._lift(field, p, level - 1)
        for part in self._levels(field)[level - 1]:
            excess = self._excess(field, part, p, level)
            if isinstance(part.spot, Domain) and self.blends[field].ansatz.initial:
                excess = excess - self._excess(field, part, p, level, start=True)
            lift = self.rims[part.spot].distance(p) * excess + lift
        return lift

    def _foot(self, part: Part, p: JetPoints, start: bool = False) -> JetPoints:
        """Points moved to a wall, and to the start of time."""
        if isinstance(part.spot, tuple):
            p = p.at(part.spot[0], self.domain[part.spot[0]][part.spot[1]])
        return p.at("t", self.domain["t"][0]) if start else p

    def _excess(self, field: str, part: Part, p: JetPoints, level: int, start: bool = False) -> Scalar | float:
        """dL/dn + a L - g with the levels below; the normal derivative is minus that along grad D."""
        foot, rim = self._foot(part, p, start), self.rims[part.spot]
        fixed = part.spot[0] if isinstance(part.spot, tuple) else "t" if start else ""
        like: Any = (values_of(foot), self.domain.names, p.derivatives, rim.along, fixed)
        lift = slopes(lambda q: self._lift(field, q, level - 1), *like)
        if isinstance(part.spot, tuple):
            slope = lift[part.spot[0]] * (-1.0, 1.0)[part.spot[1]]
        else:
            away = slopes(rim.distance, *like)
            slope = -reduce(add, (away[c] * lift[c] for c in rim.along))
        return slope + target_on_jets(part.a, foot) * lift[""] - target_on_jets(part.g, foot)


def _require_bare(problem: Problem) -> None:
    if any(isinstance(c, Interface) for c in problem.conditions):
        raise ValueError("the kink of an interface has a normal derivative of its own")
    x = _probes(problem.domain)
    p = JetPoints.of(x, problem.domain.names, Derivatives(problem.derivatives))
    if problem.features(p) or problem.known_part(p):
        raise ValueError("the problem declares features or a known part, which have normal derivatives of their own")


def _probes(domain: Domain) -> Any:
    return domain.section({}).draw(64, kronecker)


def _between(name: str, low: float, high: float, p: Any) -> Any:
    """(x - a)(b - x) / L."""
    x = getattr(p, name)
    return (x - low) * (high - x) * (1 / (high - low))


def _relative_between(name: str, low: float, high: float, p: Any) -> Any:
    return _between(name, low, high, p) * (1 / (high - low))


def _from_wall(name: str, low: float, high: float, end: int, p: Any) -> Any:
    """The distance from one wall, zero with its slope at the other: L s (1 - s)^2, s = (x - a) / L."""
    s = (getattr(p, name) - low) * (1 / (high - low))
    return (s * (1.0 - s) ** 2 if end == 0 else s**2 * (1.0 - s)) * (high - low)


def _levelled(shape: Domain, sign: float, length: float, p: Any) -> Any:
    """d / (1 + d / length)."""
    d = shape.distance(p) * sign
    return d if length == float("inf") else d / (d * (1 / length) + 1.0)
