"""Networks: the published parameter counts, plain tensors in and out, twins, refusals."""

from __future__ import annotations

import pytest
import torch
from helpers import small_network

from mask_pinns import NETWORKS, PROBLEMS, Objective
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.activations import ACTIVATIONS
from mask_pinns.jets.engines import by_autograd, by_jet
from mask_pinns.jets.norms import BatchNorm, LayerNorm
from mask_pinns.networks import make_network, matched_width
from mask_pinns.objective.jacobian import Jacobian


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


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("masked", [False, True])
def test_mask_composes_with_every_network(name: str, masked: bool) -> None:
    network = make_network({"name": name, "width": 5, "blocks": 1, "mask": masked}, 2, 1)
    assert all((layer.alpha is not None) == masked for layer in network.hidden().values())
    network(torch.randn(7, 2)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_hidden_names_are_in_the_order_in_which_features_pass(name: str) -> None:
    network = make_network({"name": name, "width": 5, "blocks": 2}, 2, 1)
    names, seen = {layer: key for key, layer in network.hidden().items()}, []
    for layer in names:
        layer.register_forward_hook(lambda module, *_: seen.append(names[module]))
    network(torch.randn(3, 2))
    ends_first = sorted(seen, key=lambda key: key.startswith("gate"), reverse=True)  # gates may pass beside the input
    assert sorted(names.values(), key=lambda key: key.startswith("gate"), reverse=True) == ends_first


@pytest.mark.usefixtures("float64")
def test_layer_norm_is_torchs() -> None:
    norm, own, z = torch.nn.LayerNorm(6), LayerNorm(6), torch.randn(9, 6)
    torch.testing.assert_close(own(Jet.constant(z)).value, norm(z))


@pytest.mark.usefixtures("float64")
def test_batch_norm_is_torchs_in_training_and_evaluation() -> None:
    norm, own = torch.nn.BatchNorm1d(6), BatchNorm(6)
    for _ in range(3):
        z = (3 * torch.randn(9, 6) + 1).requires_grad_()
        for module, value in ((norm, norm(z)), (own, own(Jet.constant(z)).value)):
            (value**3).sum().backward()
            module.gradient, z.grad = z.grad, None
        torch.testing.assert_close(own.gradient, norm.gradient)
    torch.testing.assert_close(own.mean, norm.running_mean)
    torch.testing.assert_close(own.variance * 9 / 8 - norm.running_var, (own.variance * 0 + 1) * 0.9**3 / 8)
    norm.running_var = own.variance.clone()
    torch.testing.assert_close(own.eval()(Jet.constant(z)).value, norm.eval()(z))


@pytest.mark.usefixtures("float64")
def test_batch_statistics_are_constants_for_the_derivatives_by_coordinates(monkeypatch: pytest.MonkeyPatch) -> None:
    """In training, jets equal nested autograd through the same network with the batch's statistics as constants."""
    network, derivatives = small_network("batchnorm", 2, 1), Derivatives(("xx", "xt"))
    x = torch.randn(9, 2)
    monkeypatch.setattr("mask_pinns.jets.norms.AVERAGING_RATE", 1.0)  # the running averages are then the last batch's
    jet = by_jet(network.train(), x, "xt", derivatives)
    constant = by_autograd(network.eval(), x, "xt", derivatives)
    coupled = by_autograd(network.train(), x, "xt", derivatives)
    for m in derivatives.indices:
        torch.testing.assert_close(jet[m], constant[m])
    assert (coupled["xx"] - constant["xx"]).norm() > 0.01 * constant["xx"].norm(), "else there is nothing to decide"


@pytest.mark.usefixtures("float64")
def test_gauss_newton_refuses_batch_statistics() -> None:
    with pytest.raises(ValueError, match="ssbroyden"):
        Jacobian(Objective(PROBLEMS["wave"]()), small_network("batchnorm", 2, 1))


def test_piratenet_begins_as_a_shallow_network() -> None:
    network = make_network({"name": "piratenet", "width": 5, "blocks": 3}, 2, 1)
    x = torch.randn(7, 2)
    torch.testing.assert_close(network(x), network.output(network.input(Jet.constant(x))).value)


def test_modified_mlp_by_hand() -> None:
    """H <- (1 - Z) V + Z U with Z = tanh(W H + b), in plain torch."""
    network = small_network("modified_mlp", 2, 1, "tanh")
    x = torch.randn(7, 2)

    def layer(module: torch.nn.Module, h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.nn.functional.linear(h, module[0].weight, module[0].bias))

    u, v, h = layer(network.u, x), layer(network.v, x), layer(network.input, x)
    for module in network.gated:
        z = layer(module, h)
        h = (1 - z) * v + z * u
    torch.testing.assert_close(network(x), torch.nn.functional.linear(h, network.output.weight, network.output.bias))


def test_siren_keeps_its_features_spread() -> None:
    """Pre-activations behind the first layer have a standard deviation of about one at any depth (its Theorem 1.8)."""
    torch.manual_seed(0)
    network, seen = make_network({"name": "siren", "width": 256, "blocks": 4}, 2, 1), []
    for layer in network.hidden().values():
        layer.register_forward_hook(lambda module, z, _: seen.append(module.scaled(z[0].value).std().item()))
    network(torch.rand(500, 2) * 2 - 1)
    assert all(0.8 < std < 2.2 for std in seen[1:]), seen


@pytest.mark.parametrize("name", NETWORKS)
def test_matched_width_comes_nearest(name: str) -> None:
    target = parameters(NETWORKS["masked"](2, 1, width=32, blocks=2))
    spec = {"name": name, "blocks": 2}
    off = {w: abs(parameters(make_network(spec | {"width": w}, 2, 1)) - target) for w in range(20, 40)}
    assert matched_width(spec, target, 2, 1) == min(off, key=off.__getitem__)


def test_matched_width_refuses_what_cannot_be_matched() -> None:
    with pytest.raises(ValueError, match="parameters at width 1"):
        matched_width({"name": "masked", "blocks": 50}, 5, 2, 1)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("maskd", "did you mean 'masked'"),
        ({"name": "masked", "width": 0}, "width is 0"),
        ({"name": "masked", "blocks": -1}, "blocks is -1"),
        ({"name": "masked", "activation": "gleu"}, "did you mean 'gelu'"),
        ({"name": "masked", "wdith": 3}, "did you mean 'width'"),
        ({"name": "masked", "norm": "layr"}, "did you mean 'layer'"),
        ({"name": "siren", "omega": 0.0}, "omega is 0"),
        ({"name": "piratenet", "input_layer": False}, "embed them"),
        ({"width": 3}, "has no name"),
    ],
)
def test_refusals_name_the_culprit(spec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(spec, 2, 1)
