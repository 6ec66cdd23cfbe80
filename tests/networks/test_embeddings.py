"""Embeddings: exact periods, scales, frequencies, names of layers; which ones are refused."""

from __future__ import annotations

from math import pi

import pytest
import torch
from waves import Waves, build, inside

from mask_pinns import NETWORKS, Box, Initial, MaskPINN, Periodic, Problem
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.engines import by_jet
from mask_pinns.networks.assembly import assemble
from mask_pinns.problems.loading import make_problem


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("embedding", ["periodic", "all"])
def test_periodic_to_rounding_with_its_derivatives(embedding: str, dtype: torch.dtype) -> None:
    """Built in float32, whatever it is cast to: the period is exact in the dtype of the points."""
    network = build("masked", embedding, ()).to(dtype)
    low = inside(Waves.domain, 20).to(dtype)
    low[:, 2] = 0.0
    high = low.clone()
    high[:, 2] = 3.0
    derivatives = Derivatives(("yyy", "txy"))
    a, b = (by_jet(network, x, "txy", derivatives) for x in (low, high))
    for m in derivatives.indices:
        assert (a[m] - b[m]).abs().max() <= 100 * torch.finfo(dtype).eps * a[m].abs().max(), m
    middle = low.clone()
    middle[:, 2] = 1.3
    assert (network(low) - network(middle)).abs().max() > 1e-3, "it does depend on y"


def test_normalized_inputs_fill_the_box_from_minus_one_to_one() -> None:
    network = assemble("mlp", Waves(), embedding={"normalize": True})
    corners = torch.tensor([[0.5, -1.0, 0.0], [2.0, 2.0, 3.0], [1.25, 0.5, 1.5]])
    torch.testing.assert_close(
        network.embedding(Jet.constant(corners)).value, torch.tensor([[-1.0], [1], [0]]) + torch.zeros(3, 3)
    )


def test_scales_stretch_their_coordinates() -> None:
    x = torch.tensor([[0.5, -1.0, 3.0]])
    raw = assemble("mlp", Waves(), embedding={"scale": {Waves.domain.names[0]: 4.0}})
    torch.testing.assert_close(raw.embedding(Jet.constant(x)).value, torch.tensor([[2.0, -1.0, 3.0]]))
    mapped = assemble("mlp", Waves(), embedding={"scale": {Waves.domain.names[0]: 4.0}, "normalize": True})
    plain = assemble("mlp", Waves(), embedding={"normalize": True})
    torch.testing.assert_close(
        mapped.embedding(Jet.constant(x)).value,
        plain.embedding(Jet.constant(x)).value * torch.tensor([4.0, 1.0, 1.0]),
    )


def test_first_scale_multiplies_the_first_layer_alone() -> None:
    weights = []
    for scale in (1.0, 4.0):
        torch.manual_seed(0)
        weights.append(NETWORKS["masked"](2, 1, width=5, blocks=1, first_scale=scale).state_dict())
    for key, w in weights[0].items():
        torch.testing.assert_close(weights[1][key], w * (4 if key == "input.0.weight" else 1))


def test_first_bias_spreads_the_first_layers_phases_alone() -> None:
    torch.manual_seed(0)
    state = NETWORKS["masked"](2, 1, width=500, blocks=1, first_bias=pi).state_dict()
    first = state["input.0.bias"]
    assert first.abs().max() <= pi
    torch.testing.assert_close(first.std(), torch.tensor(pi / 3**0.5), rtol=0.1, atol=0)
    assert all(not b.any() for k, b in state.items() if k.endswith("bias") and k != "input.0.bias")
    with pytest.raises(ValueError, match="first_bias is -1"):
        NETWORKS["masked"](2, 1, first_bias=-1.0)


def test_layers_keep_their_names_behind_an_embedding() -> None:
    assert list(build("masked", "all").hidden()) == ["input", "block1.1", "block1.2"]


def test_the_published_kdv_network_has_as_many_parameters() -> None:
    """Frequencies 3 x 64; two blocks of two masked layers 128 x (128 + bias + alpha); output 128 + 1."""

    class KdV(Problem):
        domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
        derivatives = ("t", "xxx")
        conditions = (Initial(u=lambda p: torch.cos(pi * p.x)), Periodic("x", order=2))

        def residual(self, p, u):
            return u.t + u * u.x + 0.022**2 * u.xxx

    model = MaskPINN(
        KdV(),
        {"name": "masked", "width": 128, "blocks": 2, "activation": "tanh", "input_layer": False},
        embedding={"periodic": "x", "fourier": 64, "fourier_std": 2.0, "fourier_trainable": True,
                   "fourier_activation": "tanh"},
    )  # fmt: skip
    assert sum(p.numel() for p in model.network.parameters()) == 3 * 64 + 4 * 128 * 130 + 129 == 66_881
    x = torch.tensor([[0.3, 0.7]])
    inputs = model.network.embedding[0](Jet.constant(x)).value[0]
    torch.testing.assert_close(inputs, torch.tensor([0.7, torch.cos(pi * x[0, 0]), torch.sin(pi * x[0, 0])]))
    assert list(model.network.hidden()) == ["block1.1", "block1.2", "block2.1", "block2.2"]


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ({"periodic": ["z"]}, "no coordinate 'z'; it has x, t"),
        ({"periodic": ["x", "x"]}, "'x' twice"),
        ({"periodic": "x", "harmonics": 0}, "harmonics is 0"),
        ({"scale": {"q": 2.0}}, "no coordinate 'q'"),
        ({"scale": {"t": 0.0}}, "scale of 't' is 0.0"),
        ({"scale": {"t": float("inf")}}, "scale of 't' is inf"),
        ({"periodic": "x", "scale": {"x": 2.0}}, "it is periodic, take more harmonics"),
        ({"fourier": -1}, "fourier -1"),
        ({"fourier": 3, "fourier_std": 0.0}, "fourier_std 0.0"),
        ({"fourier": 3, "fourier_activation": "tnh"}, "did you mean 'tanh'"),
        ({"peridic": ["x"]}, "did you mean 'periodic'"),
    ],
)
def test_embeddings_that_are_refused(embedding, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assemble("masked", make_problem("wave"), embedding=embedding)
