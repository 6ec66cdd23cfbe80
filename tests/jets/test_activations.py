"""Activations against torch's own functions and autograd; the mask's properties."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mask_pinns.jets.activations import ACTIVATIONS, flat_share, mask
from mask_pinns.jets.layers import Activation

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


# Where an activation is flat, by hand: below the first number or above the second; None: not on that side.
EDGES = {
    "gelu": (-2.35, None),
    "tanh": (-2.18, 2.18),
    "sin": (None, None),
    "silu": (-4.08, None),
    "sigmoid": (-2.89, 2.89),
    "softplus": (-2.94, None),
    "identity": (None, None),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_saturation_counts_flat_tails_and_no_turning_point(name: str) -> None:
    """One entry at a time, from -12 to 12: the minimum of GELU and SiLU is not flat."""
    below, above = EDGES[name]
    for z in torch.arange(-12, 12, 0.02):
        near = min(abs(z - edge) for edge in (below, above, 99.0) if edge is not None)
        expected = (below is not None and z < below) or (above is not None and z > above)
        assert near < 0.01 or bool(flat_share(name, z)) == expected, f"at {z:.2f}"


def test_saturation_is_a_share_and_unknown_where_z_is() -> None:
    assert flat_share("tanh", torch.tensor([0.0, 1.0, 5.0, -5.0])) == 0.5
    assert flat_share("sin", torch.tensor([torch.nan, 1.0])).isnan()
