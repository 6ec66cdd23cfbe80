"""`GridField`: a function of the coordinates from values on a grid, for coefficients, sources and initial values.

Legend: d coordinates with n_1, ..., n_d grid values; N points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.jets import Jet
from mask_pinns.jets.scalar import Scalar
from mask_pinns.problems.conditions.tables import read_table

OUTSIDE = 1e-6
"""By how much points may lie outside of the grid, relative to its width: rounding."""


class GridField:
    """Values on a grid, with cubic splines between them (not-a-knot, the tensor product of one for each coordinate).

    It is twice continuously differentiable, exact for polynomials of degree three in each coordinate, and its error
    falls with the fourth power of the grid's spacing. It takes points and gives numbers of shape (N,); in conditions
    that hold by construction it gives derivatives too.

    Args:
        source: an .npz file with an array for each coordinate and one of shape (n_1, ..., n_d); a .csv or .parquet
            file, or an object with columns, with a row for each grid point, in any order; or a mapping of such arrays.
        field: the name of the values.
        coordinates: the names of the coordinates, in the order of the array's dimensions.

    Raises:
        ValueError: a file that cannot be read, an axis that does not increase or has less than four values, rows that
            are no whole grid, values that are not finite; and, at a call, points outside of the grid.

    Example:
        >>> import numpy as np
        >>> from mask_pinns import GridField
        >>> x = np.linspace(0, 1, 21)
        >>> start = GridField({"x": x, "u": x**3}, "u", ["x"])
        >>> float(start.on(x=[0.525])[0]).__round__(6)
        0.144703
    """

    def __init__(self, source: Any, field: str, coordinates: Sequence[str]) -> None:
        self.field, self.coordinates = field, tuple(coordinates)
        self.name = f"GridField of {field}"
        axes, values = _on_grid(source, field, self.coordinates, self.name)
        self.axes = [self._checked(name, axis) for name, axis in zip(self.coordinates, axes, strict=True)]
        if not np.isfinite(values).all():
            raise ValueError(f"{self.name}: some of its values are not finite")
        self.nodes = {kinds: _sloped(values, self.axes, kinds) for kinds in product((0, 1), repeat=len(self.axes))}

    def _checked(self, name: str, axis: np.ndarray) -> np.ndarray:
        if len(axis) < 4 or not (np.diff(axis) > 0).all():
            raise ValueError(f"{self.name}: its {name} has {len(axis)} values; expected four or more that increase")
        return axis

    def __call__(self, p: Any) -> Any:
        """The values at the points, (N,)."""
        located = [self._locate(i, getattr(p, name)) for i, name in enumerate(self.coordinates)]
        shape = [len(axis) for axis in self.axes]
        total: Any = 0.0
        for corner in product((0, 1), repeat=len(shape)):
            flat = sum(
                (at.cell + c) * prod(shape[i + 1 :]) for i, (c, at) in enumerate(zip(corner, located, strict=True))
            )
            for kinds, values in self.nodes.items():
                like = located[0].value
                table = torch.as_tensor(values.reshape(-1), dtype=like.dtype, device=like.device)
                term = located[0].constant(table[flat])
                for at, c, kind in zip(located, corner, kinds, strict=True):
                    term = term * at.weights[c, kind]
                total = total + term
        return total

    def on(self, **coordinates: Any) -> np.ndarray:
        """The values at arrays of coordinates of one shape, as an array: for references and pictures."""
        arrays = {n: np.asarray(coordinates[n], dtype=float) for n in self.coordinates}
        points = {n: torch.from_numpy(a.reshape(-1)) for n, a in arrays.items()}
        return self(_Named(points)).numpy().reshape(next(iter(arrays.values())).shape)

    def _locate(self, i: int, x: Any) -> _Located:
        axis, value = self.axes[i], x.value if isinstance(x, Scalar) else x
        rounding = torch.finfo(value.dtype).eps * float(np.abs(axis).max())
        if rounding > float(np.diff(axis).min()) / 4:
            raise ValueError(
                f"{self.name}: its {self.coordinates[i]} is too fine for {value.dtype}; take --precision 64"
            )
        margin = OUTSIDE * (axis[-1] - axis[0]) + rounding
        if not torch.compiler.is_compiling() and len(value):
            ends = float(value.detach().min()), float(value.detach().max())
            outside = [v for v in ends if not axis[0] - margin <= v <= axis[-1] + margin]
            if outside:
                grid = f"its grid has {self.coordinates[i]} from {axis[0]:g} to {axis[-1]:g}"
                raise ValueError(f"{self.name}: {grid}; it was asked for {outside[0]:g}")
        return _Located(x, value, torch.as_tensor(axis, dtype=value.dtype, device=value.device))


class _Named:
    """Coordinates by name, as points have them."""

    def __init__(self, columns: Mapping[str, Tensor]) -> None:
        self.__dict__.update(columns)


class _Located:
    """One coordinate of the points: the cells in which they lie, and the cubic Hermite weights of the cells' ends."""

    def __init__(self, x: Any, value: Tensor, axis: Tensor) -> None:
        self.value, self.x = value, x
        self.cell = (torch.searchsorted(axis, value.detach().contiguous(), right=True) - 1).clamp(0, len(axis) - 2)
        width = axis[self.cell + 1] - axis[self.cell]
        s = (x - self.constant(axis[self.cell])) * self.constant(1 / width)
        rest = 1.0 - s
        h = self.constant(width)
        self.weights = {  # by end (0, 1), and kind: of the value, of the slope
            (0, 0): rest * rest * (1.0 + 2.0 * s), (0, 1): s * rest * rest * h,
            (1, 0): s * s * (3.0 - 2.0 * s), (1, 1): s * s * (-rest) * h,
        }  # fmt: skip

    def constant(self, values: Tensor) -> Any:
        """Numbers of each point that do not depend on its coordinates, of the kind of x."""
        return Scalar(Jet(self.x.jet.derivatives, {"": values})) if isinstance(self.x, Scalar) else values


