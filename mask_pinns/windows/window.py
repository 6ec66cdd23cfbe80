"""`window_of`: the problem of one time window, which begins where the one before it ends.

It is the whole problem with a shorter time, with its conditions, coefficients and references; its initial conditions
prescribe what the window before has at its end. `window.whole` is the whole problem.
"""

from __future__ import annotations

from typing import Any

import torch

from mask_pinns.domains import Box
from mask_pinns.jets import JetNetwork
from mask_pinns.problems import Condition, Data, Evaluation, Initial, Problem
from mask_pinns.windows.handover import End, Handover


def require_windows(problem: Problem) -> None:
    """Raises ValueError for a problem that cannot be solved window by window, with the reason."""
    if "t" not in problem.domain:
        names = ", ".join(problem.domain.names)
        raise ValueError(f"time windows need a coordinate t; {problem.title} has {names}: leave out --windows")
    if problem.unknown_numbers or problem.unknown_functions:
        raise ValueError(f"{problem.title} has unknowns, which all times share: leave out --windows")
    if not any(isinstance(c, Initial) for c in problem.conditions):
        raise ValueError(
            f"{problem.title} has no Initial condition with which a window could begin: leave out --windows"
        )
    for condition in problem.conditions:
        if reason := _needs_all_times(condition, problem):
            what = f"condition {condition.name!r} of {problem.title} {reason}"
            raise ValueError(f"{what}: the windows of this problem depend on each other, leave out --windows")


def _needs_all_times(condition: Condition, problem: Problem) -> str:
    """Why a condition cannot be posed window by window; "" if it can."""
    if isinstance(condition, Data):
        return "has measurements at all times"
    if isinstance(condition, Initial):
        return ""
    times = condition.place(problem.domain).check_points(torch.zeros(1, dtype=torch.float64), 2)
    times = times[:, problem.domain.names.index("t")]
    if "t" in condition.at or (times == times[0]).all():
        return f"holds at t = {float(times[0]):g} alone"
    if "t" in getattr(condition, "across", ()) or "t" in condition.where:
        return "holds at the ends of time"
    shapes = [shape for shape in (condition.within, *condition.where) if isinstance(getattr(shape, "names", 0), tuple)]
    return "holds in a shape that mentions t" if any("t" in shape.names for shape in shapes) else ""


def window_of(whole: Problem, start: float, end: float, before: JetNetwork | None = None) -> Problem:
    """The problem from `start` to `end`.

    Args:
        whole: the whole problem. Its functions keep it as their `self`, so that `self.domain` is the whole one.
        start, end: in its time.
        before: the network of the window before, trained; None for the first window.

    Raises ValueError for a problem that cannot be solved window by window, and for a time outside of the problem's.
    """
    require_windows(whole)
    first, last = whole.domain["t"]
    if not first <= start < end <= last:
        raise ValueError(f"a window from {start:g} to {end:g}; the time of {whole.title} is [{first:g}, {last:g}]")
    cls, begins = type(whole), None if before is None else _end_of(whole, start, before)
    body = {
        "domain": whole.domain & Box(t=(start, end)),
        "conditions": tuple(_continued(c, whole, begins) for c in whole.conditions),
        "whole": whole,
        "begins": begins,
        "evaluation": _evaluation,
        "__reduce__": lambda self: (window_of, (whole, start, end, before)),
        "__module__": cls.__module__,
        "__doc__": cls.__doc__,
    }
    functions = {name: getattr(whole, name) for name in ("residual", "exact", "known_part", "features")}
    window: Problem = type(cls.__name__, (cls,), body | functions)(**whole.coefficients())
    return window


def _end_of(whole: Problem, time: float, network: JetNetwork) -> End:
    """The end of a window, which knows the one that its network began with."""
    handed = [key.partition("_")[2] for c in whole.conditions if isinstance(c, Initial) for key in c.targets]
    window = getattr(getattr(network, "constraints", None), "problem", None)
    return End(network, whole.domain.names, time, handed, getattr(window, "begins", None))


def _continued(condition: Condition, whole: Problem, begins: End | None) -> Condition:
    """The same condition, at the start of a later window with what the network before it has there."""
    if begins is None or not isinstance(condition, Initial):
        return condition
    parts = {key: key.partition("_") for key in condition.targets}
    targets: dict[str, Any] = {
        key: Handover(begins, whole.fields.index(field), derivative) for key, (field, _, derivative) in parts.items()
    }
    return Initial(condition.name, condition.weight, **targets)


def _evaluation(window: Any) -> Evaluation:
    """The whole problem's evaluation grid at the times of the window; a grid without values if it has too few there."""
    grid: Evaluation = window.whole.evaluation()
    start, end = window.domain["t"]
    column = grid.points[:, window.domain.names.index("t")]
    inside, axes = (column >= start) & (column <= end), dict(grid.axes)
    if axes:
        axes["t"] = axes["t"][(axes["t"] >= start) & (axes["t"] <= end)]
    if inside.any() and (not axes or len(axes["t"]) > 1):
        return Evaluation(axes, grid.points[inside], None if grid.values is None else grid.values[inside])
    axes, points = window._grid()
    if not isinstance(window.domain, Box):
        axes, points = {}, window._inside(points)
    return Evaluation(axes, points, window.solution(points))
