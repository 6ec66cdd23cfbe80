"""How small the error of `poisson_inverse` and `heat_inverse` can be, given the noise: the bound of Cramer and Rao.

    python benchmarks/limits/noise.py            half a minute; writes results/limits.json and prints it

Both problems are linearized about their solution (Chebyshev collocation, no network). a may be off by sine modes, that
vanish on the boundary, where a is known; u by its values on the boundary, which nobody gives: 1, x, y, xy, then sines
on each side; in the heat equation times polynomials of t, and by its start. From the Jacobian J of the 2,500
measurements by the amplitudes, with noise of standard deviation s, the covariance of any unbiased estimate is at least
s^2 (J'J)^-1. Given are root mean squares of the relative L2 error of u and a together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial.legendre import Legendre

sys.path.insert(0, str(Path(__file__).parents[1]))
from limits.square import Array, Square, interpolation, nodes

RESULT = Path(__file__).parents[1] / "results" / "limits.json"
NOISE, MEASUREMENTS = 0.1, 2500
MODES = (0, 1, 2, 3, 4)
"""Numbers k of modes of a: k x k."""


def poisson(edges: int, modes: int, n: int = 24) -> dict[str, Any]:
    """Response of the measurements and of both fields to edge values and modes of a, in `poisson_inverse`."""
    q = Square(n, 0.0, 1.0)
    a = 1 / (1 + q.x**2 + q.y**2 + (q.x - 1) ** 2 + (q.y - 1) ** 2)
    u = np.sin(np.pi * q.x) * np.sin(np.pi * q.y)
    operator, (of_a, _), rims = q.div_grad(a), q.sines(modes), q.edges(4)[:, :edges]
    sources = np.stack([-q.div_grad(c) @ u for c in of_a.T], 1) if modes else np.zeros((len(q.x), 0))
    response = np.hstack([q.solve(operator, sources, 0 * sources), q.solve(operator, 0 * rims, rims)])
    at = interpolation(n, 0.0, 1.0, np.linspace(0, 1, 50))
    root = np.sqrt(q.weights)[:, None]
    return {
        "measured": np.kron(at, at) @ response, "u": root * response, "a": root * np.hstack([of_a, 0 * rims]),
        "norm": np.sqrt(q.weights @ (u**2 + a**2)),
    }  # fmt: skip


def heat_equation(q: Square, a: Array, times: int, start: Array, source: Array) -> Array:
    """w_t = div(a grad w) + source, w = 0 on the boundary: (points, times, columns), Chebyshev in time."""
    values, vectors = np.linalg.eig(q.div_grad(a)[np.ix_(q.inside, q.inside)])
    inverse, d = np.linalg.inv(vectors), nodes(times, 0.0, 1.0)[1]
    m = d[None] - values[:, None, None] * np.eye(times + 1)
    m[:, 0] = np.eye(times + 1)[0]
    b = np.einsum("ij,jtp->itp", inverse, source[q.inside], optimize=True)
    b[:, 0] = inverse @ start[q.inside]
    w = np.zeros(source.shape)
    w[q.inside] = np.einsum("ij,jtp->itp", vectors, np.linalg.solve(m, b), optimize=True).real
    return w


def heat(edges: int, modes: int, in_time: int, starts: int, n: int = 18, times: int = 12) -> dict[str, Any]:
    """As `poisson`, in `heat_inverse`: edge values times polynomials of t, and sine modes of the start."""
    q, (t, _, in_t) = Square(n, -1.0, 1.0), nodes(times, 0.0, 1.0)
    u = np.sin(np.pi * q.x) * np.sin(np.pi * q.y)
    a, decay = 2 + u, np.exp(-t)
    (of_a, _), (of_start, _), rims = q.sines(modes), q.sines(starts), q.edges(4)[:, :edges]
    lift = q.solve(q.div_grad(a), 0 * rims, rims)
    polynomials = [Legendre.basis(k, domain=[0, 1]) for k in range(in_time)]
    lifts = [np.einsum("xp,t->xtp", lift, p(t)) for p in polynomials]
    sources = np.stack([q.div_grad(c) @ u for c in of_a.T], 1) if modes else np.zeros((len(q.x), 0))
    parts = [np.einsum("xp,t->xtp", sources, decay)]
    parts += [-np.einsum("xp,t->xtp", lift, p.deriv()(t)) for p in polynomials]
    rest = np.zeros((len(q.x), len(t), of_start.shape[1]))
    held = [0 * parts[0], *lifts, rest]
    start = np.hstack([np.zeros((len(q.x), modes**2 + in_time * edges)), of_start])
    response = heat_equation(q, a, times, start, np.concatenate([*parts, rest], 2)) + np.concatenate(held, 2)
    random = np.random.default_rng(0)
    px, py = random.uniform(-1, 1, (2, MEASUREMENTS))
    at_x, at_y = interpolation(n, -1.0, 1.0, px), interpolation(n, -1.0, 1.0, py)
    at_t = interpolation(times, 0.0, 1.0, random.random(MEASUREMENTS))
    at = np.einsum("mi,mj->mij", at_x, at_y).reshape(MEASUREMENTS, -1)
    measured = sum((at @ response[:, k]) * at_t[:, k : k + 1] for k in range(times + 1))
    root = np.sqrt(np.einsum("x,t->xt", q.weights, in_t)).reshape(-1, 1)
    columns = np.zeros((len(q.x), response.shape[2] - modes**2))
    return {
        "measured": measured, "u": root * response.reshape(len(root), -1),
        "a": np.sqrt(q.weights)[:, None] * np.hstack([of_a, columns]),
        "norm": np.sqrt(q.weights @ a**2 + (in_t @ decay**2) * (q.weights @ u**2)),
    }  # fmt: skip


def bound(family: dict[str, Any]) -> dict[str, float]:
    """Least root mean square errors relative to u and a together: that of u, that of a, and both."""
    j = family["measured"] / NOISE
    scale = 1 / np.sqrt((j**2).sum(0))
    covariance = scale[:, None] * np.linalg.inv(scale[:, None] * (j.T @ j) * scale) * scale
    squares = {f: float(np.trace(family[f].T @ family[f] @ covariance)) / family["norm"] ** 2 for f in "ua"}
    return {f: round(s**0.5, 5) for f, s in (squares | {"both": sum(squares.values())}).items()}


def main() -> None:
    found: dict[str, list[dict[str, Any]]] = {"poisson_inverse": [], "heat_inverse": []}
    for modes in MODES:
        for edges in (1, 4, 8, 20):
            found["poisson_inverse"].append({"modes": modes, "edges": edges} | bound(poisson(edges, modes)))
        for edges, in_time, starts in ((1, 1, 0), (8, 3, 3), (20, 4, 5)):
            row = {"modes": modes, "edges": edges, "in_time": in_time, "starts": starts}
            found["heat_inverse"].append(row | bound(heat(edges, modes, in_time, starts)))
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    for name, rows in found.items():
        print(name, *(", ".join(f"{k} {v}" for k, v in row.items()) for row in rows), sep="\n  ")


if __name__ == "__main__":
    main()
