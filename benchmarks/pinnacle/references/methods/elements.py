"""Spectral elements on equal parts of [-1, 1]: the nodes, the second derivative and values between the nodes."""

import numpy as np
from numpy.polynomial import legendre
from scipy.sparse import csr_array

DEGREE = 8


def lobatto() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes and weights on [-1, 1], and the matrix from values at the nodes to Legendre coefficients."""
    last = np.eye(DEGREE + 1)[DEGREE]
    node = np.concatenate([[-1.0], legendre.legroots(legendre.legder(last)), [1.0]])
    weight = 2 / (DEGREE * (DEGREE + 1) * legendre.legval(node, last) ** 2)
    return node, weight, np.linalg.inv(legendre.legvander(node, DEGREE))


def side(elements: int) -> tuple[np.ndarray, csr_array]:
    """The nodes along a side of the square, and the matrix of -d^2/dx^2 with d/dx = 0 at both ends."""
    node, weight, transform = lobatto()
    slopes = legendre.legval(node, legendre.legder(transform)).T
    half, count = 1 / elements, elements * DEGREE + 1
    mass, stiff, x = np.zeros(count), np.zeros((count, count)), np.zeros(count)
    for element in range(elements):
        here = slice(element * DEGREE, (element + 1) * DEGREE + 1)
        x[here] = (2 * element + 1 + node) * half - 1
        mass[here] += weight * half
        stiff[here, here] += slopes.T @ (weight[:, None] * slopes) / half
    return x, csr_array(stiff / mass[:, None])


def values_at(points: np.ndarray, elements: int) -> csr_array:
    """The matrix from values at the nodes along a side to those at points."""
    _, _, transform = lobatto()
    element = np.clip(np.floor((points + 1) / 2 * elements), 0, elements - 1).astype(int)
    local = (points + 1) * elements - 2 * element - 1
    columns = element[:, None] * DEGREE + np.arange(DEGREE + 1)
    rows = np.repeat(np.arange(len(points)), DEGREE + 1)
    entries = legendre.legvander(local, DEGREE) @ transform
    return csr_array((entries.ravel(), (rows, columns.ravel())), shape=(len(points), elements * DEGREE + 1))
