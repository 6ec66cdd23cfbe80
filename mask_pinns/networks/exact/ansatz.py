"""`Ansatz`: A and B of one field for initial values and for walls across coordinates, u = A(p) + B(p) N(p).

    initial (u, u_t, at t0)   B has the factor tanh(s)^n, n the number of targets, s = (t - t0)/T
                              A_0 = u0 + u1 T tanh(s)          (the targets taken at t0)
                              A_0 = g, where the condition extends u0 by a function g(p) with g = u0 at t0
    walls across x, [a, b]    B has the factor 4 (x - a)(b - x)/L^2;  (x - a)/L or (b - x)/L for one wall
                              A_k = A_(k-1) + w_a (g_a - A_(k-1)|x=a) + w_b (g_b - A_(k-1)|x=b)
                              w_a = (b - x)/L, w_b = (x - a)/L;  1 for one wall

Initial values u0 are a wall across t, and T has no effect, if the last values are prescribed too.
All factors are between 0 and 1 (T: by default the length of the time interval; a shorter T frees the network earlier).
The corrections A_k - A_(k-1) (transfinite interpolation, Gordon and Hall 1973) vanish where the earlier conditions
hold if the targets agree there. Their cost grows as 3^D. If the walls across many coordinates have one common target g,
as in high-dimensional problems, A = A_0 + g(p) - g(p at t0) does without them. Source: Lagaris et al. 1998.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mask_pinns.domains import Domain
from mask_pinns.jets import Scalar
from mask_pinns.jets.functions import tanh
from mask_pinns.jets.points import JetPoints
from mask_pinns.networks.known import Known
from mask_pinns.problems import Condition
from mask_pinns.problems.conditions import Target

MANY_WALLS = 4
"""From so many coordinates with walls on, walls of one common target are lifted by this target itself."""


@dataclass
class Ansatz:
    """A and B of one field.

    Attributes:
        domain: domain of the problem.
        time: T in s = (t - t0)/T.
        initial: targets of u, u_t at the earliest t; at most these two.
        walls: targets by coordinate and side (0 low, 1 high).
        extended: function that replaces the target of u after t0; None: the target itself.
        known: a part of the field that is added to A + B N, so that targets are those of the rest.
    """

    domain: Domain
    time: float = 1.0
    initial: list[Target] = field(default_factory=list)
    walls: dict[str, dict[int, Target]] = field(default_factory=dict)
    extended: Target | None = None
    known: Known | None = None

    def lift(self, p: JetPoints, walls: int | None = None) -> Scalar | float:
        """A, with the corrections of the first `walls` coordinates that have walls (by default all)."""
        if walls is None and self.has_common_target:
            return self._common_lift(p)
        walls = len(self.walls) if walls is None else walls
        if walls == 0:
            return self.initial_lift(p)
        name, targets = list(self.walls.items())[walls - 1]
        result = self.lift(p, walls - 1)
        for side, target in targets.items():
            face = p.at(name, self.domain[name][side])
            gap = self.value(target, face) - self.lift(face, walls - 1)
            if isinstance(gap, Scalar) or gap:
                result = result + gap * (self._distance(p, name, 1 - side) if len(targets) == 2 else 1.0)
        return result

    @property
    def has_common_target(self) -> bool:
        """Whether the walls across many coordinates have one target, and no velocity is prescribed at the start."""
        targets = [target for walls in self.walls.values() for target in walls.values()]
        return len(self.walls) >= MANY_WALLS and len(self.initial) <= 1 and all(t is targets[0] for t in targets)

    def _common_lift(self, p: JetPoints) -> Scalar | float:
        target = next(iter(next(iter(self.walls.values())).values()))
        values = self.value(target, p)
        if not self.initial:
            return values
        return self.initial_lift(p) + values - self.value(target, p.at("t", self.domain["t"][0]))

    def join_both_ends_of_time(self, condition: Condition) -> None:
        """Makes initial values one of two walls across t if the last values are prescribed too.

        Raises ValueError if they have time derivatives, or are extended.
        """
        if "t" not in self.walls or not self.initial:
            return
        if len(self.initial) > 1 or self.extended is not None:
            raise ValueError(
                f"condition {condition.name!r} cannot be exact: values at both ends of time can, but not together with "
                "initial time derivatives or extended initial values"
            )
        self.walls["t"].setdefault(0, self.initial.pop())

    def factor(self, p: JetPoints) -> Scalar | float:
        """B, the factor of the network's output."""
        result: Scalar | float = 1.0
        if self.initial:
            result = self._time_factor(p) if len(self.initial) == 1 else self._time_factor(p) ** len(self.initial)
        return self.wall_factor(p, result)

    def wall_factor(self, p: Any, result: Any = 1.0) -> Any:
        """The factors of the walls, times another one."""
        for name, targets in self.walls.items():
            for side in targets:
                result = result * self._distance(p, name, side) * (2.0 if len(targets) == 2 else 1.0)
        return result

    def initial_lift(self, p: JetPoints) -> Scalar | float:
        if not self.initial:
            return 0.0
        if self.extended is not None:
            return self.value(self.extended, p)
        start = p.at("t", self.domain["t"][0])
        values = [self.value(target, start) for target in self.initial]
        has_slope = len(values) == 2 and (isinstance(values[1], Scalar) or values[1])
        return values[0] + values[1] * self._time_factor(p) * self.time if has_slope else values[0]

    def _time_factor(self, p: JetPoints) -> Scalar:
        """tanh(s): zero with slope 1/T and no curvature at t0."""
        return ((p.t - self.domain["t"][0]) * (1 / self.time)).apply(tanh)

    def _distance(self, p: Any, name: str, side: int) -> Any:
        """The distance from a wall, relative to the length of the domain."""
        low, high = self.domain[name]
        x = getattr(p, name)
        return (x - low if side == 0 else high - x) * (1 / (high - low))

    def value(self, target: Target, p: JetPoints) -> Scalar | float:
        """The values of a target, less the part that is known."""
        values = target_on_jets(target, p)
        return values if self.known is None else values - self.known(p)


def target_on_jets(target: Target, p: JetPoints) -> Scalar | float:
    """The values of a target: a number, or a Scalar with its derivatives."""
    if not callable(target):
        return float(target)
    result: Any = target(p)  # type: ignore[arg-type]  # JetPoints stand in for Points
    if not isinstance(result, Scalar):
        raise ValueError(f"it gives a {type(result).__name__}, not something made of the coordinates p.x, ...")
    return result
