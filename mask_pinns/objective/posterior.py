"""`Posterior`: how sure unknown numbers and fields are, given the noise of measurements (Laplace approximation).

With the training's vector v of weighted residuals, |v|^2 = loss, and J its Jacobian by the parameters w,

    -log p(w | data) = 1/2 sum over terms of n |v|^2 + ...,       n = N s^2 / weight  for measurements:

a measurement contributes (r / sigma)^2, and v holds sqrt(weight / N) r / (sigma s), s the scale of the residual, N the
number of measurements. If the noise is not known, n = N / |v|^2 estimates it from the misfit. All other terms hold
exactly in the limit of large weights: they take the largest n of the measurements. Then

    A = sum of n J'J,     cov(w) = A^-1,     std(f) = sqrt(g' A^-1 g),  g = df/dw

for any function f of the weights, an unknown or a field at a point. Directions of w that nothing determines (a network
has many) do not count where f does not change along them. A is never formed: R from QR factorizations of sqrt(n) J has
R'R = A.

Source: MacKay 1992. Legend: P parameters, N points, F fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.networks.unknown import trained_numbers, unknown_values
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.objective import Objective, PointSets
from mask_pinns.problems import Data
from mask_pinns.problems.conditions.data import measured

RIDGE = 1e-10
"""Precision that is added to every parameter, relative to its own: it keeps free directions finite."""
FREE = 3.0
"""Standard deviation, relative to an unknown's size, from which the data do not determine it."""


def require_data(objective: Objective) -> None:
    """Raises ValueError for a problem without measurements."""
    if not any(isinstance(term, Data) for term in objective.terms):
        raise ValueError(f"{objective.problem.title} has no Data, whose noise tells how sure a result is")


class Estimate(NamedTuple):
    """How sure a number is.

    Attributes:
        std: its standard deviation.
        determined: whether the data determine it: std is below FREE times its size (with bounds theta is relative).
        settled: whether training has found it: the step that is left, by the linearized problem, is below std.
    """

    std: float
    determined: bool
    settled: bool


