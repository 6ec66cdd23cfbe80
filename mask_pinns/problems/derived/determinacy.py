"""Which fields a problem determines: fully, up to a constant, up to a function of time, or not at all.

A pressure that enters a problem only by its gradient has no level. If adding a constant (or a function of time) to a
field changes no residual of the equation and of the conditions, errors are compared without it. A field that no
residual contains, and a derivative that is declared and never used, are mistakes of the declaration.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.functions import sin
from mask_pinns.metrics import CONSTANT, TIME, Errors, SolutionErrors
from mask_pinns.problems.conditions import Condition
from mask_pinns.problems.derived.probing import Sensitivity, agree, half_lengths, once, probe_fields
from mask_pinns.problems.derived.scales import characteristic_scales
from mask_pinns.problems.problem import Problem

TOLERANCE = 1e-9
"""Largest change of a residual, relative to its scale, by a shift that it does not depend on."""


@once
def check_dependence(problem: Problem) -> list[str]:
    """Compares what is declared with what residuals contain. Returns notes about derivatives that none contains.

    Raises ValueError for a field that neither the equation nor a condition contains.
    """
    probe, scales = probe_fields(problem), characteristic_scales(problem)
    by_term = {term.name: probe.sensitivities(term, scales.offsets, scales.sizes) for term in problem.terms}
    used = [key for residuals in by_term.values() for s in residuals.values() for key in _contains(s)]
    for name in problem.fields:
        if name not in {field for field, _ in used}:
            raise ValueError(f"{problem.title}: no residual contains the field {name!r}: nothing determines it")
    of_equation = {m for s in by_term[problem.equation.name].values() for _, m in _contains(s)}
    unused = [m for m in problem.equation.derivatives.indices if m and m not in of_equation and _is_maximal(m, problem)]
    return [f"the derivative {m!r} is declared, but the residual does not use it" for m in unused]


def _contains(s: Sensitivity) -> list[tuple[str, str]]:
    return [key for key, slope in s.slopes.items() if slope]


def _is_maximal(m: str, problem: Problem) -> bool:
    """Whether a multi-index is declared itself and not only a part of a higher one."""
    others = [other for other in problem.equation.derivatives.indices if other != m]
    return not any(all(other.count(c) >= m.count(c) for c in m) for other in others)


@once
def free_fields(problem: Problem) -> dict[str, str]:
    """For each field, up to what it is determined: "" (fully), CONSTANT, or TIME (a function of time)."""
    kinds = (TIME, CONSTANT) if "t" in problem.domain else (CONSTANT,)
    return {
        name: next((kind for kind in kinds if _is_free(problem, i, kind)), "") for i, name in enumerate(problem.fields)
    }


def require_independent_points(problem: Problem, terms: Iterable[Condition], what: str) -> None:
    """Raises ValueError if the residual at a point changes with the other points, as a mean over them does.

    Args:
        problem: problem of the terms.
        terms: terms to try.
        what: what assumes that points are independent, for the message.
    """
    for term in terms:
        if term.name in coupled_terms(problem):
            name = "its equation" if term is problem.equation else f"its condition {term.name!r}"
            raise ValueError(
                f"{what} needs points that do not influence each other; in {problem.title}, {name} takes a mean, a sum "
                "or an integral over them: state it by Integral(...) or Mean(...) among the conditions, or use another "
                "optimizer, e.g. adam or ssbroyden, on one device and without adaptive points"
            )


@once
def coupled_terms(problem: Problem) -> list[str]:
    """The names of the terms whose residuals at a point change with the other points."""
    return [term.name for term in problem.terms if _couples_points(problem, term)]


def _couples_points(problem: Problem, term: Condition) -> bool:
    """Whether residuals at every second point of each piece change if the others are left out."""
    probe, scales = probe_fields(problem), characteristic_scales(problem)
    x = probe.points(term)
    pieces = len(term.place(problem.domain))
    count = len(x) // pieces
    if count == 1:
        return False  # a single residual, which may gather what it likes
    half = torch.arange(len(x)) % count % 2 == 1  # every second one, so that a cumulative sum changes too
    streams = probe.streams(x, term.derivatives, scales.offsets, scales.sizes)
    with torch.no_grad():
        whole = probe.residuals(term, x, streams)
        alone = probe.residuals(term, x[half], {m: s[half] for m, s in streams.items()})
    return not all(
        agree(residual[half[: len(residual)]], alone[name], TOLERANCE * scales.residuals[name])
        for name, residual in whole.items()
    )


def solution_errors(problem: Problem, **options: Any) -> SolutionErrors:
    """A metric of the errors of a problem's fields, each compared up to what the problem determines."""
    known = problem.evaluation().values is not None
    return _metric(problem, list(free_fields(problem).values()) if known else ["" for _ in problem.fields], **options)


def errors_between(problem: Problem, first: Tensor, second: Tensor) -> Errors:
    """The errors by field of one solution against another, both (M, F) at the evaluation points."""
    metric = _metric(problem, list(free_fields(problem).values()), sync_on_compute=False)
    metric.update(first, second, problem.domain.time(problem.evaluation().points))
    return metric.compute()


def without_levels(problem: Problem, x: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    """Predicted values (N, F), shifted to the mean of the true ones where a problem leaves a field's level free.

    The mean is that over all points (N, D), or over those of each time for a field that is free at each time.
    """
    shifted, time = predicted.clone(), problem.domain.time(x)
    for i, kind in enumerate(free_fields(problem).values()):
        gap = true[:, i] - predicted[:, i]
        if kind and not gap.isnan().any():
            one_level = time is None or kind == CONSTANT
            group = torch.zeros(len(x), dtype=torch.long) if one_level else time.unique(return_inverse=True)[1]
            shifted[:, i] += (torch.bincount(group, gap) / torch.bincount(group))[group]
    return shifted


def _metric(problem: Problem, free: list[str], **options: Any) -> SolutionErrors:
    times = problem.domain.time(problem.evaluation().points) if TIME in free else None
    return SolutionErrors(free, None if times is None else times.unique(), **options)


def _is_free(problem: Problem, field: int, kind: str) -> bool:
    """Whether a shift of a field changes no residual."""
    probe, scales = probe_fields(problem), characteristic_scales(problem)
    for term in problem.terms:
        x = probe.points(term)
        streams = probe.streams(x, term.derivatives, scales.offsets, scales.sizes)
        size = scales.sizes[problem.fields[field]]
        shifted = {m: s.clone() for m, s in streams.items()}
        for m, shift in _shift(problem, term, x, kind).items():
            shifted[m][:, field] += size * shift
        with torch.no_grad():
            before, after = (probe.residuals(term, x, given) for given in (streams, shifted))
        if not all(agree(r, after[name], TOLERANCE * scales.residuals[name]) for name, r in before.items()):
            return False
    return True


def _shift(problem: Problem, term: Condition, x: Tensor, kind: str) -> dict[str, Tensor]:
    """The streams of a shift of size one: a constant, or a wave in time."""
    if kind == CONSTANT:
        return {"": torch.ones(len(x), dtype=x.dtype)}
    names = problem.domain.names
    derivatives: Derivatives = term.derivatives
    wave = Jet.of_coordinates(x[:, : len(names)], names, derivatives).linear(
        x.new_tensor([[2 / half_lengths(problem.domain)["t"] if c == "t" else 0.0 for c in names]])
    )
    wave = wave.compose(sin(wave.value, derivatives.order))
    return {m: s[:, 0].expand(len(x)) for m, s in wave.streams.items()}
