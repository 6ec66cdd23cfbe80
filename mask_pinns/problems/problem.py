"""`Problem`: a small declaration from which point sets, losses, metrics and pictures follow.

    class Wave(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 5.0))
        derivatives = ("tt", "xx")
        conditions = (Initial(u=lambda p: torch.sin(pi * p.x), u_t=0.0), Dirichlet("x", u=0.0))
        c: float = 1.0

        def residual(self, p, u):
            return u.tt - self.c**2 * u.xx

Annotated attributes are coefficients: `Wave(c=2.0)`, `--problem.c 2`. What depends on a coefficient becomes a
property (`domain`, `conditions`). A problem does not change: make another one for another coefficient.
Legend: N points, D coordinates, F fields.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from mask_pinns.problems.blame import blamed
from mask_pinns.problems.conditions import Condition, Interior
from mask_pinns.problems.declarations import check_derivatives, check_shape, checked_names
from mask_pinns.problems.domain import Box, Points, mesh

GRID_POINTS = 40_000
MOST_GRID_POINTS = 10**8
ROUNDING = 1e-6
"""By which the axes of a reference, often stored in single precision, may leave the domain, in units of its width."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The grid on which a problem is judged: axes, points (M, D), and the true values (M, F) if known; float64."""

    axes: dict[str, Tensor]
    points: Tensor
    values: Tensor | None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.axes.values()))


