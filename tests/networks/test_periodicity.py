"""Periodic by construction: only where the problem is smoothly periodic."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from known_problems import Loop

from mask_pinns import Box, Derivatives, Initial, MaskPINN, Periodic, Problem
from mask_pinns.networks.assembly import assemble
from mask_pinns.networks.periodicity import smoothly_periodic


class Ring(Loop):
    """Slopes agree as well; the source is periodic; the solution is not known."""

    exact = Problem.exact

    conditions = (Periodic("x", order=1),)

    def residual(self, p, u):
        return u.xx - torch.sin(2 * torch.pi * p.x)


class Drifting(Ring):
    """An equation that differs at the two ends."""

    def residual(self, p, u):
        return u.xx - p.x


class Started(Ring):
    """Initial values that differ at the two ends, in units of a millionth."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    conditions = (Periodic("x", order=1), Initial(u=lambda p: 1e-6 * p.x))


class Known(Ring):
    """A solution that differs at the two ends."""

    def exact(self, p):
        return p.x


class Skew(Periodic):
    """Means something else than its parent: the ends are opposite."""

    def residuals(self, p, fields, place):
        low, high = fields["u"].value.chunk(2)
        return {"u": low + high}


class Moebius(Ring):
    conditions = (Skew("x", order=1),)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (Loop(), "'periodic_x' leaves slopes free, the equation is of order 2; leave out --periodic x"),
        (Drifting(), "its equation differs at the two ends of x"),
        (Started(), "its condition 'initial' differs at the two ends of x"),
        (Known(), "its solution differs at the two ends of x"),
    ],
)
def test_what_is_not_periodic_is_refused(problem: Problem, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assemble("masked", problem, embedding={"periodic": ["x"]})


AUTO = {"periodic": ["auto"], "normalize": True}


@pytest.mark.parametrize(
    ("problem", "hard"), [(Loop(), ("dirichlet_x",)), (Ring(), ("periodic_x",)), (Moebius(), ())], ids=lambda x: str(x)
)
def test_auto_embeds_what_is_smoothly_periodic_and_no_subclass(problem: Problem, hard: tuple[str, ...]) -> None:
    module = MaskPINN(problem, {"name": "masked", "width": 4}, embedding=AUTO, exact="auto")
    assert module.objective.hard == hard
    assert set(module.network.soft_reasons) == {c.name for c in problem.conditions} - set(hard)


@pytest.mark.parametrize(("derivatives", "order"), [("t x", 0), ("tt xx", 1), ("t xxx", 2), ("yy", 0)])
def test_a_periodic_condition_without_an_order_makes_the_solution_smooth(derivatives: str, order: int) -> None:
    """With values alone, an equation of second order has many solutions, and one of them is found without a word."""

    class Ring(Problem):
        domain = Box(x=(-1.0, 1.0), y=(0.0, 1.0), t=(0.0, 1.0))
        conditions = (Periodic("x"), Periodic("y", order=0, name="given"))

        def residual(self, p: Any, u: Any) -> Any:
            return sum(u.derivative(m) for m in self.derivatives)

    Ring.derivatives = tuple(derivatives.split())
    condition, given = Ring().conditions
    assert (condition.order, given.order) == (order, 0)
    assert condition.derivatives.indices == Derivatives(["x" * order]).indices
    assert "x" in smoothly_periodic(Ring())
