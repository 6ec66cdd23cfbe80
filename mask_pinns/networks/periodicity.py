"""Whether fields may be periodic by construction: an embedding makes them so with all their derivatives.

An equation of order k in x determines a smoothly periodic solution if values and derivatives below order k agree on the
two walls; with fewer of them prescribed, slopes are free and the embedding would exclude the solution. The equation,
the targets of the other conditions and the exact solution must be the same on the two walls.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mask_pinns.problems import Condition, Integral, Periodic, Problem
from mask_pinns.problems.derived.probing import agree, probe_fields
from mask_pinns.problems.derived.scales import characteristic_scales

SEAM_TOLERANCE = 1e-6
"""Largest difference between the two walls, relative to the characteristic scale."""


def smoothly_periodic(problem: Problem) -> list[str]:
    """The coordinates whose periodic conditions make the solution periodic with all its derivatives."""
    return list(dict.fromkeys(c.across[0] for c in _periodic(problem) if c.order >= _order(problem, c.across[0]) - 1))


def _periodic(problem: Problem) -> list[Periodic]:
    """The periodic conditions; a subclass may mean something else."""
    return [c for c in problem.conditions if type(c) is Periodic]


def _order(problem: Problem, name: str) -> int:
    """The order of the equation in a coordinate."""
    return max(m.count(name) for m in problem.equation.derivatives.indices)


def check_periodic(problem: Problem, names: str | Sequence[str]) -> None:
    """Raises ValueError if the problem is not periodic in a coordinate whose embedding makes the network so."""
    for name in [names] if isinstance(names, str) else names:
        if name not in problem.domain:
            continue  # the embedding names the coordinates that there are
        what = f"{problem.title} cannot be periodic in {name} by construction"
        for condition in _periodic(problem):
            if condition.across[0] == name and name not in smoothly_periodic(problem):
                raise ValueError(
                    f"{what}: {condition.name!r} leaves slopes free, the equation is of order {_order(problem, name)}; "
                    f"leave out --periodic {name}, or give the condition order={_order(problem, name) - 1}"
                )
        for term in problem.terms:
            if not isinstance(term, Periodic | Integral) and not _same_on_both_walls(problem, term, name):
                part = "its equation differs" if term is problem.equation else f"its condition {term.name!r} differs"
                raise ValueError(f"{what}: {part} at the two ends of {name}; leave out --periodic {name}")
        if not _solution_is_periodic(problem, name):
            raise ValueError(f"{what}: its solution differs at the two ends of {name}; leave out --periodic {name}")


def _same_on_both_walls(problem: Problem, term: Condition, name: str) -> bool:
    """Whether residuals are equal at the two ends of a coordinate, for the same values of the fields there."""
    probe, scales = probe_fields(problem), characteristic_scales(problem)
    pieces = term.place(problem.domain).pieces
    if any(name in piece.normal for piece in pieces):
        return True  # a wall across the coordinate itself; a soft condition there is met or not
    low, high = (_moved(problem, probe.points(term), name, side) for side in (0, 1))
    parts = [(piece, x) for end in (low, high) for piece, x in zip(pieces, end.chunk(len(pieces)), strict=True)]
    if not any(bool(piece.holds(x).any()) for piece, x in parts):
        return True  # it is not at the ends, like the boundary of a hole
    streams = probe.streams(low, term.derivatives, scales.offsets, scales.sizes)
    with torch.no_grad():
        at_low, at_high = probe.residuals(term, low, streams), probe.residuals(term, high, streams)
    return all(agree(at_low[k], at_high[k], SEAM_TOLERANCE * scales.residuals[k]) for k in at_low)


def _solution_is_periodic(problem: Problem, name: str) -> bool:
    """Whether the exact solution, if there is one, is equal at the two ends."""
    scales = characteristic_scales(problem)
    points = probe_fields(problem).points(problem.equation)
    low, high = (_moved(problem, points, name, side) for side in (0, 1))
    values = [problem.solution(x) for x in (low, high)]
    if values[0] is None or values[1] is None:
        return True
    for i, field in enumerate(problem.fields):
        at_low, at_high = values[0][:, i], values[1][:, i]
        if not agree(at_low, at_high, SEAM_TOLERANCE * scales.sizes[field]):
            return False
    return True


def _moved(problem: Problem, x: Tensor, name: str, side: int) -> Tensor:
    """The points with one coordinate at an end of the domain."""
    moved = x.clone()
    moved[:, problem.domain.names.index(name)] = problem.domain[name][side]
    return moved
