"""Records a network in training: the statistics of every layer, from features and gradients at fixed probe points.

`statistics` computes the numbers of one layer, `Observer` those of a network, with the drift since its first recording.
A number is named `<stage>/<quantity>`; `glossary.py` explains each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from mask_pinns.callbacks.features.distributions import (
    Drift,
    closed_share,
    dead_share,
    effective_rank,
    moments,
    quantiles,
    sample,
    to_float64,
)
from mask_pinns.callbacks.features.probes import Layer, capture_layers, probe_points, weight_gradients
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.problems import Problem

RECORDED = ("moments", "quantiles", "drift", "units", "mask", "derivatives", "gradients", "histograms")
"""The kinds of statistics that can be recorded; each can be left out."""

Numbers = dict[str, Tensor]
PROBE_STEP = 2**32 - 2
"""The step for which the gradients' points are drawn: no points of training or validation have it."""


@torch.no_grad()
def statistics(
    layer: Layer, record: Collection[str] = RECORDED, drift: Callable[..., Numbers] | None = None
) -> Numbers:
    """Computes the numbers of one layer over all probe points and units.

    `drift(stage, sample)` returns those that compare the layer with earlier recordings; without it, there are none.
    """
    numbers: Numbers = {}
    for stage, x in layer.stages.items():
        numbers |= _prefixed(stage, moments(x) if "moments" in record else {})
        values = sample(x) if {"quantiles", "drift"} & set(record) else x
        numbers |= _prefixed(stage, quantiles(values) if "quantiles" in record else {})
        numbers |= _prefixed(stage, drift(stage, values) if drift is not None and "drift" in record else {})
    if layer.activation is None:
        return numbers
    z, h = layer.stages["preactivation"], layer.stages["feature"]
    if "units" in record:
        numbers["preactivation/saturation"] = layer.activation.saturation(z)
        numbers |= {"feature/effective_rank": effective_rank(h), "feature/dead": dead_share(h)}
    if "mask" in record and layer.activation.alpha is not None:
        alpha, openness = layer.activation.alpha.detach().abs(), layer.activation.openness(z)
        masks = {"openness": openness.mean(), "closed": closed_share(openness)}
        masks |= {"alpha_mean": alpha.mean(), "alpha_std": alpha.std(correction=0)}
        numbers |= _prefixed("mask", masks | {"alpha_min": alpha.min(), "alpha_max": alpha.max()})
    return numbers


def gradient_statistics(gradient: Tensor) -> Numbers:
    """Computes the norm of dL/dW and the variance of its entries (population formula)."""
    gradient = to_float64(gradient)
    return _prefixed("gradient", {"norm": torch.linalg.vector_norm(gradient), "variance": gradient.var(correction=0)})


def _prefixed(stage: str, numbers: Mapping[str, Tensor]) -> Numbers:
    return {f"{stage}/{quantity}": value for quantity, value in numbers.items()}


class Observer:
    """Records a network, always at the same points, and stores the distributions from which drift is measured.

    Args:
        problem: the problem with the domain of the probe points and the derivatives to record.
        probes: the number of probe points, and of collocation points for the gradients; each face gets a tenth as many.
        record: the kinds of statistics to record, from RECORDED.
    """

    def __init__(self, problem: Problem, probes: int, record: Collection[str] = RECORDED) -> None:
        self.problem, self.probes, self.record = problem, probes, record
        self.drift = Drift()

    def layers(self, network: Any) -> dict[str, Layer]:
        """Captures every hidden layer, the outputs of blocks, and the output layer."""
        p = next(network.parameters())
        x = probe_points(self.problem.domain, self.probes, p.device, p.dtype)
        derivatives = self.problem.derivatives if "derivatives" in self.record else ()
        return capture_layers(network, x, self.problem.domain.names, derivatives)

    def numbers(self, module: Any, layers: Mapping[str, Layer]) -> dict[str, dict[str, float]]:
        """Computes the numbers of each layer, and copies all from the device at once."""
        by_layer = {
            name: statistics(layer, self.record, lambda stage, x, name=name: self.drift(f"{stage}/{name}", x))
            for name, layer in layers.items()
        }
        if "gradients" in self.record:
            for name, gradient in self._gradients(module, layers).items():
                by_layer[name] |= gradient_statistics(gradient)
        scalars = [v for numbers in by_layer.values() for v in numbers.values()]
        values = iter(torch.stack(scalars).tolist() if scalars else [])
        return {name: {quantity: next(values) for quantity in numbers} for name, numbers in by_layer.items()}

    def _gradients(self, module: Any, layers: Mapping[str, Layer]) -> dict[str, Tensor]:
        """Computes dL/dW at collocation, initial and boundary points that only the statistics use."""
        data = PointsDataModule(self.problem, points=self.probes, sampler="sobol", hard=module.objective.hard)
        p = next(module.network.parameters())
        points = data.draw(PROBE_STEP, device=p.device, dtype=p.dtype)
        weights = {name: layer.weight for name, layer in layers.items()}
        trained = {name: w for name, w in weights.items() if w is not None and w.requires_grad}
        return weight_gradients(module.network, module.objective, points, trained) if trained else {}
