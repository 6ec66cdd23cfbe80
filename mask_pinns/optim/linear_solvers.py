"""The damped linear least-squares problem of a Gauss-Newton step, in three forms by size.

    (J'J + lambda I) s = -J'v          R residuals v, P parameters, J (R, P)

    ParameterSpace   P <= R: J'J is P x P, one Cholesky factorization for each damping
    SampleSpace      R < P:  s = -J' (J J' + lambda I)^(-1) v, R x R (Woodbury)
    MatrixFree       neither fits: conjugate gradients on products with J, block by block

Each has `v` and its `loss`; `step(damping)`; `predicted(step)`, the decrease of the loss; `jvp(step)`, J s; and
`solve_rhs(w, damping)`, the step for w in place of v. v, w and J s are this rank's, loss and steps those of all ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from torch import Tensor


class LeastSquares(Protocol):
    """What the closure of `GaussNewton.step` returns. Its losses and `total` are averaged over the ranks."""

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Blocks (v, J) of this rank."""

    def residuals(self) -> tuple[Tensor, Tensor]:
        """v of this rank at the current parameters, in the order of the blocks; |v|^2 over all ranks."""

    def total(self, x: Tensor) -> Tensor:
        """x, averaged over the ranks."""

    @property
    def rows(self) -> int:
        """The number of this rank's residuals."""

    @property
    def shared(self) -> bool:
        """Whether other ranks have residuals too; then no rank has the whole of J J'."""


MAX_STORED_ENTRIES = 2**27
"""Largest number of entries of J to store for products with it, 1 GB in float64; a larger J is computed again."""


class _Products:
    """Products with J and its transpose, block by block; `limit` is the largest number of entries of J to store."""

    def __init__(self, problem: LeastSquares, limit: int = 0) -> None:
        self.problem, self.limit = problem, limit
        self._stored: list[Tensor] = []
        self._all_stored = True

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The blocks as they are computed; J is stored if it is small enough."""
        for v, j in self.problem.blocks():
            self._all_stored = self._all_stored and sum(x.numel() for x in self._stored) + j.numel() <= self.limit
            self._stored = [*self._stored, j] if self._all_stored else []
            yield v, j

    def _matrices(self) -> Iterable[Tensor]:
        return self._stored if self._all_stored else (j for _, j in self.problem.blocks())

    def jvp(self, step: Tensor) -> Tensor:
        """J s."""
        return torch.cat([j @ step for j in self._matrices()])

    def vjp(self, w: Tensor) -> Tensor:
        """J'w, averaged over the ranks."""
        begin, parts = 0, []
        for j in self._matrices():
            parts.append(j.T @ w[begin : begin + len(j)])
            begin += len(j)
        return self.problem.total(torch.stack(parts).sum(0))


class ParameterSpace(_Products):
    """J'J (its lower triangle) and J'v, accumulated block by block."""

    @staticmethod
    def storage(rows: int, size: int) -> tuple[str, int]:
        """What it stores, in words, and the number of entries."""
        return f"J'J of {size:,} parameters", 3 * size**2 + min(MAX_STORED_ENTRIES, rows * size)

    def __init__(self, problem: LeastSquares) -> None:
        super().__init__(problem, MAX_STORED_ENTRIES)
        vectors, gradients = [], []
        gram: Tensor | None = None
        for v, j in self.blocks():
            gram = j.new_zeros(2 * j.shape[1:]) if gram is None else gram
            _add_lower(gram, j)
            vectors.append(v)
            gradients.append(j.T @ v)
        assert gram is not None, "no residuals"
        self.v = torch.cat(vectors)
        self.lower, self.gradient = problem.total(gram.tril_()), problem.total(torch.stack(gradients).sum(0))
        self.loss = problem.total(self.v @ self.v)
        self._factor: tuple[float, Tensor] | None = None

    @property
    def scale(self) -> float:
        """The mean of the diagonal of J'J."""
        return float(self.lower.diagonal().mean())

    def step(self, damping: float) -> Tensor | None:
        """The damped step; None where J'J + damping I is not positive definite to rounding."""
        factor, info = _factorized(self.lower, damping)
        if info:
            return None
        self._factor = damping, factor
        return torch.cholesky_solve(-self.gradient[:, None], factor)[:, 0]

    def solve_rhs(self, w: Tensor, damping: float) -> Tensor:
        """The step for w in place of v, with the factors of the last step."""
        assert self._factor is not None and self._factor[0] == damping
        return torch.cholesky_solve(-self.vjp(w)[:, None], self._factor[1])[:, 0]

    def predicted(self, step: Tensor) -> Tensor:
        """|v|^2 - |v + J s|^2."""
        lower = self.lower @ step
        return -(2 * self.gradient @ step + 2 * step @ lower - step @ (self.lower.diagonal() * step))


