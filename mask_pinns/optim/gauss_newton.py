"""Gauss-Newton with adaptive damping (Levenberg-Marquardt) on a residual vector v with loss |v|^2.

    (J'J + lambda I) s = -J'v,      ratio = (|v|^2 - |v(x + s)|^2) / (|v|^2 - |v + J s|^2)

Each step begins with a smaller damping than the last, and raises it until the ratio of actual to predicted decrease
reaches a small target: of a ladder of dampings, the least one that keeps its promise. The far
commoner rule, to lower the damping only where the model is very good, is far slower on PINNs (arXiv 2607.02194).

Three forms of the same step, by size (R residuals, P parameters):
    ParameterSpace   P <= R: J'J is P x P, one Cholesky factorization for each damping
    SampleSpace      R < P:  s = -J' (J J' + lambda I)^(-1) v, R x R (Woodbury)
    MatrixFree       neither fits: conjugate gradients on products with J, block by block
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from mask_pinns.optim.memory import announce, require_memory


class LeastSquares(Protocol):
    """What `GaussNewton.step` gets from its closure. Sums over ranks are taken behind it."""

    def loss(self) -> Tensor:
        """|v|^2 at the parameters as they are."""

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Blocks (v, J) of this rank."""

    def total(self, x: Tensor) -> Tensor:
        """x, averaged over the ranks."""

    @property
    def rows(self) -> int | None:
        """The number of residuals R, None where several ranks share them."""


class ParameterSpace:
    """J'J (its lower triangle) and J'v, accumulated block by block."""

    def __init__(self, problem: LeastSquares) -> None:
        parts = []
        gram: Tensor | None = None
        for v, j in problem.blocks():
            gram = j.new_zeros(2 * j.shape[1:]) if gram is None else gram
            _add_lower(gram, j)
            parts.append((j.T @ v, v @ v))
        assert gram is not None, "no residuals"
        gradient, loss = (torch.stack(x).sum(0) for x in zip(*parts, strict=True))
        self.lower, self.gradient, self.loss = map(problem.total, (gram.tril_(), gradient, loss))

    @property
    def scale(self) -> float:
        """The mean of the diagonal of J'J."""
        return float(self.lower.diagonal().mean())

    def step(self, damping: float) -> Tensor | None:
        """The damped step; None where J'J + damping I is not positive definite to rounding."""
        damped = self.lower.clone()
        damped.diagonal().add_(damping)
        factor, info = torch.linalg.cholesky_ex(damped)  # reads the lower triangle alone
        return None if info else torch.cholesky_solve(-self.gradient[:, None], factor)[:, 0]

    def predicted(self, step: Tensor) -> Tensor:
        """|v|^2 - |v + J s|^2."""
        lower = self.lower @ step
        return -(2 * self.gradient @ step + 2 * step @ lower - step @ (self.lower.diagonal() * step))


