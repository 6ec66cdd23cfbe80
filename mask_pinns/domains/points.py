"""`Points`, the points that residuals and targets receive, with the outward normals of the boundary they lie on.

Legend: N points, D coordinates, K numbers measured at a point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import torch
from torch import Tensor

Normals = Callable[[Tensor], Mapping[str, float | Tensor]]
"""The components of the outward unit normals at points (N, D): numbers, or (N,) each; those left out are zero."""

ATTRIBUTES = ("tensor", "names", "normals", "normal", "unknowns", "measured")
"""What points have besides coordinates; no unknown number can have such a name."""


class Points:
    """N points: `p.x`, `p.t` are 1-D tensors of length N, `p.tensor` is all of them as (N, D).

    On a boundary, `p.normal.x` is the x component (N,) of the outward unit normals.
    `p.k` is the value of an unknown number k of the problem, (N,) or (1,).
    At measurements, `p.measured` (N, K) is what was measured, and how much it weighs; it is None elsewhere.
    `p.x` is a copy: a function that changes it in place, `x = p.x; x *= pi`, does not move the points.
    """

    def __init__(
        self,
        tensor: Tensor,
        names: tuple[str, ...],
        normals: Normals | None = None,
        measured: Tensor | None = None,
    ) -> None:
        assert tensor.ndim == 2 and tensor.shape[1] == len(names), (tensor.shape, names)
        self.tensor = tensor
        self.names = names
        self.normals = normals
        self.unknowns: Mapping[str, Tensor] = {}
        self.measured = measured

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_") or name in ATTRIBUTES:
            raise AttributeError(name)
        if name in self.unknowns:
            return self.unknowns[name]
        if name not in self.names:
            raise ValueError(f"p.{name}: no such coordinate; the problem has {', '.join(self.names)}")
        return self.tensor[:, self.names.index(name)].clone()

    def __len__(self) -> int:
        return len(self.tensor)

    @cached_property
    def normal(self) -> Points:
        """The outward unit normals, as points whose coordinates are the components."""
        if self.normals is None:
            raise ValueError("p.normal: these points do not lie on a boundary; name one: Condition(..., where=shape)")
        given = self.normals(self.tensor)
        columns = [torch.as_tensor(given.get(name, 0.0)).to(self.tensor) for name in self.names]
        return Points(torch.stack([c.expand(len(self.tensor)) for c in columns], 1), self.names)
