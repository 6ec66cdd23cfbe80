"""Integral conditions: their residuals, their rows in the Jacobian, what they determine, and training with them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from helpers import fit, small_network
from torch import Tensor

from mask_pinns import (
    Ball,
    Box,
    Condition,
    Dirichlet,
    Disk,
    Initial,
    Integral,
    MaskPINN,
    Mean,
    Neumann,
    Objective,
    Periodic,
    PointsDataModule,
    Problem,
    characteristic_scales,
)
from mask_pinns.networks.assembly import assemble
from mask_pinns.objective.checks import check_objective
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.problems.derived.determinacy import coupled_terms, free_fields, require_independent_points
from mask_pinns.problems.derived.statement import contradiction, statement

HOLE = Disk(x=0.3, y=0.0, radius=0.5)
SQUARE = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))


class Heated(Problem):
    """u_t = u_xx + x, with the flux out of both ends: the heat is known at every time; v is its own thing."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    fields, derivatives = ("u", "P"), ("t", "xx", "x")
    conditions = (
        Initial(u=lambda p: p.x**2),
        Integral("mass", of=lambda p, u, P: p.x * u**2, equals=lambda p: 1 + p.t, weight=3.0),
        Integral("flux", of=lambda p, u, P: u.x * p.normal.x, where="x", equals=0.5, derivatives=("x",)),
        Mean("level", of=lambda p, u, P: P, equals=2.0, within=Box(x=(0.0, 0.5)), nodes=5),
    )

    def residual(self, p, u, P):
        return u.t - u.xx - p.x, P.x - u


class Steady(Heated):
    domain, derivatives = SQUARE - HOLE, ("xx", "x")
    conditions = (Dirichlet("x", u=0.0), *Heated.conditions[2:3], Mean("level", of=lambda p, u, P: P, equals=2.0))

    def residual(self, p, u, P):
        return u.xx, P.x - u


def test_residuals_are_integrals_minus_their_values() -> None:
    problem = Heated()
    objective, points = Objective(problem), PointsDataModule(problem, points={"pde": 20, "mass": 7}).draw(0)
    assert [len(points[name]) for name in ("mass", "flux", "level")] == [7 * 32, 2 * 2, 2 * 5]

    class Known(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x[:, 0] * x[:, 1], x[:, 0] + 1], 1)

    network = Known()
    for name, exact in (("mass", lambda t: t**2 / 4 - 1 - t), ("level", lambda t: 1.25 - 2 + 0 * t)):
        term = next(t for t in problem.terms if t.name == name)
        place, x = objective.places[name], points[name]
        fields = dict(zip(problem.fields, network(x).unbind(1), strict=True))
        residual = term.residuals(place.at(x, problem.domain.names), fields, place)[""]
        assert torch.allclose(residual, exact(place.instants(x)[:, 0]), atol=1e-12)


@pytest.mark.parametrize("problem", [Heated(), Steady()], ids=["heated", "steady"])
@pytest.mark.parametrize("chunk", [1, 100, 4096])
def test_rows_of_the_jacobian_are_gradients(problem: Problem, chunk: int) -> None:
    network = small_network("masked", len(problem.domain), 2).double()
    objective = Objective(problem, scales=characteristic_scales(problem).residuals)
    points = PointsDataModule(problem, points={"pde": 6, "mass": 3} if "t" in problem.domain else 6).draw(
        0, dtype=torch.float64
    )
    jacobian = Jacobian(objective, network, chunk)
    vector, rows = (torch.cat(parts) for parts in zip(*jacobian.blocks(points), strict=True))
    parameters = list(network.parameters())
    pairs = sorted(zip(vector.tolist(), rows, strict=True), key=lambda pair: pair[0])
    expected = objective.residual_vector(network, points)
    assert sum(value**2 for value, _ in pairs) == pytest.approx(objective.loss(network, points)[0].item(), rel=1e-12)
    for number, (value, row) in zip(expected.sort().values, pairs, strict=True):
        gradient = torch.autograd.grad(number, parameters, retain_graph=True, materialize_grads=True, allow_unused=True)
        assert number.item() == pytest.approx(value, rel=1e-10, abs=1e-12)
        assert torch.allclose(row, torch.cat([g.flatten() for g in gradient]), rtol=1e-10, atol=1e-10)
    assert jacobian.rows(points) == len(vector)


