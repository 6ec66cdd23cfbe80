"""Conditions that hold by construction: each field is u = A(p) + B(p) N(p), N the network's own output.

B vanishes where conditions hold, A has the values that they ask for:

    initial (u, u_t, at t0)   B has the factor tanh(s)^n, n the number of targets, s = (t - t0)/T
                              A_0 = u0 + u1 T tanh(s)          (the targets taken at t0)
                              A_0 = g, where the condition extends u0 by a function g(p) with g = u0 at t0
    walls across x, [a, b]    B has the factor 4 (x - a)(b - x)/L^2;  (x - a)/L or (b - x)/L for one wall
                              A_k = A_(k-1) + w_a (g_a - A_(k-1)|x=a) + w_b (g_b - A_(k-1)|x=b)
                              w_a = (b - x)/L, w_b = (x - a)/L;  1 for one wall

All factors stay between 0 and 1 (T: the length of time unless said; a shorter one frees the network earlier).
The corrections A_k - A_(k-1) (transfinite interpolation, Gordon and Hall 1973) vanish where the earlier conditions
hold if the targets agree there; `check_held` sees to that. Sources: Lagaris et al. 1998; Sukumar and Srivastava 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from mask_pinns.activations import tanh
from mask_pinns.functions import Number
from mask_pinns.jet import Derivatives, Jet
from mask_pinns.problems.conditions import SIDES, Condition, Dirichlet, Initial, Neumann, Periodic, Target
from mask_pinns.problems.domain import Box, Points
from mask_pinns.problems.fields import fields_of
from mask_pinns.problems.problem import Problem

TOLERANCE = 1e-6  # of a condition's residual, in units of the solution's size or one
PROBES = 64


class JetPoints:
    """Points as a target sees them: `p.x` is a Number, the coordinate with its derivatives."""

    def __init__(self, coordinates: Mapping[str, Number]) -> None:
        self._coordinates = dict(coordinates)

    @classmethod
    def of(cls, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> JetPoints:
        """x: (N, D), with the derivatives of the coordinates themselves."""
        columns = (Jet.of_coordinates(x[:, i : i + 1], (n,), derivatives) for i, n in enumerate(names))
        return cls({n: Number(c.map(lambda s: s[:, 0])) for n, c in zip(names, columns, strict=True)})

    def at(self, name: str, value: float) -> JetPoints:
        """The same points moved to a face: one coordinate fixed, its derivatives zero."""
        jet = self._coordinates[name].jet
        fixed = Number(Jet(jet.derivatives, {"": torch.full_like(jet.value[:1], value)}))
        return JetPoints(self._coordinates | {name: fixed})

    def __getattr__(self, name: str) -> Number:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._coordinates:
            raise ValueError(
                f"p.{name}: targets of exact conditions use the coordinates {', '.join(self._coordinates)}"
            )
        return self._coordinates[name]


@dataclass
class Ansatz:
    """A and B of one field.

    Attributes:
        box: the domain.
        time: T in s = (t - t0)/T.
        initial: targets of u, u_t at the earliest t; at most these two.
        walls: targets by coordinate and side (0 low, 1 high).
        extended: takes the place of the target of u after t0; None: that target itself.
    """

    box: Box
    time: float = 1.0
    initial: list[Target] = field(default_factory=list)
    walls: dict[str, dict[int, Target]] = field(default_factory=dict)
    extended: Target | None = None

    def lift(self, p: JetPoints, walls: int | None = None) -> Number | float:
        """A, with the corrections of the first so many walled coordinates (all of them unless said)."""
        walls = len(self.walls) if walls is None else walls
        if walls == 0:
            return self._initial_lift(p)
        name, targets = list(self.walls.items())[walls - 1]
        result = self.lift(p, walls - 1)
        for side, target in targets.items():
            face = p.at(name, self.box[name][side])
            gap = value(target, face) - self.lift(face, walls - 1)
            if isinstance(gap, Number) or gap:
                result = result + gap * (self._distance(p, name, 1 - side) if len(targets) == 2 else 1.0)
        return result

    def factor(self, p: JetPoints) -> Number | float:
        """B."""
        result: Number | float = 1.0
        if self.initial:
            result = self._clock(p) if len(self.initial) == 1 else self._clock(p) ** len(self.initial)
        for name, targets in self.walls.items():
            for side in targets:
                result = result * self._distance(p, name, side) * (2.0 if len(targets) == 2 else 1.0)
        return result

    def _initial_lift(self, p: JetPoints) -> Number | float:
        if not self.initial:
            return 0.0
        if self.extended is not None:
            return value(self.extended, p)
        start = p.at("t", self.box["t"][0])
        values = [value(target, start) for target in self.initial]
        moves = len(values) == 2 and (isinstance(values[1], Number) or values[1])
        return values[0] + values[1] * self._clock(p) * self.time if moves else values[0]

    def _clock(self, p: JetPoints) -> Number:
        """tanh(s): zero with slope 1/T and no curvature at t0."""
        return ((p.t - self.box["t"][0]) * (1 / self.time)).apply(tanh)

    def _distance(self, p: JetPoints, name: str, side: int) -> Number:
        """From a wall, in units of the domain's length."""
        low, high = self.box[name]
        x: Number = getattr(p, name)
        return (x - low if side == 0 else high - x) * (1 / (high - low))