class Problem:
    """A PDE with its domain, fields, derivatives, conditions and, where there is one, its solution.

    Declare:
        domain: the Box.
        fields: names of the unknowns; ("u",) unless said.
        derivatives: those that `residual` uses, by coordinate letters ("tt", "x"); lower ones come along.
        conditions: tuple of conditions (initial, boundary, ...).
        residual(p, u, ...): a tensor (N,), or a tuple or dict of them, zero where the PDE holds.
        exact(p): the solution, (N,) (a tuple or dict for several fields); or
        reference: path of an .npz file beside the problem's own, with one array per coordinate and per field.
        grid: points per coordinate of the evaluation grid.

    A coefficient is a number, a word or a truth value, with a default. The initializer is made of them: a problem has
    none of its own.

    Raises ValueError for a declaration that does not fit together, naming the culprit.
    """

    domain: ClassVar[Any]
    fields: ClassVar[tuple[str, ...]] = ("u",)
    derivatives: ClassVar[tuple[str, ...]] = ()
    conditions: ClassVar[Any] = ()
    reference: ClassVar[Any] = None
    grid: ClassVar[int | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in {"__init__", "__post_init__"} & set(vars(cls)):
            raise ValueError(f"{cls.__name__} defines {name}: declare coefficients instead, and properties of them")
        with blamed("a coefficient", cls.__name__):
            dataclasses.dataclass(eq=False, kw_only=True, frozen=True)(cls)
        for name, field in cls.coefficient_fields().items():
            what = f"coefficient {name!r} of {cls.__name__}"
            if name in {"name", *Problem.__annotations__} or hasattr(Problem, name):
                raise ValueError(f"{what}: the name is taken; a declaration has no annotation, or ClassVar")
            if field.default is dataclasses.MISSING:
                raise ValueError(f"{what} has no default; write e.g. {name}: float = 1.0")
            if not isinstance(field.default, int | float | str):
                kind = type(field.default).__name__
                raise ValueError(f"{what} is a {kind}; expected a number, or a declaration without an annotation")

    def __post_init__(self) -> None:
        for name, field in self.coefficient_fields().items():
            what = f"coefficient {name!r} of {self.title}"
            object.__setattr__(self, name, like(field.default, getattr(self, name), what))
        if not hasattr(type(self), "domain") or not isinstance(self._declared("domain"), Box):
            raise ValueError(f"{self.title} has no domain; declare e.g. domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))")
        self._check_fields()
        derivatives = checked_names(self._declared("derivatives"), self.title)
        check_derivatives(derivatives, self.domain, self.title)
        self._check_grid()
        names = [term.name for term in self.terms]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{self.title} has two conditions called {name!r}; give one of them another `name=`")
        for condition in self.terms:
            condition.check(self)

    def _declared(self, name: str) -> Any:
        """What is declared, which may be a property and fail."""
        with blamed(name, self.title):
            return getattr(self, name)

    def _check_grid(self) -> None:
        n = self._declared("grid")
        if n is None:
            return
        if not (isinstance(n, int) and n > 1):
            raise ValueError(f"{self.title}: grid is {n!r}; expected a whole number of points, 2 or more")
        if n ** len(self.domain) > MOST_GRID_POINTS:
            raise ValueError(f"{self.title}: grid is {n}; all in all it may have {MOST_GRID_POINTS:,} points")

    def _check_fields(self) -> None:
        fields = self._declared("fields")
        if not isinstance(fields, tuple | list) or not self.fields or len(set(self.fields)) < len(self.fields):
            raise ValueError(f'{self.title}: fields is {self.fields!r}; expected distinct names, e.g. ("u", "v")')
        for name in self.fields:
            if not isinstance(name, str) or not name.isidentifier() or "_" in name or name in self.domain:
                raise ValueError(f"{self.title}: {name!r} cannot name a field (letters and digits, no coordinate)")

    def residual(self, p: Any, *fields: Any) -> Any:
        raise ValueError(f"{self.title} defines no residual(self, p, {', '.join(self.fields)})")

    def exact(self, p: Any) -> Any:
        """The solution at the points, or None where it is not known in closed form."""
        return None

    @property
    def title(self) -> str:
        return type(self).__name__

    @classmethod
    def coefficient_fields(cls) -> dict[str, dataclasses.Field[Any]]:
        return {f.name: f for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}

    def coefficients(self) -> dict[str, Any]:
        """The coefficients with their values."""
        return {name: getattr(self, name) for name in self.coefficient_fields()}

    @cached_property
    def terms(self) -> tuple[Condition, ...]:
        """The terms of the loss: the PDE, then the conditions."""
        conditions = self._declared("conditions")
        given = (conditions,) if isinstance(conditions, Condition) else conditions
        if not isinstance(given, tuple | list):
            raise ValueError(f"{self.title}: conditions is {given!r}; expected a tuple of Initial, Dirichlet, ...")
        for c in given:
            if not isinstance(c, Condition):
                raise ValueError(f"{self.title}: conditions has a {type(c).__name__}; expected Initial, Dirichlet, ...")
        return (Interior(), *given)

    def solution(self, points: Tensor) -> Tensor | None:
        """The exact solution at points (M, D), as (M, F); None where it is not known in closed form."""
        with blamed("exact", self.title):
            exact = self.exact(Points(points, self.domain.names))
        if exact is None:
            return None
        if isinstance(exact, dict):
            if set(exact) != set(self.fields):
                raise ValueError(
                    f"{self.title}.exact gives {', '.join(map(str, exact))}; the fields are {', '.join(self.fields)}"
                )
            exact = tuple(exact[name] for name in self.fields)
        columns = exact if isinstance(exact, tuple | list) else (exact,)
        if len(columns) != len(self.fields):
            raise ValueError(f"{self.title}.exact gives {len(columns)} fields; there are {len(self.fields)}")
        what = f"{self.title}.exact for {{}}"
        return torch.stack(
            [check_shape(c, len(points), what.format(f)) for c, f in zip(columns, self.fields, strict=True)], 1
        )

    def evaluation(self) -> Evaluation:
        """The evaluation grid: the reference's own, or `grid` points per coordinate (about 40,000 in all)."""
        if self._declared("reference") is not None:
            return self._load_reference()
        n = self.grid or max(2, min(200, round(GRID_POINTS ** (1 / len(self.domain)))))
        bounds = zip(self.domain.names, self.domain.low, self.domain.high, strict=True)
        axes = {name: torch.linspace(a, b, n, dtype=torch.float64) for name, a, b in bounds}
        points = mesh(list(axes.values()))
        values = self.solution(points)
        if values is not None and not values.isfinite().all():
            raise ValueError(f"{self.title}.exact is not finite everywhere on the evaluation grid")
        if values is not None:
            self._check_size(values, "exact")
        return Evaluation(axes, points, values)

    def _check_size(self, values: Tensor, what: str) -> None:
        if not values.any():
            raise ValueError(
                f"{self.title}: {what} is 0 on the whole evaluation grid; no error is relative to that, leave it out"
            )

    def _load_reference(self) -> Evaluation:
        path = Path(inspect.getfile(type(self))).parent / str(self.reference)
        if not path.is_file():
            raise ValueError(f"{self.title}: the reference {path} does not exist")
        try:
            with np.load(path) as file:
                data = {k: torch.from_numpy(real(file[k])) for k in file.files}
        except Exception as error:  # not an .npz file, or not of numbers
            raise ValueError(f"{self.title}: the reference {path} cannot be read: {error}") from None
        for name in (*self.domain.names, *self.fields):
            if name not in data:
                raise ValueError(f"{self.title}: the reference {path.name} has no array {name!r}")
            if not data[name].isfinite().all():
                raise ValueError(f"{self.title}: {name!r} in the reference {path.name} is not finite everywhere")
        axes = {name: data[name] for name in self.domain.names}
        for name, axis in axes.items():
            self._check_axis(name, axis, path)
        shape = tuple(map(len, axes.values()))
        for name in self.fields:
            if data[name].shape != shape:
                raise ValueError(
                    f"{self.title}: {name!r} in {path.name} has shape {tuple(data[name].shape)}; its axes say {shape}"
                )
        values = torch.stack([data[f].reshape(-1) for f in self.fields], 1)
        self._check_size(values, f"the reference {path.name}")
        return Evaluation(axes, mesh(list(axes.values())), values)

    def _check_axis(self, name: str, axis: Tensor, path: Path) -> None:
        if axis.ndim != 1:
            raise ValueError(f"{self.title}: axis {name!r} in {path.name} has shape {tuple(axis.shape)}; expected 1-D")
        if len(axis) < 2 or not (axis.diff() > 0).all():
            raise ValueError(f"{self.title}: axis {name!r} in {path.name} does not increase from 2 points or more")
        low, high = self.domain[name]
        slack = ROUNDING * (high - low)
        if axis[0] < low - slack or axis[-1] > high + slack:
            raise ValueError(
                f"{self.title}: axis {name!r} in {path.name} runs from {axis[0]:g} to {axis[-1]:g}, outside the "
                f"domain's [{low:g}, {high:g}]"
            )


def real(array: np.ndarray) -> np.ndarray:
    """An array in double precision. Raises ValueError for one of anything but real numbers."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"an array of {array.dtype}; expected real numbers")
    return array.astype(np.float64)


def like(default: Any, value: Any, what: str) -> Any:
    """value as a number of the default's type. Raises ValueError where it is none, or not finite."""
    kind = type(default) if isinstance(default, int | float) and not isinstance(default, bool) else None
    if kind is None:
        return value
    try:
        number = float(value)
        assert not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError, AssertionError):
        raise ValueError(f"{what} is {value!r}; expected a number") from None
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ValueError(f"{what} is {value}; expected a {'finite' if kind is float else 'whole'} number")
    return kind(number)
