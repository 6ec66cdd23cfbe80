"""Conditions that hold by construction on shapes, known parts, further inputs, and what is refused."""

from __future__ import annotations

import pytest
import torch
from helpers import small_network

from mask_pinns import (
    Ball,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Ellipse,
    Embedding,
    HalfPlane,
    Initial,
    Interface,
    MaskPINN,
    Periodic,
    Polygon,
    Problem,
    Robin,
    union,
)
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.networks.assembly import assemble
from mask_pinns.objective import Objective
from mask_pinns.problems.fields import fields_of

pytestmark = pytest.mark.usefixtures("float64")

SQUARE = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
HOLES = union(Disk(x=0.4, y=0.3, radius=0.2), Ellipse(x=(-0.4, 0.3), y=(-0.2, 0.15)))
TRIANGLE = Polygon(x=(-0.3, 0.5, 0.0), y=(-0.6, -0.5, -0.1))
QUARTER = Box(x=(0.0, 1.0), y=(-1.0, 0.0))
WARM = {"u": lambda p: 1.0 + p.x * p.y}


def problem_with(domain, *conditions, **attributes) -> Problem:
    derivatives = tuple(2 * c for c in domain.spatial) + (("t",) if "t" in domain else ())
    body = {"domain": domain, "conditions": conditions, "derivatives": derivatives} | attributes
    return type("Mine", (Problem,), {"residual": lambda self, p, u: u.xx + u - p.x} | body)()


