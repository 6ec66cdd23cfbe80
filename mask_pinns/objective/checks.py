"""A check of problem, network and objective together, before training: every residual is evaluated."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.networks.unknown import trained_numbers
from mask_pinns.objective.objective import Objective, PointSets
from mask_pinns.objective.residual import Residual
from mask_pinns.problems.failures import attribute_errors_to
from mask_pinns.registry import unknown


def check_objective(objective: Objective, network: nn.Module) -> list[str]:
    """Evaluates all residuals and their gradients at two small sets of points. Returns the names of the residuals.

    Raises ValueError for a residual or a weight that does not fit, or that fails.
    """
    like, title = next(network.parameters()), objective.problem.title
    with evaluation_mode(network):
        residuals = _evaluate(objective, network, objective.check_points(like))
        again = _evaluate(objective, network, objective.check_points(like, 3))
    names = list(residuals)
    if names != list(again):
        raise ValueError(
            f"the residuals of {title} are {', '.join(names)} at some points and {', '.join(again)} "
            "at others; give them the same names each time"
        )
    for name in objective.weights:
        hard = name.partition(".")[0] in objective.hard
        if name not in names and name not in objective.needs and not hard and name != "conditions":
            raise unknown(name, dict.fromkeys([*objective.needs, *names]), f"loss term of {title}")
    if not any(residual.weight for residual in residuals.values()):
        raise ValueError(f"all weights of {title} are 0: nothing is left to train; leave one above 0")
    return names


def _evaluate(objective: Objective, network: nn.Module, points: PointSets) -> dict[str, Residual]:
    """All residuals by name, evaluated term by term. Raises ValueError if one has no gradient."""
    by_name: dict[str, Residual] = {}
    used: set[int] = set()
    parameters = [p for p in network.parameters() if p.requires_grad] if torch.is_grad_enabled() else []
    for term in objective.terms:
        with attribute_errors_to(f"the residual {term.name!r}", objective.problem.title, objective.when):
            residuals = objective.residuals_at(network, term, points[term.name])
            if parameters:
                used |= _require_gradient(residuals, parameters, objective.problem.title)
        by_name |= residuals
    _require_unknowns(used, network, objective.problem.title)
    return by_name


def _require_unknowns(used: set[int], network: nn.Module, title: str) -> None:
    """Raises ValueError for an unknown number that is not among the parameters in use."""
    for name, parameter in trained_numbers(network).items() if used else ():
        if id(parameter) not in used:
            raise ValueError(
                f"the unknown {name!r} is in no residual of {title}: take it as an argument after the fields, or as "
                f"p.{name}"
            )


def _require_gradient(residuals: Mapping[str, Residual], parameters: list[nn.Parameter], title: str) -> set[int]:
    """Computes the gradient once, where a change in place first fails; returns the ids of the parameters in use.

    Raises ValueError if there is no gradient.
    """
    for name, residual in residuals.items():
        if not residual.vector.requires_grad:
            raise ValueError(
                f"the residual {name!r} of {title} does not depend on the network: "
                "write it with the fields or their derivatives, and without .detach()"
            )
    total = torch.stack([residual.vector.sum() for residual in residuals.values()]).sum()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    if not any(residual.weight for residual in residuals.values()):
        return set()
    return {id(p) for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None}
