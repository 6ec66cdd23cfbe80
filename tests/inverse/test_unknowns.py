"""Unknown numbers and functions: declared, trained by every optimizer, held, started elsewhere, saved."""

from __future__ import annotations

from math import pi
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import EACH_OPTIMIZER, fit, same_weights
from torch.func import functional_call, jacrev

from mask_pinns import (
    Box,
    Condition,
    Constraints,
    Dirichlet,
    Initial,
    MaskPINN,
    PointsDataModule,
    Problem,
    Robin,
    Unknown,
)
from mask_pinns.checkpoints.loading import load_weights
from mask_pinns.networks.unknown import unknown_values
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.optim import OPTIMIZERS
from mask_pinns.problems.derived.statement import contradiction, statement

pytestmark = pytest.mark.usefixtures("float64")
SMALL = {"name": "masked", "width": 8, "blocks": 1, "activation": "sin"}


class Cooling(Problem):
    """u_t = k u_xx with k = 0.1, from the values in the middle."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    unknowns = (Unknown("k", start=0.5, positive=True),)
    conditions = (
        Initial(u=lambda p: torch.sin(pi * p.x)),
        Dirichlet("x", u=0.0),
        Condition("middle", at={"x": 0.5}, residual=lambda p, u: u - torch.exp(-0.1 * pi**2 * p.t)),
    )

    def residual(self, p, u, k):
        return u.t - k * u.xx


class Bar(Problem):
    """A conductivity a(x), a transfer coefficient h inside of a condition, and a number c that p gives."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    unknowns = (Unknown("a", of="x", positive=True), Unknown("h", low=0.5, high=5.0), Unknown("c", start=0.0))
    conditions = (
        Initial(u=lambda p: p.x * (1 - p.x)),
        Dirichlet("x", side="low", u=lambda p: p.c * p.t),
        Robin("x", side="high", name="cooled", a=lambda p: p.h, u=0.0),
    )

    def residual(self, p, u, a, h, c):
        return u.t - (a * u.xx + a.x * u.x) - c * h


def values(model: MaskPINN) -> dict[str, float]:
    return model.unknowns


