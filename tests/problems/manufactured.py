"""Random problems with known solutions, in any units: linear parts, a coupling, a cube, and the source that fits.

    u_t - sum of a u_cc + b u + q u^3 + s v - f = 0    in dimensionless form, v the next field, f from the solution
    u = size (offset + sin(k . xi + phase))            xi the coordinates from 0 to 1 over the domain

The cube is monotone, so that there is one solution; a square has a second one, which training finds now and then.
Coordinates, fields and residuals are then multiplied by random factors, as units would do.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from math import pi, prod
from typing import Any

import torch

from mask_pinns import Box, Condition, Dirichlet, Initial, Neumann, Periodic, Problem


class Manufactured:
    """Draws a problem with 1 to 3 coordinates and 1 to 3 fields, in units of 10^-decades to 10^decades."""

    def __init__(self, seed: int, decades: float = 6.0) -> None:
        draw = self.draw = random.Random(seed)

        def unit() -> float:
            return 10 ** draw.uniform(-decades, decades)

        self.space = ["x", "y"][: draw.randint(1, 2)]
        self.coordinates = [*self.space, *(["t"] if draw.random() < 0.5 else [])]
        self.lengths = {c: unit() for c in self.coordinates}
        self.low = {c: self.lengths[c] * draw.uniform(-1, 1) for c in self.coordinates}
        self.names = ["u", "v", "w"][: draw.randint(1, 3)]
        self.periodic = draw.random() < 0.25
        self.sizes, self.scales = ({name: unit() for name in self.names} for _ in range(2))
        self.offsets = {name: draw.uniform(-1, 1) for name in self.names}
        self.phases = {name: draw.uniform(0, 6) for name in self.names}
        self.k = {
            (f, c): 2 * pi if self.periodic and c == "x" else draw.uniform(0.5, 2.5)
            for f in self.names for c in self.coordinates
        }  # fmt: skip
        a, b, q, s = draw.uniform(0.3, 1), draw.uniform(0, 1), draw.uniform(0, 0.3), draw.uniform(0, 0.5)
        if self.periodic and self.coordinates == ["x"]:  # no wall: the linear part alone excludes another solution
            b += 1
        self.factors = a, b, q, s

    def exact(self, name: str, p: Any, m: str = "") -> Any:
        """A field, or its derivative m, in dimensionless form."""
        angle = self.phases[name]
        for c in self.coordinates:
            angle = (getattr(p, c) - self.low[c]) * (self.k[name, c] / self.lengths[c]) + angle
        if not m:
            return torch.sin(angle) + self.offsets[name]
        return (torch.cos(angle) if len(m) == 1 else -torch.sin(angle)) * prod(self.k[name, c] for c in m)

    def equation(self, name: str, get: Callable[..., Any]) -> Any:
        """The equation of a field without its source, from get(field, derivative) in dimensionless form."""
        a, b, q, s = self.factors
        total = b * get(name) + q * get(name) ** 3 + s * get(self.names[self.names.index(name) - 1])
        for c in self.space:
            total = total - a * get(name, c + c)
        return total + get(name, "t") if "t" in self.coordinates else total

    def residual(self, problem: Problem, p: Any, *fields: Any) -> dict[str, Any]:
        given = dict(zip(self.names, fields, strict=True))

        def get(name: str, m: str = "") -> Any:
            return given[name].derivative(m) * (prod(self.lengths[c] for c in m) / self.sizes[name])

        return {
            name: self.scales[name] * (self.equation(name, get) - self.equation(name, partial(self._at, p)))
            for name in self.names
        }

    def _at(self, p: Any, name: str, m: str = "") -> Any:
        return self.exact(name, p, m)

    def values(self) -> dict[str, Callable[[Any], Any]]:
        return {name: lambda p, name=name: self.exact(name, p) * self.sizes[name] for name in self.names}

    def slopes(self, c: str) -> dict[str, Callable[[Any], Any]]:
        """Outward normal derivatives on the low wall across c."""
        sizes = {name: -self.sizes[name] / self.lengths[c] for name in self.names}
        return {name: lambda p, name=name: self.exact(name, p, c) * sizes[name] for name in self.names}

    def conditions(self) -> tuple[Condition, ...]:
        conditions: list[Condition] = [Initial(**self.values())] if "t" in self.coordinates else []
        for c in self.space:
            if self.periodic and c == "x":
                conditions.append(Periodic("x", order=1))
            elif self.draw.random() < 0.4:
                conditions += [Neumann(c, side="low", **self.slopes(c)), Dirichlet(c, side="high", **self.values())]
            else:
                conditions.append(Dirichlet(c, **self.values()))
        return tuple(conditions)


def manufactured(seed: int, made: Manufactured | None = None) -> Problem:
    """A random problem; the same one for the same seed."""
    made = made or Manufactured(seed)
    declaration = {
        "__doc__": "A manufactured problem.",
        "domain": Box(**{c: (made.low[c], made.low[c] + made.lengths[c]) for c in made.coordinates}),
        "fields": tuple(made.names),
        "conditions": made.conditions(),
        "derivatives": (*(c + c for c in made.space), *(["t"] if "t" in made.coordinates else [])),
        "residual": lambda self, p, *fields: made.residual(self, p, *fields),
        "exact": lambda self, p: {name: value(p) for name, value in made.values().items()},
    }
    return type(f"Manufactured{seed}", (Problem,), declaration)()