@pytest.mark.parametrize("problem", [Heated(), Steady()], ids=["heated", "steady"])
def test_what_is_asked_of_every_problem(problem: Problem) -> None:
    assert free_fields(problem) == {"u": "", "P": ""}
    assert coupled_terms(problem) == []
    scales = characteristic_scales(problem)
    assert scales.residuals["level"] == pytest.approx(2.0, rel=0.3)
    assert contradiction(statement(problem), statement(type(problem)())) == ""
    options: dict[str, Any] = {"exact": "auto"}
    module = MaskPINN(problem, {"name": "masked", "width": 6, "blocks": 1}, "gauss_newton", **options)
    module.check()
    assert "an Integral, cannot be made exact: it gathers many points" in module.network.soft_reasons["flux"]


class NoMean(Problem):
    """-u'' = pi^2 cos(pi x) between insulated ends, and the mean is zero."""

    domain = Box(x=(0.0, 1.0))
    derivatives = ("xx",)
    conditions = (Neumann("x", u=0.0), Mean("mean", of=lambda p, u: u, equals=0.0))

    def residual(self, p, u):
        return u.xx + math.pi**2 * torch.cos(math.pi * p.x)

    def exact(self, p):
        return torch.cos(math.pi * p.x)


class Free(NoMean):
    conditions = (Neumann("x", u=0.0),)


class Density(Problem):
    """A stationary probability density: (x q)' + q'' = 0, its integral is 1; at the ends it is nearly 0."""

    domain = Box(x=(-5.0, 5.0))
    derivatives = ("xx",)
    conditions = (
        Dirichlet("x", u=math.exp(-12.5) / math.sqrt(2 * math.pi)),
        Integral("mass", of=lambda p, u: u, equals=math.erf(5 / math.sqrt(2))),
    )

    def residual(self, p, u):
        return u.xx + p.x * u.x + u

    def exact(self, p):
        return torch.exp(-(p.x**2) / 2) / math.sqrt(2 * math.pi)


class Roughly(Density):
    """The same with round numbers, which contradict each other by 1e-6."""

    conditions = (Dirichlet("x", u=0.0), Integral("mass", of=lambda p, u: u, equals=1.0))


@pytest.mark.parametrize(
    ("problem", "error"), [(NoMean(), 1e-6), (Density(), 1e-6), (Roughly(), 2e-5)], ids=["mean", "density", "roughly"]
)
def test_gauss_newton_finds_the_solution(problem: Problem, error: float) -> None:
    torch.manual_seed(0)
    module = MaskPINN(problem, {"name": "masked", "width": 12, "blocks": 2, "activation": "tanh"}, "gauss_newton")
    trainer = fit(module, 40, points=150)
    x = problem.evaluation().points
    true = problem.solution(x)
    assert float((module.network(x).detach() - true).abs().max() / true.abs().max()) < error
    assert float(trainer.callback_metrics["loss"]) < 1e-9


def test_adam_brings_the_mean_to_its_value() -> None:
    class Lifted(NoMean):
        conditions = (Neumann("x", u=0.0), Mean("mean", of=lambda p, u: u, equals=1.0, weight=10.0))

    torch.manual_seed(0)
    module = MaskPINN(Lifted(), {"name": "masked", "width": 8, "blocks": 1}, {"optimizer": "adam", "lr": 0.01})
    fit(module, 100, points=50)
    assert module.network(torch.linspace(0, 1, 101)[:, None].double()).mean().item() == pytest.approx(1.0, abs=0.1)


def test_a_mean_fixes_what_was_free() -> None:
    assert free_fields(Free()) == {"u": "constant"} and free_fields(NoMean()) == {"u": ""}


def test_a_mean_over_points_is_refused_with_the_cure() -> None:
    class ByHand(NoMean):
        conditions = (Condition("mean", {}, lambda p, u: u.mean() + 0 * u),)

    class Within(Heated):
        conditions = (Integral("mass", of=lambda p, u, P: u - u.mean(), equals=0.0),)

    for problem in (ByHand(), Within()):
        with pytest.raises(ValueError, match=r"takes a mean, a sum or an integral over them: state it by Integral\("):
            require_independent_points(problem, problem.terms, "Gauss-Newton")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.*")
