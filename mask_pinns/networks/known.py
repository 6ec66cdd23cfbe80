"""What a problem knows of its solution: `known_parts`, functions that are added, and `Features`, further inputs.

Legend: N points, D coordinates, K features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from mask_pinns.domains import Domain
from mask_pinns.domains.places import kronecker
from mask_pinns.jets import Derivatives, Jet, Scalar
from mask_pinns.jets.functions import absolute
from mask_pinns.jets.points import JetPoints
from mask_pinns.problems import Interface, Problem

Known = Callable[[JetPoints], Scalar | float]
PROBES = 1024
"""Number of points by which the sizes of features are found."""


def known_parts(problem: Problem) -> dict[str, Known]:
    """The known part of each field that has one, as a function of the points with their derivatives.

    Raises ValueError for a function that cannot be differentiated, or gives other fields.
    """
    p = _probes(problem)
    return {name: partial(_part, problem, name) for name in known_parts_at(problem, p)}


def _part(problem: Problem, field: str, p: JetPoints) -> Scalar | float:
    part: Scalar | float = known_parts_at(problem, p)[field]
    return part


def known_parts_at(problem: Problem, p: JetPoints) -> dict[str, Any]:
    """The known parts at points, by field, from one evaluation.

    Raises ValueError for anything but Scalars or numbers of the problem's fields.
    """
    try:
        given: Any = problem.known_part(p)
    except Exception as error:  # it is the user's code, and may do what a Scalar does not support
        raise ValueError(f"{problem.title}.known_part cannot be differentiated: {error}") from None
    if given is None:
        return {}
    if not isinstance(given, dict):
        columns = given if isinstance(given, tuple | list) else (given,)
        if len(columns) != len(problem.fields):
            raise ValueError(f"{problem.title}.known_part gives {len(columns)} fields; there are {len(problem.fields)}")
        given = dict(zip(problem.fields, columns, strict=True))
    for name, part in given.items():
        if name not in problem.fields:
            raise ValueError(f"{problem.title}.known_part gives {name!r}; the fields are {', '.join(problem.fields)}")
        if part is not None and not isinstance(part, Scalar | float | int):
            raise ValueError(f"{problem.title}.known_part: {name} is a {type(part).__name__}, not made of p.x, ...")
    return {name: part for name, part in given.items() if part is not None}


class Features(nn.Module):
    """Further inputs of a network: functions of the coordinates, each shifted and scaled to about [-1, 1].

    They are those that the problem declares, and |d| for each `Interface`.

    Args:
        problem: the problem that declares them.

    Raises ValueError for a function that cannot be differentiated, or is the same everywhere.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
        self.centres: list[float] = []
        self.sizes: list[float] = []
        for k, feature in enumerate(self._values(_probes(problem))):
            low, high = float(feature.value.min()), float(feature.value.max())
            if not low < high:
                raise ValueError(f"{problem.title}.features: number {k + 1} is {low:g} everywhere")
            self.centres.append((low + high) / 2)
            self.sizes.append((high - low) / 2)

    def __len__(self) -> int:
        return len(self.sizes)

    def forward(self, x: Jet) -> Jet:
        """The features (N, K) from the jet of the coordinates (N, D)."""
        values = self._values(JetPoints.of_jet(x, self.problem.domain.names))
        scaled = [(f - c) * (1 / s) for f, c, s in zip(values, self.centres, self.sizes, strict=True)]
        return Jet.cat([f.jet.map(lambda s: s[:, None]) for f in scaled])

    def is_periodic(self, name: str) -> bool:
        """Whether all features have the same values and derivatives at the two ends of a coordinate."""
        low, high = (self._values(_probes(self.problem, {name: end})) for end in self.problem.domain[name])
        return all(_close(a.jet, b.jet, size) for a, b, size in zip(low, high, self.sizes, strict=True))

    def _values(self, p: JetPoints) -> tuple[Scalar, ...]:
        kinks = tuple(_kink(c.shape, p) for c in self.problem.conditions if isinstance(c, Interface))
        return self._declared(p) + kinks

    def _declared(self, p: JetPoints) -> tuple[Scalar, ...]:
        try:
            features = self.problem.features(p)
        except Exception as error:  # it is the user's code, and may do what a Scalar does not support
            raise ValueError(f"{self.problem.title}.features cannot be differentiated: {error}") from None
        if not isinstance(features, tuple | list) or not all(isinstance(f, Scalar) for f in features):
            raise ValueError(f"{self.problem.title}.features gives {features!r}; expected a tuple of functions of p")
        return tuple(features)


def _kink(shape: Domain, p: JetPoints) -> Scalar:
    """|d|, d the distance from the surface of a shape at which slopes have a jump."""
    distance: Scalar = shape.distance(p)
    return distance.apply(absolute)


def _close(a: Jet, b: Jet, size: float) -> bool:
    zero = a.value.new_zeros(1)
    pairs = ((a.streams.get(m, zero), b.streams.get(m, zero)) for m in a.derivatives.indices)
    return all(bool(((x - y).abs() <= 1e-9 * (size + x.abs())).all()) for x, y in pairs)


def _probes(problem: Problem, moved: Mapping[str, float] | None = None) -> JetPoints:
    """Points inside of the domain with all derivatives of the problem, some coordinates moved to other values."""
    x = problem.domain.section({}).draw(PROBES, kronecker)
    for name, value in (moved or {}).items():
        x[:, problem.domain.names.index(name)] = value
    return JetPoints.of(x, problem.domain.names, Derivatives(problem.derivatives))
