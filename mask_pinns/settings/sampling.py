"""`Sampling`: where points come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonargparse.typing import NonNegativeInt, PositiveInt, restricted_number_type

from mask_pinns.settings.fields import setting

Seed: Any = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)])


@dataclass(frozen=True)
class Sampling:
    """Number and sampling of the points.

    Args:
        seed: seed of the initial weights and of the points
        points: --points N collocation points; --points.initial N, --points.<condition> N on each piece
        points_over_ranks: for several processes: split the points, rounded up to equal shares, or each its own --points
        sampler: latin_hypercube, sobol, uniform, grid
        adaptive: K C: collocation points are chosen by |residual|^K / its mean + C, e.g. 1 1; empty: off
        resample: steps between new points; 0: never (quasi-Newton: never)

    A condition that `points` does not name has a tenth of the collocation points ("pde"); one on an integral, of which
    points are times, has fewer. A phase of the optimizer may have another `resample`.

    Example:
        >>> from mask_pinns import PROBLEMS, PointsDataModule, Sampling
        >>> PointsDataModule(PROBLEMS["wave"](), Sampling(points={"pde": 100}, sampler="sobol")).counts
        {'pde': 100, 'initial': 10, 'dirichlet_x': 10}
    """

    seed: int = setting(0, kind=Seed, may_change=True, judged=True)
    points: int | Mapping[str, int] = setting(
        factory=lambda: {"pde": 2500}, kind=dict[str, PositiveInt], may_change=True, judged=True
    )
    points_over_ranks: str = setting("split", decides=False)
    sampler: str = setting("latin_hypercube", may_change=True, judged=True)
    adaptive: Sequence[float] = setting(factory=list, kind=float, many=True, may_change=True)
    resample: int = setting(1, kind=NonNegativeInt, may_change=True)
