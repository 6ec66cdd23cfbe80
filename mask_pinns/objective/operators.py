"""Finds derivatives that can be carried as one stream: `u.tt - c^2 u.xx` needs one stream, not two.

The maximal derivatives D of a term are those that no other one contains. If the residuals are linear in D, with numbers
as coefficients, only the combinations C D matter, C the matrix of coefficients (a row for each residual and field).
With any basis B of the rows of C, the operators S = B D are carried as streams. Residuals then receive B^+ S in place
of D, which gives the same C D.

Linearity is not inferred from values: the residual is evaluated once on symbols that support addition and
multiplication by numbers and refuse everything else, and on tensors without values (the meta device), on which no
branch can depend. A residual that is refused keeps its streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mask_pinns.jets import Derivatives, Jet, canonical
from mask_pinns.objective.live_numbers import LiveNumbers
from mask_pinns.problems import Condition, Problem
from mask_pinns.problems.fields import Field, Parts


@dataclass(frozen=True)
class Needs:
    """The streams of one term, and each replaced derivative as a sum of operators: m -> ((operator, weight), ...)."""

    derivatives: Derivatives
    parts: Mapping[str, Parts] = field(default_factory=dict)


def read_by(term: Condition) -> LiveNumbers | None:
    """The numbers that a term's coefficients are made of; None for conditions of this package, which have their own."""
    user_function = type(term).residuals is Condition.residuals
    if not user_function and type(term).__module__.startswith("mask_pinns."):
        return None
    return LiveNumbers(term.function if user_function else term.residuals)


class Symbol:
    """A combination of maximal derivatives, {(field, m): coefficient}, plus anything that does not contain them."""

    def __init__(self, terms: Mapping[tuple[str, str], float]) -> None:
        self.terms = dict(terms)

    def __add__(self, other: Any) -> Symbol:
        if not isinstance(other, Symbol):
            return self
        keys = self.terms.keys() | other.terms.keys()
        return Symbol({k: self.terms.get(k, 0.0) + other.terms.get(k, 0.0) for k in keys})

    def __mul__(self, factor: Any) -> Symbol:
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise TypeError("not linear with a number as coefficient")
        return Symbol({k: c * factor for k, c in self.terms.items()})

    def __neg__(self) -> Symbol:
        return self * -1.0

    def __sub__(self, other: Any) -> Symbol:
        return self + (-other if isinstance(other, Symbol) else other)

    def __rsub__(self, other: Any) -> Symbol:
        return -self

    def __truediv__(self, divisor: Any) -> Symbol:
        return self * (1.0 / divisor)

    def clone(self) -> Symbol:
        """Itself: a symbol is never changed in place."""
        return self

    def __bool__(self) -> bool:
        raise TypeError("a symbol has no truth value")

    def __eq__(self, other: object) -> bool:
        raise TypeError("a symbol has no value to compare")

    __hash__ = None  # type: ignore[assignment]  # not comparable, so not hashable
    __radd__ = __add__
    __rmul__ = __mul__


class SymbolicField(Field):
    """A field whose maximal derivatives are symbols; everything else is a tensor."""

    def derivative(self, name: str) -> Any:
        m = canonical(name)
        return Symbol({(self._name, m): 1.0}) if m in maximal(self._jet.derivatives) else super().derivative(name)


def maximal(derivatives: Derivatives) -> list[str]:
    """The multi-indices that no other one contains."""

    def contains(big: str, small: str) -> bool:
        return big != small and all(big.count(c) >= small.count(c) for c in small)

    return [m for m in derivatives.indices if m and not any(contains(other, m) for other in derivatives.indices)]


def needs(term: Condition, problem: Problem) -> Needs:
    """The streams that a term's residuals need; operators replace the maximal derivatives if that saves streams."""
    plain = term.derivatives
    members = maximal(plain)
    rows, again = (_coefficients(term, problem, plain, members) for _ in range(2))
    if rows is None or again is None or not members or not np.array_equal(rows, again):
        return Needs(plain)  # numbers that are drawn, or count the calls, are not the same twice
    basis = _basis(rows)
    if len(basis) >= len(members):
        return Needs(plain)
    operators = {
        f"+{i}": tuple((m, float(c)) for m, c in zip(members, row, strict=True) if c) for i, row in enumerate(basis)
    }
    inverse = np.linalg.pinv(basis) if len(basis) else np.zeros((len(members), 0))
    parts = {m: tuple(zip(operators, map(float, inverse[i]), strict=True)) for i, m in enumerate(members)}
    lower = [m for m in plain.indices if m not in members]
    return Needs(Derivatives(lower, operators), parts)


def _coefficients(term: Condition, problem: Problem, plain: Derivatives, members: list[str]) -> list[np.ndarray] | None:
    """A row of coefficients for each residual and field; None if a residual is not linear in the members."""
    names, place = problem.domain.names, term.place(problem.domain)
    n = 4 * max(1, len(place))
    values = {m: torch.empty(n, len(problem.fields), device="meta") for m in plain.indices}
    points = problem.points(place, torch.empty(n, len(names) + place.further, device="meta"))
    jet = Jet(plain, values)
    fields: dict[str, Field] = {f: SymbolicField(jet, i, f, names, "") for i, f in enumerate(problem.fields)}
    try:
        residuals: list[Any] = list(term.residuals(points, fields, place).values())
    except (Exception, SystemExit):
        return None  # refused by a symbol; other errors occur again, with a better message, with the real fields
    rows = [
        np.array([r.terms.get((f, m), 0.0) for m in members])
        for r in residuals if isinstance(r, Symbol) for f in problem.fields
    ]  # fmt: skip
    return rows if np.isfinite(rows).all() else None


def _basis(rows: list[np.ndarray]) -> np.ndarray:
    """Rows, each scaled to a largest entry of one, that span all of them; as few as possible."""
    basis: list[np.ndarray] = []
    for row in rows:
        if not np.any(row):
            continue
        scaled = row / row[np.argmax(np.abs(row))]
        if np.linalg.matrix_rank(np.array([*basis, scaled])) > len(basis):
            basis.append(scaled)
    return np.array(basis)
