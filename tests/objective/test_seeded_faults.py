"""Faults put into a problem or a Jacobian on purpose are found, whatever the units."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mask_pinns import Box, Dirichlet, Initial, MaskPINN, Problem
from mask_pinns.networks.assembly import assemble
from mask_pinns.objective.jacobian import Jacobian

SCALES = [1e-9, 1.0, 1e9]


def heat(scale: float, corner: float = 0.0, skew: float = 0.0) -> Problem:
    """Heat conduction in units of `scale` for x and u; a corner, or a symmetry about the middle, that is off."""

    class Heat(Problem):
        domain = Box(x=(0.0, scale), t=(0.0, 1.0))
        derivatives = ("t", "xx")
        conditions = (
            Initial(u=lambda p: scale * (torch.sin(torch.pi * p.x / scale) + skew * p.x / scale)),
            Dirichlet("x", u=scale * corner),
        )

        def residual(self, p, u):
            return u.t - scale**2 * u.xx

    return Heat()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("off", [1e-5, 1e-2])
def test_a_corner_at_which_conditions_contradict_each_other(scale: float, off: float) -> None:
    assert assemble("masked", heat(scale), exact="all").hard_conditions == ("initial", "dirichlet_x")
    with pytest.raises(ValueError, match="their targets contradict each other where they meet"):
        assemble("masked", heat(scale, corner=off), exact="all")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("exact", ["auto", ()])
def test_a_symmetry_that_initial_values_do_not_have(scale: float, exact: Any) -> None:
    assert assemble("masked", heat(scale), symmetry={"x": "even"}, exact=exact).symmetry
    with pytest.raises(ValueError, match=r"leave out --symmetry\.x"):
        assemble("masked", heat(scale, skew=1e-4), symmetry={"x": "even"}, exact=exact)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("fault", ["rows in the wrong order", "a row that is off", "shares of two rows mixed"])
def test_a_jacobian_with_wrong_rows(monkeypatch: pytest.MonkeyPatch, scale: float, fault: str) -> None:
    """The sum of the rows is right in the first and the third."""
    rows = Jacobian._rows

    def faulty(*arguments: Any) -> torch.Tensor:
        right = rows(*arguments)
        wrong = {"rows in the wrong order": right.flip(0), "shares of two rows mixed": right.mean(0).expand_as(right)}
        return wrong.get(fault, right * torch.linspace(1, 1 + 1e-6, len(right))[:, None])

    module = MaskPINN(heat(scale), {"name": "masked", "width": 5, "blocks": 1}, "gauss_newton", dimensionless=True)
    module.double().check()
    monkeypatch.setattr(Jacobian, "_rows", faulty)
    with pytest.raises(ValueError, match="Gauss-Newton cannot tell the points' shares in parameter"):
        module.check()
