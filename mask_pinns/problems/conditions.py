"""Conditions: where points lie on the domain's faces, and the residuals that should vanish there.

`Initial`, `Dirichlet`, `Neumann`, `Periodic`, and `Condition` for anything else; `Interior` is the PDE itself.
Each becomes one term of the loss: the sum over its residuals and faces of the mean square, times its weight.
A target is a number or a function of the points that returns a tensor of shape (N,).

Legend: N points on each face, R faces, D coordinates. A face fixes some coordinates; the others run free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mask_pinns.jet import MAX_ORDER, Derivatives
from mask_pinns.numbers import is_finite
from mask_pinns.problems.declarations import check_derivatives, check_shape, check_targets, checked_names
from mask_pinns.problems.domain import Box, Points
from mask_pinns.problems.fields import Field

if TYPE_CHECKING:
    from mask_pinns.problems.problem import Problem

Face = dict[str, float]
Fields = dict[str, Field]
Residuals = dict[str, Tensor]
Target = float | Callable[[Points], Tensor]


class Condition:
    """A general condition: `residual(p, u, ...)` vanishes where the coordinates in `at` have the values given.

        Condition("middle", at={"x": 0.5}, residual=lambda p, u: u.x - p.t, derivatives=("x",))

    Args:
        name: of the loss term.
        at: fixed coordinates, name to value; the others run over the whole domain.
        residual: function of the points and of each field; a tensor (N,), a tuple or a dict of them.
        derivatives: those that the residual uses.
        weight: factor of this term in the loss.

    Raises ValueError for what is none of these, naming the condition.
    """

    paired = False  # True: residuals compare the term's two faces, one number for each pair of points

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

    def derivatives(self, problem: Problem) -> Derivatives:
        """The derivatives that this condition needs from the network."""
        return Derivatives(self.declared)

    def faces(self, box: Box) -> list[list[Face]]:
        """Groups of faces; the faces of a group share one draw of their free coordinates."""
        for name, value in self.at.items():
            low, high = box[name]
            if not low <= value <= high:
                raise ValueError(f"condition {self.name!r} fixes {name} = {value}, outside [{low}, {high}]")
        return [[self.at]]

    def all_faces(self, box: Box) -> list[Face]:
        """The faces of all groups, in the order in which their points come."""
        return [face for group in self.faces(box) for face in group]

    def residuals(self, problem: Problem, p: Points, fields: Fields) -> Residuals:
        """Named residuals at the points of all faces, each of shape (R N,) ("" where there is only one)."""
        return named(self.function(p, *fields.values()))

    def check(self, problem: Problem) -> None:
        """Raises ValueError where this condition does not fit the problem's domain and fields."""
        self.faces(problem.domain)
        check_derivatives(self.declared, problem.domain, f"condition {self.name!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Interior(Condition):
    """The PDE itself, in the whole domain."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__("pde", {}, residual=lambda *_: None, weight=weight)

    def derivatives(self, problem: Problem) -> Derivatives:
        return Derivatives(problem.derivatives)

    def residuals(self, problem: Problem, p: Points, fields: Fields) -> Residuals:
        return named(problem.residual(p, *fields.values()))


class Initial(Condition):
    """Values and time derivatives at the earliest t: `Initial(u=lambda p: sin(pi * p.x), u_t=0.0)`.

    A start with a kink or a jump is smooth at every later time, which no smooth network follows. `extended={"u": g}`
    tells how it goes on: g(p) equals the target at the earliest t, and melts as the solution does. Where the condition
    holds by construction, the network then has to find only the smooth rest, u - g; a soft one does not use it.
    """

    def __init__(
        self,
        name: str = "initial",
        weight: float = 1.0,
        extended: Mapping[str, Callable[[Points], Tensor]] | None = None,
        **targets: Target,
    ) -> None:
        super().__init__(name, {}, residual=lambda *_: None, weight=weight)
        if not targets:
            raise ValueError(f"condition {name!r}: give at least one target, e.g. Initial(u=0.0)")
        self.targets, self.extended = targets, dict(extended or {})
        for key, function in self.extended.items():
            if key not in targets or f"{key}_t" in targets or not callable(function):
                raise ValueError(
                    f"condition {name!r} extends {key!r}; expected a function for a field whose values it sets, and "
                    "not its time derivative"
                )

    def derivatives(self, problem: Problem) -> Derivatives:
        return Derivatives(key.partition("_")[2] for key in self.targets)

    def faces(self, box: Box) -> list[list[Face]]:
        if "t" not in box:
            raise ValueError(f"condition {self.name!r} needs a coordinate t; the domain has {', '.join(box.names)}")
        return [[{"t": box["t"][0]}]]

    def residuals(self, problem: Problem, p: Points, fields: Fields) -> Residuals:
        return {key: mismatch(self, fields, key, target, p) for key, target in self.targets.items()}

    def check(self, problem: Problem) -> None:
        super().check(problem)
        check_targets(self.name, self.targets, problem.fields)
        check_derivatives([k.partition("_")[2] for k in self.targets], problem.domain, f"condition {self.name!r}")


class _Walls(Condition):
    """Conditions on the faces where one of the coordinates `across` has its lowest or highest value."""

    kind = ""

    def __init__(self, across: Sequence[str], name: str | None, weight: float, side: str) -> None:
        names = all(isinstance(coordinate, str) for coordinate in across)
        if not across or not names or len(set(across)) < len(across):
            raise ValueError(f"{type(self).__name__}: across is {across!r}; expected distinct coordinates, e.g. 'x'")
        if side not in list(SIDES):
            raise ValueError(f"{type(self).__name__}: side is {side!r}; known: {', '.join(SIDES)}")
        super().__init__(name or f"{self.kind}_{''.join(across)}", {}, residual=lambda *_: None, weight=weight)
        self.across, self.side = tuple(across), side

    def faces(self, box: Box) -> list[list[Face]]:
        return [[{name: box[name][i]} for i in SIDES[self.side]] for name in self.across]


SIDES = {"both": (0, 1), "low": (0,), "high": (1,)}


class Dirichlet(_Walls):
    """Given values on the faces across some coordinates: `Dirichlet("x", u=0.0)`, `Dirichlet("x", "y", u=g)`.

    `side` is "both", "low" or "high".
    """

    kind = "dirichlet"

    def __init__(
        self, *across: str, name: str | None = None, weight: float = 1.0, side: str = "both", **targets: Target
    ) -> None:
        super().__init__(across, name, weight, side)
        if not targets:
            raise ValueError(f"condition {self.name!r}: give at least one target, e.g. u=0.0")
        self.targets = targets

    def residuals(self, problem: Problem, p: Points, fields: Fields) -> Residuals:
        return {key: mismatch(self, fields, key, target, p) for key, target in self.targets.items()}

    def check(self, problem: Problem) -> None:
        super().check(problem)
        check_targets(self.name, self.targets, problem.fields)
        for key in self.targets:
            if key not in problem.fields:
                raise ValueError(f"condition {self.name!r} sets {key!r}; a Dirichlet condition sets field values")


class Neumann(Dirichlet):
    """Given outward normal derivatives du/dn on the faces: `Neumann("x", u=0.0)`.

    The normal points out of the domain: du/dn is -du/dx on the low face, du/dx on the high one.
    """

    kind = "neumann"

    def derivatives(self, problem: Problem) -> Derivatives:
        return Derivatives(self.across)

    def residuals(self, problem: Problem, p: Points, fields: Fields) -> Residuals:
        normals = [(c, -1.0 if i == 0 else 1.0) for c in self.across for i in SIDES[self.side]]
        n = len(p) // len(normals)
        return {
            key: self._slope(fields[key], normals, n) - value(target, p, self, key)
            for key, target in self.targets.items()
        }

    @staticmethod
    def _slope(field: Field, normals: list[tuple[str, float]], n: int) -> Tensor:
        parts = [sign * field.derivative(c)[i * n : (i + 1) * n] for i, (c, sign) in enumerate(normals)]
        return torch.cat(parts)


class Periodic(_Walls):
    """Every field equal on the two faces across a coordinate, and its normal derivatives up to `order` too."""

    kind = "periodic"
    paired = True

    def __init__(self, across: str, order: int = 0, name: str | None = None, weight: float = 1.0) -> None:
        super().__init__((across,), name, weight, "both")
        if not isinstance(order, int) or not 0 <= order <= MAX_ORDER:
            raise ValueError(f"condition {self.name!r}: order is {order!r}; expected a whole number, 0 to {MAX_ORDER}")
        self.order = order

    def derivatives(self, problem: Problem) -> Derivatives:
        return Derivatives([self.across[0] * self.order])

    def residuals(self, problem: Problem, p: Points, fields: Fields) -> Residuals:
        n = len(p) // 2
        jumps = {}
        for name, field in fields.items():
            for k in range(self.order + 1):
                low, high = field.derivative(self.across[0] * k).split(n)
                jumps[f"{name}_{self.across[0] * k}".rstrip("_")] = low - high
        return jumps


def named(result: Any) -> Residuals:
    """Residuals from a function of the user's: one tensor, a tuple (numbered from 1) or a dict (named)."""
    if isinstance(result, Mapping):
        return dict(result)
    if isinstance(result, tuple | list):
        return {str(i): r for i, r in enumerate(result, 1)}
    return {"": result}


def value(target: Target, p: Points, condition: Condition, key: str) -> Tensor | float:
    """The target's values at the points: a number, or a tensor checked to be of shape (N,)."""
    if not callable(target):
        return float(target)
    return check_shape(target(p), len(p), f"condition {condition.name!r}: the target of {key}")


def mismatch(condition: Condition, fields: Fields, key: str, target: Target, p: Points) -> Tensor:
    """Field or derivative (key "u" or "u_t") less its target, (N,)."""
    name, _, derivative = key.partition("_")
    return fields[name].derivative(derivative) - value(target, p, condition, key)
