"""`family_parameters`: coordinates by which nothing is differentiated, so that a problem is a family of problems."""

from __future__ import annotations

from mask_pinns.problems.conditions import Integral, Pin
from mask_pinns.problems.derived.determinacy import free_fields
from mask_pinns.problems.problem import Problem


def family_parameters(problem: Problem) -> tuple[str, ...]:
    """The coordinates but t by which neither equation nor conditions have a derivative, in their order.

    For each value of these, the others make a problem of their own. None if there is no derivative at all.

    Example:
        >>> from mask_pinns import Box, Problem
        >>> from mask_pinns.problems.derived.families import family_parameters
        >>> class Decay(Problem):
        ...     domain = Box(t=(0, 1), k=(1, 5))
        ...     derivatives = ("t",)
        ...     def residual(self, p, u):
        ...         return u.t + p.k * u
        >>> family_parameters(Decay())
        ('k',)
    """
    letters = {letter for term in problem.terms for m in term.derivatives.indices for letter in m}
    return tuple(name for name in problem.domain.names if letters and name not in letters and name != "t")


def family_notes(problem: Problem) -> list[str]:
    """What a user should know of a family in which something is fixed by one number, a line each."""
    family = ", ".join(family_parameters(problem))
    pinned = any(free_fields(problem).values()) or any(isinstance(c, Pin) for c in problem.conditions)
    integrals = [c.name for c in problem.conditions if isinstance(c, Integral)]
    notes = [f"{problem.title}: {name} is an integral over {family} too, not one for each value" for name in integrals]
    if pinned:
        notes.append(
            f"{problem.title}: a Pin fixes a field at one value of {family}; Condition('level', at={{...}}, "
            "residual=...) at a point of the other coordinates does so for each value"
        )
    return notes if family else []
