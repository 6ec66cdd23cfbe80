"""Targets, the values that a condition prescribes (numbers or functions of the points), and the fields' mismatch.

A key names a field or one of its derivatives: "u", "u_t".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains import Place, Points
from mask_pinns.problems.checks import check_shape
from mask_pinns.problems.fields import Field

Target = float | Callable[[Points], Tensor]


def target_values(target: Target, p: Points, condition: str, key: str) -> Tensor | float:
    """The target's values at the points: a number, or a tensor that is checked to be of shape (N,)."""
    if not callable(target):
        return float(target)
    return check_shape(target(p), len(p), f"condition {condition!r}: the target of {key}")


def mismatch(condition: str, fields: Mapping[str, Field], key: str, target: Target, p: Points) -> Tensor:
    """The field or its derivative minus the target, (N,)."""
    name, _, derivative = key.partition("_")
    return fields[name].derivative(derivative) - target_values(target, p, condition, key)


class Prescribing:
    """What conditions share that prescribe values and derivatives by `targets`: the mismatches are their residuals."""

    name: str
    targets: Mapping[str, Target]

    def prescribed(self, field: str) -> Target | None:
        return self.targets.get(field)

    def residuals(self, p: Points, fields: Mapping[str, Field], place: Place) -> dict[str, Tensor]:
        return {key: mismatch(self.name, fields, key, target, p) for key, target in self.targets.items()}


def check_targets(condition: str, targets: Mapping[str, Any], fields: Sequence[str]) -> None:
    """Raises ValueError for a target that names none of the fields, or is neither a number nor a function."""
    for key, target in targets.items():
        if key.partition("_")[0] not in fields:
            raise ValueError(f"condition {condition!r} sets {key!r}; the fields are {', '.join(fields)}")
        if not callable(target) and not is_finite(target):
            raise ValueError(
                f"condition {condition!r}: the target of {key} is {target!r}; expected a finite number, or a "
                "function of the points"
            )
