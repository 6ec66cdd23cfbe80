"""The last digits: linear least squares in a network's tangent, on residuals v with loss |v|^2.

At weights w that are trained, the outputs u(w) + (du / dw) s are linear in s. Gauss-Newton stands in a valley that
bends: along the directions in which dv / dw has small singular values it could only take short steps, while what is
left of the loss lies in their span. In s nothing bends but the problem itself, if it is not linear. A step solves

    d = argmin |v + J d|^2 + lambda |d|^2,   J = dv / ds = Q U S V',   d = -V S / (S^2 + lambda) U'Q'v

by an orthogonal factorization of J, whose small singular values J'J would lose to rounding, and s <- s + d. lambda is
that with the least error on rows that are left out, as generalized cross-validation estimates it (Golub, Heath &
Wahba, Technometrics 21, 1979): |v + J d|^2 / (R - 1.4 trace of the fit)^2, in which 1.4 guards against too small
ones (Kim & Gu, J. R. Stat. Soc. B 66, 2004). It is raised as long as the loss does not fall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from mask_pinns.memory import announce, require_memory
from mask_pinns.optim.linear_solvers import LeastSquares

LADDER = 10.0 ** -torch.arange(0.0, 33.0, 0.5, dtype=torch.float64)
"""Dampings lambda to choose from, in units of the largest squared singular value."""
CAUTION = 1.4
"""Factor on the trace of the fit in cross-validation."""


class TangentSquares(LeastSquares, Protocol):
    """What the closure of `TangentLeastSquares.step` returns: residuals v(w, s) and J = dv / ds for a shift s."""

    shift: Tensor


class TangentLeastSquares(Optimizer):
    """Linear least squares in the tangent. `step(closure)`: the closure returns `TangentSquares`; weights stay.

    Args:
        params: the weights, in the order of J's columns.
        lr: factor on the step.
        tries: largest number of dampings in a step; if none lowers the loss, nothing changes.
        grow: factor by which a failed try raises the damping.

    Raises ValueError for a number out of range, and at a step if several processes share the residuals, or if J does
    not fit into memory.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1.0, tries: int = 8, grow: float = 100.0) -> None:
        if tries < 1 or grow <= 1:
            raise ValueError(f"tries {tries}, grow {grow}: expected tries 1 or more, grow > 1")
        super().__init__(params, {"lr": lr, "tries": tries, "grow": grow})

    @torch.no_grad()
    def step(self, closure: Callable[[], TangentSquares]) -> Tensor:  # type: ignore[override]
        """One step in s. Returns the loss before it."""
        problem, group = closure(), self.param_groups[0]
        if problem.shared:
            raise ValueError("the tangent's least squares need all residuals in one process: use one device")
        before = problem.shift
        self._require_memory(problem.rows, before)
        vectors, rows = zip(*problem.blocks(), strict=True)
        fit = DampedFit(torch.cat(rows), torch.cat(vectors))
        loss, damping = fit.square, fit.best_damping()
        for _ in range(group["tries"]):
            problem.shift = before + group["lr"] * fit.step(damping)
            if problem.residuals()[1] < loss:
                return loss
            damping *= group["grow"]
        problem.shift = before
        return loss

    @staticmethod
    def _require_memory(rows: int, like: Tensor) -> None:
        numbers = (3 * rows + 4 * len(like)) * len(like) * like.itemsize
        what = f"J ({rows:,} x {len(like):,}) and its factors"
        require_memory(numbers, like.device, what, "take a smaller width or fewer points")
        announce(numbers, like.device, what)


class DampedFit:
    """argmin |v + J d|^2 + lambda |d|^2 for any lambda, from one decomposition of J (R, P)."""

    def __init__(self, j: Tensor, v: Tensor) -> None:
        self.rows, self.square = len(v), v @ v
        if len(j) > j.shape[1]:
            q, r = torch.linalg.qr(j)
            u, self.singular, self.vh = torch.linalg.svd(r, full_matrices=False)
            self.coordinates = u.T @ (q.T @ v)
        else:
            u, self.singular, self.vh = torch.linalg.svd(j, full_matrices=False)
            self.coordinates = u.T @ v

    def step(self, damping: float) -> Tensor:
        """d, whose loss is least for this lambda."""
        return -(self.vh.T @ (self.singular / (self.singular**2 + damping) * self.coordinates))

    def best_damping(self) -> float:
        """The lambda with the least error by generalized cross-validation."""
        ladder = LADDER.to(self.singular) * self.singular[0] ** 2
        kept = ladder[:, None] / (self.singular**2 + ladder[:, None])  # the share of each coordinate that is left
        outside = (self.square - self.coordinates @ self.coordinates).clamp(min=0)
        free = self.rows - CAUTION * (1 - kept).sum(1)
        errors = (outside + kept.square() @ self.coordinates.square()) / free**2
        return float(ladder[torch.where(free > 0, errors, torch.inf).argmin()])
