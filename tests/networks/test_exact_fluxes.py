"""Neumann and Robin conditions that hold by construction: on walls, on shapes, with others; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mask_pinns import (
    Ball,
    Box,
    Dirichlet,
    Disk,
    Ellipse,
    Embedding,
    HalfPlane,
    Initial,
    Interface,
    Neumann,
    Periodic,
    Problem,
    Robin,
    union,
)
from mask_pinns.jets import Derivatives, Jet, slopes
from mask_pinns.networks.assembly import assemble
from mask_pinns.objective import Objective
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.problems.fields import fields_of

pytestmark = pytest.mark.usefixtures("float64")

LINE = Box(x=(0.0, 2.0))
SQUARE = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
TIME = Box(t=(0.0, 2.0))
HOLES = union(Disk(x=0.4, y=0.3, radius=0.2), Ellipse(x=(-0.4, 0.3), y=(-0.2, 0.15)))
BALL = Ball(x=0.0, y=0.0, z=0.0, radius=1.0)
ELLIPSE = Ellipse(x=(0.0, 2.0), y=(0.0, 1.0))
OBLIQUE = HalfPlane(x=0.5, y=0.5, normal={"x": 1.0, "y": 1.0})


def hump(p: Any) -> Any:
    return (1 - p.x**2) ** 2


CASES = {
    "both ends": (LINE, Neumann("x", u=3.0)),
    "one end": (LINE, Neumann("x", side="low", u=3.0), Dirichlet("x", side="high", u=1.0)),
    "Robin at one end": (LINE, Robin("x", side="low", a=2.0, u=3.0), Dirichlet("x", side="high", u=1.0)),
    "ends that differ": (LINE, Robin("x", side="low", a=2.0, u=3.0), Neumann("x", side="high", u=1.0)),
    "all walls": (SQUARE, Neumann("x", u=0.0), Neumann("y", u=lambda p: p.x**3 - 3 * p.x)),
    "a box by its name": (SQUARE, Robin(SQUARE, a=2.0, u=1.0)),
    "values across": (SQUARE, Dirichlet("x", u=lambda p: p.y * p.x), Neumann("y", u=lambda p: p.x * p.y)),
    "holes": (SQUARE - HOLES, Neumann(HOLES, u=lambda p: p.x + 1)),
    "holes and values": (
        SQUARE - HOLES,
        Dirichlet(SQUARE, u=lambda p: p.x),
        Robin(HOLES, a=lambda p: 1 + p.y**2, u=lambda p: p.x + 1),
    ),
    "holes and a wall": (SQUARE - HOLES, Neumann(HOLES, u=1.0), Neumann("x", u=lambda p: p.y)),
    "holes with values": (SQUARE - HOLES, Dirichlet(HOLES, u=2.0), Neumann("x", u=lambda p: torch.cos(p.y))),
    "initial values": (SQUARE & TIME, Initial(u=hump), Neumann("x", "y", u=0.0)),
    "in time": (SQUARE & TIME, Initial(u=hump), Neumann("x", u=lambda p: p.t * (1 - p.y**2)), Dirichlet("y", u=hump)),
    "a ball in time": (
        BALL & TIME,
        Initial(u=lambda p: torch.exp((p.x**2 + p.y**2 + p.z**2) / 2)),
        Robin(BALL, a=2.0, u=lambda p: 3 * torch.exp((p.x**2 + p.y**2 + p.z**2) / 2) + p.t * p.x),
    ),
    "an ellipse": (ELLIPSE, Robin(ELLIPSE, a=1.0, u=lambda p: p.x)),
    "an oblique side": (SQUARE & OBLIQUE, Neumann(OBLIQUE, u=0.0)),
}


def problem_with(domain, *conditions, **attributes) -> Problem:
    derivatives = tuple(2 * c for c in domain.spatial) + (("t",) if "t" in domain else ())
    body = {"domain": domain, "conditions": conditions, "derivatives": derivatives} | attributes
    return type("Mine", (Problem,), {"residual": lambda self, p, *u: sum(f.xx + f.value for f in u)} | body)()


def network_for(problem: Problem, exact: Any = "all", **options: Any):
    torch.manual_seed(0)
    return assemble({"name": "masked", "width": 6, "blocks": 1}, problem, exact=exact, **options)


def random_points(place, n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return place.draw(n, lambda d, n: torch.rand(n, d, generator=generator))


@pytest.mark.parametrize("name", CASES)
def test_fluxes_hold_at_random_boundary_points_for_any_weights(name: str) -> None:
    domain, *conditions = CASES[name]
    problem = problem_with(domain, *conditions)
    network = network_for(problem)
    assert set(network.hard_conditions) == {c.name for c in problem.conditions}
    for condition in problem.conditions:
        place = condition.place(domain)
        x = random_points(place, 10_000)
        jet = network(Jet.of_coordinates(x, domain.names, condition.derivatives))
        residuals = condition.residuals(place.at(x, domain.names), fields_of(jet, ("u",), domain.names, ""), place)
        assert all(r.abs().max() < 1e-12 for r in residuals.values()), condition


@pytest.mark.parametrize("name", ["ends that differ", "holes and values", "a ball in time"])
def test_derivatives_inside_are_those_of_autograd(name: str) -> None:
    domain, *conditions = CASES[name]
    problem = problem_with(domain, *conditions)
    network = network_for(problem)
    x = random_points(domain.section({}), 20).requires_grad_()
    jet = network(Jet.of_coordinates(x, domain.names, Derivatives(problem.derivatives)))
    first = torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]
    for i, c in enumerate(domain.names):
        torch.testing.assert_close(jet[c][:, 0], first[:, i])
        if c != "t":
            second = torch.autograd.grad(first[:, i].sum(), x, retain_graph=True)[0][:, i]
            torch.testing.assert_close(jet[2 * c][:, 0], second)


@pytest.mark.parametrize("name", ["in time", "holes and values"])
def test_rows_of_the_jacobian_are_gradients(name: str) -> None:
    domain, *conditions = CASES[name]
    residual = (lambda s, p, u: u * u.t - u.xx) if "t" in domain else (lambda s, p, u: u.xx + u * u.yy)
    problem = problem_with(domain, *conditions, residual=residual)
    network = network_for(problem)
    objective = Objective(problem, hard=network.hard_conditions)
    Jacobian(objective, network).check(objective.check_points(torch.empty(0), 5))


def test_any_smooth_function_without_slope_at_the_wall_can_be_made_of_the_inputs() -> None:
    """x^2 - 2 x^3 + cos(3 x) by polynomials of degree 8: its odd powers are singular in x~ alone."""
    insulation = network_for(
        problem_with(Box(x=(0.0, 1.0)), Neumann("x", side="low", u=0.0))
    ).constraints.flux.insulation
    x = torch.linspace(0, 1, 400)[:, None]
    target = x**2 - 2 * x**3 + torch.cos(3 * x)
    moved, further = (jet.value for jet in insulation(x, Derivatives()))

    def misfit(terms: torch.Tensor) -> float:
        fit = torch.linalg.lstsq(terms, target, driver="gelsd").solution
        return float((terms @ fit - target).abs().max())

    alone = [moved**i for i in range(9)]
    assert misfit(torch.cat(alone, 1)) > 1e-4
    both = [moved**i * further**j for i in range(9) for j in range(9 - i)]
    assert misfit(torch.cat(both, 1)) < 1e-9


STEP = Box(x=(0.0, 0.2), y=(0.0, 0.2))
BAY = Disk(x=1.0, y=0.0, radius=0.3)
CORE = Interface(Disk(x=0.0, y=0.0, radius=0.3), a=(1.0, 2.0), u=0.0)
STILL = Neumann("x", u=0.0)
REFUSED: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], str]] = {
    "corners": (SQUARE - STEP, (Neumann(STEP, u=0.0),), {}, "has corners"),
    "across time": (LINE & TIME, (Neumann("t", u=0.0),), {}, "it is across t"),
    "a part": (SQUARE, (Neumann("x", lambda p: p.y > 0, u=0.0),), {}, "a function selects"),
    "another field": (LINE, (STILL, Dirichlet("x", v=0.0)), {"fields": ("u", "v")}, "v has no exact"),
    "values too": (LINE, (STILL, Dirichlet("x", u=0.0)), {}, "the values of u are prescribed there"),
    "twice": (LINE, (STILL, Robin("x", a=1.0, u=0.0)), {}, "has another condition on its normal"),
    "features": (LINE, (STILL,), {"features": lambda self, p: (p.x**3,)}, "declares features"),
    "an interface": (SQUARE, (STILL, CORE), {}, "the kink of"),
    "it meets": (SQUARE - BAY, (Neumann(BAY, name="bay", u=0.0), Dirichlet("x", u=0.0)), {}, "it meets another"),
    "walls": (SQUARE - HOLES, (Neumann("x", "y", u=0.0), Neumann(HOLES, u=0.0)), {}, "walls across several"),
    "start": (LINE & TIME, (Initial(u=lambda p: p.x), STILL), {}, "their targets contradict"),
    "fourth order": (LINE, (STILL,), {"derivatives": ("xxxx",)}, "order 5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exact_is_refused_by_name_and_soft_by_itself(name: str) -> None:
    domain, conditions, attributes, message = REFUSED[name]
    problem = problem_with(domain, *conditions, **attributes)
    flux = next(c for c in conditions if isinstance(c, Neumann))
    others = [c.name for c in conditions if not isinstance(c, Interface)]
    with pytest.raises(ValueError, match=message) as refusal:
        network_for(problem, exact=others)
    assert flux.name in str(refusal.value) or name == "twice"
    network = network_for(problem, exact="auto")
    assert flux.name not in getattr(network, "hard_conditions", ()) or name in ("twice", "walls")


def test_symmetry_and_periodic_shapes_leave_fluxes_to_the_loss() -> None:
    problem = problem_with(LINE, Neumann("x", u=1.0), residual=lambda self, p, u: u.xx)
    network = network_for(problem, exact="auto", symmetry={"x": "even"})
    assert not network.hard_conditions and "with a symmetry" in network.soft_reasons["neumann_x"]
    with pytest.raises(ValueError, match="with a symmetry"):
        network_for(problem, symmetry={"x": "even"})
    conditions = (Periodic("x", order=1), Neumann("y", u=0.0), Neumann(HOLES, name="holes", u=0.0))
    free = problem_with(SQUARE, *conditions[:2])
    assert network_for(free, "auto", embedding=Embedding(periodic="auto")).hard_conditions == (
        "neumann_y",
        "periodic_x",
    )
    holes = problem_with(SQUARE - HOLES, *conditions)
    network = network_for(holes, "auto", embedding=Embedding(periodic="auto"))
    assert "holes" not in network.hard_conditions and "which is periodic" in network.soft_reasons["holes"]


def test_all_fields_become_exact_together() -> None:
    """Each of the two conditions needs the other one."""
    conditions = (Neumann("x", name="a", u=0.0), Robin("x", name="b", a=1.0, v=2.0))
    network = network_for(problem_with(LINE, *conditions, fields=("u", "v")), "auto")
    assert network.hard_conditions == ("a", "b")
    with pytest.raises(ValueError, match="'a' cannot be exact: v has no exact condition"):
        network_for(problem_with(LINE, *conditions, fields=("u", "v")), ["a"])


def test_slopes_of_operators_and_of_fixed_coordinates() -> None:
    sums = Derivatives(["x", "t"], {"xx+": (("xx", 2.0), ("t", -1.0))})
    x = torch.tensor([[2.0, 3.0]])
    found = slopes(lambda p: p.x**4 * p.t**2, x, ["x", "t"], sums, ["x"])["x"]
    assert (float(found.value), float(found.jet["x"]), float(found.jet["t"])) == (288.0, 432.0, 192.0)
    assert float(found.jet["xx+"]) == 2 * 24 * 2 * 9 - 4 * 8 * 2 * 3
    still = slopes(lambda p: p.x**4 * p.t**2, x, ["x", "t"], sums, ["x"], fixed="x")["x"]
    assert still.jet["x"] is None and float(still.jet["xx+"]) == -192.0
