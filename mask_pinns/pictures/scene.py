"""`Scene`: what is drawn of a solution on a domain that is no box, or that is known at scattered points only.

One coordinate in space: a curve, or an image over time. Two: triangles, at three times if there is time. Three: the
planes through the middle across each coordinate, and the surface. More: a plane over the first two through the middle.
A family of problems, with a coordinate by which nothing is differentiated: the same at several of its values.

Legend: M points, T triangles, D coordinates, F fields.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from mask_pinns.domains import Domain, Points
from mask_pinns.pictures.planes import Inside, Plane, bisected, section, triangles, triangulated
from mask_pinns.pictures.surfaces import lifted, surface
from mask_pinns.problems import Evaluation, Problem
from mask_pinns.problems.derived.families import family_parameters
from mask_pinns.problems.derived.probing import once

CURVE_POINTS = 1000
"""Number of points along a curve, gaps included."""
MEMBERS = 4
"""Number of values of a parameter that are shown."""
NEAR = 0.02
"""Scattered points this near to a plane or surface count as points of it, relative to the size of the domain."""


@dataclass(frozen=True, eq=False)
class View:
    """One picture: points (M, D) with their places (M, 1, 2 or 3) in it, and cells between them.

    Cells are pairs of neighbours (T, 2) on a curve, triangles (T, 3), and squares (T, 4) on a surface; without them the
    points are drawn one by one. The values are the true ones, (M, F), if they are known. `equal` is whether the scales
    of both coordinates are, `even` whether the points are spread so that triangles are not thin.
    """

    title: str
    names: tuple[str, ...]
    points: Tensor
    places: Tensor
    cells: np.ndarray | None = None
    equal: bool = True
    even: bool = True
    values: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """The views of the solution, and those of reference and error: the same if the true values are known everywhere."""

    shown: Sequence[View]
    compared: Sequence[View] = field(default_factory=list)

    @property
    def views(self) -> list[View]:
        """All views whose points have to be predicted."""
        return [*self.shown, *(view for view in self.compared if not any(view is other for other in self.shown))]

    @property
    def points(self) -> Tensor:
        return torch.cat([view.points for view in self.views])

    def parts(self, values: Tensor) -> list[Tensor]:
        """Values (M, F) at all points, by view."""
        return list(values.split([len(view.points) for view in self.views]))


@once
def scene(problem: Problem) -> Scene:
    """What is drawn of a problem's solution."""
    domain, evaluation = problem.domain, problem.evaluation()
    scattered = evaluation.points if problem.reference is not None else None
    family = family_parameters(problem)
    shown = _members(domain, family, scattered) if family else _views(domain, _times(domain, scattered))
    if evaluation.values is None:
        return Scene(shown)
    if scattered is None:
        values = problem.solution(torch.cat([view.points for view in shown]))
        assert values is not None
        parts = values.split([len(view.points) for view in shown])
        shown = [replace(view, values=part) for view, part in zip(shown, parts, strict=True)]
        return Scene(shown, shown)
    return Scene(shown, _compared(domain, shown, evaluation, {"t", *family}))


