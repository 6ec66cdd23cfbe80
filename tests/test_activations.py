"""Activations against torch's own functions and autograd; the mask's properties."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mask_pinns.activations import ACTIVATIONS, flat_share, mask
from mask_pinns.layers import Activation

pytestmark = pytest.mark.usefixtures("float64")

TORCH = {
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "identity": lambda z: z,
}


def test_every_activation_has_a_reference() -> None:
    assert TORCH.keys() == ACTIVATIONS.keys()


def nested(function, z: torch.Tensor, order: int) -> list[torch.Tensor]:
    z = z.clone().requires_grad_()
    values = [function(z)]
    for _ in range(order):
        slope = torch.autograd.grad(values[-1].sum(), z, create_graph=True)[0] if values[-1].requires_grad else 0 * z
        values.append(slope)
    return [v.detach() for v in values]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_derivatives_equal_autograd(name: str, order: int) -> None:
    z = torch.linspace(-6, 6, 101)
    got = ACTIVATIONS[name](z, order)
    assert len(got) == order + 1
    for k, (a, b) in enumerate(zip(got, nested(TORCH[name], z, order), strict=True)):
        a = torch.zeros_like(z) if a is None else a
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12, msg=f"order {k}")


@pytest.mark.parametrize("alpha", [0.5, 1.0, -2.0, 20.0])
def test_mask_derivatives_equal_autograd(alpha: float) -> None:
    z, a = torch.linspace(-3, 3, 101), torch.tensor(alpha)
    got = mask(z, a, 4)
    for value, expected in zip(got, nested(lambda z: 1 - torch.exp(-((a * z) ** 2)), z, 4), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-9 * abs(alpha) ** 4)


def test_mask_is_zero_at_zero_even_and_tends_to_one() -> None:
    z, alpha = torch.linspace(0, 10, 50), torch.tensor(0.7)
    assert mask(torch.zeros(1), alpha, 0)[0].item() == 0.0
    torch.testing.assert_close(mask(z, alpha, 0)[0], mask(-z, alpha, 0)[0], rtol=0, atol=0)
    torch.testing.assert_close(mask(z, alpha, 0)[0], mask(z, -alpha, 0)[0], rtol=0, atol=0)
    assert mask(torch.tensor([100.0]), alpha, 0)[0].item() == 1.0


def test_mask_keeps_its_digits_at_small_arguments() -> None:
    """1 - exp(-w^2) would give zero; the mask is w^2 to leading order."""
    z = torch.tensor([1e-10])
    assert mask(z, torch.tensor(1.0), 0)[0].item() == pytest.approx(1e-20, rel=1e-12)


def test_gradient_in_alpha_by_finite_differences() -> None:
    z, h = torch.linspace(-2, 2, 21), 1e-6
    alpha = torch.tensor(0.8, requires_grad=True)
    mask(z, alpha, 0)[0].sum().backward()
    with torch.no_grad():
        numeric = (mask(z, alpha + h, 0)[0].sum() - mask(z, alpha - h, 0)[0].sum()) / (2 * h)
    torch.testing.assert_close(alpha.grad, numeric, rtol=1e-8, atol=1e-8)


def test_a_mask_that_could_never_open_is_refused() -> None:
    with pytest.raises(ValueError, match="mask_init is 0"):
        Activation("tanh", 4, mask_init=0.0)


def test_saturation_is_the_share_of_flat_slopes() -> None:
    z = torch.tensor([0.0, 1.0, 5.0, -5.0])  # tanh' = 1, 0.42, 2e-4, 2e-4
    assert flat_share("tanh", z).item() == 0.5
    assert flat_share("sin", z).item() == 0.0
