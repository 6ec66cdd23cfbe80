"""What a problem determines, and what it declares without using it."""

from __future__ import annotations

import pytest
import torch

from mask_pinns import Box, Condition, Dirichlet, Initial, MaskPINN, Neumann, Periodic, Pin, Problem
from mask_pinns.problems.determinacy import (
    check_dependence,
    free_fields,
    require_independent_points,
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