class Posterior:
    """The Laplace approximation around the present weights.

    Args:
        jacobian: Jacobian of the objective, whose problem has `Data` among its conditions.
        points: points of every term.

    Raises ValueError for a problem without measurements.
    """

    def __init__(self, jacobian: Jacobian, points: PointSets) -> None:
        objective = jacobian.objective
        require_data(objective)
        settings = replace(objective.settings, causal=0.0, balance=0)  # adaptive weights are not of the posterior
        plain = Objective(objective.problem, settings, objective.hard, scales=objective.scales)
        self.jacobian, self.network = Jacobian(plain, jacobian.network, jacobian.chunk), jacobian.network
        precisions = self._precisions(points)
        most = max(precisions.values())
        width = sum(p.numel() for p in jacobian.parameters.values())
        triangle, slope = torch.zeros(0, width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
        for name, vector, rows, _ in self.jacobian.named_blocks(points):
            scaled = rows.double().cpu() * precisions.get(name, most) ** 0.5
            triangle = torch.linalg.qr(torch.cat([triangle, scaled]), mode="r").R
            slope += rows.double().cpu().T @ vector.double().cpu() * precisions.get(name, most)
        self.sizes = triangle.norm(dim=0)
        self.sizes[self.sizes == 0] = 1.0
        ridge = torch.eye(width, dtype=torch.float64) * RIDGE**0.5
        self.triangle = torch.linalg.qr(torch.cat([triangle / self.sizes, ridge]), mode="r").R
        half = torch.linalg.solve_triangular(self.triangle.T, -(slope / self.sizes)[:, None], upper=False)
        self.step = torch.linalg.solve_triangular(self.triangle, half, upper=True)[:, 0] / self.sizes
        """The step to the minimum of the linearized problem, (P,): zero if training has converged."""

    def _precisions(self, points: PointSets) -> dict[str, float]:
        """n of each residual of measurements."""
        objective, found = self.jacobian.objective, {}
        vectors: dict[str, list[Tensor]] = {}
        for block in self.jacobian.named_blocks(points):
            vectors.setdefault(block.name, []).append(block.vector)
        for name, (count, known) in measured(objective.terms, objective.problem.domain.names).items():
            if not objective.weight_of(name):
                continue
            if known:
                found[name] = count * objective.scales.get(name, 1.0) ** 2 / objective.weight_of(name)
            else:
                found[name] = count / float(torch.cat(vectors[name]).double().square().sum().clamp(min=1e-300))
        if not found:
            raise ValueError(f"all measurements of {objective.problem.title} have weight 0")
        return found

    # ---- results --------------------------------------------------------------------------------------------

    def std(self, gradients: Tensor) -> Tensor:
        """Standard deviations (N,) of functions with gradients (N, P)."""
        scaled = gradients.double().cpu() / self.sizes
        return torch.linalg.solve_triangular(self.triangle.T, scaled.T, upper=False).norm(dim=0)

    def of_unknowns(self) -> dict[str, Estimate]:
        """How sure each unknown number is that is trained."""
        unknowns: Any = getattr(self.network, "unknowns", None)
        if unknowns is None:
            return {}
        names, start, columns = list(unknowns.theta), 0, {}
        for name, parameter in self.jacobian.parameters.items():
            columns[name] = start
            start += parameter.numel()
        gradients = torch.zeros(len(names), start, dtype=torch.float64)
        for i, name in enumerate(names):
            gradients[i, columns[f"unknowns.theta.{name}"]] = 1.0
        theta, slopes = self.std(gradients), unknowns.slopes()
        found = {}
        for name, std in zip(names, theta.tolist(), strict=True):
            declared, value = unknowns.declared[name], abs(float(unknowns.values()[name].detach()))
            bounded = any(map(math.isfinite, declared.bounds))
            relative = std if bounded else std * declared.scale / max(declared.scale, value)
            settled = abs(float(self.step[columns[f"unknowns.theta.{name}"]])) < std
            found[name] = Estimate(abs(slopes[name]) * std, relative < FREE, settled)
        return found

    def of_fields(self, x: Tensor) -> Tensor:
        """The standard deviation (N, F) of the fields at points (N, D)."""
        return torch.stack([self.std(gradients) for gradients in self.jacobian.of_fields(x)], 1)


MOST_PARAMETERS = 6000
"""Most parameters of a network whose posterior is made: it takes a matrix of their square."""


def make_posterior(objective: Objective, network: nn.Module, points: Callable[[], PointSets]) -> Posterior:
    """The posterior around a network in evaluation mode, at these points of every term.

    Raises ValueError that says what is missing: measurements, a Jacobian that is known, or a smaller network.
    """
    require_data(objective)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    if parameters > MOST_PARAMETERS:
        raise ValueError(
            f"standard deviations are for networks of up to {MOST_PARAMETERS:,} parameters; this one has "
            f"{parameters:,}: take a smaller --width"
        )
    with evaluation_mode(network):
        try:
            jacobian = Jacobian(objective, network)
            jacobian.check(objective.check_points(next(iter(network.parameters()))))
        except ValueError as error:  # nested autograd, or a network of another kind
            raise ValueError(f"standard deviations need the Jacobian of Gauss-Newton: {error}") from error
        return Posterior(jacobian, points())


def described_unknowns(
    objective: Objective, network: nn.Module, points: Callable[[], PointSets]
) -> dict[str, dict[str, Any]]:
    """The unknown numbers as `described` gives them, with standard deviations where there is a posterior."""
    found: dict[str, Estimate] | None = None
    if trained_numbers(network):
        with suppress(ValueError):
            found = make_posterior(objective, network, points).of_unknowns()
    entries = described(network, found)
    if not any(isinstance(term, Data) and objective.weight_of(term.name) > 0 for term in objective.terms):
        for entry in entries.values():
            entry["measured"] = False
    return entries


def described(network: nn.Module, estimates: Mapping[str, Estimate] | None) -> dict[str, dict[str, Any]]:
    """The unknown numbers by name: "value" and the parts of its `Estimate`, or "held" for one that is not trained.

    estimates: what `Posterior.of_unknowns` gives; None where nothing tells it: without measurements, or for a network
    whose Jacobian is not known.
    """
    values: dict[str, dict[str, Any]] = {
        name: {"value": float(v.detach())} for name, v in unknown_values(network).items()
    }
    trained = trained_numbers(network)
    for name, entry in values.items():
        if name not in trained:
            entry["held"] = True
        else:
            estimate = (None, None, None) if estimates is None else estimates[name]
            entry["std"], entry["determined"], entry["settled"] = estimate
    return values


def in_words(entry: Mapping[str, Any]) -> str:
    """An unknown number with its standard deviation: "0.1002 +- 0.0004"."""
    value = entry["value"]
    if entry.get("held"):
        return f"{value:g}, held"
    if entry["determined"] is False:
        return f"{value:.3g}, which the data do not determine"
    if entry["std"] is None:
        return f"{value:.6g}" + ("" if entry.get("measured", True) else ", of which no measurement tells")
    digits = max(0, 1 - math.floor(math.log10(entry["std"]))) if entry["std"] else 12
    words = f"{value:.{digits}f} +- {entry['std']:.{digits}f}" if digits < 8 else f"{value:.10g} +- {entry['std']:.1e}"
    return words if entry.get("settled", True) else f"{words}, if training had ended: more --steps"
