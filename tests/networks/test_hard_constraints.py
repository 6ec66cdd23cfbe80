"""Conditions that hold by construction: to rounding, by hand, outside of the loss; what is refused, what stays soft."""

from __future__ import annotations

from math import pi

import pytest
import torch
from waves import Waves, build, inside

from mask_pinns import Box, Condition, Dirichlet, Initial, MaskPINN, Neumann, Objective, Periodic, Problem
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.networks.assembly import assemble
from mask_pinns.problems import PROBLEMS
from mask_pinns.problems.loading import make_problem


def squares(problem: Problem, network) -> dict[str, torch.Tensor]:
    """Mean squares of all terms, as the soft loss sees them."""
    return Objective(problem).loss(network, PointsDataModule(problem, points=200).draw(0))[1]


def with_all_exact(problem: Problem):
    """The network with every condition exact, None and the refusal where one cannot be."""
    periodic = [c.across[0] for c in problem.terms if isinstance(c, Periodic)]
    torch.manual_seed(0)
    try:
        return assemble("masked", problem, embedding={"periodic": periodic}, exact="all"), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("name", PROBLEMS)
def test_conditions_of_the_problems_hold_to_rounding(float64, name: str) -> None:
    """Of every problem, those entered later too, unless the refusal names the condition that cannot hold."""
    problem = make_problem(name)
    conditions = {c.name for c in problem.terms[1:]}
    network, refusal = with_all_exact(problem)
    if network is None:
        assert name not in ("wave", "burgers", "helmholtz", "convection"), refusal
        assert any(f"condition {c!r}" in refusal for c in conditions), refusal
        return
    assert set(network.hard_conditions) == conditions
    terms = squares(problem, network)
    assert max(v for k, v in terms.items() if not k.startswith("pde")) < 1e-27, terms
    assert sum(v for k, v in terms.items() if k.startswith("pde")) > 1e-6, "only the conditions hold"


@pytest.mark.parametrize("embedding", ["periodic", "all"])
def test_conditions_with_functions_as_targets_hold(float64, embedding: str) -> None:
    terms = squares(Waves(), build("masked", embedding))
    squares_of_conditions = [v for k, v in terms.items() if not k.startswith("pde")]
    assert len(squares_of_conditions) == 3 + 2 + 4
    assert max(squares_of_conditions) < 1e-26, terms


def test_the_ansatz_by_hand(float64) -> None:
    """Wave: u = sin(pi x) + tanh(t/2)^2 4 x (1 - x) N with exact_time 2; and the other field conditions of Burgers."""
    wave = make_problem("wave")
    network = assemble({"name": "masked", "width": 5, "blocks": 1}, wave, exact="all", exact_time=2.0)
    x, t = inside(wave.domain, 30).T
    n = network.core(torch.stack([x, t], 1))[:, 0]
    expected = torch.sin(pi * x) + torch.tanh(t / 2) ** 2 * 4 * x * (1 - x) * n
    torch.testing.assert_close(network(torch.stack([x, t], 1))[:, 0], expected, rtol=1e-14, atol=1e-14)


def test_one_wall_alone(float64) -> None:
    class Left(Problem):
        domain = Box(x=(0.0, 2.0))
        derivatives = ("xx",)
        conditions = (Dirichlet("x", u=3.0, side="low"), Neumann("x", u=0.0, side="high"))

        def residual(self, p, u):
            return u.xx + 1.0

    network = assemble("masked", Left(), exact="dirichlet_x")
    x = torch.linspace(0, 2, 5)[:, None]
    torch.testing.assert_close(network(x), 3 + x / 2 * network.core(x))
    assert [t.name for t in Objective(Left(), hard=network.hard_conditions).terms] == ["pde", "neumann_x"]


def test_terms_that_hold_leave_loss_and_points() -> None:
    model = MaskPINN("convection", weights={"periodic_x": 10.0, "initial": 2.0}, embedding={"periodic": ["x"]})
    assert model.objective.hard == ("periodic_x",)
    data = PointsDataModule(model.problem, points={"pde": 30, "periodic_x": 7}, hard=model.objective.hard)
    points = data.draw(0)
    assert list(points) == list(data.counts) == ["pde", "initial"]
    loss, terms = model.objective.loss(model.network, points)
    assert list(terms) == ["pde", "initial"]
    torch.testing.assert_close(loss, terms["pde"] + 2 * terms["initial"])
    model.check()
    assert [t.name for t in MaskPINN("wave", exact=["initial"]).objective.terms] == ["pde", "dirichlet_x"]


