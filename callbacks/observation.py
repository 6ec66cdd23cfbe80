"""One look at a network in training: the numbers of every layer, from features and gradients at fixed probe points.

`statistics` turns one layer's features into numbers, `Observer` a whole network's, with drift since its first look.
Numbers are called `<stage>/<quantity>`; `quantities.py` says what each is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from callbacks.distributions import Drift, closed_share, dead_share, effective_rank, quantiles, sample, shape, wide
from callbacks.probes import Layer, look, probe_points, weight_gradients
from datamodules import PointsDataModule
from mask_pinns.problems import Problem

RECORDED = ("moments", "quantiles", "drift", "units", "mask", "derivatives", "gradients", "histograms")
"""What can be recorded; each can be left out."""

Numbers = dict[str, Tensor]
PROBES = 2**32 - 2  # the "step" of the gradients' points: none of training or validation


@torch.no_grad()
def statistics(
    layer: Layer, record: Collection[str] = RECORDED, drift: Callable[..., Numbers] | None = None
) -> Numbers:
    """The numbers of one layer, over all probe points and units.

    `drift(stage, sample)` gives those that compare it with other looks; without it, there are none.
    """
    found: Numbers = {}
    for stage, x in layer.stages.items():
        found |= _of(stage, shape(x) if "moments" in record else {})
        values = sample(x) if {"quantiles", "drift"} & set(record) else x
        found |= _of(stage, quantiles(values) if "quantiles" in record else {})
        found |= _of(stage, drift(stage, values) if drift is not None and "drift" in record else {})
    if layer.activation is None:
        return found
    z, h = layer.stages["preactivation"], layer.stages["feature"]
    if "units" in record:
        found["preactivation/saturation"] = layer.activation.saturation(z)
        found |= {"feature/effective_rank": effective_rank(h), "feature/dead": dead_share(h)}
    if "mask" in record and layer.activation.alpha is not None:
        alpha, openness = layer.activation.alpha.detach().abs(), layer.activation.openness(z)
        opened = {"openness": openness.mean(), "closed": closed_share(openness)}
        spread = {"alpha_mean": alpha.mean(), "alpha_std": alpha.std(correction=0)}
        found |= _of("mask", opened | spread | {"alpha_min": alpha.min(), "alpha_max": alpha.max()})
    return found


def gradient_statistics(gradient: Tensor) -> Numbers:
    """Norm, and variance of the entries (population formula), of dL/dW."""
    gradient = wide(gradient)
    return _of("gradient", {"norm": torch.linalg.vector_norm(gradient), "variance": gradient.var(correction=0)})


def _of(stage: str, numbers: Mapping[str, Tensor]) -> Numbers:
    return {f"{stage}/{quantity}": value for quantity, value in numbers.items()}


class Observer:
    """Looks at a network, always at the same points, and keeps the distributions from which drift is measured.

    Args:
        problem: whose domain is probed and whose derivatives are looked at.
        probes: number of probe points; of the gradients' collocation points too, a tenth as many on each face.
        record: which of RECORDED.
    """

    def __init__(self, problem: Problem, probes: int, record: Collection[str] = RECORDED) -> None:
        self.problem, self.probes, self.record = problem, probes, record
        self.drift = Drift()

    def layers(self, network: Any) -> dict[str, Layer]:
        """What is looked at: every hidden layer, the ends of blocks, the output layer."""
        p = next(network.parameters())
        x = probe_points(self.problem.domain, self.probes, p.device, p.dtype)
        derivatives = self.problem.derivatives if "derivatives" in self.record else ()
        return look(network, x, self.problem.domain.names, derivatives)

    def numbers(self, module: Any, layers: Mapping[str, Layer]) -> dict[str, dict[str, float]]:
        """The numbers of each layer. All are brought from the device at once."""
        found = {
            name: statistics(layer, self.record, lambda stage, x, name=name: self.drift(f"{stage}/{name}", x))
            for name, layer in layers.items()
        }
        if "gradients" in self.record:
            for name, gradient in self._gradients(module, layers).items():
                found[name] |= gradient_statistics(gradient)
        scalars = [v for numbers in found.values() for v in numbers.values()]
        values = iter(torch.stack(scalars).tolist() if scalars else [])
        return {name: {quantity: next(values) for quantity in numbers} for name, numbers in found.items()}

    def _gradients(self, module: Any, layers: Mapping[str, Layer]) -> dict[str, Tensor]:
        """dL/dW at collocation, initial and boundary points of their own."""
        data = PointsDataModule(self.problem, self.probes, "sobol", exact=module.objective.exact)
        p = next(module.network.parameters())
        points = data.draw(PROBES, device=p.device, dtype=p.dtype)
        weights = {name: layer.weight for name, layer in layers.items()}
        trained = {name: w for name, w in weights.items() if w is not None and w.requires_grad}
        return weight_gradients(module.network, module.objective, points, trained) if trained else {}
