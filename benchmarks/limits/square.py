"""Chebyshev collocation on a square: derivatives, Dirichlet solves, and modes in which fields are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

Array = Any
"""An array of numpy."""


def nodes(n: int, low: float, high: float) -> tuple[Array, Array, Array]:
    """Chebyshev nodes (n + 1,) on [low, high], their differentiation matrix and quadrature weights."""
    x = -np.cos(np.pi * np.arange(n + 1) / n)
    inverse = np.linalg.inv(chebyshev.chebvander(x, n))
    slopes = chebyshev.chebvander(x, n - 1) @ chebyshev.chebder(inverse)
    k = np.arange(n + 1)
    weights = np.where(k % 2, 0, 2 / (1 - k**2 + (k % 2))) @ inverse
    half = (high - low) / 2
    return low + half * (x + 1), slopes / half, weights * half


def interpolation(n: int, low: float, high: float, at: Array) -> Array:
    """The matrix from values at the nodes to values at points."""
    x = -np.cos(np.pi * np.arange(n + 1) / n)
    inverse = np.linalg.inv(chebyshev.chebvander(x, n))
    return chebyshev.chebvander(2 * (at - low) / (high - low) - 1, n) @ inverse


class Square:
    """Collocation points x, y of [low, high]^2, with derivatives, weights of a mean, and modes."""

    def __init__(self, n: int, low: float, high: float) -> None:
        self.n, self.low, self.high = n, low, high
        s, d, w = nodes(n, low, high)
        self.x, self.y = (g.ravel() for g in np.meshgrid(s, s, indexing="ij"))
        self.dx, self.dy = np.kron(d, np.eye(n + 1)), np.kron(np.eye(n + 1), d)
        self.weights = np.kron(w, w) / w.sum() ** 2
        rim = np.isin(self.x, [s[0], s[-1]]) | np.isin(self.y, [s[0], s[-1]])
        self.inside, self.rim = np.where(~rim)[0], np.where(rim)[0]

    def div_grad(self, a: Array) -> Array:
        """The matrix of u -> div(a grad u)."""
        return self.dx @ (a[:, None] * self.dx) + self.dy @ (a[:, None] * self.dy)

    def solve(self, operator: Array, source: Array, rim: Array) -> Array:
        """operator u = source inside, u = rim on the boundary, for each column."""
        m, b = operator.copy(), np.array(source, float)
        m[self.rim] = np.eye(len(self.x))[self.rim]
        b[self.rim] = rim[self.rim]
        return np.linalg.solve(m, b)

    def sines(self, k: int) -> tuple[Array, Array]:
        """Modes that vanish on the boundary as columns, and their numbers (i, j), i, j <= k, by the larger one."""
        c = np.pi / (self.high - self.low)
        numbers = sorted(((i, j) for i in range(1, k + 1) for j in range(1, k + 1)), key=max)
        columns = [np.sin(i * c * (self.x - self.low)) * np.sin(j * c * (self.y - self.low)) for i, j in numbers]
        return np.array(columns).T.reshape(len(self.x), -1), np.array(numbers)

    def edges(self, m: int) -> Array:
        """Boundary values as columns: 1, x, y, xy, then sines 1 to m on each side, linear across."""
        p, q = (2 * (v - self.low) / (self.high - self.low) - 1 for v in (self.x, self.y))
        columns = [p * 0 + 1, p, q, p * q]
        for k in range(1, m + 1):
            for along, across in ((p, q), (q, p)):
                columns += [np.sin(k * np.pi * (along + 1) / 2) * (1 + side * across) / 2 for side in (-1, 1)]
        return np.array(columns).T
