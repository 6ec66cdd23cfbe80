"""Computes the statistics of one layer from its features and its gradient.

A number is named `<stage>/<quantity>`. A new statistic is one line here, with its formula in `distributions.py` and its
explanation in `glossary.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from mask_pinns.callbacks.features.distributions import (
    closed_share,
    dead_share,
    effective_rank,
    moments,
    quantiles,
    sample,
    to_float64,
)
from mask_pinns.callbacks.features.probes import Layer
from mask_pinns.settings import RECORDED

Numbers = dict[str, Tensor]


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
