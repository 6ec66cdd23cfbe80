"""Weights of terms: those that conditions declare, and causal weights on a time that does not begin at zero."""

from __future__ import annotations

import pytest
import torch
from helpers import small_network

from mask_pinns import Box, Dirichlet, Initial, Objective, PointsDataModule, Problem
from mask_pinns.objective.adaptive_weights import causal_weights


class Late(Problem):
    """u_t + u = 0 for t in [1, 2], with weights of its conditions."""

    domain = Box(x=(0.0, 1.0), t=(1.0, 2.0))
    derivatives = ("t",)
    conditions = (Initial(u=1.0, weight=5.0), Dirichlet("x", u=0.0, weight=3.0))

    def residual(self, p, u):
        return u.t + u


@pytest.mark.usefixtures("float64")
def test_the_weights_that_conditions_declare_count_unless_others_are_given() -> None:
    problem, network = Late(), small_network("masked", 2, 1)
    points = PointsDataModule(problem, points=40).draw(0)
    for given, expected in (
        ({}, {"pde": 1.0, "initial": 5.0, "dirichlet_x": 3.0}),
        ({"conditions": 7.0}, {"pde": 1.0, "initial": 7.0, "dirichlet_x": 7.0}),
        ({"initial": 2.0, "conditions": 7.0, "pde": 0.5}, {"pde": 0.5, "initial": 2.0, "dirichlet_x": 7.0}),
    ):
        loss, terms = Objective(problem, weights=given).loss(network, points)
        torch.testing.assert_close(loss, sum(expected[name] * terms[name] for name in terms))


@pytest.mark.usefixtures("float64")
def test_causal_weights_measure_time_from_the_start_of_the_domain() -> None:
    problem, network = Late(), small_network("masked", 2, 1)
    points = PointsDataModule(problem, points=400).draw(0)
    residual = Objective(problem, causal=3.0).residuals(network, points)["pde"]
    time = points["pde"][:, 1] - 1.0
    expected = causal_weights([residual.vector], time, 3.0)
    torch.testing.assert_close(residual.adaptive_weight, expected)
    assert expected.min() < 0.9 < expected.max()
