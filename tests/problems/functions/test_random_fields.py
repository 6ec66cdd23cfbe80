"""Random fields: their statistics, their derivatives by jets, and use in a problem."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mask_pinns import Box, Initial, MaskPINN, Problem, RandomField
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.engines import by_autograd
from mask_pinns.jets.scalar import Scalar

START = RandomField("x", length=0.4, mean=2.0, waves=7, seed=3)


class Rough(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=START),)

    def residual(self, p, u):
        return u.t - torch.exp(START(p)) * u.xx


def test_mean_and_covariance_over_seeds() -> None:
    at = {"x": np.array([0.0, 0.3, 0.9]), "y": np.array([0.0, 0.4, 0.1])}
    drawn = [
        RandomField("x", "y", length=(0.5, 0.8), mean=1.0, std=0.6, waves=20, seed=s).on(**at) for s in range(4000)
    ]
    difference = [(at[c][:, None] - at[c]) / length for c, length in (("x", 0.5), ("y", 0.8))]
    expected = 0.6**2 * np.exp(-(difference[0] ** 2 + difference[1] ** 2) / 2)
    np.testing.assert_allclose(np.mean(drawn, 0), 1.0, atol=4 * 0.6 / 4000**0.5)
    np.testing.assert_allclose(np.cov(np.transpose(drawn)), expected, atol=6 * 0.6**2 / 4000**0.5)


def test_points_arrays_and_jets_agree(float64) -> None:
    class Applied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return START(SimpleNamespace(x=x[:, 0]))[:, None]

    x, derivatives = torch.linspace(0, 1, 5)[:, None], Derivatives(("xx",))
    np.testing.assert_allclose(Applied()(x)[:, 0], START.on(x=x[:, 0].numpy()), rtol=1e-13)
    got = START(SimpleNamespace(x=Scalar(Jet.of_coordinates(x, "x", derivatives)))).jet
    for m, expected in by_autograd(Applied(), x, "x", derivatives).streams.items():
        torch.testing.assert_close(got[m], expected, rtol=1e-12, atol=1e-12)


def test_a_start_of_a_problem_is_exact_and_a_coefficient_is_used(float64) -> None:
    module = MaskPINN(Rough(), {"name": "masked", "width": 4, "blocks": 1}, exact="all")
    x = torch.rand(6, 1)
    at_start = torch.cat([x, torch.zeros_like(x)], 1)
    np.testing.assert_allclose(module.double().predict(at_start)[:, 0], START.on(x=x[:, 0].numpy()), rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"length": -1.0}, "length is -1.0; expected positive"),
        ({"length": (1.0, 2.0)}, "expected a length for each coordinate"),
        ({"length": 1.0, "waves": 0}, "waves 1 or more"),
        ({"length": 1.0, "std": float("nan")}, "expected numbers"),
    ],
)
def test_mistakes(words, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomField("x", **words)
