"""Networks: the published parameter counts, plain tensors in and out, twins, refusals."""

from __future__ import annotations

import pytest
import torch
from conftest import small_network

from mask_pinns import NETWORKS
from mask_pinns.activations import ACTIVATIONS
from mask_pinns.networks import make_network


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("width", "blocks", "count"), [(64, 3, 25_665), (256, 6, 793_857), (128, 5, 167_041)])
def test_published_parameter_counts(width: int, blocks: int, count: int) -> None:
    assert parameters(NETWORKS["masked"](2, 1, width=width, blocks=blocks)) == count


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_tensor_in_tensor_out(name: str, activation: str) -> None:
    y = small_network(name, 3, 2, activation)(torch.randn(5, 3))
    assert isinstance(y, torch.Tensor)
    assert y.shape == (5, 2)


def test_masked_network_by_hand() -> None:
    """The published formula written out in plain torch."""
    network = small_network("masked", 2, 1, "gelu")
    x = torch.randn(11, 2)

    def masked(layer, h):
        linear, activation = layer
        z = torch.nn.functional.linear(h, linear.weight, linear.bias)
        return torch.nn.functional.gelu(z) * (1 - torch.exp(-((activation.alpha * z) ** 2)))

    h = masked(network.input, x)
    for first, second in network.blocks:
        h = h + masked(second, masked(first, h))
    torch.testing.assert_close(network(x), torch.nn.functional.linear(h, network.output.weight, network.output.bias))


def test_residual_is_masked_with_the_mask_wide_open() -> None:
    masked, plain = small_network("masked", 2, 1), small_network("residual", 2, 1)
    weights = {k: v for k, v in masked.state_dict().items() if not k.endswith("alpha")}
    plain.load_state_dict(weights)
    with torch.no_grad():
        for name, p in masked.named_parameters():
            if name.endswith("alpha"):
                p.fill_(1e6)
    x = torch.randn(20, 2)
    torch.testing.assert_close(masked(x), plain(x))


def test_initialization_is_xavier_normal_with_zero_biases() -> None:
    torch.manual_seed(0)
    network = NETWORKS["masked"](2, 1, width=400, blocks=1)
    linear = network.blocks[0][0][0]
    assert linear.bias.abs().max() == 0
    assert linear.weight.std().item() == pytest.approx((2 / 800) ** 0.5, rel=0.02)
    assert torch.all(network.input[1].alpha == 1)


def test_hidden_layers_in_the_order_of_the_network() -> None:
    assert list(NETWORKS["masked"](2, 1, width=3, blocks=2).hidden()) == [
        "input", "block1.1", "block1.2", "block2.1", "block2.2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("maskd", "did you mean 'masked'"),
        ({"name": "masked", "width": 0}, "width is 0"),
        ({"name": "masked", "blocks": -1}, "blocks is -1"),
        ({"name": "masked", "activation": "gleu"}, "did you mean 'gelu'"),
        ({"name": "masked", "wdith": 3}, "did you mean 'width'"),
        ({"width": 3}, "has no name"),
    ],
)
def test_refusals_name_the_culprit(spec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(spec, 2, 1)
