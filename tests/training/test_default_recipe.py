"""The default recipe on problems that it was not made for: what they must give, or that a line says why not."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest
import torch
from known_problems import Loop, Steel
from manufactured import manufactured
from rich.console import Console

from mask_pinns import (
    PROBLEMS,
    Box,
    Dirichlet,
    Initial,
    MaskPINN,
    Problem,
    TrainingAlarms,
    characteristic_scales,
    recipe_for,
)
from mask_pinns.problems.derived.determinacy import solution_errors


def solve(problem: Problem, seed: int = 0, **changes: Any) -> tuple[list[float], list[str], MaskPINN]:
    """The relative L2 error of each field by the default recipe; what was told."""
    alarms = TrainingAlarms(Console(file=io.StringIO()), stops=True)
    recipe = recipe_for(problem, seed=seed, **changes)
    module = recipe.fit(accelerator="cpu", callbacks=[alarms, *recipe.callbacks()[1:]])
    grid, errors = problem.evaluation(), solution_errors(problem)
    errors.update(torch.from_numpy(module.predict(grid.points)), grid.values, problem.domain.time(grid.points))
    return torch.atleast_1d(errors.compute().rel_l2).tolist(), alarms.raised, module


SMALL = {"network": {"width": 12}, "points": {"pde": 500}, "steps": 40}
"""A recipe of a tenth of the cost, for less accuracy."""


@pytest.mark.parametrize("seed", range(8))
def test_random_problems_in_random_units(seed: int) -> None:
    """1 to 3 coordinates and fields, each in units of 1e-6 to 1e6, every kind of condition."""
    errors, told, _ = solve(manufactured(seed), **SMALL | {"points": {"pde": 200}, "loss_target": 1e-12})
    assert max(errors) < 1e-5 or told, errors


@pytest.mark.slow
def test_fifty_random_problems_by_the_whole_recipe() -> None:
    results = [solve(manufactured(seed)) for seed in range(50)]
    worst = [max(errors) for errors, _, _ in results]
    assert sum(error <= 1e-5 for error in worst) >= 0.95 * len(worst), worst
    assert all(error <= 1e-3 or told for error, (_, told, _) in zip(worst, results, strict=True)), worst


class Tiny(Problem):
    """Diffusion in SI units: half a millimetre, 1e-9 m2/s, micromolar."""

    domain = Box(x=(0.0, 5e-4), t=(0.0, 100.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: 1e-6 * torch.sin(torch.pi * p.x / 5e-4)), Dirichlet("x", u=0.0))

    def residual(self, p, u):
        return u.t - 1e-9 * u.xx

    def exact(self, p):
        return 1e-6 * torch.exp(-1e-9 * (torch.pi / 5e-4) ** 2 * p.t) * torch.sin(torch.pi * p.x / 5e-4)


class Pipe(Problem):
    """Plane Poiseuille flow with absolute pressure in pascal: 0.08 of 101,325."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 0.1))
    fields, derivatives = ("u", "P"), ("x", "yy")
    conditions = (
        Dirichlet("y", u=0.0),
        Dirichlet("x", side="low", name="inlet", P=101325.0),
        Dirichlet("x", side="high", name="outlet", P=101324.92),
    )

    def residual(self, p, u, P):
        return {"momentum": 1e-3 * u.yy - P.x, "mass": u.x, "cross": P.y}

    def exact(self, p):
        return 40 * p.y * (0.1 - p.y), 101325.0 - 0.08 * p.x


@pytest.mark.parametrize(
    ("problem", "bar"),
    [(Tiny(), 1e-6), (Steel(), 1e-6), (Pipe(), 1e-5), (Loop(), 1e-7)],
    ids=lambda x: type(x).__name__,
)
def test_cases_that_failed_without_a_word(problem: Problem, bar: float) -> None:
    errors, told, _ = solve(problem, **SMALL)
    assert max(errors) <= bar and not told, errors


def test_a_stall_is_told() -> None:
    """Predators and prey over three cycles: without causal weights the default stands still."""

    class Lotka(Problem):
        domain = Box(t=(0.0, 10.0))
        fields, derivatives = ("a", "b"), ("t",)
        conditions = (Initial(a=1.0, b=0.5),)

        def residual(self, p, a, b):
            return a.t - 1.5 * a + a * b, b.t - a * b + 3.0 * b

    alarms = TrainingAlarms(Console(file=io.StringIO()), stops=True)
    module = recipe_for(Lotka(), **SMALL).fit(accelerator="cpu", callbacks=[alarms])
    assert module.stop_reason == "stands still" and alarms.raised == ["stands still"]


def test_a_recipe_fits_together_and_its_model_can_be_pickled() -> None:
    for problem in (PROBLEMS["wave"](), Tiny()):
        recipe = recipe_for(problem, network={"width": 6}, points={"pde": 60}, steps=2)
        module = recipe.fit(accelerator="cpu")
        points = problem.evaluation().points[::999]
        again = pickle.loads(pickle.dumps(module))
        assert (again.predict(points) == module.predict(points)).all()
        assert bool(again.objective.scales) == (problem.title == "Tiny")
    assert recipe.module.objective.scales == characteristic_scales(problem).residuals
