"""Errors of a solution as torchmetrics metrics in float64: relative L2 error and maximum error."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


def squared_norms(predicted: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """|predicted - true|^2 and |true|^2, summed over all entries in float64."""
    error = predicted.double() - true.double()
    return error.square().sum(), true.double().square().sum()


class RelativeL2(Metric):
    """|predicted - true| / |true|, with Euclidean norms over all points and fields; inf if `true` is zero."""

    higher_is_better = False
    full_state_update = False
    error: Tensor
    norm: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("norm", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        error, norm = squared_norms(predicted, true)
        self.error += error
        self.norm += norm

    def compute(self) -> Tensor:
        return (self.error / self.norm).sqrt()


class MaxError(Metric):
    """max |predicted - true| over all points and fields."""

    higher_is_better = False
    full_state_update = False
    worst: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("worst", torch.zeros((), dtype=torch.float64), dist_reduce_fx="max")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        self.worst = torch.maximum(self.worst, (predicted.double() - true.double()).abs().max())

    def compute(self) -> Tensor:
        return self.worst
