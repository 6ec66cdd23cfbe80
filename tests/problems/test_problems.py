"""Problems: exact solutions give residuals of zero, fields compute like tensors. (References: test_references.py.)"""

from __future__ import annotations

from math import pi
from pathlib import Path

import pytest
import torch
from known_problems import Cooling, Decay, Poisson3, Rotation
from torch import nn

from mask_pinns import PROBLEMS, Box, Condition, Data, Dirichlet, Initial, MaskPINN, Objective, Problem
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.networks.unknown import UnknownNumbers
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")


class Solution(nn.Module):
    """The exact solution in place of a network."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.problem.solution(x)


KNOWN = [make_problem(n) for n in PROBLEMS if make_problem(n).reference is None]
KNOWN += [PROBLEMS["wave"](c=2.0), PROBLEMS["convection"](beta=50), PROBLEMS["helmholtz"](k=2.0, a=1, b=4)]
KNOWN += [PROBLEMS["klein_gordon"](a=2.5), PROBLEMS["kovasznay"](Re=20.0), PROBLEMS["wave_two_modes"](c=1.0)]
KNOWN += [Rotation(), Cooling(), Poisson3(), Decay()]


TRUTH = {"k": 0.1, "h": 2.0}
"""Of unknown numbers."""
UNSEEN = Path(__file__).resolve().parents[2] / "benchmarks/unseen.py"


KNOWN += [make_problem(f"{UNSEEN}:{n}") for n in ("AdvectionDiffusion", "Fisher", "Poisson3D", "Schrodinger")]


@pytest.mark.parametrize("problem", KNOWN, ids=lambda p: f"{p.title}-{p.coefficients()}")
def test_exact_solutions_zero_every_residual(problem: Problem) -> None:
    points = PointsDataModule(problem, points=50).draw(0)
    solution = Solution(problem)
    solution.unknowns = UnknownNumbers(problem, fixed={u.name: TRUTH[u.name] for u in problem.unknown_numbers})
    residuals = Objective(problem, derivatives="autograd").residuals(solution, points)
    scale = 1 + max(abs(float(c)) for c in [*problem.coefficients().values(), 0.0]) ** 2 * 100
    measured = [term.name for term in problem.terms if isinstance(term, Data)]
    for name, residual in residuals.items():
        if name in measured:  # in units of its noise
            assert 0.8 < residual.mean_square < 1.2
        else:
            assert residual.vector.abs().max() < 1e-12 * scale, name


@pytest.mark.parametrize("problem", KNOWN, ids=lambda p: f"{p.title}-{p.coefficients()}")
def test_a_wrong_solution_leaves_a_residual(problem: Problem) -> None:
    """The check above can fail: something that is not the solution does not pass it."""

    class Wrong(Solution):
        def forward(self, x):
            return 1.5 * super().forward(x) + x.sum(1, keepdim=True) ** 3

    points = PointsDataModule(problem, points=50).draw(0)
    wrong = Wrong(problem)
    wrong.unknowns = UnknownNumbers(problem)
    residuals = Objective(problem, derivatives="autograd").residuals(wrong, points)
    assert max(r.vector.abs().max() for r in residuals.values()) > 1e-2


def test_kovasznay_fixes_the_pressure_at_one_point() -> None:
    """A constant added to P is seen by no residual but the pressure's own, whose one point gives exactly it."""
    problem = make_problem("kovasznay")

    class Shifted(Solution):
        def forward(self, x):
            return super().forward(x) + torch.tensor([0.0, 0.0, 0.3])

    points = PointsDataModule(problem, points=50).draw(0)
    worst = {
        name: r.vector.detach().abs().max().item()
        for name, r in Objective(problem, derivatives="autograd").residuals(Shifted(problem), points).items()
    }
    assert points["pressure"].tolist() == [[0.0, 0.0]]
    assert worst.pop("pressure") == pytest.approx(0.3)
    assert list(worst) == ["pde.momentum_x", "pde.momentum_y", "pde.continuity", "walls.u", "walls.v"]
    assert max(worst.values()) < 1e-11