def value(target: Target, p: JetPoints) -> Number | float:
    """A target's values: a number, or one with its derivatives."""
    if not callable(target):
        return float(target)
    result: Any = target(p)  # type: ignore[arg-type]  # JetPoints stand in for Points
    if not isinstance(result, Number):
        raise ValueError(f"it gives a {type(result).__name__}, not something made of the coordinates p.x, ...")
    return result


class ExactConditions:
    """Makes conditions of a problem hold exactly: (coordinates, N) -> A + B N, field by field.

    Args:
        problem: whose conditions they are.
        conditions: Initial (u, or u and u_t) and Dirichlet conditions.
        time: T of the initial factor; None: the length of the time interval.

    Raises:
        ValueError: a condition that cannot be made exact, a time that is not above zero, a target whose derivatives
            are not known; always with the condition's name.
    """

    def __init__(self, problem: Problem, conditions: Sequence[Condition], time: float | None = None) -> None:
        self.problem, box = problem, problem.domain
        if time is not None and not time > 0:
            raise ValueError(f"exact_time is {time}; it must be above 0")
        self.fields = {name: Ansatz(box) for name in problem.fields}
        for condition in conditions:
            if isinstance(condition, Initial):
                self._add_initial(condition, box["t"][1] - box["t"][0] if time is None else time)
            elif isinstance(condition, Dirichlet) and not isinstance(condition, Neumann):
                for name, target in condition.targets.items():
                    for c in condition.across:
                        self.fields[name].walls.setdefault(c, {}).update(dict.fromkeys(SIDES[condition.side], target))
            else:
                raise ValueError(_refusal(condition, problem))
            _try_targets(condition, condition.targets, problem)
            _try_targets(condition, getattr(condition, "extended", {}), problem)

    def _add_initial(self, condition: Initial, time: float) -> None:
        for name, ansatz in self.fields.items():
            given = [key for key in condition.targets if key.partition("_")[0] == name]
            wanted = [name, f"{name}_t"][: len(given)]
            if sorted(given) != wanted:
                raise ValueError(
                    f"condition {condition.name!r} sets {', '.join(given)}; exact are {name}, or {name} and {name}_t"
                )
            if given:
                ansatz.time, ansatz.initial = time, [condition.targets[key] for key in wanted]
                ansatz.extended = condition.extended.get(name)

    def __call__(self, coordinates: Jet, outputs: Jet) -> Jet:
        """coordinates: the jet of the points (N, D), as `Jet.of_coordinates` makes it; outputs: (N, F)."""
        p = JetPoints.of(coordinates.value, self.problem.domain.names, coordinates.derivatives)
        columns = []
        for i, ansatz in enumerate(self.fields.values()):
            n = Number(outputs.map(lambda s, i=i: s[:, i]))  # type: ignore[misc]  # mypy: lambda with a default
            u = n * ansatz.factor(p) + ansatz.lift(p) if ansatz.initial or ansatz.walls else n
            columns.append(u.jet.map(lambda s: s[:, None]))
        return Jet.cat(columns)


def _refusal(condition: Condition, problem: Problem) -> str:
    what = f"condition {condition.name!r} of {problem.title}, a {type(condition).__name__}, cannot be made exact"
    if isinstance(condition, Periodic):
        return f"{what} this way; embed its coordinate: --periodic {condition.across[0]}"
    return f"{what} (Initial and Dirichlet conditions can); name those that are: --exact NAME ..."


def _try_targets(condition: Condition, targets: Mapping[str, Target], problem: Problem) -> None:
    """Every target once, with all derivatives of the problem."""
    p = JetPoints.of(inside(problem.domain), problem.domain.names, Derivatives(problem.derivatives))
    for key, target in targets.items():
        try:
            value(target, p)
        except Exception as error:  # the target is the user's code, and may use what a Number does not know
            raise ValueError(
                f"condition {condition.name!r} cannot be exact: the target of {key} cannot be differentiated: {error}"
            ) from None


def inside(box: Box) -> Tensor:
    """Fixed random points of the domain, float64."""
    unit = torch.rand(PROBES, len(box), dtype=torch.float64, generator=Generator().manual_seed(0))
    low, high = torch.tensor(box.low, dtype=torch.float64), torch.tensor(box.high, dtype=torch.float64)
    return low + (high - low) * unit


def check_held(problem: Problem, held: Sequence[Condition], exact: ExactConditions) -> None:
    """Evaluates conditions on A and on A + B, independently of how these were made.

    Raises ValueError for one that does not hold: targets contradict each other where their faces meet.
    """
    box = problem.domain
    for term in held:
        faces = term.all_faces(box)
        x = torch.cat([on_face(face, box) for face in faces])
        jet = Jet.of_coordinates(x, box.names, term.derivatives(problem))
        for constant in (0.0, 1.0):
            u = exact(jet, Jet(jet.derivatives, {"": x.new_full((len(x), len(problem.fields)), constant)}))
            fields = fields_of(u, problem.fields, box.names, problem.title)
            worst = max(float(r.abs().max()) for r in term.residuals(problem, Points(x, box.names), fields).values())
            if not worst <= TOLERANCE * max(1.0, float(u.value.abs().max())):
                others = ", ".join(repr(other.name) for other in held if other is not term)
                raise ValueError(
                    f"condition {term.name!r} of {problem.title} cannot be exact together with {others or 'itself'}: "
                    f"off by {worst:.1e}, their targets contradict each other where they meet; make one of them soft"
                )


def on_face(face: Mapping[str, float], box: Box) -> Tensor:
    """The fixed random points, moved to a face."""
    x = inside(box)
    for name, fixed in face.items():
        x[:, box.names.index(name)] = fixed
    return x
