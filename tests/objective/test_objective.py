"""The objective: the published loss by hand, the same by both engines, one vector for least squares."""

from __future__ import annotations

from math import pi

import pytest
import torch
from helpers import small_network

from mask_pinns import NETWORKS, PROBLEMS, Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.objective.checks import check_objective
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_loss_and_gradient_equal_nested_autograd(problem: str, network: str) -> None:
    problem = make_problem(problem)
    network = small_network(
        network, len(problem.domain), len(problem.fields), "tanh"
    ).eval()  # points apart, batch statistics or not
    points = PointsDataModule(problem, points=60).draw(3)
    results = {}
    for engine in ("jet", "autograd"):
        loss, terms = Objective(problem, derivatives=engine).loss(network, points)
        gradient = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, materialize_grads=True)
        results[engine] = loss, terms, gradient
    torch.testing.assert_close(results["jet"], results["autograd"], rtol=1e-10, atol=1e-12)


def test_the_published_wave_loss_by_hand() -> None:
    """Mean squares; the two initial terms inside one mean, the two walls inside another."""
    problem, network = make_problem("wave"), small_network("masked", 2, 1)
    data = PointsDataModule(problem, points={"pde": 40, "initial": 30, "dirichlet_x": 20})
    points = data.draw(0)

    def u(x, t):
        return network(torch.stack([x, t], 1))[:, 0]

    def d(y, x):
        return torch.autograd.grad(y.sum(), x, create_graph=True)[0]

    x, t = (points["pde"][:, i].clone().requires_grad_() for i in (0, 1))
    y = u(x, t)
    pde = (d(d(y, t), t) - d(d(y, x), x)).square().mean()
    x0, t0 = (points["initial"][:, i].clone().requires_grad_() for i in (0, 1))
    y0 = u(x0, t0)
    initial = ((y0 - torch.sin(pi * x0)) ** 2 + d(y0, t0) ** 2).mean()
    walls = points["dirichlet_x"].split(20)
    boundary = (u(*walls[0].T) ** 2 + u(*walls[1].T) ** 2).mean()
    loss, terms = Objective(problem).loss(network, points)
    torch.testing.assert_close(loss, pde + initial + boundary)
    assert list(terms) == ["pde", "initial.u", "initial.u_t", "dirichlet_x"]


def test_weights_by_term_and_by_residual() -> None:
    problem, network = make_problem("wave"), small_network("masked", 2, 1)
    points = PointsDataModule(problem, points=30).draw(0)
    _, t = Objective(problem).loss(network, points)
    loss, _ = Objective(problem, weights={"initial": 10.0, "initial.u_t": 3.0, "pde": 0.5}).loss(network, points)
    expected = 0.5 * t["pde"] + 10 * t["initial.u"] + 3 * t["initial.u_t"] + t["dirichlet_x"]
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_squared_residual_vector_is_the_loss(problem: str) -> None:
    problem = make_problem(problem)
    network = small_network("masked", len(problem.domain), len(problem.fields))
    objective = Objective(problem, weights={"pde": 0.3})
    points = PointsDataModule(problem, points=30).draw(0)
    torch.testing.assert_close(
        objective.residual_vector(network, points).square().sum(), objective.loss(network, points)[0]
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"inital": 1.0}, "did you mean 'initial'"),
        ({"initial": -1.0}, "weight of 'initial' is -1.0"),
        ({"initial": float("nan")}, "weight of 'initial' is nan"),
    ],
)
def test_weights_that_fit_no_term_are_refused(weights, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Objective(make_problem("wave"), weights=weights)


def test_a_weight_for_a_residual_that_does_not_exist_is_refused_by_the_check() -> None:
    problem = make_problem("wave")
    with pytest.raises(ValueError, match=r"did you mean 'initial\.u"):
        check_objective(Objective(problem, weights={"initial.u_x": 1.0}), small_network("masked", 2, 1))


def test_a_network_with_the_wrong_number_of_fields_is_refused() -> None:
    problem = make_problem("wave")
    with pytest.raises(ValueError, match=r"expected \(50, 1\)"):
        Objective(problem).loss(small_network("masked", 2, 3), PointsDataModule(problem, points=50).draw(0))
