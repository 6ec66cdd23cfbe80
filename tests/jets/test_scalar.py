"""Functions of coordinates, written with torch: their derivatives by jets equal autograd."""

from __future__ import annotations

import pytest
import torch

from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.engines import by_autograd
from mask_pinns.jets.scalar import FUNCTIONS, Scalar


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_their_own_derivatives(float64, name: str) -> None:
    class Applied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(torch, name)(x)

    x, derivatives = torch.rand(7, 1) + 0.3, Derivatives(("xxxx",))
    got = getattr(torch, name)(Scalar(Jet.of_coordinates(x, "x", derivatives))).jet
    for m, expected in by_autograd(Applied(), x, "x", derivatives).streams.items():
        torch.testing.assert_close(torch.zeros_like(x) if got[m] is None else got[m], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 2 - x / 3 + 1 / x - (-x) ** 3,
        lambda x: x**0.5 / (1 + x**2) - x * x.exp(),
        lambda x: torch.mul(x, 2.0) + torch.full_like(x, 3.0) - torch.ones_like(x) + torch.zeros_like(x) + x**0,
        lambda x: 1 / torch.cosh(x - 0.5) ** 2 + torch.pow(x, 3) - torch.div(x, 4.0) + torch.sub(x, 1.0),
    ],
)
def test_arithmetic_of_numbers(float64, function) -> None:
    class Applied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return function(x)

    x, derivatives = torch.rand(7, 1) + 0.3, Derivatives(("xxxx",))
    got = function(Scalar(Jet.of_coordinates(x, "x", derivatives))).jet
    for m, expected in by_autograd(Applied(), x, "x", derivatives).streams.items():
        stream = torch.zeros_like(x) if got[m] is None else got[m].expand(7, 1)
        torch.testing.assert_close(stream, expected, rtol=1e-12, atol=1e-12)
