"""`Insulation`: a map of the coordinates after which every function has the normal derivative zero on a boundary.

    x~ = x - sum over rims of D grad D,   D a smooth distance from a rim: zero on it, with slope 1, positive inside

On a rim the derivative of x~ along the normal n is n - n = 0, so that every function N(x~) has dN/dn = 0, whatever its
weights: no derivative of N is needed for that, neither are points on the boundary. D^3 has no slope there either. With
it as a further input N(x~, D^3) can be any smooth function whose normal derivative is zero: x~ moves with the square of
the distance from the rim, and an even power and an odd one make all higher ones.

D is Rvachev's normalized distance (Rvachev and Sheiko 1995; Sukumar and Srivastava 2022), damped near other parts of
the boundary, which must not be moved: D = d times o^2 / (o^2 + (REACH d)^2) for each of them, o their distance.

Legend: N points, D coordinates, R rims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mask_pinns.domains import Domain
from mask_pinns.domains.domain import product
from mask_pinns.domains.places import kronecker
from mask_pinns.jets import Derivatives, Jet, Scalar, slopes

Distance = Callable[[Any], Any]
REACH = 4.0
"""A distance is damped where another part is nearer than this many times the rim; with 1 the map folds."""
STILL = 1e-9
"""Largest normal derivative of the map on a rim; without rims it is about 1."""
PROBES = 4096
"""Number of points in the interior at which the map is tried."""


@dataclass(frozen=True)
class Rim:
    """A part of the boundary with smooth normals.

    Attributes:
        along: the coordinates that its normals have.
        bare: its distance d, with slope 1.
        others: distances of other parts, relative to the size of the domain, that are not moved.
        size: the size of the domain.
    """

    along: tuple[str, ...]
    bare: Distance
    others: tuple[Distance, ...]
    size: float

    def distance(self, p: Any) -> Any:
        """D at points."""
        d = self.bare(p)
        near = (d * (REACH / self.size)) ** 2
        return product([d, *(o * o / (o * o + near) for o in (other(p) for other in self.others))])


class Insulation:
    """The map of a problem's rims: from points to x~, and to further inputs (D / D_max)^3, one for each rim.

    Args:
        domain: domain of the problem.
        rims: rims at right angles to each other, or apart.

    Raises ValueError if the map is not one-to-one inside of the domain.
    """

    def __init__(self, domain: Domain, rims: Sequence[Rim]) -> None:
        self.domain, self.names, self.rims = domain, domain.names, tuple(rims)
        self._probes = x = domain.section({}).draw(PROBES, kronecker)
        self.largest = [float(slopes(rim.distance, x, self.names, Derivatives(), ())[""].value.max()) for rim in rims]  # type: ignore[union-attr]
        moved, _ = self(x, Derivatives(self.names))
        jacobian = torch.stack([moved.streams[c] for c in self.names], 1)
        if not bool((torch.linalg.det(jacobian) > 0).all()):
            raise ValueError("the map that makes normal derivatives zero folds the domain")

    def __len__(self) -> int:
        return len(self.rims)

    def __call__(self, x: Tensor, derivatives: Derivatives) -> tuple[Jet, Jet]:
        """x~ (N, D) and the further inputs (N, R), with their derivatives, which have a row for each point.

        The Jacobian of Gauss-Newton tells points apart by these rows.
        """
        coordinates = Jet.of_coordinates(x, self.names, derivatives)
        moved = {c: Scalar(coordinates.map(lambda s, i=i: s[:, i])) for i, c in enumerate(self.names)}  # type: ignore[misc]
        further = []
        for rim, largest in zip(self.rims, self.largest, strict=True):
            found = slopes(rim.distance, x, self.names, derivatives, rim.along)
            for c in rim.along:
                moved[c] = moved[c] - found[""] * found[c]
            further.append((found[""] * (1 / largest)) ** 3)
        return _columns(list(moved.values())).at_every_point(), _columns(further).at_every_point()

    def is_still(self, x: Tensor, normal: Mapping[str, float | Tensor]) -> bool:
        """Whether the normal derivatives of the map are zero at points (N, D) of a rim, with normals by coordinate."""
        jet = Jet.cat(self(x, Derivatives(self.names)))
        slope = sum((n * jet.streams[c].T for c, n in normal.items() if c in jet.streams), start=torch.zeros(1))
        return bool((slope.abs() < STILL).all())

    def is_periodic(self, name: str, derivatives: Derivatives) -> bool:
        """Whether the map is the same at the two ends of a coordinate, with its derivatives."""
        x, i = self._probes.clone(), self.names.index(name)
        ends = []
        for end in self.domain[name]:
            x[:, i] = end
            moved, further = self(x, derivatives)
            ends.append(Jet.cat([Jet(derivatives, moved.streams | {"": moved.value - x}), further]))
        low, high = ends
        zero = x.new_zeros(1)
        pairs = ((low.streams.get(m, zero), high.streams.get(m, zero)) for m in derivatives.indices)
        return all(torch.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in pairs)


def _columns(scalars: Sequence[Any]) -> Jet:
    return Jet.cat([scalar.jet.map(lambda s: s[:, None]) for scalar in scalars])