def _on_grid(source: Any, field: str, names: tuple[str, ...], what: str) -> tuple[list[np.ndarray], np.ndarray]:
    """The axes, and the values on their grid."""
    if not names:
        raise ValueError(f"{what}: it has no coordinates; name those of its values' dimensions")
    if isinstance(source, str | Path) and str(source).endswith(".npz") and Path(source).is_file():
        source = _arrays(Path(source), what)
    if isinstance(source, Mapping):
        if missing := [name for name in (*names, field) if name not in source]:
            raise ValueError(f"{what}: there is no {missing[0]!r} among {', '.join(map(str, source))}")
        axes = [np.atleast_1d(np.asarray(source[name], dtype=float)) for name in names]
        values = np.asarray(source[field], dtype=float)
        if values.shape == tuple(map(len, axes)):
            return axes, values
        if values.ndim != 1 or any(axis.shape != values.shape for axis in axes):
            shapes = ", ".join(f"{n} {a.shape}" for n, a in zip((*names, field), (*axes, values), strict=True))
            raise ValueError(f"{what}: shapes are {shapes}; expected an axis for each dimension of {field}")
        return _pivoted(axes, values, what)
    table = read_table(source, Path(), what)
    if missing := [name for name in (*names, field) if name not in table.names]:
        raise ValueError(f"{what}: there is no {missing[0]!r} among {', '.join(table.names)}")
    return _pivoted([table.column(name) for name in names], table.column(field), what)


def _arrays(path: Path, what: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. Raises ValueError for a file that is none, or holds more than numbers."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # files can be damaged in many ways
        raise ValueError(f"{what}: {path.name} cannot be read: {' '.join(str(error).split())[:200]}") from None


def _pivoted(columns: list[np.ndarray], values: np.ndarray, what: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Rows of grid points in any order as axes and an array."""
    axes, places = zip(*(np.unique(column, return_inverse=True) for column in columns), strict=True)
    shape = tuple(map(len, axes))
    flat = np.ravel_multi_index(places, shape) if prod(shape) == len(values) else values[:0]
    if len(np.unique(flat)) != len(values):
        raise ValueError(f"{what}: {len(values):,} rows are not each point once of a grid {shape}")
    grid = np.empty(shape)
    grid[places] = values
    return list(axes), grid


def _sloped(values: np.ndarray, axes: list[np.ndarray], kinds: tuple[int, ...]) -> np.ndarray:
    """The values, or their spline's derivative by each coordinate whose kind is 1, at the grid points."""
    for i, (axis, kind) in enumerate(zip(axes, kinds, strict=True)):
        if kind:
            values = np.moveaxis(np.tensordot(_slopes(axis), values, (1, i)), 0, i)
    return values


def _slopes(x: np.ndarray) -> np.ndarray:
    """The matrix (n, n) from values to slopes of the cubic spline: continuous curvature, not-a-knot at the ends.

    At an inner point, d s_{i-1} + 2 (d + e) s_i + ... with the reciprocal spacings d, e: the usual equations (de Boor,
    A Practical Guide to Splines, 1978, chapter IV), here for all unit vectors at once.
    """
    n, h = len(x), np.diff(x)
    left, right = np.zeros((n, n)), np.zeros((n, n))  # left s = right f
    for i in range(1, n - 1):
        a, b = h[i - 1], h[i]
        left[i, i - 1 : i + 2] = b, 2 * (a + b), a
        right[i, i - 1 : i + 2] = -3 * b / a, 3 * (b / a - a / b), 3 * a / b
    for end, (i, j, k) in ((0, (0, 1, 2)), (n - 1, (n - 1, n - 2, n - 3))):
        a, b = abs(x[j] - x[i]), abs(x[k] - x[j])
        sign = np.sign(x[j] - x[i])
        left[end, [i, j]] = b, a + b
        right[end, [i, j, k]] = sign * np.array([-(3 * a + 2 * b) * b / (a * (a + b)), 0, a**2 / (b * (a + b))])
        right[end, j] = -right[end, i] - right[end, k]
    return np.linalg.solve(left, right)
