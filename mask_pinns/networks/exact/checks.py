"""`check_constraints`: whether hard conditions hold, independently of how they were made.

Legend: N points, D coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from mask_pinns.domains import Place
from mask_pinns.jets import Jet
from mask_pinns.networks.exact.hard_constraints import HardConstraints
from mask_pinns.problems import Condition, Problem
from mask_pinns.problems.conditions import qualified
from mask_pinns.problems.derived.scales import characteristic_scales
from mask_pinns.problems.fields import fields_of

RESIDUAL_TOLERANCE = 1e-6
"""Largest residual of a hard condition, relative to the characteristic scale of the residual."""
CHECK_POINTS = 4096
"""Number of Sobol points on every piece at which a hard condition is checked: a narrow mismatch must show."""


def _check_points(place: Place) -> Tensor:
    """Fixed quasi-random points of every piece of a place, float64, dense enough for a narrow mismatch."""
    return place.draw(
        CHECK_POINTS,
        lambda dimension, n: (
            SobolEngine(dimension, scramble=True, seed=0).draw(n, dtype=torch.float64)
            if dimension
            else torch.empty(1, 0, dtype=torch.float64)
        ),
    )


def check_constraints(problem: Problem, hard: Sequence[Condition], constraints: HardConstraints) -> None:
    """Evaluates hard conditions on A and on A + B, independently of how these were made.

    Raises ValueError for a condition that does not hold, because targets contradict each other where their faces meet.
    """
    names, scales = problem.domain.names, characteristic_scales(problem)
    constants = (dict.fromkeys(problem.fields, 0.0), scales.sizes)
    for condition in hard:
        place = condition.place(problem.domain)
        x = _check_points(place)
        jet = Jet.of_coordinates(x, names, condition.derivatives)
        for constant in constants:
            outputs = x.new_tensor([constant[f] for f in problem.fields]).expand(len(x), -1)
            u = constraints(jet, Jet(jet.derivatives, {"": outputs}))
            fields = fields_of(u, problem.fields, names, problem.title)
            residuals = qualified(condition, condition.residuals(problem.points(place, x), fields, place))
            worst = max(float(r.abs().max()) / scales.residuals[name] for name, r in residuals.items())
            if not worst <= RESIDUAL_TOLERANCE:
                others = ", ".join(repr(other.name) for other in hard if other is not condition)
                raise ValueError(
                    f"condition {condition.name!r} of {problem.title} cannot be exact together with "
                    f"{others or 'itself'}: off by {worst:.1e}, relative to its size; their targets contradict each "
                    "other where they meet; make one of them soft"
                )
