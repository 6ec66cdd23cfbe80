"""Numbers of every layer against direct computations."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from helpers import module, small_network
from scipy import stats
from torch import nn

from mask_pinns import NETWORKS, Box, MaskPINN
from mask_pinns.callbacks import FeatureStatistics
from mask_pinns.callbacks.features.callback import HEATMAP_QUANTITIES, custom_scalars
from mask_pinns.callbacks.features.glossary import STAGES, as_markdown, explained_quantities
from mask_pinns.callbacks.features.observer import PROBE_STEP, Observer, statistics
from mask_pinns.callbacks.features.probes import capture_layers, probe_points
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd

BOX = Box(x=(0, 1), t=(0, 5))


def numbers_of(x: torch.Tensor) -> dict[str, float]:
    """What every stage has, by numpy and scipy over all entries."""
    flat = x.detach().numpy().ravel()
    p01, p25, median, p75, p99 = np.quantile(flat, [0.01, 0.25, 0.5, 0.75, 0.99])
    return {
        "mean": flat.mean(), "std": flat.std(), "skewness": stats.skew(flat), "kurtosis": stats.kurtosis(flat),
        "p01": p01, "p25": p25, "median": median, "p75": p75, "p99": p99,
    }  # fmt: skip


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_is_recorded_layer_by_layer(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features as they pass, their derivatives by nested autograd, and the weight in front of every layer.

    Batchnorm is recorded with the probes' mean and variance: the reference has those as its running averages.
    """
    net, x = small_network(network, 2, 1, "tanh"), probe_points(BOX, 50)
    recorded, maps = (
        capture_layers(net, x, BOX.names, ("tt", "xx")),
        [m for m in net.modules() if isinstance(m, nn.Linear)],
    )
    monkeypatch.setattr("mask_pinns.jets.norms.AVERAGING_RATE", 1.0)
    net.train()(x)
    net.eval()
    assert [id(recorded[name].weight) for name in (*net.hidden(), "output")] == [id(m.weight) for m in maps]
    for name, activation in net.hidden().items():

        def feature(x: torch.Tensor, activation: Any = activation) -> torch.Tensor:
            features: list[torch.Tensor] = []
            handle = activation.register_forward_hook(lambda *jets: features.append(jets[-1].value))
            net(x)
            handle.remove()
            return features[0]

        jet = by_autograd(feature, x, BOX.names, Derivatives(("tt", "xx")))
        for m in ("", "tt", "x"):
            torch.testing.assert_close(recorded[name].stages[f"feature_{m}".rstrip("_")], jet[m], rtol=1e-9, atol=1e-10)


class ByHand:
    """A network of our layers written out: after x, h = tanh(W h + b) with its mask, and the connections past two."""

    def __init__(self, network: nn.Module, skips: bool) -> None:
        self.layers = [layer for layer in network.modules() if type(layer).__name__ == "Masked"]
        self.skips = skips

    def __call__(self, x: torch.Tensor, depth: int) -> tuple[torch.Tensor, ...]:
        """z, tanh(z), h and the end of the block, if there is one, of the layer of this depth."""
        h = before = x
        for i, (linear, activation) in enumerate(self.layers[: depth + 1]):
            z = h @ linear.weight.T + linear.bias
            m = 1 - torch.exp(-((activation.alpha * z) ** 2)) if activation.alpha is not None else 1.0
            h = inner = torch.tanh(z) * m
            if i in (2, 4) and self.skips:
                h = before + inner
            before = h if i % 2 == 0 else before
        return z, torch.tanh(z), inner, h


def mask_numbers(z: torch.Tensor, alpha: torch.Tensor) -> dict[str, float]:
    opened = 1 - torch.exp(-((alpha * z) ** 2))
    closed = (opened.max(0).values < 0.01).double().mean()
    return {"mask/openness": opened.mean(), "mask/closed": closed, "mask/alpha_std": alpha.abs().std(correction=0)}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("network", ["masked", "residual", "mlp"])
