"""`further_columns`: derivatives of the fields, and their standard deviations, at any points, as columns with names.

    u_x, u_tt     derivatives of the network, by the engine of its training
    u_std         standard deviations, by a `Posterior`

Legend: N points, D coordinates, F fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mask_pinns.jets import Derivatives
from mask_pinns.memory import evaluate_in_chunks
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.objective.objective import Objective
from mask_pinns.objective.posterior import Posterior
from mask_pinns.problems.checks import check_derivatives, checked_names

STREAMED = 2048
"""Number of points at which derivatives are taken at a time."""
GRADIENTS = 512
"""Number of points at which derivatives by all parameters are taken at a time."""
STD = "std"


def check_columns(objective: Objective, derivatives: Any, std: bool, what: str) -> None:
    """Raises ValueError for names that are no derivatives, of coordinates and up to order 4, or that mean two things.

    what: how the names are called, for the message.
    """
    domain = objective.problem.domain
    check_derivatives(checked_names(derivatives, what), domain, what)
    if std and STD in derivatives:
        raise ValueError(f"{what} has {STD!r}, by which standard deviations are called too: write {STD[::-1]!r}")


def as_points(points: Tensor | np.ndarray, names: Sequence[str]) -> Tensor:
    """Points as a tensor (N, D). Raises ValueError for another shape, and for what is not real."""
    x = points if isinstance(points, Tensor) else torch.as_tensor(np.asarray(points))  # lists are float64, not float32
    if x.is_complex() or x.ndim != 2 or x.shape[1] != len(names):
        what = f"shape {tuple(x.shape)} and {x.dtype}"
        raise ValueError(f"points have {what}; expected (N, {len(names)}): {', '.join(names)}, real numbers")
    return x


def further_columns(
    objective: Objective,
    network: nn.Module,
    points: Tensor | np.ndarray,
    derivatives: Sequence[str] = (),
    posterior: Posterior | None = None,
) -> dict[str, np.ndarray]:
    """Derivatives and standard deviations of every field at points (N, D), each (N,): "u_x", "u_std".

    Args:
        objective: objective of the problem, e.g. `model.objective`; derivatives are those of its engine.
        network: its network, e.g. `model.network`; it is evaluated in evaluation mode.
        points: the points.
        derivatives: by coordinate letters, as a problem declares them: ("x", "tt"); mixed ones in any order.
        posterior: gives the standard deviations; None: there are none.

    Raises ValueError for points of another shape, for derivatives by what is no coordinate, and for orders above 4.

    Example:
        >>> from mask_pinns import MaskPINN
        >>> from mask_pinns.objective.prediction import further_columns
        >>> model = MaskPINN("wave", {"name": "masked", "width": 8, "blocks": 1})
        >>> columns = further_columns(model.objective, model.network, [[0.5, 0.0]], derivatives=("x", "tt"))
        >>> {name: column.shape for name, column in columns.items()}
        {'u_x': (1,), 'u_tt': (1,)}
    """
    check_columns(objective, derivatives, posterior is not None, "derivatives")
    x, like = as_points(points, objective.problem.domain.names), next(network.parameters())
    parts: list[Tensor] = []
    with evaluation_mode(network):
        if derivatives:
            streams = _streams(objective, network, derivatives)
            parts += evaluate_in_chunks(streams, x, like, STREAMED).unbind(2)
        if posterior is not None:
            parts.append(evaluate_in_chunks(posterior.of_fields, x, like, GRADIENTS))
    fields, names = objective.problem.fields, [*derivatives, *([STD] if posterior is not None else [])]
    by_name = dict(zip(names, parts, strict=True))
    return {f"{u}_{m}": part[:, f].numpy() for m, part in by_name.items() for f, u in enumerate(fields)}


def _streams(objective: Objective, network: nn.Module, derivatives: Sequence[str]) -> Any:
    """The function that gives the derivatives (N, F, number of derivatives) at points (N, D)."""
    names, carried = objective.problem.domain.names, Derivatives(derivatives)
    indices = [next(m for m in carried.indices if sorted(m) == sorted(name)) for name in derivatives]

    def evaluate(x: Tensor) -> Tensor:
        with torch.no_grad():
            jet = objective.engine(network, x, names, carried)
        zero = torch.zeros_like(jet.value)  # where a derivative is zero everywhere, there is no stream
        found = [jet[m] for m in indices]
        return torch.stack([zero if s is None else s.detach().expand_as(zero) for s in found], 2)

    return evaluate
