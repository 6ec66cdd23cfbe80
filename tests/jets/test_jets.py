"""Jets against nested autograd, in float64: every activation, network and order; and the algebra by itself."""

from __future__ import annotations

import pytest
import torch
from helpers import small_network

from mask_pinns import NETWORKS
from mask_pinns.jets import Derivatives, Jet, canonical
from mask_pinns.jets.activations import ACTIVATIONS
from mask_pinns.jets.engines import by_autograd, by_jet

pytestmark = pytest.mark.usefixtures("float64")

ORDERS = [("x",), ("xx", "tt"), ("xt",), ("xxx", "txx"), ("xxxx", "ttyy", "xxty", "xyt")]


CASES = [
    (name, activation, ORDERS[(i + j) % len(ORDERS)])
    for i, name in enumerate(NETWORKS) for j, activation in enumerate(ACTIVATIONS)
]  # fmt: skip
"""Every pair of a network, an activation and derivatives."""


@pytest.mark.parametrize(("name", "activation", "declared"), CASES)
def test_jets_equal_nested_autograd(name: str, activation: str, declared: tuple[str, ...]) -> None:
    network = small_network(name, 3, 2, activation).eval()  # pointwise: batch statistics are compared with it elsewhere
    x = torch.randn(9, 3, generator=torch.Generator().manual_seed(1))
    derivatives = Derivatives(declared)
    jet = by_jet(network, x, "txy", derivatives)
    reference = by_autograd(network, x, "txy", derivatives)
    for m in derivatives.indices:
        expected = reference[m]
        got = torch.zeros_like(expected) if jet[m] is None else jet[m].expand_as(expected)
        tolerance = 1e-10 if len(m) < 4 else 1e-9  # nested four deep, autograd itself loses a digit more
        assert (got - expected).norm() <= tolerance * expected.norm() + (0.0 if activation != "identity" else 1e-12), m


def test_autograd_engine_matches_finite_differences() -> None:
    """The reference itself is checked by a third way."""
    network = small_network("masked", 2, 1, "tanh")
    x, h = torch.tensor([[0.3, -0.2], [0.7, 0.4]]), 1e-3
    jet = by_autograd(network, x, "xt", Derivatives(("xx", "xt")))
    ex, et = torch.tensor([h, 0.0]), torch.tensor([0.0, h])
    second = (network(x + ex) - 2 * network(x) + network(x - ex)) / h**2
    mixed = network(x + ex + et) - network(x + ex - et) - network(x - ex + et) + network(x - ex - et)
    torch.testing.assert_close(jet["xx"], second, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(jet["tx"], mixed / (4 * h**2), atol=1e-5, rtol=1e-5)


def test_derivatives_are_closed_downward() -> None:
    assert Derivatives(("xxt",)).indices == ("", "t", "x", "tx", "xx", "txx")
    assert "xt" in Derivatives(("tx",))
    assert "xx" not in Derivatives(("tx",))
    assert canonical("yxt") == "txy"


def test_order_above_four_is_refused() -> None:
    with pytest.raises(ValueError, match="order 5"):
        Derivatives(("xxxxx",))


def test_product_of_jets_obeys_leibniz() -> None:
    """sin(x t) * (x + t) by jets against autograd."""
    x = torch.randn(5, 2)
    derivatives = Derivatives(("xxt", "tt"))

    class Product(torch.nn.Module):
        def forward(self, p: torch.Tensor) -> torch.Tensor:
            return torch.sin(p[:, :1] * p[:, 1:]) * (p[:, :1] + p[:, 1:])

    expected = by_autograd(Product(), x, "xt", derivatives)
    p = Jet.of_coordinates(x, "xt", derivatives)
    first, second = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    xt = p.linear(first) * p.linear(second)
    product = xt.compose(ACTIVATIONS["sin"](xt.value, derivatives.order)) * p.linear(first + second)
    for m in derivatives.indices:
        torch.testing.assert_close(product[m], expected[m], msg=m)


def test_constant_factor_and_sum() -> None:
    p = Jet.of_coordinates(torch.randn(4, 1), "x", Derivatives(("x",)))
    both = 3.0 * p + p * p
    torch.testing.assert_close(both.value, 3 * p.value + p.value**2)
    torch.testing.assert_close(both["x"], 3 + 2 * p.value)


def test_a_network_not_made_of_jets_is_sent_to_autograd() -> None:
    with pytest.raises(ValueError, match="--derivatives autograd"):
        by_jet(torch.nn.Linear(2, 1), torch.zeros(3, 2), "xt", Derivatives(("x",)))
