"""Initial values with a kink, extended to later times as they melt: what exact conditions begin with."""

from __future__ import annotations

from math import pi

import pytest
import torch
from torch import Tensor

from mask_pinns import Box, Initial, Problem
from mask_pinns.domains import Points
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.scalar import FUNCTIONS
from mask_pinns.networks.exact import HardConstraints
from mask_pinns.problems.library.allen_cahn import AllenCahn


class Kink(Problem):
    """u_t = k u_xx from |x|: its solution on the whole line is known, and is all that the ansatz needs."""

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    k: float = 0.01

    @property
    def conditions(self):
        return (Initial(u=lambda p: torch.sqrt(p.x**2), extended={"u": self.melting}),)

    def melting(self, p):
        w = torch.sqrt((p.t + 1e-12) * (4 * self.k))
        return p.x * torch.erf(p.x / w) + w * torch.exp(-((p.x / w) ** 2)) * (1 / pi**0.5)

    def residual(self, p, u):
        return u.t - self.k * u.xx


def ansatz(problem: Problem, x: Tensor, output: float = 0.0) -> Jet:
    """A + B N at points (N, 2), for a network whose output is one number everywhere."""
    jet = Jet.of_coordinates(x, problem.domain.names, Derivatives(problem.derivatives))
    exact = HardConstraints(problem, [problem.conditions[0]])
    return exact(jet, Jet(jet.derivatives, {"": torch.full_like(x[:, :1], output)}))


def at(x: Tensor, t: float) -> Tensor:
    return torch.stack([x, torch.full_like(x, t)], 1)


X = torch.linspace(-1, 1, 401, dtype=torch.float64)


@pytest.mark.parametrize("output", [0.0, 3.0])
def test_it_begins_with_the_target_whatever_the_network_says(float64, output: float) -> None:
    torch.testing.assert_close(ansatz(Kink(), at(X, 0.0), output).value[:, 0], X.abs(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("t", [1e-6, 1e-3, 0.1, 1.0])
def test_it_goes_on_as_the_extension_does(float64, t: float) -> None:
    """Which solves the heat equation: the curvature that a kink has at t = 1e-6, 5,600, cancels to rounding."""
    problem, jet = Kink(), ansatz(Kink(), at(X, t))
    torch.testing.assert_close(jet.value[:, 0], problem.melting(Points(at(X, t), ("x", "t"))), rtol=1e-14, atol=0)
    u_t, u_xx = (jet.streams[name][:, 0] for name in ("t", "xx"))
    assert (u_t - problem.k * u_xx).abs().max() <= 1e-11 * u_t.abs().max()


def test_a_soft_condition_compares_with_the_target(float64) -> None:
    problem, x = Kink(), at(X, 0.0)
    given = problem.conditions[0].targets["u"]
    assert torch.equal(given(Points(x, ("x", "t"))), X.abs())


@pytest.mark.parametrize("t", [0.0, 1e-9, 1e-6, 1e-4, 1e-2, 0.3, 1.0])
def test_the_kink_of_allen_cahn_leaves_no_singular_residual(float64, t: float) -> None:
    """Near the ends, where u is about -1; by nested autograd, whose terms reach 5,600 at the start."""
    problem, names = AllenCahn(), ("x", "t")
    x = at(torch.linspace(0.995, 1.0, 301, dtype=torch.float64), t).requires_grad_()
    u = problem.melting(Points(x, names))
    (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    u_xx = torch.autograd.grad(first[:, 0].sum(), x)[0][:, 0]
    residual = first[:, 1] - problem.epsilon * u_xx + 5 * u**3 - 5 * u
    assert residual.abs().max() < 0.02
    if t <= 1e-6:
        assert (problem.epsilon * u_xx).abs().max() > 5


@pytest.mark.parametrize("extended", [{"v": torch.sin}, {"u": 1.0}, {"u_t": torch.sin}])
def test_what_cannot_be_extended_is_refused_by_name(extended) -> None:
    with pytest.raises(ValueError, match=f"condition 'initial' extends '{next(iter(extended))}'"):
        Initial(u=0.0, extended=extended)


def test_not_beside_a_time_derivative() -> None:
    with pytest.raises(ValueError, match="not its time derivative"):
        Initial(u=0.0, u_t=0.0, extended={"u": torch.sin})


def test_the_error_function_is_known() -> None:
    assert "erf" in FUNCTIONS
