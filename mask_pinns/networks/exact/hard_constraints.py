"""Hard constraints, conditions that hold by construction: each field is u = A(p) + B(p) N(p), N the network's output.

A part S that the problem knows (`Problem.known_part`) is added: u = S + A + B N, and targets are those of u - S.
B vanishes where conditions hold, A has the values that they prescribe: `ansatz.py` makes both for initial values and
walls across coordinates, `shapes.py` for shapes; `check_constraints` (checks.py) verifies them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from mask_pinns.domains import SIDES, Domain, Place
from mask_pinns.jets import Derivatives, Jet, Scalar
from mask_pinns.jets.points import JetPoints
from mask_pinns.networks.exact.ansatz import Ansatz, target_on_jets
from mask_pinns.networks.exact.flux import Flux
from mask_pinns.networks.exact.shapes import Blend
from mask_pinns.networks.known import known_parts, known_parts_at
from mask_pinns.networks.unknown import values_of_functions
from mask_pinns.problems import (
    Condition,
    Data,
    Dirichlet,
    Initial,
    Integral,
    Interface,
    Neumann,
    Periodic,
    Problem,
    Robin,
    Unknown,
)
from mask_pinns.problems.conditions import Target

PROBE_POINTS = 64
"""Number of random points on every piece of a place at which functions are tried."""
MOST_WALLS = 4
"""Most coordinates with walls of different targets: A takes 3^D evaluations of targets."""


class HardConstraints:
    """Makes conditions of a problem hold by construction: (coordinates, N) -> A + B N, field by field.

    Args:
        problem: problem with these conditions.
        conditions: Initial (u, or u and u_t), Dirichlet, Neumann and Robin conditions.
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
        known = known_parts(problem)
        self.fields = {name: Blend(Ansatz(domain, known=known.get(name))) for name in problem.fields}
        for condition in conditions:
            if type(condition) is Initial:  # a subclass may mean something else
                self._add_initial(condition, domain["t"][1] - domain["t"][0] if time is None else time)
            elif type(condition) is Dirichlet:
                self._add_values(condition)
            elif type(condition) in (Neumann, Robin):
                continue  # they need all others
            else:
                raise ValueError(_refusal(condition, problem))
            for blend in self.fields.values():
                blend.ansatz.join_both_ends_of_time(condition)
            self._require_few_walls(condition)
            _try_targets(condition, condition.targets, problem)
            _try_targets(condition, getattr(condition, "extended", {}), problem)
            for blend in self.fields.values():
                blend.require_apart(condition)
        fluxes = [c for c in conditions if isinstance(c, Neumann)]
        self.flux = Flux(problem, fluxes, self.fields) if fluxes else None

    def __reduce__(self) -> Any:
        """Constraints are pickled as their arguments: targets may be functions that cannot be pickled."""
        return _constraints_by_name, (self.problem, *self.arguments)

    def _require_few_walls(self, condition: Condition) -> None:
        for ansatz in (blend.ansatz for blend in self.fields.values()):
            if len(ansatz.walls) > MOST_WALLS and not ansatz.has_common_target:
                raise ValueError(
                    f"condition {condition.name!r} cannot be exact: walls across {len(ansatz.walls)} coordinates have "
                    f"different targets, whose interpolation takes 3^{len(ansatz.walls)} evaluations"
                )

    def _add_values(self, condition: Dirichlet) -> None:
        shapes = [place for place in condition.where if isinstance(place, Domain)]
        if len(shapes) + len(condition.across) < len(condition.where):
            raise ValueError(
                f"condition {condition.name!r} cannot be exact: a function selects a part of the boundary, of "
                "which no smooth distance is known; name shapes"
            )
        functions = {u.name: u for u in self.problem.unknown_functions}
        for name, given in condition.targets.items():
            target = _in_theta(functions[name], given) if name in functions else given
            for c in condition.across:
                ends = self.fields[name].ansatz.walls.setdefault(c, {})
                ends.update(dict.fromkeys(SIDES[condition.side], target))
            for shape in shapes:
                self.fields[name].add(condition, shape, target)

    def _add_initial(self, condition: Initial, time: float) -> None:
        for name, ansatz in ((name, blend.ansatz) for name, blend in self.fields.items()):
            given = [key for key in condition.targets if key.partition("_")[0] == name]
            expected = [name, f"{name}_t"][: len(given)]
            if sorted(given) != expected:
                raise ValueError(
                    f"condition {condition.name!r} sets {', '.join(given)}; exact are {name}, or {name} and {name}_t"
                )
            if len(given) == 2 and ansatz.known is not None:
                raise ValueError(
                    f"condition {condition.name!r} cannot be exact: {name} has a known part, and {name}_t too"
                )
            if given:
                ansatz.time, ansatz.initial = time, [condition.targets[key] for key in expected]
                ansatz.extended = condition.extended.get(name)

    def __call__(self, coordinates: Jet, outputs: Jet, moved: Jet | None = None) -> Jet:
        """The fields (N, F) from the network's outputs (N, F).

        coordinates: the jet of the points (N, D), as `Jet.of_coordinates` makes it; moved: x~ of `Insulation`, if some
        conditions are on fluxes, at which the outputs were evaluated (None: found again).
        """
        p = JetPoints.of(coordinates.value, self.problem.domain.names, coordinates.derivatives)
        if self.flux is not None and moved is None:
            moved, _ = self.flux.insulation(coordinates.value, coordinates.derivatives)
        known, columns = known_parts_at(self.problem, p), []
        for i, (name, blend) in enumerate(self.fields.items()):
            n = Scalar(outputs.map(lambda s, i=i: s[:, i]))  # type: ignore[misc]  # mypy: lambda with a default
            if self.flux is not None and moved is not None:
                lift, factor = self.flux.around(name, p)
                n = n * blend.factor(JetPoints.of_jet(moved, self.problem.domain.names)) * factor + lift
            elif blend.prescribes:
                lift, factor = blend.parts(p)
                n = n * factor + lift
            u = n + known[name] if name in known else n
            columns.append(u.jet.map(lambda s: s[:, None]))
        return values_of_functions(self.problem, Jet.cat(columns))


def _constraints_by_name(problem: Problem, names: Sequence[str], time: float | None) -> HardConstraints:
    return HardConstraints(problem, [c for c in problem.conditions if c.name in names], time)


def _in_theta(unknown: Unknown, target: Target) -> Target:
    """The target of an unknown function as one of its theta, which the network gives."""
    return (lambda p: unknown.theta(target(p))) if callable(target) else float(unknown.theta(target))


def _refusal(condition: Condition, problem: Problem) -> str:
    what = f"condition {condition.name!r} of {problem.title}, {_article(condition)}, cannot be made exact"
    if isinstance(condition, Interface):
        return f"{what}: fields are continuous by construction, the flux is a term of the loss"
    if isinstance(condition, Data):
        return f"{what}: what is measured has noise, which no field should follow"
    if isinstance(condition, Integral):
        return f"{what}: it gathers many points and is a term of the loss"
    if isinstance(condition, Periodic):
        return f"{what} this way; embed its coordinate: --periodic {condition.across[0]}"
    return f"{what} (Initial, Dirichlet, Neumann and Robin conditions can); name those that are: --exact NAME ..."


def _article(condition: Condition) -> str:
    kind = type(condition).__name__
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"


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
        PROBE_POINTS,
        lambda dimension, n: torch.rand(n, dimension, dtype=torch.float64, generator=Generator().manual_seed(0)),
    )