def declare(**attributes) -> Problem:
    return type("Mine", (Problem,), {"domain": Box(x=(0, 1), t=(0, 1)), "residual": lambda s, p, u: u.t} | attributes)()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"domain": None}, "Mine has no domain"),
        ({"derivatives": ("zz",)}, "'z' is no coordinate"),
        ({"derivatives": "tt"}, "derivatives is a string"),
        ({"derivatives": ("ttttt",)}, "order 5"),
        ({"fields": "u"}, "fields is 'u'"),
        ({"fields": ("u", "u")}, "distinct names"),
        ({"fields": ("x",)}, "cannot name a field"),
        ({"conditions": (Dirichlet("y", u=0.0),)}, "no coordinate 'y'"),
        ({"conditions": (Dirichlet("x", w=0.0),)}, "'dirichlet_x' sets 'w'"),
        ({"conditions": (Dirichlet("x", u_x=0.0),)}, "sets field values"),
        ({"conditions": (Initial(u_y=0.0),)}, "'y' is no coordinate"),
        ({"conditions": (Initial(u=0.0), Initial(u_t=0.0))}, "two conditions called 'initial'"),
        ({"conditions": (Initial(u=0.0, name="pde"),)}, "two conditions called 'pde'"),
        ({"conditions": ("u = 0",)}, "conditions has a str"),
        ({"conditions": (Condition("c", at={"x": 2.0}, residual=lambda p, u: u.x),)}, "outside"),
        ({"domain": Box(x=(0, 1)), "conditions": (Initial(u=0.0),)}, "needs a coordinate t"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(attributes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        declare(**attributes)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "at least one coordinate"),
        ({"x": (1, 0)}, "low < high"),
        ({"x": (1, 1)}, "low < high"),
        ({"x": (0, float("inf"))}, "finite"),
        ({"xy": (0, 1)}, "single letter"),
        ({"x": 3}, "expected \\(low, high\\)"),
    ],
)
def test_boxes_that_are_none_are_refused(bounds, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Box(**bounds)


def residuals_of(problem: Problem):
    network = Solution(declare(exact=lambda s, p: p.x * p.t, derivatives=("t",)))
    return Objective(problem, derivatives="autograd").residuals(network, PointsDataModule(problem, points=5).draw(0))


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        (lambda s, p, u: (u.t)[:, None], r"'pde' of Mine has shape \(5, 1\); expected \(5,\)"),
        (lambda s, p, u: u.t.sum(), r"'pde' of Mine has shape \(\); expected \(5,\)"),
        (lambda s, p, u: 0.0, "'pde' of Mine is a float"),
        (lambda s, p, u: u.xxx, 'Mine uses u.xxx, which is not declared: add "xxx"'),
        (lambda s, p, u: u.foo, "Mine uses u.foo: no such derivative"),
        (lambda s, p, u: p.y, "p.y: no such coordinate"),
    ],
)
def test_residuals_of_another_shape_are_refused(residual, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        residuals_of(declare(residual=residual, derivatives=("t",)))


def test_a_target_of_another_shape_is_refused() -> None:
    problem = declare(conditions=(Initial(u=lambda p: p.x[:, None]),), derivatives=("t",))
    with pytest.raises(ValueError, match=r"condition 'initial': the target of u has shape \(1, 1\); expected \(1,\)"):
        residuals_of(problem)


def test_fields_compute_like_tensors() -> None:
    problem = declare(
        residual=lambda s, p, u: (
            2
            - u
            + u / 3
            - (1 / (u + 1))
            + u**2
            + 2**u
            - torch.sin(u)
            + (-u)
            + abs(u)
            - p.x * u
            + torch.where(u > 0.2, u, 0.0)
            + (u <= p.x) * u[0]
            + len(u)
        ),
        derivatives=("t",),
    )
    points = PointsDataModule(problem, points=7).draw(0)
    x = points["pde"]
    u = x[:, 0] * x[:, 1]
    expected = 2 - u + u / 3 - 1 / (u + 1) + u**2 + 2**u - torch.sin(u) - u + u.abs() - x[:, 0] * u
    expected = expected + torch.where(u > 0.2, u, 0.0) + (u <= x[:, 0]) * u[0] + 7
    network = Solution(declare(exact=lambda s, p: p.x * p.t))
    got = Objective(problem, derivatives="autograd").residuals(network, points)["pde"].vector
    torch.testing.assert_close(got, expected)


class Heat(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: torch.sin(pi * p.x)), Dirichlet("x", u=0.0))

    def residual(self, p, u):
        return u.t - 0.1 * u.xx

    def exact(self, p):
        return torch.exp(-0.1 * pi**2 * p.t) * torch.sin(pi * p.x)


class InPlace(Heat):
    """Changes its points and derivatives in place, which moves neither."""

    conditions = (Initial(u=lambda p: torch.sin(p.x.mul_(pi))), Dirichlet("x", u=0.0))

    def residual(self, p, u):
        x, slope = p.x, u.xx
        x *= pi
        slope *= 0.1
        return u.t - slope + 0 * (x + p.x + u.xx)

    def exact(self, p):
        x = p.x
        x *= pi
        return torch.exp(-0.1 * pi**2 * p.t) * torch.sin(x) + 0 * p.x


@pytest.mark.parametrize("engine", ["jet", "autograd"])
def test_functions_that_work_in_place_move_nothing(engine: str) -> None:
    losses = []
    for problem in (Heat(), InPlace()):
        torch.manual_seed(0)
        model = MaskPINN(problem, {"name": "masked", "width": 4, "blocks": 1}, derivatives=engine)
        points = PointsDataModule(problem, points=20).draw(0)
        losses.append(model.objective.loss(model.network, points)[0])
    torch.testing.assert_close(*losses)
    x = torch.rand(9, 2, dtype=torch.float64)
    before = x.clone()
    torch.testing.assert_close(InPlace().solution(x), Heat().solution(x))
    assert torch.equal(x, before)