@pytest.mark.parametrize(
    "options", [o for o in EACH_OPTIMIZER if not OPTIMIZERS[o["optimizer"]].last], ids=lambda o: o["optimizer"]
)
def test_every_optimizer_trains_unknowns(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = MaskPINN(Cooling(), SMALL, [options], exact="auto", dimensionless=True)
    assert values(model) == {"k": 0.5}
    fit(model, 6)
    assert values(model)["k"] != 0.5


def test_gauss_newton_finds_the_number() -> None:
    torch.manual_seed(0)
    model = MaskPINN(Cooling(), SMALL, "gauss_newton", exact="auto", dimensionless=True)
    fit(model, 15, resample=0)
    assert abs(values(model)["k"] - 0.1) < 1e-5


@pytest.mark.parametrize("problem", [Cooling, Bar])
def test_the_jacobian_has_their_columns(problem: type[Problem]) -> None:
    torch.manual_seed(0)
    model = MaskPINN(problem(), SMALL, "gauss_newton")
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    points = PointsDataModule(model.problem, points=20).draw(0)
    jacobian = Jacobian(model.objective, model.network)

    class Vector(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = model.network

        def forward(self) -> torch.Tensor:
            return model.objective.residual_vector(self.network, points)

    parameters = {f"network.{k}": p.detach() for k, p in model.network.named_parameters()}
    expected = jacrev(lambda p: functional_call(Vector(), p, ()))(parameters)
    rows = torch.cat([rows for _, rows in jacobian.blocks(points)])
    torch.testing.assert_close(rows, torch.cat([e.flatten(1) for e in expected.values()], 1), rtol=1e-10, atol=1e-12)
    assert any("unknowns" in name for name in jacobian.parameters)


@pytest.mark.parametrize(
    ("options", "at_minus_5", "at_5"),
    [
        ({}, (-1e9, 0.0), (2.0, 1e9)),
        ({"positive": True}, (0.0, 1e-1), (100.0, 1e9)),
        ({"low": 0.5}, (0.5, 0.51), (50.0, 1e9)),
        ({"high": 2.0}, (-1e9, -50.0), (1.9, 2.0)),
        ({"low": 0.5, "high": 2.0}, (0.5, 0.52), (1.95, 2.0)),
        ({"positive": True, "high": 2.0}, (0.0, 0.02), (1.95, 2.0)),
    ],
)
def test_it_stays_within_its_bounds(options, at_minus_5, at_5) -> None:
    unknown = Unknown("k", **options)
    assert unknown.value(torch.zeros(1)) == pytest.approx(1.0)
    for theta, (low, high) in ((-5.0, at_minus_5), (5.0, at_5)):
        assert low < float(unknown.value(torch.tensor(theta))) < high


def test_a_function_is_a_field_of_its_coordinates_and_positive() -> None:
    torch.manual_seed(0)
    model = MaskPINN(Bar(), SMALL)
    assert model.problem.fields == ("u", "a") and model.problem.unknown_numbers[0].name == "h"
    x = torch.rand(50, 2)
    u = model.predict(x)
    later = model.predict(torch.stack([x[:, 0], 1 - x[:, 1]], 1))
    assert u.shape == (50, 2) and (u[:, 1] > 0).all() and (u[:, 1] == later[:, 1]).all()
    assert (u[:, 0] != later[:, 0]).any()
    assert "cooled" not in MaskPINN(Bar(), SMALL, exact="auto").objective.hard, "its coefficient is not known"


@pytest.mark.parametrize("bounds", [{"positive": True}, {"low": 0.5, "high": 5.0}, {"high": 4.0}, {}])
def test_exact_conditions_on_functions_keep_their_bounds(bounds: dict[str, Any]) -> None:
    """A + B N itself would make a function larger than A wherever N is positive."""

    class Known(Bar):
        unknowns = (Unknown("a", of="x", **bounds), *Bar.unknowns[1:])
        conditions = (*Bar.conditions, Dirichlet("x", name="ends", a=lambda p: 2.0 + p.x))

    torch.manual_seed(0)
    model = MaskPINN(Known(), SMALL, exact=["ends"])
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter += 2 * torch.randn_like(parameter)
    x = torch.rand(200, 2)
    a = model.predict(x)[:, 1]
    low, high = Known.unknowns[0].bounds
    assert a.min() > low and a.max() < high and a.min() < 2.0
    x[:, 0] = x[:, 0].round()
    assert abs(model.predict(x)[:, 1] - (2.0 + x[:, 0].numpy())).max() < 1e-12
    theta = Known.unknowns[0].theta(torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(Known.unknowns[0].value(theta), torch.tensor([2.0, 3.0]))


def test_numbers_are_held_or_start_elsewhere() -> None:
    model = MaskPINN(Bar(), SMALL, fix=["h=2"], unknowns={"c": 0.25})
    assert values(model) == {"h": 2.0, "c": 0.25}
    assert [n for n, _ in model.network.named_parameters() if "unknowns" in n] == ["unknowns.theta.c"]
    fit(model, 3)
    assert values(model)["h"] == 2.0 and values(model)["c"] != 0.25
    assert MaskPINN(Bar(), SMALL, constraints=Constraints(fix={"h": 2.0})).unknowns["h"] == 2.0


def test_a_checkpoint_contains_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MaskPINN(Cooling(), SMALL, fix=[], unknowns={"k": 0.3})
    trainer = fit(model, 5)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    loaded = MaskPINN.load_from_checkpoint(tmp_path / "a.ckpt", problem=Cooling())
    assert same_weights(model.network, loaded.network) and loaded.unknowns == model.unknowns


def test_functions_take_the_unknowns_that_they_name() -> None:
    more = (Unknown("h", start=2.0), Unknown("k", start=3.0))
    for function in (lambda p, u, k: u - k, lambda p, u, h, k: u - k, lambda p, u: u - p.k, lambda p, *f: f[-1] - p.k):
        condition = Condition("c", at={"x": 0.5}, residual=function)
        problem = with_unknowns(*more, conditions=(condition,), residual=lambda s, p, u, k: u.t - k * u.xx + p.h)
        model = MaskPINN(problem, SMALL)
        x = PointsDataModule(problem, points=5).draw(0)["c"]
        residual = model.objective.residuals_at(model.network, problem.conditions[0], x)["c"].vector
        torch.testing.assert_close(residual, model(x)[:, 0] - 3.0)


def test_held_numbers_have_the_precision_of_the_points() -> None:
    model = MaskPINN(Cooling(), SMALL, fix=["k=0.1"]).double()
    points = PointsDataModule(model.problem, points=5).draw(0)
    at = model.problem.points(model.objective.places["pde"], points["pde"], unknown_values(model.network))
    assert at.k.dtype == torch.float64 and float(at.k[0]) == 0.1


def test_another_start_or_bound_is_another_problem() -> None:
    """A checkpoint has theta, whose meaning these are."""
    first = statement(with_unknowns(Unknown("k", positive=True)))
    for other in (Unknown("k", start=2.0, positive=True), Unknown("k", low=0.0, high=3.0), Unknown("k")):
        assert "unknowns" in contradiction(first, statement(with_unknowns(other)))
    assert not contradiction(first, statement(with_unknowns(Unknown("k", positive=True))))


def test_the_weights_of_another_run_leave_unknowns_at_their_start(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MaskPINN(Cooling(), SMALL)
    fit(model, 5).save_checkpoint(tmp_path / "a.ckpt")
    for options in ({}, {"unknowns": {"k": 2.0}}, {"fix": ["k=0.3"]}):
        other = MaskPINN(Cooling(), SMALL, **options)
        start = other.unknowns
        load_weights(tmp_path / "a.ckpt", other.network)
        assert other.unknowns == start
        assert torch.equal(other.network.output.weight, model.network.output.weight)


def with_unknowns(*unknowns: Any, residual: Any = None, **attributes: Any) -> Problem:
    body = {"domain": Cooling.domain, "derivatives": ("t", "xx"), "unknowns": unknowns, "conditions": (Initial(u=0.0),)}
    body |= {"residual": residual or (lambda self, p, u, *more: u.t - u.xx)} | attributes
    return type("Mine", (Problem,), body)()


NONSENSE = {
    "no unknown": (lambda: with_unknowns(1.0), "expected e.g."),
    "start below its bound": (
        lambda: Unknown("k", start=-1.0, positive=True),
        "start is -1; expected a number above 0",
    ),
    "start no number": (lambda: Unknown("k", start="a"), "start is 'a'; expected a finite number"),
    "no word": (lambda: Unknown("k 1"), "its name is a word"),
    "attribute of points": (lambda: Unknown("normal"), "none of tensor"),
    "name of a field": (lambda: with_unknowns(Unknown("u")), "name of the unknown 'u' is taken"),
    "name of a coordinate": (lambda: with_unknowns(Unknown("x")), "name of the unknown 'x' is taken"),
    "twice": (lambda: with_unknowns(Unknown("k"), Unknown("k")), "'k' is taken"),
    "other coordinate": (lambda: with_unknowns(Unknown("k", of="z")), "is a function of z; the domain has x, t"),
    "long coordinate": (lambda: Unknown("k", of=("xx",)), "expected coordinates"),
    "not used": (lambda: MaskPINN(with_unknowns(Unknown("k")), SMALL).check(), "'k' is in no residual of Mine"),
    "function with an underscore": (lambda: with_unknowns(Unknown("a_x", of="x")), "'a_x' cannot name a function"),
    "nothing to hold": (lambda: MaskPINN("wave", SMALL, fix=["k=1"]), "has no unknown numbers"),
    "held by another name": (
        lambda: MaskPINN(Cooling(), SMALL, fix=["kk=1"]),
        "Cooling has no unknown number 'kk'; it has k",
    ),
    "held without a value": (lambda: MaskPINN(Cooling(), SMALL, fix=["k"]), "expected a name and a value: k=0.1"),
    "held at a word": (lambda: MaskPINN(Cooling(), SMALL, fix=["k=a"]), "'a' is no number"),
    "held below its bound": (lambda: MaskPINN(Cooling(), SMALL, fix=["k=-1"]), "expected a number above 0"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_answered_in_one_line(name: str) -> None:
    make, message = NONSENSE[name]
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
