"""`Problem`: a short declaration from which point sets, losses, metrics and figures follow.

    class Wave(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 5.0))
        derivatives = ("tt", "xx")
        conditions = (Initial(u=lambda p: torch.sin(pi * p.x), u_t=0.0), Dirichlet("x", u=0.0))
        c: float = 1.0

        def residual(self, p, u):
            return u.tt - self.c**2 * u.xx

Annotated attributes are coefficients: `Wave(c=2.0)`, `--problem.c 2`. A declaration that depends on a coefficient is a
property (`domain`, `conditions`). A problem does not change: make another one for another coefficient.
Legend: N points, D coordinates, F fields.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from mask_pinns.domains import Box, Domain, Place, Points
from mask_pinns.domains.places import kronecker
from mask_pinns.problems.checks import check_derivatives, check_scales, checked_names
from mask_pinns.problems.coefficients import (
    coefficient_fields,
    convert_coefficients,
    declare_coefficients,
    refuse_trainable,
)
from mask_pinns.problems.conditions import Condition, Equation
from mask_pinns.problems.conditions.tables import folder_of
from mask_pinns.problems.evaluation_grid import (
    Evaluation,
    as_columns,
    check_nonzero,
    load_reference,
    mesh,
    quasi_random_points,
)
from mask_pinns.problems.failures import attribute_errors_to
from mask_pinns.problems.unknowns import Unknown, check_unknowns, start_values, with_unknowns

DEFAULT_GRID_POINTS = 40_000
"""Approximate number of points of an evaluation grid, if a problem does not declare its `grid`."""
QUASI_RANDOM_FROM = 4
"""Number of coordinates from which on errors are computed at quasi-random points."""
FEWEST_POINTS = 2000
"""Least number of points at which errors are computed on shapes, if a problem does not declare its `grid`."""
MAX_GRID_POINTS = 10**8
"""Largest number of points of an evaluation grid."""


class _ReadOnce:
    """An attribute of a problem, `domain` or `conditions`: reads what is declared, a value or a property, once."""

    def __init__(self, declared: Any, convert: Callable[[Any, str], Any]) -> None:
        self.declared, self.convert = declared, convert

    def __set_name__(self, owner: type, name: str) -> None:
        if hasattr(self.declared, "__set_name__"):
            self.declared.__set_name__(owner, name)

    def __get__(self, problem: Any, owner: Any) -> Any:
        if problem is None:
            return self.declared
        cache = vars(problem).setdefault("_declarations", {})  # by descriptor: a subclass may use super().conditions
        if id(self) not in cache:
            get = getattr(self.declared, "__get__", None)
            cache[id(self)] = self.convert(get(problem, owner) if get else self.declared, problem.title)
        return cache[id(self)]


def _as_conditions(declared: Any, title: str) -> tuple[Condition, ...]:
    """A tuple of conditions. Raises ValueError for anything but a condition or a sequence of them."""
    conditions = (declared,) if isinstance(declared, Condition) else declared
    if not isinstance(conditions, tuple | list):
        raise ValueError(f"{title}: conditions is {conditions!r}; expected a tuple of Initial, Dirichlet, ...")
    for condition in conditions:
        if not isinstance(condition, Condition):
            what = type(condition).__name__
            raise ValueError(f"{title}: conditions has a {what}; expected Initial, Dirichlet, ...")
    return tuple(conditions)


class Problem:
    """A PDE with its domain, fields, derivatives, conditions and, if it is known, its solution.

    Declare:
        domain: a Domain, e.g. a Box.
        fields: names of the unknowns; ("u",) by default.
        derivatives: those that `residual` uses, by coordinate letters ("tt", "x"); lower ones are included.
        conditions: tuple of conditions (initial, boundary, ...).
        residual(p, u, ...): a tensor (N,), or a tuple or dict of them, zero where the PDE holds.
        exact(p): the solution, (N,) (for several fields a tuple, or a dict of those that are known); or
        known_part(p), features(p): what is known of it; see these methods.
        reference: path of an .npz file beside the problem's own, with one array per coordinate and per field.
        grid: points per coordinate of the evaluation grid.
        unknowns: tuple of `Unknown`s, which are found too. Functions are further fields; a residual takes fields,
            then numbers.
        scales: sizes of fields, by name, for the dimensionless form; by default `characteristic_scales` finds them.

    A coefficient is a number, a string or a truth value, with a default. The initializer takes the coefficients: a
    problem does not define one.

    Example:
        >>> from mask_pinns import Box, Dirichlet, Problem
        >>> class Poisson(Problem):
        ...     domain = Box(x=(0, 1))
        ...     derivatives = ("xx",)
        ...     conditions = (Dirichlet("x", u=0.0),)
        ...     source: float = 1.0
        ...     def residual(self, p, u):
        ...         return u.xx + self.source
        >>> Poisson(source=2.0).coefficients()
        {'source': 2.0}

    Raises ValueError for a declaration that is not consistent, naming the part that is wrong.
    """

    domain: ClassVar[Any]
    fields: ClassVar[tuple[str, ...]] = ("u",)
    derivatives: ClassVar[tuple[str, ...]] = ()
    conditions: ClassVar[Any] = ()
    reference: ClassVar[Any] = None
    grid: ClassVar[int | None] = None
    scales: ClassVar[Mapping[str, float]] = {}
    unknowns: ClassVar[Any] = ()
    whole: ClassVar[Any] = None  # of a time window, the problem that it is part of

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in {"__init__", "__post_init__"} & set(vars(cls)):
            raise ValueError(f"{cls.__name__} defines {name}: declare coefficients instead, and properties of them")
        refuse_trainable(cls)
        for name, convert in (("conditions", _as_conditions), ("domain", lambda declared, title: declared)):
            if name in vars(cls):
                setattr(cls, name, _ReadOnce(vars(cls)[name], convert))
        declare_coefficients(cls, taken={"name", *Problem.__annotations__, *dir(Problem)})

    def __post_init__(self) -> None:
        convert_coefficients(self)
        if not hasattr(type(self), "domain") or not isinstance(self._declared("domain"), Domain):
            raise ValueError(f"{self.title} has no domain; declare e.g. domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))")
        self.domain.check()
        self._check_fields()
        self._take_unknowns()
        derivatives = checked_names(self._declared("derivatives"), self.title)
        check_derivatives(derivatives, self.domain, self.title)
        self._check_grid()
        check_scales(self._declared("scales"), self.fields, self.title)
        names = [term.name for term in self.terms]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{self.title} has two conditions called {name!r}; give one of them another `name=`")
        for condition in self.terms:
            condition.attach(folder_of(type(self), "conditions"), derivatives)
            condition.check(self.domain, self.fields)

    def _declared(self, name: str) -> Any:
        """The declaration of this name, which may be a property that fails."""
        with attribute_errors_to(name, self.title):
            return getattr(self, name)

    def _check_grid(self) -> None:
        n = self._declared("grid")
        if n is None:
            return
        if not (isinstance(n, int) and n > 1):
            raise ValueError(f"{self.title}: grid is {n!r}; expected a whole number of points, 2 or more")
        if n ** len(self.domain) > MAX_GRID_POINTS:
            raise ValueError(f"{self.title}: grid is {n}; all in all it may have {MAX_GRID_POINTS:,} points")

    def _check_fields(self) -> None:
        fields = self._declared("fields")
        if not isinstance(fields, tuple | list) or not self.fields or len(set(self.fields)) < len(self.fields):
            raise ValueError(f'{self.title}: fields is {self.fields!r}; expected distinct names, e.g. ("u", "v")')
        for name in self.fields:
            if not isinstance(name, str) or not name.isidentifier() or "_" in name or name in self.domain:
                raise ValueError(f"{self.title}: {name!r} cannot name a field (letters and digits, no coordinate)")

    def _take_unknowns(self) -> None:
        """Makes unknown functions fields, after those that are declared."""
        taken = {*self.fields, *self.coefficient_fields(), *dir(Problem)}
        vars(self)["_unknowns"] = check_unknowns(self._declared("unknowns"), self.domain, taken, self.title)
        if self.unknown_functions:
            vars(self)["fields"] = (*type(self).fields, *(u.name for u in self.unknown_functions))

    def points(self, place: Place, x: Tensor, unknowns: Mapping[str, Tensor] | None = None) -> Points:
        """The points (N, D) of a place as residuals receive them, with the unknown numbers (default: their starts)."""
        p = place.at(x, self.domain.names)
        return with_unknowns(p, unknowns or start_values(self.unknown_numbers, x))

    @property
    def unknown_numbers(self) -> tuple[Unknown, ...]:
        return tuple(u for u in vars(self)["_unknowns"] if not u.of)

    @property
    def unknown_functions(self) -> tuple[Unknown, ...]:
        return tuple(u for u in vars(self)["_unknowns"] if u.of)

    def residual(self, p: Any, *fields: Any) -> Any:
        raise ValueError(f"{self.title} defines no residual(self, p, {', '.join(self.fields)})")

    def exact(self, p: Any) -> Any:
        """The solution at the points, or None where it is not known in closed form."""
        return None

    def known_part(self, p: Any) -> Any:
        """A part of the solution that is known, e.g. a singularity in a corner: the network learns the rest.

        It gives what `exact` gives, made of + - * / ** and the usual functions; None: nothing is known.
        """
        return None

    def features(self, p: Any) -> tuple[Any, ...]:
        """Further inputs of the network: functions of the coordinates of which the solution is made."""
        return ()

    def __getstate__(self) -> dict[str, Any]:
        """The coefficients: a problem is pickled as its class with these, whatever its conditions contain."""
        return self.coefficients()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._take_unknowns()

    @property
    def title(self) -> str:
        return type(self).__name__

    @classmethod
    def coefficient_fields(cls) -> dict[str, dataclasses.Field[Any]]:
        return coefficient_fields(cls)

    def coefficients(self) -> dict[str, Any]:
        """The coefficients with their values."""
        return {name: getattr(self, name) for name in self.coefficient_fields()}

    @cached_property
    def equation(self) -> Condition:
        """The PDE as a term of the loss."""
        return Equation(self.residual, self.derivatives)

    @cached_property
    def terms(self) -> tuple[Condition, ...]:
        """The terms of the loss: the PDE, then the conditions."""
        return (self.equation, *self._declared("conditions"))

    def solution(self, points: Tensor) -> Tensor | None:
        """The exact solution at points (M, D), as (M, F), NaN for fields that it leaves out; None if there is none."""
        with attribute_errors_to("exact", self.title):
            exact = self.exact(Points(points, self.domain.names))
        return None if exact is None else as_columns(exact, self.fields, points, self.title)

    def evaluation(self) -> Evaluation:
        """The evaluation grid: the reference's, or `grid` points per coordinate (by default about 40,000 in all).

        In four or more dimensions without a declared `grid`, quasi-random points instead: a grid of so few points a
        coordinate lies mostly on the boundary.
        """
        if self._declared("reference") is not None:
            path = Path(inspect.getfile(type(self))).parent / str(self.reference)
            return load_reference(path, self.domain, self.fields, self.title)
        axes: dict[str, Tensor] = {}
        if self.grid is None and len(self.domain) >= QUASI_RANDOM_FROM:
            points = quasi_random_points(self.domain)
        else:
            axes, points = self._grid()
        if not isinstance(self.domain, Box):
            axes, points = {}, self._inside(points)
        values = self.solution(points)
        if values is not None and not (values.isfinite() | values.isnan().all(0)).all():
            raise ValueError(f"{self.title}.exact is not finite everywhere on the evaluation grid")
        if values is not None:
            check_nonzero(values, f"{self.title}: exact")
        return Evaluation(axes, points, values)

    def _inside(self, points: Tensor) -> Tensor:
        """Those of the points that lie in the domain; points of its own, where too few of its bounding box do."""
        inside = points[self.domain.contains(Points(points, self.domain.names))]
        if self.grid is None and len(inside) < FEWEST_POINTS:
            return self.domain.section({}).draw(FEWEST_POINTS, kronecker)
        if not len(inside):
            raise ValueError(f"{self.title}: no point of grid = {self.grid} lies in the domain; take more")
        return inside

    def _grid(self) -> tuple[dict[str, Tensor], Tensor]:
        """The axes and points of the evaluation grid."""
        n = self.grid or max(2, min(200, round(DEFAULT_GRID_POINTS ** (1 / len(self.domain)))))
        bounds = zip(self.domain.names, self.domain.low, self.domain.high, strict=True)
        axes = {name: torch.linspace(a, b, n, dtype=torch.float64) for name, a, b in bounds}
        return axes, mesh(list(axes.values()))
