"""`JetPoints`: points whose coordinates are Scalars, so that a user's function of the points has derivatives.

Legend: N points, D coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mask_pinns.jets.derivatives import Derivatives
from mask_pinns.jets.jet import Jet
from mask_pinns.jets.scalar import Scalar


class JetPoints:
    """The points that a target receives: `p.x` is a Scalar, the coordinate with its derivatives."""

    def __init__(self, coordinates: Mapping[str, Scalar]) -> None:
        self._coordinates = dict(coordinates)

    @classmethod
    def of(cls, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> JetPoints:
        """x: (N, D), with the derivatives of the coordinates themselves."""
        columns = (Jet.of_coordinates(x[:, i : i + 1], (n,), derivatives) for i, n in enumerate(names))
        return cls({n: Scalar(c.map(lambda s: s[:, 0])) for n, c in zip(names, columns, strict=True)})

    @classmethod
    def of_jet(cls, coordinates: Jet, names: Sequence[str]) -> JetPoints:
        """The points of a jet (N, D), with its derivatives, whatever they are."""
        return cls({n: Scalar(coordinates.map(lambda s, i=i: s[:, i])) for i, n in enumerate(names)})  # type: ignore[misc]

    @property
    def derivatives(self) -> Derivatives:
        """The derivatives that the coordinates carry."""
        return next(iter(self._coordinates.values())).jet.derivatives

    def at(self, name: str, value: float) -> JetPoints:
        """The same points moved to a face: one coordinate is fixed, with derivatives of zero."""
        jet = self._coordinates[name].jet
        fixed = Scalar(Jet(jet.derivatives, {"": torch.full_like(jet.value[:1], value)}))
        return JetPoints(self._coordinates | {name: fixed})

    def __getattr__(self, name: str) -> Scalar:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._coordinates:
            raise ValueError(
                f"p.{name}: targets of exact conditions use the coordinates {', '.join(self._coordinates)}"
            )
        return self._coordinates[name]


def values_of(p: JetPoints) -> Tensor:
    """The coordinates themselves, (N, D); no attribute, because a target must not use them without derivatives."""
    columns = [scalar.value for scalar in p._coordinates.values()]
    rows = max(c.shape[0] for c in columns)
    return torch.stack([c.expand(rows) for c in columns], 1)
