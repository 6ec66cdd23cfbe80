"""Records a network in training: the statistics of every layer, from features and gradients at fixed probe points.

`Observer` applies `statistics.py` to every layer, and measures the drift since its first recording. A number is named
`<stage>/<quantity>`; `glossary.py` explains each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from mask_pinns.callbacks.features.distributions import Drift
from mask_pinns.callbacks.features.probes import Layer, capture_layers, probe_points, weight_gradients
from mask_pinns.callbacks.features.statistics import gradient_statistics, statistics
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.problems import Problem
from mask_pinns.settings import RECORDED

PROBE_STEP = 2**32 - 2
"""The step for which the gradients' points are drawn: no points of training or validation have it."""


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
