"""What a problem determines, and what it declares without using it."""

from __future__ import annotations

import gc
import re
import weakref

import pytest
import torch

from mask_pinns import Box, Condition, Dirichlet, Initial, MaskPINN, Neumann, Periodic, Pin, Problem
from mask_pinns.cli.plan import notes
from mask_pinns.problems.derived.determinacy import (
    check_dependence,
    free_fields,
    require_independent_points,
    solution_errors,
    without_levels,
)


class Flow(Problem):
    """Stokes flow between moving plates; the pressure enters by its gradient alone."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 1.0))
    fields, derivatives = ("u", "P"), ("t", "x", "yy")
    conditions = (Initial(u=0.0), Dirichlet("y", u=lambda p: p.y), Periodic("x"))

    def residual(self, p, u, P):
        return u.t - u.yy + P.x, P.y


class Steady(Flow):
    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    derivatives = ("x", "yy")
    conditions = (Dirichlet("y", u=lambda p: p.y), Periodic("x"))

    def residual(self, p, u, P):
        return -u.yy + P.x, P.y


class Pinned(Steady):
    conditions = (*Steady.conditions, Condition("level", {"x": 0.5, "y": 0.5}, lambda p, u, P: P - 1.0))


class PinnedAtTheCorner(Flow):
    conditions = (*Flow.conditions, Pin(P=0.0))


class Gradient(Problem):
    """Its initial values are those of the slope: one constant is free, for all times."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Neumann("x", u=0.0), Condition("start", {"t": 0.0}, lambda p, u: u.x, derivatives=("x",)))

    def residual(self, p, u):
        return u.t - u.xx - u.x**2


class Insulated(Problem):
    domain = Box(x=(0.0, 1.0))
    derivatives = ("xx",)
    conditions = (Neumann("x", u=0.0),)

    def residual(self, p, u):
        return u.xx - torch.cos(torch.pi * p.x)


@pytest.mark.parametrize(
    ("problem", "free"),
    [
        (Flow(), {"u": "", "P": "time"}),
        (Steady(), {"u": "", "P": "constant"}),
        (Pinned(), {"u": "", "P": ""}),
        (PinnedAtTheCorner(), {"u": "", "P": ""}),
        (Insulated(), {"u": "constant"}),
    ],
)
def test_a_field_is_free_up_to_what_no_residual_sees(problem: Problem, free: dict[str, str]) -> None:
    assert free_fields(problem) == free


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_field_that_no_residual_contains_is_refused_and_an_unused_derivative_told(scale: float) -> None:
    class Loose(Steady):
        fields, derivatives = ("u", "P", "q"), ("x", "yy", "xy")
        conditions = (Steady.conditions[0],)

        def residual(self, p, u, P, q):
            return scale * (-u.yy + P.x), scale * P.y

    with pytest.raises(ValueError, match="Loose: no residual contains the field 'q': nothing determines it"):
        check_dependence(Loose())

    class Declared(Steady):
        derivatives = ("x", "yy", "xy")

    assert check_dependence(Declared()) == ["the derivative 'xy' is declared, but the residual does not use it"]
    assert check_dependence(Steady()) == []


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    "function", [lambda u: u.mean() + 0 * u, lambda u: u - u.value.sum(), lambda u: u.value.cumsum(0)]
)
def test_points_that_influence_each_other_are_refused(function, scale: float) -> None:
    class Coupled(Insulated):
        conditions = (Dirichlet("x", u=0.0), Condition("mass", {}, lambda p, u: scale * function(u)))

    with pytest.raises(ValueError, match="in Coupled, its condition 'mass' takes a mean, a sum or an integral"):
        require_independent_points(Coupled(), Coupled().terms, "Gauss-Newton")
    with pytest.raises(ValueError, match="Gauss-Newton needs points that do not influence each other"):
        MaskPINN(Coupled(), {"name": "masked", "width": 4}, "gauss_newton").check()
    MaskPINN(Coupled(), {"name": "masked", "width": 4}, "adam").check()
    require_independent_points(Flow(), Flow().terms, "Gauss-Newton")


@pytest.mark.parametrize(
    ("value", "word"), [(torch.nn.Parameter(torch.ones(())), "Unknown"), (torch.ones(2, requires_grad=True), "Unknown"),
                        (torch.nn.Linear(1, 1), "Unknown"), (torch.zeros(3).numpy(), "array")],
)  # fmt: skip
def test_what_looks_trained_on_a_class_is_refused(value: object, word: str) -> None:
    with pytest.raises(ValueError, match=f"^Mine.k is an? .*{word}") as error:
        type("Mine", (Insulated,), {"k": value})
    assert "\n" not in str(error.value)


def test_a_free_field_is_drawn_at_the_level_of_the_reference() -> None:
    x = torch.rand(50, 3, dtype=torch.float64)
    x[:, 2] = x[:, 2].round(decimals=1)  # several points at a time
    true = torch.rand(50, 2, dtype=torch.float64)
    moved = true + torch.stack([torch.zeros(50, dtype=torch.float64), torch.sin(9 * x[:, 2]) + 2], 1)
    assert torch.allclose(without_levels(Flow(), x, moved, true), true)
    assert torch.equal(without_levels(Flow(), x, moved, true * torch.tensor([1.0, torch.nan])), moved)
    steady = without_levels(Steady(), x[:, :2], true + torch.tensor([1.0, 5.0]), true)
    assert torch.allclose(steady, true + torch.tensor([1.0, 0.0]))


class Deep(Problem):
    """A pressure that is free at each time, in four dimensions."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 1.0), t=(0.0, 1.0))
    fields, derivatives = ("u", "P"), ("t", "x", "y", "z")
    conditions = (Initial(u=0.0), Dirichlet("x", u=0.0))

    def residual(self, p, u, P):
        return u.t + P.x, P.y, P.z

    def exact(self, p):
        return p.x, p.x * p.y


def test_many_dimensions_have_several_points_at_each_time() -> None:
    """Otherwise the mean at each time would take away the whole error of a field that is free there."""
    grid, metric = Deep().evaluation(), solution_errors(Deep())
    assert free_fields(Deep()) == {"u": "", "P": "time"}
    noise = torch.randn(len(grid.points), 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    metric.update(grid.values + noise, grid.values, Deep().domain.time(grid.points))
    spread = grid.values - grid.values.mean(0)
    assert metric.compute().rel_l2[1] == pytest.approx(float(noise[:, 1].norm() / spread[:, 1].norm()), rel=0.05)


@pytest.mark.parametrize(
    ("problem", "advice"),
    [
        (Flow(), r"constant at each time.* Pin\(P=0.0\)"),
        (Steady(), r"Pin\(P=0.0\)"),
        (Gradient(), r"Pin\(at={'t': 0}, u=0.0\)"),
    ],
)
def test_the_advice_fixes_what_is_free(problem: Problem, advice: str) -> None:
    module = MaskPINN(problem, {"name": "masked", "width": 4, "blocks": 1})
    assert re.search(advice, " ".join(notes(module)))


def test_what_is_found_lives_as_long_as_the_problem() -> None:
    problem = Steady()
    free_fields(problem)
    kept = weakref.ref(problem)
    del problem
    gc.collect()
    assert kept() is None