CASES = {
    "holes of another value": (SQUARE - HOLES, Dirichlet(SQUARE, **WARM), Dirichlet(HOLES, u=2.0)),
    "walls by coordinates": (SQUARE - HOLES, Dirichlet("x", "y", **WARM), Dirichlet(HOLES, u=lambda p: p.y**2)),
    "two walls of two values": (SQUARE - HOLES, Dirichlet("x", u=lambda p: p.x), Dirichlet(HOLES, u=0.0)),
    "polygon": (SQUARE - TRIANGLE, Dirichlet(TRIANGLE, u=lambda p: torch.sin(p.x)), Dirichlet(SQUARE, u=0.0)),
    "inside of a polygon": (TRIANGLE, Dirichlet(TRIANGLE, u=lambda p: torch.exp(p.x))),
    "reentrant corner": (SQUARE - QUARTER, Dirichlet(SQUARE, QUARTER, u=3.0)),
    "the whole domain": (SQUARE & HalfPlane(x=0.5, y=0.5, normal={"x": 1.0, "y": 1.0}), "domain"),
    "ball": (Ball(x=0.0, y=0.0, z=0.0, radius=1.0) - Ball(x=0.3, y=0.0, z=0.0, radius=0.3), "domain"),
    "overlapping holes": (
        SQUARE - (Disk(x=0.0, y=0.0, radius=0.3) | Disk(x=0.3, y=0.1, radius=0.3)),
        Dirichlet(Disk(x=0.0, y=0.0, radius=0.3), Disk(x=0.3, y=0.1, radius=0.3), u=1.0),
    ),
    "initial values": (
        (SQUARE - HOLES) & Box(t=(0.0, 2.0)),
        Initial(u=lambda p: 1.0 + p.x * p.y), Dirichlet(SQUARE, HOLES, u=lambda p: 1.0 + p.x * p.y + p.t**2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_hold_at_random_boundary_points(name: str) -> None:
    domain, *conditions = CASES[name]
    problem = problem_with(domain, *([Dirichlet(domain, **WARM)] if conditions == ["domain"] else conditions))
    network = assemble(small_network("masked", len(domain), 1), problem, exact="all")
    random = torch.Generator().manual_seed(1)
    for condition in problem.conditions:
        place = condition.place(domain)
        x = place.draw(10_000, lambda d, n: torch.rand(n, d, generator=random))
        jet = network(Jet.of_coordinates(x, domain.names, Derivatives()))
        residuals = condition.residuals(place.at(x, domain.names), fields_of(jet, ("u",), domain.names, ""), place)
        assert all(r.abs().max() < 1e-12 for r in residuals.values()), condition


REFUSED = {
    "a function selects": (Dirichlet(SQUARE, lambda p: p.x > 0, u=0.0), "a function selects a part"),
    "an interface": (Interface(Disk(x=-0.5, y=0.5, radius=0.1), a=(1.0, 2.0), u=0.0), "the flux is a term of the loss"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exact_is_refused_by_name(name: str) -> None:
    condition, message = REFUSED[name]
    problem = problem_with(SQUARE - HOLES, condition)
    with pytest.raises(ValueError, match=message):
        assemble(small_network("masked", 2, 1), problem, exact="all")


def test_different_values_that_meet_are_refused() -> None:
    half = Box(x=(-1.0, 0.0), y=(0.0, 1.0))
    problem = problem_with(SQUARE - half, Dirichlet(SQUARE, u=0.0), Dirichlet(half, name="step", u=1.0))
    with pytest.raises(ValueError, match="parts of the boundary with different values meet"):
        assemble(small_network("masked", 2, 1), problem, exact="all")


def test_a_seam_inside_of_the_domain_is_refused() -> None:
    """The distance of two boxes that touch is zero on the side that they share: u would be 0 there."""
    two = Box(x=(-1.0, 0.0), y=(0.0, 1.0)) | Box(x=(0.0, 1.0), y=(0.0, 1.0))
    with pytest.raises(ValueError, match="the domain lies inside and outside"):
        assemble(small_network("masked", 2, 1), problem_with(two, Dirichlet(two, u=0.0)), exact="all")


def test_a_known_part_is_added_and_conditions_hold_all_the_same() -> None:
    problem = problem_with(
        Box(x=(0.0, 1.0), y=(0.0, 1.0)),
        Dirichlet("x", u=lambda p: p.y),
        known_part=lambda self, p: torch.atan2(p.y + 1, p.x + 1),
    )
    core = small_network("masked", 2, 1)
    x = torch.rand(50, 2)
    alone = assemble(core, problem)
    torch.testing.assert_close(alone(x)[:, 0], core(x)[:, 0] + torch.atan2(x[:, 1] + 1, x[:, 0] + 1))
    exact = assemble(core, problem, exact="all")
    x[:, 0] = (x[:, 0] > 0.5).double()
    torch.testing.assert_close(exact(x)[:, 0], x[:, 1])


def test_a_known_part_that_is_not_zero_on_a_shape_is_refused_with_it() -> None:
    problem = problem_with(SQUARE - HOLES, Dirichlet(HOLES, u=0.0), known_part=lambda self, p: p.x)
    with pytest.raises(ValueError, match="cannot be exact"):
        assemble(small_network("masked", 2, 1), problem, exact="all")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"known_part": lambda self, p: (p.x, p.y)}, "gives 2 fields; there are 1"),
        ({"known_part": lambda self, p: {"w": p.x}}, "gives 'w'; the fields are u"),
        ({"known_part": lambda self, p: p.x.abs()}, "known_part cannot be differentiated: .*'abs'"),
        ({"features": lambda self, p: p.x}, "expected a tuple of functions"),
        ({"features": lambda self, p: (0.0 * p.x,)}, "number 1 is -?0 everywhere"),
        ({"features": lambda self, p: (p.x.sort(),)}, "features cannot be differentiated"),
    ],
)
def test_nonsense_about_the_solution_is_answered_in_one_line(attributes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskPINN(problem_with(SQUARE, Dirichlet("x", u=0.0), **attributes))


class Core(Problem):
    """A disk of another conductivity in a disk."""

    core = Disk(x=0.0, y=0.0, radius=0.5)
    domain = Disk(x=0.0, y=0.0, radius=1.0)
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(domain, u=0.0), Interface(core, a=(1.0, 20.0), u=0.0))

    def residual(self, p, u):
        return torch.where(self.core.contains(p), 1.0, 20.0) * (u.xx + u.yy) + 1.0

    def exact(self, p):
        r2 = p.x**2 + p.y**2
        return torch.where(r2 < 0.25, (0.25 - r2) / 4 + 0.75 / 80, (1 - r2) / 80)


def test_the_exact_solution_fulfils_an_interface() -> None:
    problem, condition = Core(), Core.conditions[1]
    assert condition.name == "interface_core"
    place = condition.place(problem.domain)
    x = place.draw(200, lambda d, n: torch.rand(n, d)).requires_grad_()
    u = problem.solution(x)[:, :1]
    slopes = torch.autograd.grad(u.sum(), x)[0]
    jet = Jet(Derivatives(["x", "y"]), {"": u, "x": slopes[:, :1], "y": slopes[:, 1:]})
    residuals = condition.residuals(place.at(x, ("x", "y")), fields_of(jet, ("u",), ("x", "y"), ""), place)
    assert residuals["u"].shape == (200,) and residuals["u"].abs().max() < 1e-4  # at 1e-6 from the interface
    assert (20 * slopes - slopes).abs().max() > 0.1


def test_a_network_for_an_interface_has_a_kink_there() -> None:
    module = MaskPINN(Core(), {"name": "masked", "width": 6, "blocks": 1})
    assert len(module.network.features) == 1
    inside, outside = torch.tensor([[0.5 - 1e-7, 0.0]]), torch.tensor([[0.5 + 1e-7, 0.0]])
    slopes = [module.network(Jet.of_coordinates(x, ("x", "y"), Derivatives(["x"])))["x"] for x in (inside, outside)]
    assert (slopes[0] - slopes[1]).abs() > 1e-3


def test_robin_and_general_conditions_use_true_normals() -> None:
    ring = Disk(x=0.0, y=0.0, radius=2.0) - Disk(x=0.0, y=0.0, radius=1.0)
    hole = Disk(x=0.0, y=0.0, radius=1.0)
    slip = Condition(
        "slip", where=hole, residual=lambda p, u: u.x * p.normal.x + u.y * p.normal.y, derivatives=("x", "y")
    )
    robin = Robin(hole, a=lambda p: 3.0 + p.x, u=0.0)
    problem = problem_with(ring, slip, robin)
    x = robin.place(ring).draw(100, lambda d, n: torch.rand(n, d))
    u = (x**2).sum(1, keepdim=True)  # du/dn = -2 r on the hole
    jet = Jet(Derivatives(["x", "y"]), {"": u, "x": 2 * x[:, :1], "y": 2 * x[:, 1:]})
    objective = Objective(problem)
    for condition, expected in ((slip, -2.0 + 0 * x[:, 0]), (robin, -2.0 + 3.0 + x[:, 0])):
        (residual,) = objective.term_residuals(condition, jet, x).values()
        torch.testing.assert_close(residual.vector, expected)


def test_features_that_are_not_periodic_refuse_a_periodic_embedding() -> None:
    """The network would not be periodic, and the condition no term of the loss."""
    conditions = (Periodic("x", order=1), Dirichlet("y", u=0.0))
    for feature, found in ((lambda self, p: (p.x**2,), ()), (lambda self, p: (torch.sin(torch.pi * p.x),), ("x",))):
        problem = problem_with(SQUARE, *conditions, features=feature, residual=lambda self, p, u: u.xx + u.yy)
        network = assemble("masked", problem, exact="auto", embedding=Embedding(periodic="auto"))
        assert ("periodic_x" in network.hard_conditions) == bool(found)
    problem = problem_with(SQUARE, *conditions, features=lambda self, p: (p.x**3 - p.x,))
    with pytest.raises(ValueError, match="features differ at the ends of x"):
        assemble("masked", problem, embedding=Embedding(periodic=["x"]))
