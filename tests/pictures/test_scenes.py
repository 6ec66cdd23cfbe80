"""Pictures on domains of any shape: holes stay white, edges follow the boundary, what is drawn where."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
import pytest
import torch

from mask_pinns import Ball, Box, Disk, HalfPlane, Neumann, Problem, union
from mask_pinns.callbacks.figures import draw, picture_grid
from mask_pinns.domains import Domain, Points
from mask_pinns.pictures.planes import Plane, section, triangulated
from mask_pinns.pictures.scene import Scene, scene
from mask_pinns.pictures.surfaces import surface

SQUARE = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
PIPES = union(Disk(x=x, y=y, radius=0.2) for x in (-0.6, 0.6) for y in (-0.6, 0.6))
ANNULUS = Disk(x=0.0, y=0.0, radius=1.0) - Disk(x=0.0, y=0.0, radius=0.4)
NOTCH = Box(x=(0.0, 1.0), y=(0.0, 1.0))
INTERVALS = Box(x=(0.0, 1.0)) | Box(x=(1.5, 2.0))


def problem_on(shape: Domain, known: bool = True, **declared: Any) -> Problem:
    """A problem on this shape whose solution is x + 2 t."""

    class Shaped(Problem):
        domain = shape
        derivatives = shape.names  # by all coordinates: no family

        def residual(self, p, u):
            return u.x - 1.0 + u - self.solved(p)

        def exact(self, p):
            return self.solved(p) if known else None

        def solved(self, p):
            return p.x + (2 * p.t if "t" in self.domain else 0.0)

    return type("Shaped", (Shaped,), declared)() if declared else Shaped()


def area(points: torch.Tensor, cells: np.ndarray) -> float:
    a, b, c = points.numpy()[cells].transpose(1, 2, 0)
    return float(np.abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).sum() / 2)


@pytest.mark.parametrize(
    ("shape", "exactly"),
    [
        (SQUARE, 4.0),
        (SQUARE - PIPES, 4.0 - 0.16 * pi),
        (SQUARE - NOTCH, 3.0),
        (ANNULUS, 0.84 * pi),
        (SQUARE & HalfPlane(x=0.0, y=0.0, normal={"x": 1.0, "y": 2.0}), 2.0),
    ],
    ids=["square", "pipes", "L", "annulus", "half"],
)
def test_triangles_cover_the_shape_and_nothing_else(shape: Domain, exactly: float) -> None:
    plane = section(shape, ("x", "y"))
    points, cells = triangulated(plane)
    assert area(points, cells) == pytest.approx(exactly, rel=1e-3)
    middles = points[torch.from_numpy(cells).long()].mean(1)
    assert plane.contains(middles).all()


def test_edges_follow_a_round_boundary() -> None:
    """The sides of triangles that belong to one triangle only lie on one of the two circles."""
    points, cells = triangulated(section(ANNULUS, ("x", "y")))
    sides = np.sort(np.concatenate([cells[:, [0, 1]], cells[:, [1, 2]], cells[:, [2, 0]]]), 1)
    once, count = np.unique(sides, axis=0, return_counts=True)
    middles = points[torch.from_numpy(once[count == 1]).long()].mean(1).norm(dim=1)
    assert torch.minimum((middles - 1).abs(), (middles - 0.4).abs()).max() < 2e-3


def test_sections_of_a_solid_are_round_and_go_where_there_is_something() -> None:
    ball = Ball(x=0.0, y=0.0, z=0.0, radius=1.0)
    points, cells = triangulated(section(ball, ("y", "z")))
    assert area(points, cells) == pytest.approx(pi, rel=1e-3)
    pair = Ball(x=-2.0, y=0.0, z=0.0, radius=1.0) | Ball(x=2.0, y=0.0, z=0.0, radius=1.0)
    plane = section(pair, ("y", "z"))
    assert 1.0 < abs(plane.fixed["x"]) < 3.0 and plane.share(24) > 0.02


def test_very_different_units_are_not_drawn_to_scale() -> None:
    plate = Box(x=(0.0, 1.0), T=(0.0, 1000.0)) - Box(x=(0.4, 0.6), T=(0.0, 500.0))
    plane = section(plate, ("x", "T"))
    points, cells = triangulated(plane)
    assert not plane.equal and area(points, cells) == pytest.approx(900.0, rel=2e-3)
    assert Plane(SQUARE, ("x", "y"), {}).equal


def test_the_surface_of_a_ball_is_closed_and_round() -> None:
    points, squares = surface(Ball(x=1.0, y=2.0, z=3.0, radius=2.0))
    away = (points - points.new_tensor([1.0, 2.0, 3.0])).norm(dim=1)
    assert (away - 2.0).abs().max() < 0.03
    sides = np.sort(np.concatenate([squares[:, [i, (i + 1) % 4]] for i in range(4)]), 1)
    assert (np.unique(sides, axis=0, return_counts=True)[1] == 2).all()


SHAPES = {
    "curve": (INTERVALS, ["", 1]),
    "intervals over time": (INTERVALS & Box(t=(0.0, 1.0)), ["", 1]),
    "holes": (SQUARE - PIPES, ["", 1]),
    "over time": (ANNULUS & Box(t=(0.0, 2.0)), ["t = 0, t = 1, t = 2", 3]),
    "solid": (Ball(x=0.0, y=0.0, z=0.5, radius=1.0), ["x = 0, y = 0, z = 0.5, surface", 4]),
    "solid over time": (Ball(x=0.0, y=0.0, z=0.0, radius=1.0) & Box(t=(0.0, 1.0)), ["surface", 4]),
    "four coordinates": (Ball(x=0.0, y=0.0, z=0.0, w=0.0, radius=1.0), ["z = 0, w = 0", 1]),
}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_views_of_every_kind_of_shape(name: str, known: bool) -> None:
    shape, (titles, views) = SHAPES[name]
    problem = problem_on(shape, known)
    grid = picture_grid(problem)
    assert isinstance(grid, Scene) and len(grid.shown) == views
    assert titles in ", ".join(view.title for view in grid.shown)
    figure = draw(problem, grid, np.ones((len(grid.points), 1)), "test")
    kinds = 3 if known else 1
    bars = 0 if name == "curve" else kinds
    assert len(figure.axes) == kinds * views + bars
    true = problem.solution(grid.points)
    assert known == (true is not None) and (
        not known or torch.equal(true, torch.cat([view.values for view in grid.compared]))
    )


def test_a_curve_has_gaps_with_sharp_ends() -> None:
    problem = problem_on(INTERVALS)
    grid = picture_grid(problem)
    x, _ = draw(problem, grid, np.zeros((len(grid.points), 1)), "test").axes[0].lines[0].get_data()
    (gap,) = np.flatnonzero(np.isnan(x))
    np.testing.assert_allclose([x[0], x[gap - 1], x[gap + 1], x[-1]], [0.0, 1.0, 1.5, 2.0], atol=1e-9)


def write_reference(path: Any, shape: Domain, times: Any = None) -> None:
    """The solution x + 2 t at scattered points of a shape."""
    x = np.random.default_rng(0).uniform(-1, 1, (4000, len(shape.spatial)))
    values = {name: torch.from_numpy(column) for name, column in zip(shape.spatial, x.T, strict=True)}
    time = {} if times is None else {"t": torch.zeros(len(x), dtype=torch.float64)}
    columns = values | time
    p = Points(torch.stack([columns[name] for name in shape.names], 1), shape.names)
    inside = shape.contains(p).numpy()
    u = x[inside, 0] if times is None else x[inside, :1] + 2 * times
    arrays = {name: column[inside] for name, column in zip(shape.spatial, x.T, strict=True)}
    np.savez(path, u=u, **arrays, **({} if times is None else {"t": times}))


@pytest.mark.parametrize(
    ("shape", "views"),
    [
        (SQUARE, 1),
        (SQUARE - NOTCH, 1),
        (SQUARE & Box(t=(0.0, 1.0)), 3),
        (ANNULUS & Box(t=(0.0, 1.0)), 3),
        (Ball(x=0.0, y=0.0, z=0.0, radius=1.0), 4),
        (Box(x=(-1.0, 1.0), y=(-1.0, 1.0), z=(-1.0, 1.0)), 4),
    ],
    ids=["square", "L", "square over time", "annulus over time", "ball", "cube"],
)
def test_scattered_values_are_drawn_where_they_are_known(tmp_path: Any, shape: Domain, views: int) -> None:
    times = np.linspace(0, 1, 5) if "t" in shape else None
    write_reference(tmp_path / "r.npz", shape, times)
    problem = problem_on(shape, reference=str(tmp_path / "r.npz"))
    grid = picture_grid(problem)
    assert isinstance(grid, Scene) and len(grid.shown) == len(grid.compared) == views
    known = {tuple(row) for row in problem.evaluation().points.tolist()}
    for view in grid.compared:
        assert len(view.points) and {tuple(row) for row in view.points.tolist()} <= known
        torch.testing.assert_close(view.values, problem_on(shape).solution(view.points))
    if times is not None:
        assert [view.title for view in grid.compared] == ["t = 0", "t = 0.5", "t = 1"]
    predicted = problem_on(shape).solution(grid.points).numpy()
    figure = draw(problem, grid, predicted, "test")
    errors = [a.collections[0].get_array() for a in figure.axes if a.get_title().startswith("|error|")]
    assert len(errors) == views and max(np.abs(np.asarray(e)).max() for e in errors) < 1e-12


def test_a_field_known_up_to_a_constant_is_drawn_at_the_level_of_the_reference() -> None:
    class Insulated(Problem):
        domain = SQUARE - PIPES
        derivatives = ("xx", "yy")

        @property
        def conditions(self):
            return (Neumann(self.domain, u=lambda p: p.normal.x),)

        def residual(self, p, u):
            return u.xx + u.yy

        def exact(self, p):
            return p.x + 5.0

    problem = Insulated()
    grid = scene(problem)
    figure = draw(problem, grid, problem.solution(grid.points).numpy() - 40.0, "test")
    drawn = {a.get_title(): np.asarray(a.collections[0].get_array()) for a in figure.axes if a.get_title()}
    np.testing.assert_allclose(drawn["u, network"], drawn["u, reference"], atol=1e-12)
    assert drawn["|error| of u"].max() < 1e-12
