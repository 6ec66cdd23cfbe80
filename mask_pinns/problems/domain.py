"""Where a problem lives: `Box`, the domain with its named coordinates, and `Points`, N points of it.

Legend: N points, D coordinates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mask_pinns.numbers import is_finite, is_number

NARROWEST = 1e-12
"""Least width of a domain, in units of its largest coordinate: below it, points fall together in float64."""


class Box:
    """An axis-parallel domain with named coordinates: `Box(x=(0, 1), t=(0, 5))`.

    Coordinates are single letters, in the order given; `t` is time where there is one.

    Raises:
        ValueError: no coordinate, a name that is not one letter, bounds that are not low < high and finite.
    """

    def __init__(self, **bounds: tuple[float, float]) -> None:
        if not bounds:
            raise ValueError("a Box needs at least one coordinate, e.g. Box(x=(0.0, 1.0))")
        for name, pair in bounds.items():
            if len(name) != 1 or not name.isalpha():
                raise ValueError(f"coordinate {name!r} of the Box: a coordinate is a single letter, e.g. x")
            if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_number, pair))):
                raise ValueError(f"coordinate {name!r} of the Box: expected (low, high), two numbers, got {pair!r}")
            if not (all(map(is_finite, pair)) and pair[0] < pair[1]):
                raise ValueError(f"coordinate {name!r} of the Box: expected finite low < high, got {tuple(pair)}")
            if not NARROWEST * max(map(abs, pair)) < pair[1] - pair[0] < float("inf"):
                raise ValueError(
                    f"coordinate {name!r} of the Box: no points fit between {pair[0]} and {pair[1]}; choose other units"
                )
        self.names: tuple[str, ...] = tuple(bounds)
        self.low: tuple[float, ...] = tuple(float(a) for a, _ in bounds.values())
        self.high: tuple[float, ...] = tuple(float(b) for _, b in bounds.values())

    def __getitem__(self, name: str) -> tuple[float, float]:
        """(low, high) of one coordinate. Raises ValueError for a name the domain does not have."""
        if name not in self.names:
            raise ValueError(f"the domain has no coordinate {name!r}; it has {', '.join(self.names)}")
        i = self.names.index(name)
        return self.low[i], self.high[i]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Box({', '.join(f'{n}={self[n]}' for n in self.names)})"


class Points:
    """N points: `p.x`, `p.t` are 1-D tensors of length N, `p.tensor` is all of them as (N, D)."""

    def __init__(self, tensor: Tensor, names: tuple[str, ...]) -> None:
        assert tensor.ndim == 2 and tensor.shape[1] == len(names), (tensor.shape, names)
        self.tensor = tensor
        self.names = names

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_") or name in ("tensor", "names"):
            raise AttributeError(name)
        if name not in self.names:
            raise ValueError(f"p.{name}: no such coordinate; the problem has {', '.join(self.names)}")
        return self.tensor[:, self.names.index(name)]

    def __len__(self) -> int:
        return len(self.tensor)


def mesh(axes: list[Tensor]) -> Tensor:
    """All points of the grid with these axes, (n1 * n2 * ..., D), the last coordinate running fastest."""
    return torch.stack([g.reshape(-1) for g in torch.meshgrid(*axes, indexing="ij")], 1)
