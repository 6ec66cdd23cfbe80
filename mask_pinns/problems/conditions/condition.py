"""`Condition`, the general condition, and `Equation`, the PDE as a term of the loss.

Legend: N points on each piece, R pieces, D coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
        residual: function of the points and of each field; it returns a tensor (N,), or a tuple or dict of them.
        derivatives: the derivatives that the residual uses.
        weight: factor of this term in the loss.

    Example:
        >>> from mask_pinns import Box, Condition
        >>> middle = Condition("middle", at={"x": 0.5}, residual=lambda p, u: u.x - p.t, derivatives=("x",))
        >>> middle.place(Box(x=(0, 1), t=(0, 5))).pieces[0].free
        ['t']

    Raises ValueError for an argument of another kind, naming the condition.
    """

    paired = False
    """Whether residuals compare the two pieces of the term's place, one number for each pair of points."""

    def __init__(
        self,
        name: str,
        at: Mapping[str, float],
        residual: Callable[..., Any],
        derivatives: Sequence[str] = (),
        weight: float = 1.0,
    ) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"a condition is called {name!r}; its name is a word without dots")
        if not (is_finite(weight) and weight >= 0):
            raise ValueError(f"condition {name!r}: weight is {weight!r}; expected a number, 0 or more")
        if not isinstance(at, Mapping) or not all(map(is_finite, at.values())):
            raise ValueError(f"condition {name!r}: at is {at!r}; expected fixed coordinates, e.g. {{'x': 0.5}}")
        if not callable(residual):
            raise ValueError(f"condition {name!r}: residual is {residual!r}; expected a function of p and the fields")
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
        for name, value in self.at.items():
            low, high = domain[name]
            if not low <= value <= high:
                raise ValueError(f"condition {self.name!r} fixes {name} = {value}, outside [{low}, {high}]")
        return domain.section(self.at)

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        """Residuals by name at the points of all pieces of the place, each (R N,); a single one has the name ""."""
        return named(self.function(p, *fields.values()))

    def prescribed(self, field: str) -> Any:
        """The target of a field's values, a number or a function of the points; None if it does not prescribe them."""
        return None

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
