"""`Condition`, the general condition, and `Equation`, the PDE as a term of the loss.

Legend: N points on each piece, R pieces, D coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains import Domain, Place, Points
from mask_pinns.jets import Derivatives
from mask_pinns.problems.checks import check_derivatives, checked_names
from mask_pinns.problems.fields import Field

Fields = dict[str, Field]
Residuals = dict[str, Tensor]


class Condition:
    """A general condition: `residual(p, u, ...)` vanishes at the points whose coordinates in `at` have these values.

    Args:
        name: name of the loss term.
        at: fixed coordinates, name to value; the others cover the whole domain.
        residual: function of the points, of each field, and of the unknown numbers if it has arguments for them; it
            returns a tensor (N,), or a tuple or dict of them.
            On a boundary, `p.normal.x` is a component of the outward unit normal.
        derivatives: the derivatives that the residual uses.
        weight: factor of this term in the loss.
        where: a part of the boundary instead: a shape, a coordinate, a function of the points, or a tuple of them
            (see `Region.boundary`).
        within: a shape; the condition holds at all points of the domain inside of it.

    Example:
        >>> from mask_pinns import Box, Condition
        >>> middle = Condition("middle", at={"x": 0.5}, residual=lambda p, u: u.x - p.t, derivatives=("x",))
        >>> middle.place(Box(x=(0, 1), t=(0, 5))).pieces[0].free
        ['t']

    Raises ValueError for an argument of another kind, naming the condition.
    """

    paired = False
    """Whether residuals combine all pieces of the term's place, as a jump does: one number for a point of each."""

    def __init__(
        self,
        name: str,
        at: Mapping[str, float] | None = None,
        residual: Callable[..., Any] | None = None,
        derivatives: Sequence[str] = (),
        weight: float = 1.0,
        where: Any = None,
        within: Domain | None = None,
    ) -> None:
        at = {} if at is None else at
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"a condition is called {name!r}; its name is a word without dots")
        if not (is_finite(weight) and weight >= 0):
            raise ValueError(f"condition {name!r}: weight is {weight!r}; expected a number, 0 or more")
        if not isinstance(at, Mapping) or not all(map(is_finite, at.values())):
            raise ValueError(f"condition {name!r}: at is {at!r}; expected fixed coordinates, e.g. {{'x': 0.5}}")
        if not callable(residual):
            raise ValueError(f"condition {name!r}: residual is {residual!r}; expected a function of p and the fields")
        if where is not None and (at or within is not None):
            raise ValueError(f"condition {name!r}: give one of at, where and within, not several")
        if within is not None and not isinstance(within, Domain):
            raise ValueError(f"condition {name!r}: within is {within!r}; expected a shape")
        self.where = where_of(where, f"condition {name!r}")
        self.within = within
        self.name = name
        self.weight = float(weight)
        self.at = {key: float(value) for key, value in at.items()}
        self.function = residual
        self.declared = checked_names(derivatives, f"condition {name!r}")

    @property
    def derivatives(self) -> Derivatives:
        """The derivatives that this condition needs from the network."""
        return Derivatives(self.declared)

    def place(self, domain: Domain) -> Place:
        """The place where this condition holds. Raises ValueError if the domain has no such place."""
        self.check_within(domain)
        if not self.where:
            return self._section(domain if self.within is None else part_of(domain, self.within), self.at)
        with self._named():
            return domain.boundary(*self.where)

    def check_within(self, domain: Domain) -> None:
        """Raises ValueError if the shape `within` has a coordinate that the domain does not have."""
        if self.within is not None and (strange := [c for c in self.within.names if c not in domain]):
            names = ", ".join(domain.names)
            raise ValueError(f"condition {self.name!r}: {self.within!r} has the coordinate {strange[0]}, not {names}")

    def _section(self, domain: Domain, at: Mapping[str, float]) -> Place:
        for name, value in at.items():
            low, high = domain[name]
            if not low <= value <= high:
                raise ValueError(f"condition {self.name!r} fixes {name} = {value}, outside [{low}, {high}]")
        with self._named():
            return domain.section(at)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Names this condition in the errors of a domain."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"condition {self.name!r}: {error}") from None

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        """Residuals by name at the points of all pieces of the place, each (R N,); a single one has the name ""."""
        return named(called(self.function, p, fields))

    def prescribed(self, field: str) -> Any:
        """The target of a field's values, a number or a function of the points; None if it does not prescribe them."""
        return None

    def attach(self, folder: Path, equation: Sequence[str]) -> None:
        """Tells this condition about its problem.

        Args:
            folder: where the files lie that it names: the folder of the first problem which has it.
            equation: the derivatives that the problem declares.
        """
        return

    def check(self, domain: Domain, fields: Sequence[str]) -> None:
        """Raises ValueError if this condition does not fit a problem's domain and fields."""
        self.place(domain)
        check_derivatives(self.declared, domain, f"condition {self.name!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Equation(Condition):
    """The PDE, in the whole domain.

    Args:
        residual, derivatives: those of the problem.
    """

    def __init__(self, residual: Callable[..., Any], derivatives: Sequence[str]) -> None:
        super().__init__("pde", {}, residual, derivatives)


@lru_cache(maxsize=64)
def part_of(domain: Domain, shape: Domain) -> Domain:
    """The part of a domain inside of a shape: always the same object, whose places are found once."""
    return domain & shape


def called(function: Callable[..., Any], p: Points, fields: Fields) -> Any:
    """What a user's function of the points and fields gives.

    Further arguments are unknown numbers: those of their names if all have such names, else all, in their order.
    """
    further = _arguments(function)[1 + len(fields) :] if p.unknowns else ()
    names = further if all(name in p.unknowns for name in further) else p.unknowns
    return function(p, *fields.values(), *(p.unknowns[name] for name in names))


@lru_cache(maxsize=256)
def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the positional arguments that a function needs."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in positional and p.default is Parameter.empty)


def where_of(where: Any, owner: str) -> tuple[Any, ...]:
    """Places on the boundary as a tuple. Raises ValueError for anything but coordinates, shapes and functions."""
    places = () if where is None else tuple(where) if isinstance(where, tuple | list) else (where,)
    for place in places:
        if not (isinstance(place, str | Domain) or callable(place)):
            raise ValueError(f"{owner}: {place!r} is no place; expected a coordinate, a shape, or a function of p")
    return places


def qualified(term: Condition, residuals: Mapping[str, Any]) -> dict[str, Any]:
    """A term's residuals by their names in the loss: that of the term alone, or term.part if it has several."""
    return {f"{term.name}.{part}" if len(residuals) > 1 else term.name: r for part, r in residuals.items()}


def named(result: Any) -> Residuals:
    """Residuals by name from the result of a user's function: a tensor, a tuple (numbered from 1) or a dict."""
    if isinstance(result, Mapping):
        return dict(result)
    if isinstance(result, tuple | list):
        return {str(i): r for i, r in enumerate(result, 1)}
    return {"": result}
