"""Characteristic scales: by hand, and under changes of units."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_problems import Steel
from manufactured import Manufactured, manufactured

from mask_pinns import Box, Dirichlet, MaskPINN, Problem, characteristic_scales


def test_lengths_are_half_the_domains_and_fields_span_the_prescribed_values() -> None:
    scales = characteristic_scales(Steel())
    assert scales.lengths == {"x": 0.02, "t": 15.0}
    assert scales.offsets["T"] == pytest.approx(650, rel=0.02)
    assert scales.sizes["T"] == pytest.approx(350, rel=0.02)
    assert scales.residuals["pde"] == pytest.approx(5e-5 * scales.sizes["T"] / 0.02**2, rel=1e-6), "diffusion leads"
    assert scales.residuals["neumann_x"] == pytest.approx(scales.sizes["T"] / 0.02, rel=1e-6)


class Rod(Problem):
    """Nothing but a source tells how large u is: u_xx = 4e6 in [0, 2] balances at 4e6."""

    domain = Box(x=(0.0, 2.0))
    derivatives = ("xx",)
    conditions = (Dirichlet("x", u=0.0),)
    source: float = 4e6

    def residual(self, p, u):
        return u.xx - self.source


class Pressure(Problem):
    """The pressure is as large as the friction that balances its gradient."""

    domain = Box(x=(0.0, 2.0), y=(0.0, 2.0))
    fields, derivatives = ("u", "P"), ("x", "yy")
    conditions = (Dirichlet("y", side="low", u=0.0), Dirichlet("y", side="high", name="lid", u=10.0))

    def residual(self, p, u, P):
        return 1e-3 * u.yy - P.x


class Square(Rod):
    """The source is balanced by the square of u."""

    def residual(self, p, u):
        return 1e-30 * u.xx + u * u - self.source


class Driven(Problem):
    domain = Box(x=(0.0, 1.0))
    fields, derivatives, scales = ("T", "u"), ("xx",), {"T": 0.5}
    conditions = (Dirichlet("x", T=lambda p: p.x, u=lambda p: p.x),)

    def residual(self, p, T, u):
        return 1e-3 * T.xx + u.xx - 1e6, T.xx - T


def test_a_declared_scale_is_taken() -> None:
    class Declared(Steel):
        scales = {"T": 5.0}  # noqa: RUF012

    assert characteristic_scales(Declared()).sizes == {"T": 5.0}
    assert characteristic_scales(Driven()).sizes["u"] == pytest.approx(2.5e5, rel=0.1), "another field is still raised"
    for scales in ({"v": 1.0}, {"T": 0.0}, {"T": "5"}, [5.0]):
        with pytest.raises(ValueError, match="scale"):
            type("Wrong", (Steel,), {"scales": scales})()


@pytest.mark.parametrize(
    ("problem", "field", "size"),
    [(Rod(), "u", 4e6), (Rod(source=1e-9), "u", 1e-9), (Pressure(), "P", 1e-3 * 5.0), (Square(), "u", 2e3)],
)
def test_sizes_that_no_condition_tells_come_from_a_balance(problem: Problem, field: str, size: float) -> None:
    assert characteristic_scales(problem).sizes[field] == pytest.approx(size, rel=1.0), "within a factor of two"


class OtherUnits(Manufactured):
    """The same random problem with other factors on one coordinate, one field and one residual."""

    def __init__(self, seed: int, factors: tuple[float, float, float]) -> None:
        super().__init__(seed, decades=0.0)
        self.lengths["x"] *= factors[0]
        self.low["x"] *= factors[0]
        self.sizes["u"] *= factors[1]
        self.scales["u"] *= factors[2]


FACTOR = st.floats(-6, 6).map(lambda exponent: 10.0**exponent)


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 1000), factors=st.tuples(FACTOR, FACTOR, FACTOR))
def test_the_dimensionless_problem_does_not_depend_on_the_units(seed: int, factors: tuple[float, float, float]) -> None:
    """The same network has the same dimensionless residuals, and fields that differ by the factor of their unit."""
    found: list[Any] = []
    for given_factors in ((1.0, 1.0, 1.0), factors):
        problem = manufactured(seed, made=OtherUnits(seed, given_factors))
        torch.manual_seed(0)
        network = {"name": "masked", "width": 4, "blocks": 1, "activation": "sin"}
        module = MaskPINN(problem, network, "adam", dimensionless=True, exact="auto").double()
        points = module.objective.check_points(next(module.network.parameters()), 5)
        residuals = module.objective.residuals(module.network, points)
        found.append(({k: r.vector.detach() for k, r in residuals.items()}, module.predict(points["pde"])[:, 0]))
    (residuals, u), (same, scaled) = found
    assert residuals.keys() == same.keys()
    for name, vector in residuals.items():
        torch.testing.assert_close(same[name], vector, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(torch.tensor(scaled), torch.tensor(u * factors[1]), rtol=1e-6, atol=1e-8 * factors[1])


def test_scales_are_in_the_checkpoint_and_off_by_default() -> None:
    network = {"name": "masked", "width": 4, "blocks": 1}
    on, off = (MaskPINN(Steel(), network, dimensionless=given) for given in (True, False))
    assert float(on.state_dict()["network.field_scales.sizes"]) == characteristic_scales(Steel()).sizes["T"]
    assert not any("field_scales" in key for key in off.state_dict())
    assert off.objective.scales == {} and on.objective.scales == characteristic_scales(Steel()).residuals
