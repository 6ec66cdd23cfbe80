"""Hard constraints, conditions that hold by construction: each field is u = A(p) + B(p) N(p), N the network's output.

B vanishes where conditions hold, A has the values that they prescribe:

    initial (u, u_t, at t0)   B has the factor tanh(s)^n, n the number of targets, s = (t - t0)/T
                              A_0 = u0 + u1 T tanh(s)          (the targets taken at t0)
                              A_0 = g, where the condition extends u0 by a function g(p) with g = u0 at t0
    walls across x, [a, b]    B has the factor 4 (x - a)(b - x)/L^2;  (x - a)/L or (b - x)/L for one wall
                              A_k = A_(k-1) + w_a (g_a - A_(k-1)|x=a) + w_b (g_b - A_(k-1)|x=b)
                              w_a = (b - x)/L, w_b = (x - a)/L;  1 for one wall

Initial values u0 are a wall across t, and T has no effect, if the last values are prescribed too.
All factors are between 0 and 1 (T: by default the length of the time interval; a shorter T frees the network earlier).
The corrections A_k - A_(k-1) (transfinite interpolation, Gordon and Hall 1973) vanish where the earlier conditions
hold if the targets agree there, which `check_constraints` verifies. Their cost grows as 3^D. If the walls across many
coordinates have one common target g, as in high-dimensional problems, A = A_0 + g(p) - g(p at t0) does without them.
Sources: Lagaris et al. 1998; Sukumar and Srivastava 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor
from torch.quasirandom import SobolEngine

from mask_pinns.domains import SIDES, Domain, Place, Points
from mask_pinns.jets import Derivatives, Jet, Scalar
from mask_pinns.jets.functions import tanh
from mask_pinns.jets.points import JetPoints
from mask_pinns.problems import Condition, Dirichlet, Initial, Periodic, Problem
from mask_pinns.problems.conditions import Target, qualified
from mask_pinns.problems.fields import fields_of
from mask_pinns.problems.scales import characteristic_scales

RESIDUAL_TOLERANCE = 1e-6
"""Largest residual of a hard condition, relative to the characteristic scale of the residual."""
PROBE_POINTS = 64
"""Number of random points on every piece of a place at which functions are tried."""
CHECK_POINTS = 4096
"""Number of Sobol points on every piece at which a hard condition is checked: a narrow mismatch must show."""
MANY_WALLS = 4
"""From so many coordinates with walls on, walls of one common target are lifted by this target itself."""
MOST_WALLS = 4
"""Most coordinates with walls of different targets: A takes 3^D evaluations of targets."""


@dataclass
class Ansatz:
    """A and B of one field.

    Attributes:
        domain: domain of the problem.
        time: T in s = (t - t0)/T.
        initial: targets of u, u_t at the earliest t; at most these two.
        walls: targets by coordinate and side (0 low, 1 high).
        extended: function that replaces the target of u after t0; None: the target itself.
    """

    domain: Domain
    time: float = 1.0
    initial: list[Target] = field(default_factory=list)
    walls: dict[str, dict[int, Target]] = field(default_factory=dict)
    extended: Target | None = None

    def lift(self, p: JetPoints, walls: int | None = None) -> Scalar | float:
        """A, with the corrections of the first `walls` coordinates that have walls (by default all)."""
        if walls is None and self.has_common_target:
            return self._common_lift(p)
        walls = len(self.walls) if walls is None else walls
        if walls == 0:
            return self._initial_lift(p)
        name, targets = list(self.walls.items())[walls - 1]
        result = self.lift(p, walls - 1)
        for side, target in targets.items():
            face = p.at(name, self.domain[name][side])
            gap = target_on_jets(target, face) - self.lift(face, walls - 1)
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
        values = target_on_jets(target, p)
        if not self.initial:
            return values
        return self._initial_lift(p) + values - target_on_jets(target, p.at("t", self.domain["t"][0]))

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
        for name, targets in self.walls.items():
            for side in targets:
                result = result * self._distance(p, name, side) * (2.0 if len(targets) == 2 else 1.0)
        return result

    def _initial_lift(self, p: JetPoints) -> Scalar | float:
        if not self.initial:
            return 0.0
        if self.extended is not None:
            return target_on_jets(self.extended, p)
        start = p.at("t", self.domain["t"][0])
        values = [target_on_jets(target, start) for target in self.initial]
        has_slope = len(values) == 2 and (isinstance(values[1], Scalar) or values[1])
        return values[0] + values[1] * self._time_factor(p) * self.time if has_slope else values[0]

    def _time_factor(self, p: JetPoints) -> Scalar:
        """tanh(s): zero with slope 1/T and no curvature at t0."""
        return ((p.t - self.domain["t"][0]) * (1 / self.time)).apply(tanh)

    def _distance(self, p: JetPoints, name: str, side: int) -> Scalar:
        """The distance from a wall, relative to the length of the domain."""
        low, high = self.domain[name]
        x: Scalar = getattr(p, name)
        return (x - low if side == 0 else high - x) * (1 / (high - low))


def target_on_jets(target: Target, p: JetPoints) -> Scalar | float:
    """The values of a target: a number, or a Scalar with its derivatives."""
    if not callable(target):
        return float(target)
    result: Any = target(p)  # type: ignore[arg-type]  # JetPoints stand in for Points
    if not isinstance(result, Scalar):
        raise ValueError(f"it gives a {type(result).__name__}, not something made of the coordinates p.x, ...")
    return result


class HardConstraints:
    """Makes conditions of a problem hold by construction: (coordinates, N) -> A + B N, field by field.

    Args:
        problem: problem with these conditions.
        conditions: Initial (u, or u and u_t) and Dirichlet conditions.
        time: T of the initial factor; None: the length of the time interval.

    Raises:
        ValueError: a condition that cannot be hard, a time that is not above zero, a target whose derivatives are not
            known; always with the condition's name.
    """

    def __init__(self, problem: Problem, conditions: Sequence[Condition], time: float | None = None) -> None:
        self.problem, domain = problem, problem.domain
        self.arguments = [condition.name for condition in conditions], time
        if time is not None and not time > 0:
            raise ValueError(f"exact_time is {time}; it must be above 0")
        self.fields = {name: Ansatz(domain) for name in problem.fields}
        for condition in conditions:
            if type(condition) is Initial:  # a subclass may mean something else
                self._add_initial(condition, domain["t"][1] - domain["t"][0] if time is None else time)
            elif type(condition) is Dirichlet:
                for name, target in condition.targets.items():
                    for c in condition.across:
                        self.fields[name].walls.setdefault(c, {}).update(dict.fromkeys(SIDES[condition.side], target))
            else:
                raise ValueError(_refusal(condition, problem))
            for ansatz in self.fields.values():
                ansatz.join_both_ends_of_time(condition)
            self._require_few_walls(condition)
            _try_targets(condition, condition.targets, problem)
            _try_targets(condition, getattr(condition, "extended", {}), problem)

    def __reduce__(self) -> Any:
        """Constraints are pickled as their arguments: targets may be functions that cannot be pickled."""
        return _constraints_by_name, (self.problem, *self.arguments)

    def _require_few_walls(self, condition: Condition) -> None:
        for ansatz in self.fields.values():
            if len(ansatz.walls) > MOST_WALLS and not ansatz.has_common_target:
                raise ValueError(
                    f"condition {condition.name!r} cannot be exact: walls across {len(ansatz.walls)} coordinates have "
                    f"different targets, whose interpolation takes 3^{len(ansatz.walls)} evaluations"
                )

    def _add_initial(self, condition: Initial, time: float) -> None:
        for name, ansatz in self.fields.items():
            given = [key for key in condition.targets if key.partition("_")[0] == name]
            expected = [name, f"{name}_t"][: len(given)]
            if sorted(given) != expected:
                raise ValueError(
                    f"condition {condition.name!r} sets {', '.join(given)}; exact are {name}, or {name} and {name}_t"
                )
            if given:
                ansatz.time, ansatz.initial = time, [condition.targets[key] for key in expected]
                ansatz.extended = condition.extended.get(name)

    def __call__(self, coordinates: Jet, outputs: Jet) -> Jet:
        """coordinates: the jet of the points (N, D), as `Jet.of_coordinates` makes it; outputs: (N, F)."""
        p = JetPoints.of(coordinates.value, self.problem.domain.names, coordinates.derivatives)
        columns = []
        for i, ansatz in enumerate(self.fields.values()):
            n = Scalar(outputs.map(lambda s, i=i: s[:, i]))  # type: ignore[misc]  # mypy: lambda with a default
            u = n * ansatz.factor(p) + ansatz.lift(p) if ansatz.initial or ansatz.walls else n
            columns.append(u.jet.map(lambda s: s[:, None]))
        return Jet.cat(columns)


def _constraints_by_name(problem: Problem, names: Sequence[str], time: float | None) -> HardConstraints:
    return HardConstraints(problem, [c for c in problem.conditions if c.name in names], time)


def _refusal(condition: Condition, problem: Problem) -> str:
    what = f"condition {condition.name!r} of {problem.title}, a {type(condition).__name__}, cannot be made exact"
    if isinstance(condition, Periodic):
        return f"{what} this way; embed its coordinate: --periodic {condition.across[0]}"
    return f"{what} (Initial and Dirichlet conditions can); name those that are: --exact NAME ..."


def _try_targets(condition: Condition, targets: Mapping[str, Target], problem: Problem) -> None:
    """Evaluates every target once, with all derivatives of the problem."""
    p = JetPoints.of(probe_points(problem.domain.section({})), problem.domain.names, Derivatives(problem.derivatives))
    for key, target in targets.items():
        try:
            target_on_jets(target, p)
        except Exception as error:  # the target is the user's code, and may do what a Scalar does not support
            raise ValueError(
                f"condition {condition.name!r} cannot be exact: the target of {key} cannot be differentiated: {error}"
            ) from None


def probe_points(place: Place) -> Tensor:
    """Fixed random points of every piece of a place, float64."""
    return place.draw(
        lambda dimension: torch.rand(PROBE_POINTS, dimension, dtype=torch.float64, generator=Generator().manual_seed(0))
    )


def _check_points(place: Place) -> Tensor:
    """Fixed quasi-random points of every piece of a place, float64, dense enough for a narrow mismatch."""
    return place.draw(
        lambda dimension: (
            SobolEngine(dimension, scramble=True, seed=0).draw(CHECK_POINTS, dtype=torch.float64)
            if dimension
            else torch.empty(1, 0, dtype=torch.float64)
        )
    )


def check_constraints(problem: Problem, hard: Sequence[Condition], constraints: HardConstraints) -> None:
    """Evaluates hard conditions on A and on A + B, independently of how these were made.

    Raises ValueError for a condition that does not hold, because targets contradict each other where their faces meet.
    """
    names, scales = problem.domain.names, characteristic_scales(problem)
    constants = (dict.fromkeys(problem.fields, 0.0), scales.sizes)
    for condition in hard:
        place = condition.place(problem.domain)
        x = _check_points(place)
        jet = Jet.of_coordinates(x, names, condition.derivatives)
        for constant in constants:
            outputs = x.new_tensor([constant[f] for f in problem.fields]).expand(len(x), -1)
            u = constraints(jet, Jet(jet.derivatives, {"": outputs}))
            fields = fields_of(u, problem.fields, names, problem.title)
            residuals = qualified(condition, condition.residuals(Points(x, names), fields, place))
            worst = max(float(r.abs().max()) / scales.residuals[name] for name, r in residuals.items())
            if not worst <= RESIDUAL_TOLERANCE:
                others = ", ".join(repr(other.name) for other in hard if other is not condition)
                raise ValueError(
                    f"condition {condition.name!r} of {problem.title} cannot be exact together with "
                    f"{others or 'itself'}: off by {worst:.1e}, relative to its size; their targets contradict each "
                    "other where they meet; make one of them soft"
                )