def _factorized(lower: Tensor, damping: float) -> tuple[Tensor, Tensor]:
    """The Cholesky factor of a matrix, given by its lower triangle, plus damping I; and nonzero if there is none."""
    damped = lower.clone()
    damped.diagonal().add_(damping)
    factor, info = torch.linalg.cholesky_ex(damped)
    return factor, info


def _add_lower(gram: Tensor, j: Tensor, pieces: int = 8) -> None:
    """Adds at least the lower triangle of J'J to a matrix, for little more than half of the work."""
    size = max(256, -(-len(gram) // pieces))
    for begin in range(0, len(gram), size):
        gram[begin:, begin : begin + size].addmm_(j[:, begin:].T, j[:, begin : begin + size])


class SampleSpace:
    """J itself, and J J'."""

    @staticmethod
    def storage(rows: int, size: int) -> tuple[str, int]:
        return f"J ({rows:,} x {size:,}) and J J'", 2 * rows * size + 3 * rows**2

    def __init__(self, problem: LeastSquares) -> None:
        vectors, rows = zip(*problem.blocks(), strict=True)
        self.v, self.j = torch.cat(vectors), torch.cat(rows)
        self.gram = self.j @ self.j.T
        self.loss = self.v @ self.v
        self._factor: tuple[float, Tensor] | None = None

    @property
    def scale(self) -> float:
        return float(self.gram.diagonal().sum() / self.j.shape[1])

    def step(self, damping: float) -> Tensor | None:
        factor, info = _factorized(self.gram, damping)
        if info:
            return None
        self._factor = damping, factor
        return self.solve_rhs(self.v, damping)

    def solve_rhs(self, w: Tensor, damping: float) -> Tensor:
        assert self._factor is not None and self._factor[0] == damping
        return -(self.j.T @ torch.cholesky_solve(w[:, None], self._factor[1])[:, 0])

    def jvp(self, step: Tensor) -> Tensor:
        return self.j @ step

    def predicted(self, step: Tensor) -> Tensor:
        change = self.jvp(step)
        return -(2 * self.v @ change + change @ change)


class MatrixFree(_Products):
    """Products with J'J only, each from a sweep over the blocks; conjugate gradients for at most `sweeps` sweeps."""

    sweeps = 50

    @staticmethod
    def storage(rows: int, size: int) -> tuple[str, int]:
        return f"products with J, {size:,} parameters", 0

    def __init__(self, problem: LeastSquares) -> None:
        super().__init__(problem)
        parts = [(v, j.T @ v, j.square().sum(0)) for v, j in self.blocks()]
        vectors, gradients, squares = zip(*parts, strict=True)
        self.v = torch.cat(vectors)
        self.gradient, self.squares = (problem.total(torch.stack(x).sum(0)) for x in (gradients, squares))
        self.loss = problem.total(self.v @ self.v)

    @property
    def scale(self) -> float:
        return float(self.squares.mean())

    def _gram(self, x: Tensor) -> Tensor:
        return self.problem.total(torch.stack([j.T @ (j @ x) for j in self._matrices()]).sum(0))

    def step(self, damping: float) -> Tensor | None:
        return self._conjugate_gradients(-self.gradient, damping)

    def solve_rhs(self, w: Tensor, damping: float) -> Tensor:
        return self._conjugate_gradients(-self.vjp(w), damping)

    def _conjugate_gradients(self, r: Tensor, damping: float) -> Tensor:
        """(J'J + damping I)^(-1) r from zero, preconditioned by the diagonal, to a relative residual of 1e-3."""
        inverse = 1 / (self.squares + damping)
        x = torch.zeros_like(r)
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


LinearSolver = ParameterSpace | SampleSpace | MatrixFree

MAX_FACTORIZED_SIZE = 12_000
"""Default size n of the largest n x n matrix to factorize, 1.2 GB in float64."""


def choose_linear_solver(
    rows: int, size: int, largest: int = MAX_FACTORIZED_SIZE, shared: bool = False
) -> type[LinearSolver]:
    """The form for R residuals, shared by several ranks or not, and P parameters."""
    if not shared and rows < size and rows <= largest:
        return SampleSpace
    return MatrixFree if size > largest else ParameterSpace
