"""Characteristic scales of a problem, for its dimensionless form: lengths, sizes of the fields, sizes of the residuals.

Users compute in metres, kelvin, pascal and moles. A network, an optimizer and every tolerance work best with numbers of
about one, so that coordinates, fields and residuals are divided by characteristic scales:

    coordinate   half the length of the domain
    field        u = offset + size * N: the middle and half the range of the values that conditions prescribe; more if a
                 source in some residual needs it; if no condition prescribes values, from a balance of the terms; the
                 size that the problem declares in `scales`, if it does
    residual     the largest of its terms, |d r / d (D^m u)| size(u) / length^m, and its source

All of them follow a change of units: if a coordinate, a field or a residual is multiplied by a factor, its scale is
too, and the dimensionless problem stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, isfinite, log

import torch
from torch import Tensor

from mask_pinns.problems.conditions import Condition
from mask_pinns.problems.conditions.data import measured
from mask_pinns.problems.conditions.targets import target_values
from mask_pinns.problems.derived.probing import Sensitivity, once, probe_fields
from mask_pinns.problems.failures import attribute_errors_to
from mask_pinns.problems.problem import Problem

MOST_DECADES = 60.0
"""A balance of terms is sought for sizes between 10^-60 and 10^60."""
ROUNDS = 40
"""Largest number of rounds in which the sizes of fields are raised until sources are balanced."""


@dataclass(frozen=True)
class Scales:
    """Characteristic scales: `lengths` by coordinate, `offsets` and `sizes` by field, `residuals` by name."""

    lengths: Mapping[str, float]
    offsets: Mapping[str, float]
    sizes: Mapping[str, float]
    residuals: Mapping[str, float]


@once
def characteristic_scales(problem: Problem) -> Scales:
    """The scales of a problem, from its declaration alone.

    Raises ValueError if a function of the problem fails.

    Example:
        >>> from mask_pinns import PROBLEMS, characteristic_scales
        >>> scales = characteristic_scales(PROBLEMS["wave"]())
        >>> scales.lengths
        {'x': 0.5, 't': 2.5}
    """
    return _Estimate(problem).scales()


def residual_scales(problem: Problem) -> dict[str, float]:
    """The sizes by which residuals are divided, by name: their characteristic scales.

    Measurements whose noise is known have the largest of their scales in common, times sqrt(largest N / N), N their
    number. So each of them counts by its noise alone, and all of them as much as other conditions do.
    """
    sizes = dict(characteristic_scales(problem).residuals)
    counts = {name: n for name, (n, known) in measured(problem.conditions, problem.domain.names).items() if known}
    if counts:
        common, most = max(sizes[name] for name in counts), max(counts.values())
        sizes |= {name: common * (most / n) ** 0.5 for name, n in counts.items()}
    return sizes


class _Estimate:
    """Finds the scales of one problem, step by step."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.probe = problem, probe_fields(problem)
        self.offsets = dict.fromkeys(problem.fields, 0.0)
        self.sizes = dict.fromkeys(problem.fields, 0.0)

    def scales(self) -> Scales:
        if self.problem.whole is not None:
            return self._of_window(characteristic_scales(self.problem.whole))
        self._from_values()
        self.sizes |= {name: float(size) for name, size in self.problem.scales.items()}
        for _ in self.problem.fields:
            self._from_balances()
        for name, size in self.sizes.items():
            if size == 0.0:  # nothing tells: the solution may be the constant itself
                self.sizes[name] = abs(self.offsets[name]) or 1.0
        self._raise_to_sources()
        return Scales(self.probe.lengths, self.offsets, self.sizes, self._residuals())

    def _of_window(self, whole: Scales) -> Scales:
        """The fields are as large as in the whole problem, and do not depend on how the window before was solved."""
        self.offsets, self.sizes = dict(whole.offsets), dict(whole.sizes)
        return Scales(self.probe.lengths, self.offsets, self.sizes, self._residuals())

    def _residuals(self) -> dict[str, float]:
        return {name: largest_term(s, self.sizes) or 1.0 for name, s in self._sensitivities().items()}

    def _sensitivities(self) -> dict[str, Sensitivity]:
        by_name: dict[str, Sensitivity] = {}
        for term in self.problem.terms:
            by_name |= self.probe.sensitivities(term, self.offsets, self.sizes)
        return by_name

    def _from_values(self) -> None:
        """Offset and size of each field from the values that conditions prescribe, or from the start of an unknown."""
        for name in self.problem.fields:
            values = [v for condition in self.problem.conditions for v in self._prescribed(condition, name)]
            if values:
                low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
                if isfinite(low) and isfinite(high):
                    self.offsets[name], self.sizes[name] = (low + high) / 2, (high - low) / 2
        for unknown in self.problem.unknown_functions:  # positive ones stay so in a probe field
            self.offsets[unknown.name], self.sizes[unknown.name] = unknown.start, unknown.scale / 8

    def _prescribed(self, condition: Condition, field: str) -> list[Tensor]:
        """The values that a condition prescribes for a field, at probe points."""
        target = condition.prescribed(field)
        if target is None:
            return []
        x = self.probe.points(condition)
        with attribute_errors_to(f"the target of {field} in condition {condition.name!r}", self.problem.title):
            p = self.problem.points(condition.place(self.problem.domain), x)
            values = target_values(target, p, condition.name, field)
        return [torch.as_tensor(values, dtype=torch.float64).detach()]

    def _from_balances(self) -> None:
        """Sizes of fields of which no value is prescribed: their terms are as large as the other terms and sources."""
        unknown = [name for name, size in self.sizes.items() if size == 0.0]
        found: dict[str, float] = {}
        for term in self.problem.terms if unknown else ():
            for residual, s in self.probe.sensitivities(term, self.offsets, self.sizes).items():
                driven_by = largest_term(s, self.sizes)
                for name in unknown if driven_by else ():
                    if size := self._balanced(term, residual, name, driven_by):
                        found[name] = max(found.get(name, 0.0), size)
        self.sizes |= found

    def _balanced(self, term: Condition, residual: str, field: str, goal: float) -> float:
        """The size of a field at which its terms in a residual are as large as the goal; 0 if there is none."""

        def excess(exponent: float) -> float:
            s = self.probe.sensitivities(term, self.offsets, self.sizes | {field: exp(exponent)}).get(residual)
            terms = [] if s is None else [c for (f, _), c in s.slopes.items() if f == field]
            return max(terms, default=0.0) * exp(exponent) - goal

        limit = MOST_DECADES * log(10)
        return exp(_root(excess, -limit, limit)) if excess(limit) > 0 else 0.0

    def _raise_to_sources(self) -> None:
        """Raises the sizes of fields until no source is larger than the largest term beside it."""
        for _ in range(ROUNDS):
            short = False
            for s in self._sensitivities().values():
                sizes = {key: slope * self.sizes[key[0]] for key, slope in s.slopes.items() if slope}
                free = {key: size for key, size in sizes.items() if key[0] not in self.problem.scales}
                if free and s.source > 1.01 * max(sizes.values()):
                    field = max(free, key=lambda key: free[key])[0]
                    self.sizes[field] *= min(1e3, s.source / max(free.values())) ** 0.5
                    short = True
            if not short:
                return


def largest_term(s: Sensitivity, sizes: Mapping[str, float]) -> float:
    """The largest term of a residual, or its source, for fields of these sizes."""
    return max([s.source, *(slope * sizes[f] for (f, _), slope in s.slopes.items())])


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    """The zero of an increasing function by bisection, to 2 %."""
    while high - low > 0.02:
        middle = (low + high) / 2
        low, high = (low, middle) if f(middle) > 0 else (middle, high)
    return high
