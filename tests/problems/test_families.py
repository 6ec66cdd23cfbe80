"""Families of problems: a coordinate without derivatives is a parameter; conditions, accuracy, pictures, the plan."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
import pytest
import torch

from mask_pinns import (
    PROBLEMS,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Initial,
    Integral,
    MaskPINN,
    Neumann,
    Pin,
    PointsDataModule,
    Problem,
    recipe_for,
)  # fmt: skip
from mask_pinns.callbacks.figures import draw, picture_grid
from mask_pinns.cli.plan import notes, plan
from mask_pinns.domains import Points
from mask_pinns.pictures.scene import Scene
from mask_pinns.problems.derived.families import family_parameters

pytestmark = pytest.mark.usefixtures("float64")
NETWORK = {"name": "masked", "width": 10, "blocks": 1, "activation": "sin"}


class Diffusion(Problem):
    """u_t = n u_xx, from (1 + n) sin(pi x)."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0), n=(0.05, 0.5))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: (1 + p.n) * torch.sin(pi * p.x)), Dirichlet("x", u=0.0))

    def residual(self, p, u):
        return u.t - p.n * u.xx

    def exact(self, p):
        return (1 + p.n) * torch.exp(-p.n * pi**2 * p.t) * torch.sin(pi * p.x)


def declared(**attributes: Any) -> Problem:
    own = {"derivatives": ("xx",), "residual": lambda self, p, u: u.xx + 1.0}
    return type("Family", (Problem,), own | attributes)()


def test_what_is_a_parameter() -> None:
    assert family_parameters(Diffusion()) == ("n",)
    box = Box(x=(0.0, 1.0), t=(0.0, 1.0), n=(1.0, 2.0))
    assert family_parameters(declared(domain=box)) == ("n",), "time is none, even where nothing changes"
    sloped = Condition("slope", at={"x": 0.0}, residual=lambda p, u: u.n, derivatives=("n",))
    assert family_parameters(declared(domain=box, conditions=(sloped,))) == ()
    assert family_parameters(declared(domain=box, derivatives=(), residual=lambda self, p, u: u - 1.0)) == ()
    assert not any(family_parameters(PROBLEMS[name]()) for name in PROBLEMS)


@pytest.mark.parametrize(("exact", "steps"), [("auto", 25), ([], 45)])
def test_every_member_is_solved(exact: Any, steps: int) -> None:
    recipe = recipe_for(Diffusion(), network={"width": 12, "blocks": 1}, points={"pde": 800}, steps=steps, exact=exact)
    model = recipe.fit(accelerator="cpu")
    assert model.objective.hard == (("initial", "dirichlet_x") if exact else ())
    x, t = (g.flatten() for g in torch.meshgrid(torch.linspace(0, 1, 21), torch.linspace(0, 1, 21), indexing="ij"))
    for n in (0.05, 0.11, 0.3, 0.5):
        at = torch.stack([x, t, torch.full_like(x, n)], 1)
        true = model.problem.solution(at).numpy()
        error = np.abs(model.predict(at) - true)
        assert np.linalg.norm(error) < 5e-3 * np.linalg.norm(true), n
        given = ((t == 0) | (x == 0) | (x == 1)).numpy()
        assert error[given].max() < (1e-12 if exact else 5e-3), n


def test_points_of_conditions_cover_all_values() -> None:
    drawn = PointsDataModule(Diffusion(), points=500).draw(0)
    for name, x in drawn.items():
        assert x[:, 2].min() < 0.06 and x[:, 2].max() > 0.49, name


SHAPES = {
    "curves": (Box(x=(0.0, 1.0), n=(1.0, 4.0)), ("x",), ["n = 1", "n = 2", "n = 3", "n = 4"]),
    "over time": (Box(n=(1.0, 4.0), x=(0.0, 1.0), t=(0.0, 2.0)), ("t", "x"), ["n = 1", "n = 2", "n = 3", "n = 4"]),
    "plane": (Disk(x=0.0, y=0.0, radius=1.0) & Box(n=(1.0, 4.0)), ("x", "y"), ["n = 1", "n = 2", "n = 3", "n = 4"]),
    "at the end": (Box(x=(0, 1), y=(0, 1), t=(0, 2), n=(1, 4)), ("x", "y"), [f"n = {n}, t = 2" for n in (1, 2, 3, 4)]),
    "solid": (Box(x=(0, 1), y=(0, 1), z=(0, 2), n=(1, 4)), ("x", "y"), [f"z = 1, n = {n}" for n in (1, 2, 3, 4)]),
    "two": (Box(x=(0, 1), n=(1, 4), m=(0, 2)), ("x",), [f"n = {n}, m = 1" for n in (1, 2, 3, 4)]),
}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_pictures_show_members_side_by_side(name: str, known: bool) -> None:
    domain, names, titles = SHAPES[name]
    letters = [c for c in domain.names if c not in ("n", "m")]
    exact = {"exact": lambda self, p: p.n * p.x} if known else {}
    problem = declared(domain=domain, derivatives=letters, residual=lambda self, p, u: u.x - p.n, **exact)
    grid = picture_grid(problem)
    assert isinstance(grid, Scene) and {view.names for view in grid.shown} == {names}
    assert [{*view.title.split(", ")} for view in grid.shown] == [{*title.split(", ")} for title in titles]
    assert domain.contains(Points(grid.points, domain.names)).all()
    values = (grid.points[:, domain.names.index("n")] * grid.points[:, domain.names.index("x")])[:, None]
    figure = draw(problem, grid, values.numpy(), "test")
    assert sum(bool(axis.get_title()) for axis in figure.axes) == (12 if known else 4)
    if names == ("x",):
        assert len({axis.get_ylim() for axis in figure.axes[:4]}) == 1, "curves have one scale"


def test_a_reference_on_a_grid_gives_the_members(tmp_path: Any) -> None:
    axes = {"x": np.linspace(0, 1, 11), "t": np.linspace(0, 1, 6), "n": np.array([0.05, 0.1, 0.2, 0.3, 0.5])}
    x, t, n = np.meshgrid(*axes.values(), indexing="ij")
    np.savez(tmp_path / "r.npz", **axes, u=(1 + n) * np.exp(-n * pi**2 * t) * np.sin(pi * x))
    problem = type("Known", (Diffusion,), {"reference": str(tmp_path / "r.npz"), "exact": Problem.exact})()
    grid = picture_grid(problem)
    assert [view.title for view in grid.compared] == ["n = 0.05", "n = 0.2", "n = 0.3", "n = 0.5"]
    for view in grid.compared:
        assert len(view.points) == 66
        torch.testing.assert_close(view.values, Diffusion().solution(view.points))


def test_the_plan_and_the_notes_speak_of_the_family() -> None:
    model = MaskPINN(Diffusion(), NETWORK)
    lines = dict(plan(model, PointsDataModule(model.problem, points=20).draw(0), 1))
    assert lines["family"] == "a problem for each value of n, by which nothing has a derivative"
    assert notes(model) == []
    walls = (Neumann("x", u=0.0), Pin(u=0.0), Integral("mass", of=lambda p, u: u, equals=0.0))
    told = notes(MaskPINN(declared(domain=Box(x=(0.0, 1.0), n=(1.0, 4.0)), conditions=walls), NETWORK))
    assert any("mass is an integral over n too" in line for line in told)
    assert any("a Pin fixes a field at one value of n; Condition('level'" in line for line in told)