class Refused(Problem):
    """Conditions that cannot be exact, or not together."""

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (
        Initial(u=lambda p: p.x**2 * torch.cos(pi * p.x)),
        Initial(name="velocity", u_t=0.0),
        Initial(name="jump", u=lambda p: torch.abs(p.x)),
        Initial(name="branch", u=lambda p: torch.where(p.x > 0, p.x, -p.x)),
        Initial(name="table", u=lambda p: p.tensor[:, 0]),
        Dirichlet("x", u=0.0),
        Neumann("x", u=0.0),
        Periodic("x", order=1),
        Periodic("x", name="values"),
        Condition("middle", at={"x": 0.0}, residual=lambda p, u: u - 1.0),
    )

    def residual(self, p, u):
        return u.t - u.xx


@pytest.mark.parametrize(
    ("exact", "message"),
    [
        (["velocity"], "condition 'velocity' sets u_t; exact are u, or u and u_t"),
        (["jump"], "condition 'jump' cannot be exact: the target of u .* 'abs' are not known"),
        (["branch"], "condition 'branch' cannot be exact"),
        (["table"], r"condition 'table' cannot be exact.*p\.tensor"),
        (["initial", "neumann_x"], "'initial' of Refused cannot be exact together with 'neumann_x': off by"),
        (["periodic_x"], "'periodic_x' .* embed its coordinate: --periodic x"),
        (["middle"], "condition 'middle' of Refused, a Condition, cannot be made exact"),
        (["initial", "dirichlet_x"], "'initial' of Refused cannot be exact together with 'dirichlet_x': off by 1"),
        (["inital"], "unknown condition of Refused 'inital'; did you mean 'initial'"),
    ],
)
def test_what_cannot_be_exact_is_refused_by_name(exact: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assemble("masked", Refused(), exact=exact)


class Kinked(Refused):
    """x^2 cos(pi x) has a kink at the seam: values match there, slopes do not."""

    conditions = (Refused.conditions[0], Periodic("x", order=1), Periodic("x", name="values"))


def test_initial_values_that_are_not_periodic_contradict_the_embedding() -> None:
    with pytest.raises(ValueError, match="'periodic_x' of Kinked cannot be exact together with 'initial'"):
        assemble("masked", Kinked(), embedding={"periodic": ["x"]}, exact=["initial"])
    assert assemble("masked", Kinked(), embedding={"periodic": ["x"]}).hard_conditions == ("periodic_x", "values")


@pytest.mark.parametrize(
    ("problem", "hard", "soft"),
    [
        ("wave", {"initial", "dirichlet_x"}, set()),
        ("convection", {"initial", "periodic_x"}, set()),
        ("kdv", {"initial", "periodic_x"}, set()),
        (
            "allen_cahn",
            {"initial", "periodic_x"},
            set(),
        ),  # the start's slope jumps; extended
        ("helmholtz", {"boundary"}, set()),
    ],
)
def test_auto_makes_exact_what_can_be(problem: str, hard: set[str], soft: set[str]) -> None:
    module = MaskPINN(problem, {"name": "masked", "width": 4}, embedding={"periodic": ["auto"]}, exact="auto")
    assert set(module.objective.hard) == hard
    assert {term.name for term in module.objective.terms} == {"pde"} | soft


def test_auto_leaves_soft_what_contradicts_or_cannot_be_exact() -> None:
    class Mixed(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
        derivatives = ("t", "xx")
        conditions = (Initial(u=1.0), Dirichlet("x", u=0.0, side="low"), Neumann("x", u=0.5, side="high"))

        def residual(self, p, u):
            return u.t - u.xx

    module = MaskPINN(
        Mixed(), {"name": "masked", "width": 4}, exact="auto", weights={"conditions": 7.0, "neumann_x": 2.0}
    )
    assert module.objective.hard == ("initial",), "the wall's value contradicts the initial one"
    points = PointsDataModule(module.problem, points=5, hard=module.objective.hard).draw(0)
    weights = {name: r.weight for name, r in module.objective.residuals(module.network, points).items()}
    assert weights == {"pde": 1.0, "dirichlet_x": 7.0, "neumann_x": 2.0}


class Cube(Problem):
    """Laplace in a box of 0.1 mm, in units of a millionth; a bump on the top whose target is off on a narrow strip."""

    domain = Box(x=(0.0, 1e-4), y=(0.0, 1e-4), z=(0.0, 1e-4))
    derivatives = ("xx", "yy", "zz")
    off: float = 0.0

    @property
    def conditions(self) -> tuple[Condition, ...]:
        def bump(p):
            return 1e-6 * (p.x * 1e4 + self.off * torch.exp(-(((p.y * 1e4 - 0.37) * 200) ** 2)))

        return Dirichlet("x", u=lambda p: 1e-6 * p.x * 1e4), Dirichlet("z", name="top", side="high", u=bump)

    def residual(self, p, u):
        return u.xx + u.yy + u.zz


def test_compatibility_is_judged_in_the_size_of_the_field_and_on_narrow_strips() -> None:
    """1e-8 is no small mismatch for values of a millionth, and a strip of half a percent is found."""
    assert assemble("masked", Cube(), exact="auto").hard_conditions == ("dirichlet_x", "top")
    for off in (0.01, 1.0):
        network = assemble("masked", Cube(off=off), exact="auto")
        assert network.hard_conditions == ("dirichlet_x",)
        assert "contradict each other where they meet" in network.soft_reasons["top"]


class Level(Dirichlet):
    """A subclass that means something else: values relative to one."""

    def residuals(self, p, fields, place):
        return {"u": fields["u"] - 1.0}


def test_a_subclass_is_not_taken_for_its_parent() -> None:
    class Mine(Problem):
        domain = Box(x=(0.0, 1.0))
        derivatives = ("xx",)
        conditions = (Level("x", u=0.0),)

        def residual(self, p, u):
            return u.xx

    with pytest.raises(ValueError, match="a Level, cannot be made exact"):
        assemble("masked", Mine(), exact=["dirichlet_x"])


def many(dimensions: int, common: bool) -> Problem:
    """Poisson's equation in many dimensions, u = sum of x^2 on all walls; one condition, or one for each coordinate."""
    names = "abcdefghijklm"[:dimensions]

    def square(p):
        return sum((getattr(p, c) ** 2 for c in names[1:]), getattr(p, names[0]) ** 2)

    one = (Dirichlet(*names, u=square),)
    each = tuple(Dirichlet(c, u=lambda p: square(p) * 1.0) for c in names)
    return type("Many", (Problem,), {
        "domain": Box(**dict.fromkeys(names, (0.0, 1.0))), "derivatives": tuple(c + c for c in names),
        "conditions": one if common else each, "exact": lambda self, p: square(p),
        "residual": lambda self, p, u: sum(u.derivative(c + c) for c in names) - 2.0 * dimensions,
    })()  # fmt: skip


def test_walls_of_many_dimensions_are_exact_where_that_is_not_exponential() -> None:
    network = assemble("masked", many(10, common=True), exact="auto")
    assert network.hard_conditions == ("dirichlet_abcdefghij",)
    x = torch.rand(50, 10)
    x[:25, 3], x[25:, 7] = 0.0, 1.0
    torch.testing.assert_close(network(x)[:, 0], x.square().sum(1))
    network = assemble("masked", many(6, common=False), exact="auto")
    assert len(network.hard_conditions) == 4
    assert "whose interpolation takes 3^5 evaluations" in network.soft_reasons["dirichlet_f"]


def test_values_at_both_ends_of_time() -> None:
    """Exact together; not with an initial velocity."""

    class Both(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 2.0))
        derivatives = ("tt", "xx")
        last = Dirichlet("t", side="high", name="last", u=lambda p: 3.0 * p.x)
        conditions = (Initial(u=lambda p: p.x), last)

        def residual(self, p, u):
            return u.tt - u.xx

    class Moving(Both):
        conditions = (Initial(u=lambda p: p.x, u_t=1.0), Both.last)

    model = MaskPINN(Both(), {"name": "masked", "width": 4, "blocks": 1}, exact="all")
    assert model.predict([[0.5, 0.0], [0.5, 2.0]])[:, 0] == pytest.approx([0.5, 1.5])
    with pytest.raises(ValueError, match="not together with initial time derivatives"):
        MaskPINN(Moving(), {"name": "masked", "width": 4, "blocks": 1}, exact="all")
