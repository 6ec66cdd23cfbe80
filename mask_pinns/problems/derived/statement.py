"""`statement`: what a problem says, in numbers; a checkpoint goes on, is tested and predicts with nothing else.

Name and coefficients do not tell whether the file of a problem has changed since. So every residual is evaluated on
probe fields at probe points: its values on fields that are zero (the source), and its derivative by each stream of the
fields (the coefficient of a linear term), near fields around zero and around two. Weighted sums of each are kept, which
change with every value in them. What is not the same in two evaluations, as a residual with noise, is left out.

Legend: N points, m the multi-index of a derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Generator, Tensor

from mask_pinns.problems.conditions import Condition
from mask_pinns.problems.derived.probing import ProbeFields, once, probe_fields
from mask_pinns.problems.problem import Problem

SUMS = 4
"""Number of weighted sums of the values at the points."""
TOLERANCE = 1e-9
"""Relative difference that rounding on another machine may make."""
ROUNDING = 1e-15
"""The same, relative to the largest part of a residual: parts that cancel may be zero on one machine only."""
OFFSETS = (0.0, 2.0)
"""Levels of the probe fields."""

Statement = dict[str, Any]


@once
def statement(problem: Problem) -> Statement:
    """What a problem says, in plain values: domain, fields, and {part: sums} of each residual.

    Raises ValueError if one of the problem's functions fails.
    """
    domain = problem.domain
    return {
        "domain": {name: list(map(float, domain[name])) for name in domain.names},
        "fields": list(problem.fields),
        "unknowns": [
            [u.name, u.start, *map(str, u.bounds), *u.of]
            for u in (*problem.unknown_functions, *problem.unknown_numbers)
        ],
        "residuals": {part: sums for term in problem.terms for part, sums in _of_term(problem, term).items()},
    }


def contradiction(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The first part in which two statements differ, in words; "" if none does, or if there is none to compare with."""
    for part in ("domain", "fields", "unknowns"):
        if part in there and there[part] != here[part]:
            return f"its {part} is {there[part]} there, {here[part]} here"
    old, new = there.get("residuals", {}), here["residuals"]
    terms = [{part.partition(" ")[0] for part in parts} for parts in (old, new)]
    if old and terms[0] != terms[1]:
        return f"its residuals are {', '.join(sorted(terms[0]))} there, {', '.join(sorted(terms[1]))} here"
    sizes: dict[str, float] = {}
    for part, sums in [*old.items(), *new.items()]:
        name = part.partition(" ")[0]
        sizes[name] = max([sizes.get(name, 0.0), *map(abs, sums)])
    for part in [*old, *(part for part in new if part not in old)] if old else ():
        name, _, of = part.partition(" ")
        if part not in new or part not in old or not _same(old[part], new[part], ROUNDING * sizes[name]):
            return f"the residual {name!r} says something else ({of})"
    return ""


def _same(a: list[float], b: list[float], rounding: float) -> bool:
    """Whether sums are equal up to the tolerance, or to the rounding of larger ones."""
    allowed = max(TOLERANCE * max(map(abs, [*a, *b]), default=0.0), rounding)
    pairs = list(zip(a, b, strict=False))
    return len(a) == len(b) and all(x == y or x != x or abs(x - y) <= allowed for x, y in pairs)


def _of_term(problem: Problem, term: Condition) -> dict[str, list[float]]:
    """The sums of a term's residuals: {"pde source": ..., "pde u.xx near 2": ...}."""
    first, second = (_evaluated(problem, term) for _ in range(2))
    return {
        part: _sums(values) for part, values in first.items() if torch.equal(_finite(values), _finite(second[part]))
    }


def _evaluated(problem: Problem, term: Condition) -> dict[str, Tensor]:
    probe = probe_fields(problem)
    found: dict[str, Tensor] = {}
    x = probe.points(term)
    zero = probe.streams(x, term.derivatives, dict.fromkeys(problem.fields, 0.0), dict.fromkeys(problem.fields, 0.0))
    with torch.no_grad():
        found |= {f"{name} source": r for name, r in probe.residuals(term, x, zero).items()}
    for level in OFFSETS:
        fields = dict.fromkeys(problem.fields, level), dict.fromkeys(problem.fields, 1.0)
        inputs = {m: s.requires_grad_() for m, s in probe.streams(x, term.derivatives, *fields).items()}
        with torch.enable_grad():
            for name, residual in probe.residuals(term, x, inputs).items():
                found[f"{name} values near {level:g}"] = residual
                with suppress(RuntimeError):  # a residual that changes its terms in place has values only
                    for m, gradient in ProbeFields.gradients(residual, inputs).items():
                        by_field = zip(problem.fields, gradient.unbind(1), strict=True)
                        found |= {f"{name} {f}.{m} near {level:g}": g for f, g in by_field}
    return found


def _finite(values: Tensor) -> Tensor:
    """The values (N,) in float64, 0 where they are not finite."""
    return values.detach().double().nan_to_num(0.0, 0.0, 0.0)


def _sums(values: Tensor) -> list[float]:
    """Weighted sums of values (N,)."""
    weights = torch.rand(SUMS, len(values), dtype=torch.float64, generator=Generator().manual_seed(2))
    return list((weights @ _finite(values) / max(1, len(values))).tolist())