def _add_lower(gram: Tensor, j: Tensor, pieces: int = 8) -> None:
    """Adds J'J to a matrix, its lower triangle at least: little more than half of the work."""
    size = max(256, -(-len(gram) // pieces))
    for begin in range(0, len(gram), size):
        gram[begin:, begin : begin + size].addmm_(j[:, begin:].T, j[:, begin : begin + size])


class SampleSpace:
    """J itself, and J J'."""

    def __init__(self, problem: LeastSquares) -> None:
        vectors, rows = zip(*problem.blocks(), strict=True)
        self.v, self.j = torch.cat(vectors), torch.cat(rows)
        self.gram = self.j @ self.j.T
        self.loss = self.v @ self.v

    @property
    def scale(self) -> float:
        return float(self.gram.diagonal().sum() / self.j.shape[1])

    def step(self, damping: float) -> Tensor | None:
        damped = self.gram.clone()
        damped.diagonal().add_(damping)
        factor, info = torch.linalg.cholesky_ex(damped)
        return None if info else -(self.j.T @ torch.cholesky_solve(self.v[:, None], factor)[:, 0])

    def predicted(self, step: Tensor) -> Tensor:
        change = self.j @ step
        return -(2 * self.v @ change + change @ change)


class MatrixFree:
    """Products with J'J only, each from a sweep over the blocks; conjugate gradients for at most `sweeps` sweeps."""

    sweeps = 50

    def __init__(self, problem: LeastSquares) -> None:
        self.problem = problem
        parts = [(j.T @ v, j.square().sum(0), v @ v) for v, j in problem.blocks()]
        self.gradient, self.squares, self.loss = (
            problem.total(torch.stack(x).sum(0)) for x in zip(*parts, strict=True)
        )

    @property
    def scale(self) -> float:
        return float(self.squares.mean())

    def _gram(self, x: Tensor) -> Tensor:
        return self.problem.total(torch.stack([j.T @ (j @ x) for _, j in self.problem.blocks()]).sum(0))

    def step(self, damping: float) -> Tensor | None:
        """Conjugate gradients from zero, preconditioned by the diagonal, to a relative residual of 1e-3."""
        inverse = 1 / (self.squares + damping)
        x, r = torch.zeros_like(self.gradient), -self.gradient
        p = z = inverse * r
        rz, end = r @ z, 1e-6 * (r @ (inverse * r))
        for _ in range(self.sweeps):
            q = self._gram(p) + damping * p
            a = rz / (p @ q)
            x, r = x + a * p, r - a * q
            z = inverse * r
            rz, before = r @ z, rz
            if rz <= end:
                break
            p = z + rz / before * p
        return x

    def predicted(self, step: Tensor) -> Tensor:
        return -(2 * self.gradient @ step + step @ self._gram(step))


Form = ParameterSpace | SampleSpace | MatrixFree


class GaussNewton(Optimizer):
    """Adaptive-ratio Levenberg-Marquardt. `step(closure)`: the closure returns a `LeastSquares`.

    Args:
        params: the parameters, in the order of J's columns.
        lr: factor on the step; 1 is Gauss-Newton's own.
        damping: at the start, in units of the mean diagonal of J'J.
        ratio: least actual over predicted decrease of a step that is taken.
        shrink: factor by which a step lowers the damping before its first try, where the step before could take its
            first; else by `grow` alone.
        grow: factor by which a failed try raises it.
        tries: at most so many dampings a step; then none is taken, which is a step without progress.
        largest: side of the largest matrix to factorize; beyond it, conjugate gradients.

    Raises ValueError for a number out of range, and at the first step where its matrices do not fit into memory.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        damping: float = 1e-2,
        ratio: float = 0.075,
        shrink: float = 10.0,
        grow: float = 3.0,
        tries: int = 20,
        largest: int = 12_000,
    ) -> None:
        if damping <= 0 or not 0 < ratio < 1 or shrink < 1 or grow <= 1 or tries < 1 or largest < 1:
            raise ValueError(
                f"damping {damping}, ratio {ratio}, shrink {shrink}, grow {grow}, tries {tries}, largest {largest}: "
                "expected damping > 0, 0 < ratio < 1, shrink >= 1, grow > 1, tries and largest 1 or more"
            )
        options = {"damping": damping, "ratio": ratio, "shrink": shrink, "grow": grow, "tries": tries}
        super().__init__(params, {"lr": lr, "largest": largest, **options})
        if len(self.param_groups) > 1:
            raise ValueError("Gauss-Newton takes one group of parameters")
        self.parameters = [p for p in self.param_groups[0]["params"] if p.requires_grad]
        self._announced = False

    @torch.no_grad()
    def step(self, closure: Callable[[], LeastSquares]) -> Tensor:  # type: ignore[override]
        """One damped step, or none where every damping fails. Returns the loss before it."""
        group, problem = self.param_groups[0], closure()
        form = self._form(problem, group["largest"])
        state = self.state[self.parameters[0]]
        before = [p.clone() for p in self.parameters]
        damping = max(self._first_damping(form), torch.finfo(form.loss.dtype).eps * form.scale)
        for tried in range(group["tries"]):
            step = form.step(damping)
            if step is not None and self._keeps_its_promise(form, group["lr"] * step, problem):
                state["damping"], state["bold"] = damping, tried == 0
                return form.loss
            for p, value in zip(self.parameters, before, strict=True):
                p.copy_(value)
            damping *= group["grow"]
        state["damping"], state["bold"] = damping, False
        return form.loss

    def _first_damping(self, form: Form) -> float:
        """The first that a step tries."""
        group, state = self.param_groups[0], self.state[self.parameters[0]]
        if "damping" not in state:
            return float(group["damping"] * form.scale)
        return float(state["damping"] / (group["shrink"] if state["bold"] else group["grow"]))

    def _form(self, problem: LeastSquares, largest: int) -> Form:
        size, rows = sum(p.numel() for p in self.parameters), problem.rows
        if rows is not None and rows < size and rows <= largest:
            self._announce(f"J ({rows:,} x {size:,}) and J J'", 2 * rows * size + 3 * rows**2)
            return SampleSpace(problem)
        if size > largest:
            return MatrixFree(problem)
        self._announce(f"J'J of {size:,} parameters", 3 * size**2)
        return ParameterSpace(problem)

    def _announce(self, what: str, numbers: int) -> None:
        """Logs once what a step takes. Raises ValueError where it does not fit."""
        p = self.parameters[0]
        if not self._announced:
            need = numbers * p.itemsize
            require_memory(need, p.device, what, "take a smaller width or fewer points, or a smaller `largest`")
            announce(need, p.device, f"{what}, with working copies")
            self._announced = True

    def _keeps_its_promise(self, form: Form, step: Tensor, problem: LeastSquares) -> bool:
        """Takes the step, and says whether it brought at least its share of what was predicted."""
        predicted = form.predicted(step)
        for p, part in zip(self.parameters, step.split([p.numel() for p in self.parameters]), strict=True):
            p.add_(part.view_as(p))
        decrease = form.loss - problem.loss()
        return bool(predicted > 0 and decrease >= self.param_groups[0]["ratio"] * predicted)