def test_statistics_equal_a_direct_computation(network: str) -> None:
    """Layer by layer by hand; derivative features by nested autograd through the layers before."""
    net, x, derivatives = small_network(network, 2, 1, "tanh"), probe_points(BOX, 100), Derivatives(("tt", "xx"))
    recorded = capture_layers(net, x, BOX.names, ("tt", "xx"))
    assert list(recorded) == ["input", "block1.1", "block1.2", "block1", "block2.1", "block2.2", "block2", "output"]
    by_hand = ByHand(net, skips=network != "mlp")
    for depth, name in enumerate(name for name in recorded if "." in name or name == "input"):
        z, activated, h, end = (y.detach() for y in by_hand(x, depth))
        jet = by_autograd(lambda x, depth=depth: by_hand(x, depth)[2], x, BOX.names, derivatives)
        alpha = by_hand.layers[depth][1].alpha
        expected = {"preactivation": z, "feature": h, "feature_tt": jet["tt"], "feature_x": jet["x"]}
        expected |= {"activation": activated} if alpha is not None else {}
        stages, values = recorded[name].stages, statistics(recorded[name])
        assert set(expected) <= set(stages)
        assert ("activation" in stages) == ("mask/openness" in values) == (alpha is not None)
        for stage, entries in expected.items():
            torch.testing.assert_close(stages[stage], entries, rtol=1e-9, atol=1e-10)
            for quantity, number in numbers_of(entries).items():
                assert float(values[f"{stage}/{quantity}"]) == pytest.approx(number, rel=1e-7, abs=1e-9)
        flat = {"preactivation/saturation": (z.cosh() ** -2 < 0.05).double().mean()}
        for quantity, number in (flat | (mask_numbers(z, alpha.detach()) if alpha is not None else {})).items():
            assert float(values[quantity]) == pytest.approx(float(number))
        if name.endswith(".2"):
            torch.testing.assert_close(recorded[name[:-2]].stages["block_output"], end)


@pytest.mark.usefixtures("float64")
def test_drift_and_gradients_equal_a_direct_computation() -> None:
    m = module(weights={"initial": 3.0}).double()
    observer = Observer(m.problem, 60)
    points = PointsDataModule(m.problem, points=60, sampler="sobol").draw(PROBE_STEP)
    before = {name: layer.stages for name, layer in observer.layers(m.network).items()}
    observer.numbers(m, observer.layers(m.network))
    with torch.no_grad():
        for p in m.network.parameters():
            p += 0.1 * torch.randn_like(p)
    now = observer.layers(m.network)
    numbers = observer.numbers(m, now)
    for name, stages in before.items():
        for stage, start in stages.items():
            distance = stats.wasserstein_distance(start.numpy().ravel(), now[name].stages[stage].numpy().ravel())
            assert numbers[name][f"{stage}/drift"] == pytest.approx(distance / float(start.numpy().std()), rel=1e-9)
    m.objective.loss(m.network, points)[0].backward()
    linear = [layer for layer in m.network.modules() if isinstance(layer, nn.Linear)]
    for name, layer in zip(["input", "block1.1", "block1.2", "output"], linear, strict=True):
        gradient = layer.weight.grad.numpy()
        assert numbers[name]["gradient/norm"] == pytest.approx(float(np.linalg.norm(gradient)), rel=1e-9)
        assert numbers[name]["gradient/variance"] == pytest.approx(float(gradient.var()), rel=1e-9)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_recording_leaves_nothing_behind(network: str) -> None:
    m = MaskPINN("wave", small_network(network, 2, 1))
    m.network.train()
    state, before = torch.get_rng_state(), copy.deepcopy(m.state_dict())
    observer = Observer(m.problem, 16)
    observer.numbers(m, observer.layers(m.network))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], x) for name, x in m.state_dict().items())
    assert all(not layer._forward_hooks and layer.training for layer in m.network.modules())
    assert all(p.grad is None for p in m.network.parameters())


def test_only_what_is_asked_for_is_recorded() -> None:
    m = module()
    for names in (["moments"], ["drift"], ["quantiles", "mask"], ["units"], ["gradients"], ["moments", "derivatives"]):
        observer = Observer(m.problem, 16, names)
        recorded = {q for numbers in observer.numbers(m, observer.layers(m.network)).values() for q in numbers}
        assert any(q.endswith("/std") for q in recorded) == ("moments" in names)
        assert any(q.endswith("/drift") for q in recorded) == ("drift" in names)
        assert any(q.endswith("/p25") for q in recorded) == ("quantiles" in names)
        assert ("mask/openness" in recorded) == ("mask" in names)
        assert ("feature/effective_rank" in recorded) == ("units" in names)
        assert ("gradient/norm" in recorded) == ("gradients" in names)
        assert ("feature_tt/std" in recorded) == ("derivatives" in names)
    with pytest.raises(ValueError, match=r"unknown statistics to record 'momentum'; did you mean 'moments'"):
        FeatureStatistics(record=["momentum"])


def test_everything_recorded_is_explained() -> None:
    m = module()
    observer = Observer(m.problem, 16)
    numbers = observer.numbers(m, observer.layers(m.network))
    known = explained_quantities()
    stages = set(STAGES) | {f"feature_{d}" for d in ("t", "x", "tt", "xx")}
    for name in {q for recorded in numbers.values() for q in recorded}:
        stage, quantity = name.split("/")
        assert stage in stages
        assert (stage, quantity) in known or ("", quantity) in known, name
    charts = {q for names in custom_scalars(("tt", "xx")).values() for q in names}
    assert charts | set(HEATMAP_QUANTITIES) <= {q for recorded in numbers.values() for q in recorded}
    assert "Wasserstein" in as_markdown()