def _times(domain: Domain, scattered: Tensor | None) -> list[float]:
    """The first, the middle and the last time, of scattered points (M, D) if there are any; none without time."""
    if "t" not in domain.names:
        return []
    if scattered is None:
        low, high = domain["t"]
        return [low, (low + high) / 2, high]
    known = scattered[:, domain.names.index("t")].unique()
    return list(dict.fromkeys(float(known[i]) for i in (0, len(known) // 2, -1)))


def _views(domain: Domain, times: Sequence[float]) -> list[View]:
    spatial = domain.spatial
    if len(domain) == 1:
        return [_curve(domain, domain.names[0], {})]
    if len(spatial) == 1:
        return [_of_plane(Plane(domain, ("t", spatial[0]), {}))]
    if len(spatial) == 2:
        return _at_times(domain, times)
    if len(spatial) > 3:
        return [_of_plane(section(domain, (spatial[0], spatial[1])))]
    pairs = [(spatial[1], spatial[2]), (spatial[0], spatial[2]), (spatial[0], spatial[1])]
    time = {"t": _middle(times)} if times else {}
    return [*(_of_plane(section(domain, pair), **time) for pair in pairs), _of_surface(domain, time.get("t"))]


def _middle(times: Sequence[float]) -> float:
    return times[len(times) // 2]


def _title(fixed: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.3g}" for name, value in fixed.items())


def _members(domain: Domain, family: Sequence[str], scattered: Tensor | None) -> list[View]:
    """Views of some members of a family: at values of the first parameter from low to high, the others in the middle.

    They are curves over one coordinate, or planes: over time, or of the first two coordinates in space at the end.
    """
    own = [name for name in domain.names if name not in family]
    spatial = [name for name in own if name != "t"]
    fixed = {name: _middle(_values(domain, name, scattered, 3)) for name in family}
    members = [{**fixed, family[0]: value} for value in _values(domain, family[0], scattered, MEMBERS)]
    if len(own) == 1:
        return [_curve(domain, own[0], member) for member in members]
    if len(own) == 2:
        pair = ("t", spatial[0]) if "t" in own else (own[0], own[1])
        return [_of_plane(Plane(domain, pair, member)) for member in members]
    middle = section(domain, (spatial[0], spatial[1])).fixed
    last = {"t": _times(domain, scattered)[-1]} if "t" in own else {}
    return [_of_plane(Plane(domain, (spatial[0], spatial[1]), {**middle, **m, **last})) for m in members]


def _values(domain: Domain, name: str, scattered: Tensor | None, count: int) -> list[float]:
    """Values of a coordinate from its low to its high end; of scattered points (M, D), if there are any, known ones."""
    values = torch.linspace(*domain[name], count, dtype=torch.float64)
    if scattered is None:
        return values.tolist()
    known = scattered[:, domain.names.index(name)].unique()
    return list(dict.fromkeys(float(known[(known - value).abs().argmin()]) for value in values))


def _line(domain: Domain, name: str, fixed: Mapping[str, float]) -> tuple[Callable[[Tensor], Tensor], Inside]:
    """Functions of places (M, 1) on a line along one coordinate: their points (M, D), and whether they are inside."""

    def lifted(x: Tensor) -> Tensor:
        columns = {other: x.new_full((len(x),), value) for other, value in fixed.items()} | {name: x[:, 0]}
        return torch.stack([columns[c] for c in domain.names], 1)

    return lifted, lambda x: domain.contains(Points(lifted(x), domain.names))


def _curve(domain: Domain, name: str, fixed: Mapping[str, float]) -> View:
    """Points of all intervals, with their ends, and the pairs of neighbours between which there is no gap."""
    x = torch.linspace(*domain[name], CURVE_POINTS, dtype=torch.float64)[:, None]
    lifted, contains = _line(domain, name, fixed)
    inside = contains(x)
    i = (inside[1:] != inside[:-1]).nonzero()[:, 0]
    within, without = (torch.where(inside[i, None] == kept, x[i], x[i + 1]) for kept in (True, False))
    ends = within + bisected(contains, within, without, halvings=30)[:, None] * (without - within)
    places = torch.cat([x[inside], ends]).sort(0).values
    return View(_title(fixed), (name,), lifted(places), places, _neighbours(contains, places))


def _neighbours(contains: Inside, x: Tensor) -> np.ndarray:
    """The pairs (T, 2) of neighbours among sorted places (M, 1) whose middle lies in the domain."""
    linked = contains((x[1:] + x[:-1]) / 2).nonzero()[:, 0].numpy()
    return np.stack([linked, linked + 1], 1)


def _of_plane(plane: Plane, **fixed: float) -> View:
    places, found = triangulated(plane)
    points = plane.lifted(places, **fixed)
    return View(_title({**plane.fixed, **fixed}), plane.names, points, places, found, plane.equal)


def _at_times(domain: Domain, times: Sequence[float]) -> list[View]:
    """Views of both coordinates in space, at each time."""
    plane = section(domain, (domain.spatial[0], domain.spatial[1]))
    places, found = triangulated(plane)
    return [
        View(_title(fixed), plane.names, plane.lifted(places, **fixed), places, found, plane.equal)
        for fixed in ([{"t": t} for t in times] or [{}])
    ]


def _of_surface(domain: Domain, time: float | None) -> View:
    places, found = surface(domain)
    return View("surface", domain.spatial, lifted(domain, places, time), places, found)


# ---- true values at scattered points --------------------------------------------------------------------------------


def _compared(domain: Domain, shown: Sequence[View], evaluation: Evaluation, exactly: Collection[str]) -> list[View]:
    """Views of true values that are known at scattered points only; coordinates in `exactly` are those of the view."""
    if len(domain.spatial) > 3:
        return []
    assert evaluation.values is not None
    compared = []
    for view in shown:
        columns = [domain.names.index(name) for name in view.names]
        rows = _rows(domain, view, evaluation.points, exactly)
        points, values = evaluation.points[rows], evaluation.values[rows]
        places = points[:, columns]
        if len(view.names) == 1:
            order = places[:, 0].argsort()
            points, places, values = points[order], places[order], values[order]
        cells = _cells(domain, view, places)
        compared.append(replace(view, points=points, places=places, cells=cells, values=values, even=False))
    return compared


def _rows(domain: Domain, view: View, points: Tensor, exactly: Collection[str]) -> Tensor:
    """Which points (M, D) belong to a view: those of its time, and near to its plane or surface."""
    rows = torch.ones(len(points), dtype=torch.bool)
    own = view.points[0]
    for i, name in enumerate(domain.names):
        if name not in view.names:
            slack = 0.0 if name in exactly else NEAR * domain.size
            rows &= (points[:, i] - own[i]).abs() <= slack
    if len(view.names) == 3:
        rows &= domain.distance(Points(points, domain.names)).abs() <= NEAR * domain.size
    return rows


def _cells(domain: Domain, view: View, places: Tensor) -> np.ndarray | None:
    others = {name: float(view.points[0, i]) for i, name in enumerate(domain.names) if name not in view.names}
    if len(view.names) == 1:
        return _neighbours(_line(domain, view.names[0], others)[1], places)
    if len(domain.spatial) > 2:
        return None
    return triangles(Plane(domain, (view.names[0], view.names[1]), others), places)