def test_a_traced_loss_is_the_same() -> None:
    problem, network = Heated(), small_network("masked", 2, 2).double()
    objective = Objective(problem, hard=["flux"])  # of normals, none is traced
    points = PointsDataModule(problem, points=20).draw(0, dtype=torch.float64)
    check_objective(objective, network)
    loss = torch.compile(objective.loss, dynamic=False, fullgraph=True, backend="eager")
    assert loss(network, points)[0].item() == pytest.approx(objective.loss(network, points)[0].item(), rel=1e-12)


@pytest.mark.parametrize(
    ("of", "parity", "fits"),
    [(lambda p, u: u, "even", True), (lambda p, u: (p.x + 1) * u, "even", False), (lambda p, u: u, "odd", True)],
)
def test_a_symmetry_of_what_is_integrated(of: Any, parity: str, fits: bool) -> None:
    class Mirrored(Problem):
        domain, derivatives = SQUARE, ("xx", "yy")
        conditions = (Dirichlet("x", "y", u=0.0), Integral("mass", of=of, equals=0.0))

        def residual(self, p, u):
            return u.xx + u.yy

    network = {"name": "masked", "width": 4, "blocks": 1}
    if fits:
        assemble(network, Mirrored(), symmetry={"x": parity})
    else:
        with pytest.raises(ValueError, match=r"its condition 'mass' is not; leave out --symmetry\.x"):
            assemble(network, Mirrored(), symmetry={"x": parity})


def test_a_weighted_integral_goes_with_a_periodic_embedding() -> None:
    class Ring(Problem):
        domain, derivatives = Box(x=(0.0, 1.0), t=(0.0, 1.0)), ("t", "x")
        conditions = (
            Periodic("x"), Initial(u=lambda p: torch.sin(2 * math.pi * p.x)),
            Integral("moment", of=lambda p, u: p.x * u, equals=lambda p: -torch.cos(2 * math.pi * p.t) / 2 / math.pi),
        )  # fmt: skip

        def residual(self, p, u):
            return u.t + u.x

    module = MaskPINN(Ring(), {"name": "masked", "width": 4, "blocks": 1}, embedding={"periodic": ["x"]})
    assert check_objective(module.objective, module.network) == ["pde", "initial", "moment"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": 3.0}, "of is 3.0; expected a function of p and the fields"),
        ({"equals": "one"}, "equals is 'one'; expected a finite number, or a function of p.t"),
        ({"equals": math.nan}, "equals is nan"),
        ({"nodes": 0}, "nodes is 0; expected a whole number of points, 1 or more"),
        ({"nodes": True}, "nodes is True"),
        ({"where": "t"}, "where is 't'; an integral is over space at each time"),
        ({"where": 3}, "3 is no place"),
        ({"where": "x", "within": HOLE}, "give one of at, where and within"),
        ({"where": Disk(x=5.0, y=0.0, radius=0.1)}, "no part of .* belongs to the boundary of the domain"),
        ({"where": "z"}, "'z'"),
        ({"within": Ball(x=0, y=0, z=0, radius=1)}, "has the coordinate z, not x, y"),
        ({"equals": lambda p: p.t}, "p.t: no such coordinate"),
        ({"of": lambda p, u: u.x}, "uses u.x, which is not declared: write Condition"),
        ({"of": lambda p, u: u.mean()}, r"what `of` gives has shape \(\); expected \(256,\)"),
        ({"of": lambda p, u: u * p.normal.x}, "these points do not lie on a boundary"),
        ({"weight": -1.0}, "weight is -1.0"),
    ],
)
def test_nonsense_is_answered_in_one_line(options: dict[str, Any], message: str) -> None:
    class Wrong(Problem):
        domain, derivatives = SQUARE, ("xx", "yy")

        @property
        def conditions(self):
            return Dirichlet("x", u=0.0), Integral("mass", **({"of": lambda p, u: u, "equals": 1.0} | options))

        def residual(self, p, u):
            return u.xx + u.yy

    with pytest.raises(ValueError, match=message) as error:
        MaskPINN(Wrong(), {"name": "masked", "width": 4, "blocks": 1}).check()
    assert "\n" not in str(error.value) and "mass" in str(error.value)
