"""Errors of a solution as a torchmetrics metric in float64: relative L2 error and largest error of each field.

    relative L2 = |predicted - true| / |true|,    largest error = max |predicted - true|

with norms over all points, field by field: fields have units of their own, and a small velocity beside a large pressure
must not disappear. A field that a problem determines only up to a constant, or up to a function of time, is compared
without its mean, over all points or at each time. Legend: N points, F fields, G times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

CONSTANT, TIME = "constant", "time"
"""Up to what a field is determined, if not fully: a constant, or a function of time."""


class Errors(NamedTuple):
    """Errors by field, each (F,); NaN for a field whose true values are not known."""

    rel_l2: Tensor
    max_error: Tensor

    @property
    def worst(self) -> tuple[Tensor, Tensor]:
        """The largest relative L2 error and the largest error of all known fields."""
        rel_l2, max_error = map(torch.atleast_1d, self)  # torchmetrics returns single numbers without a dimension
        known = ~rel_l2.isnan()
        return rel_l2[known].amax(), max_error[known].amax()

    def by_field(self, fields: Sequence[str]) -> dict[str, Errors]:
        """The two errors of each field by its name."""
        rel_l2, max_error = map(torch.atleast_1d, self)
        return {name: Errors(rel_l2[i], max_error[i]) for i, name in enumerate(fields)}

    def named(self, fields: Sequence[str], stage: str) -> dict[str, Tensor]:
        """The errors as they are logged: those of the worst field, then, if there are several, those of each field."""
        named = dict(zip((f"{stage}/rel_l2", f"{stage}/max_error"), self.worst, strict=True))
        if len(fields) > 1:
            for kind in self._fields:
                named |= {f"{stage}/{kind}/{f}": getattr(error, kind) for f, error in self.by_field(fields).items()}
        return {name: error for name, error in named.items() if not error.isnan()}


class SolutionErrors(Metric):
    """The errors of each field over any number of updates with (predicted, true), both (N, F).

    Args:
        free: for each of the F fields "", CONSTANT or TIME: up to what it is determined.
        times: the G distinct times of the points, sorted; needed if a field is free up to a function of time.

    A field that is zero everywhere is compared with the norm of all fields.
    """

    higher_is_better = False
    full_state_update = False
    error: Tensor
    squared_error: Tensor
    true: Tensor
    squared_true: Tensor
    count: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, free: Sequence[str] = ("",), times: Tensor | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.free, self.times = tuple(free), times if TIME in free else None
        groups = 1 if self.times is None else len(self.times)
        zeros = torch.zeros(groups, len(self.free), dtype=torch.float64)
        for name in ("error", "squared_error", "true", "squared_true", "count"):
            self.add_state(name, zeros.clone(), dist_reduce_fx="sum")
        self.add_state("low", torch.full_like(zeros, torch.inf), dist_reduce_fx="min")
        self.add_state("high", torch.full_like(zeros, -torch.inf), dist_reduce_fx="max")

    def update(self, predicted: Tensor, true: Tensor, time: Tensor | None = None) -> None:
        """Adds points; `time` (N,) is needed if a field is free up to a function of time."""
        true = true.double()
        error = predicted.double() - true
        group = torch.zeros(len(error), dtype=torch.long, device=error.device)
        if self.times is not None:
            assert time is not None
            group = torch.searchsorted(self.times.to(time), time.contiguous()).clamp(max=len(self.times) - 1)
        values = {"error": error, "squared_error": error.square(), "true": true, "squared_true": true.square(),
                  "count": torch.ones_like(error)}  # fmt: skip
        for name, x in values.items():
            getattr(self, name).index_add_(0, group, x)
        index = group[:, None].expand_as(error)
        self.low.scatter_reduce_(0, index, error, "amin")
        self.high.scatter_reduce_(0, index, error, "amax")

    def compute(self) -> Errors:
        rel_l2, largest = [], []
        total = self.squared_true.nansum()
        for i, free in enumerate(self.free):
            sums = [x[:, i] for x in (self.error, self.squared_error, self.true, self.squared_true, self.count)]
            error, squared_error, true, squared_true, count = sums if free == TIME else [x.sum()[None] for x in sums]
            mean = error / count.clamp(min=1) if free else torch.zeros_like(error)
            if free:
                squared_error = (squared_error - error * mean).clamp(min=0)
                squared_true = (squared_true - true.square() / count.clamp(min=1)).clamp(min=0)
            norm = squared_true.sum()
            rel_l2.append((squared_error.sum() / (norm if norm != 0 else total)).sqrt())
            largest.append(torch.maximum(self.high[:, i] - mean, mean - self.low[:, i]).amax())
        return Errors(torch.stack(rel_l2), torch.stack(largest))
