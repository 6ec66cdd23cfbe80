"""The evaluation grid of a problem, with true values from its exact solution or from a reference file.

Legend: M points of the grid, D coordinates, F fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from mask_pinns.domains import Box, Domain, Points
from mask_pinns.problems.checks import check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AXIS_TOLERANCE = 1e-6
"""By how much an axis of a reference, often in single precision, may exceed the domain, relative to its width."""

OUTSIDE = 0.01
"""By how much scattered points of a reference may lie outside of a shape, relative to its size: corners of a mesh."""

QUASI_RANDOM_POINTS = 2**15
"""Number of points at which errors are computed in many dimensions."""
QUASI_RANDOM_TIMES = 32
"""Number of times of these points: a field may have to be compared at each time up to a constant."""


@dataclass(frozen=True)
class Evaluation:
    """The points at which errors are computed: axes (none if they are no grid), points (M, D), true values.

    The true values are (M, F), None if they are not known, NaN for a field that is not known. All is float64.
    """

    axes: dict[str, Tensor]
    points: Tensor
    values: Tensor | None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.axes.values()))


def mesh(axes: list[Tensor]) -> Tensor:
    """All points of the grid with these axes, (n1 * n2 * ..., D), the last coordinate running fastest."""
    return torch.stack([g.reshape(-1) for g in torch.meshgrid(*axes, indexing="ij")], 1)


def quasi_random_points(domain: Domain) -> Tensor:
    """A scrambled Sobol sequence in the domain, (M, D), always the same; at 32 equidistant times if there is time."""
    engine = SobolEngine(len(domain), scramble=True, seed=0)
    unit = engine.draw(QUASI_RANDOM_POINTS, dtype=torch.float64)
    if "t" in domain.names:
        i, last = domain.names.index("t"), QUASI_RANDOM_TIMES - 1
        unit[:, i] = (unit[:, i] * QUASI_RANDOM_TIMES).floor().clamp(max=last) / last
    low, high = (unit.new_tensor(bounds) for bounds in (domain.low, domain.high))
    return low + (high - low) * unit


def as_columns(exact: Any, fields: Sequence[str], points: Tensor, title: str) -> Tensor | None:
    """What `exact` gives at points (M, D) as (M, F), NaN for fields that it leaves out; None if it gives none.

    Raises ValueError for other fields or shapes, and for a field that is NaN everywhere.
    """
    if isinstance(exact, dict):
        if not set(exact) <= set(fields):
            raise ValueError(f"{title}.exact gives {', '.join(map(str, exact))}; the fields are {', '.join(fields)}")
        exact = tuple(exact.get(name) for name in fields)
    columns = exact if isinstance(exact, tuple | list) else (exact,)
    if len(columns) != len(fields):
        raise ValueError(f"{title}.exact gives {len(columns)} fields; there are {len(fields)}")
    if all(column is None for column in columns):
        return None
    unknown, what = points.new_full((len(points),), torch.nan), f"{title}.exact for {{}}"
    by_field = zip(columns, fields, strict=True)
    values = {f: unknown if c is None else check_shape(c, len(points), what.format(f)) for c, f in by_field}
    for name, given in zip(fields, columns, strict=True):
        if given is not None and len(points) and values[name].isnan().all():
            raise ValueError(f"{title}.exact for {name} is NaN everywhere; leave the field out if not known")
    return torch.stack(list(values.values()), 1)


def load_reference(path: Path, domain: Domain, fields: Sequence[str], title: str) -> Evaluation:
    """The points and values of an .npz file with one array for each coordinate and each field that is known.

    Values are on the grid of the coordinates, with one dimension for each, or at scattered points: (M,) with
    coordinates (M,), or (M, T) with times (T,). Of a grid, the points in the domain count.

    Raises ValueError for a file with other content, naming the problem `title` and the array.
    """
    data = _read_arrays(path, title)
    known = [f for f in fields if f in data] or fields
    for name in (*domain.names, *known):
        if name not in data:
            raise ValueError(f"{title}: the reference {path.name} has no array {name!r}")
        if not data[name].isfinite().all():
            raise ValueError(f"{title}: {name!r} in the reference {path.name} is not finite everywhere")
    gives_points = _gives_points(domain, data[known[0]], f"{title}: {known[0]!r} in {path.name}")
    axes = {name: data[name] for name in domain.names}
    _check_coordinates(axes, domain, gives_points, title, path.name)
    shape = _column_shape(axes) if gives_points else tuple(map(len, axes.values()))
    for name in known:
        if data[name].shape != shape:
            raise ValueError(
                f"{title}: {name!r} in {path.name} has shape {tuple(data[name].shape)}; its "
                f"{'points' if gives_points else 'axes'} say {shape}"
            )
    unknown = torch.full(shape, torch.nan, dtype=torch.float64)
    values = torch.stack([data.get(f, unknown).reshape(-1) for f in fields], 1)
    check_nonzero(values, f"{title}: the reference {path.name}")
    points = _at_all_times(axes) if gives_points else mesh(list(axes.values()))
    if isinstance(domain, Box):
        return Evaluation({} if gives_points else axes, points, values)
    counts = domain.contains(Points(points, domain.names))
    if gives_points:
        _check_inside(points[~counts], domain, f"{title}: the reference {path.name}")
        counts[:] = True
    return Evaluation({}, points[counts], values[counts])


def _check_coordinates(axes: Mapping[str, Tensor], domain: Domain, gives_points: bool, title: str, file: str) -> None:
    """Raises ValueError for coordinates that are no axes, or no columns of scattered points, in the domain's box."""
    for name, axis in axes.items():
        if gives_points and name != "t":
            _check_column(axis, domain[name], f"{title}: {name!r} in {file}")
        else:
            _check_axis(axis, domain[name], f"{title}: axis {name!r} in {file}")
    if gives_points:
        _check_lengths(axes, f"{title}: {file}")


def _gives_points(domain: Domain, values: Tensor, what: str) -> bool:
    """Whether values are given at scattered points, times by columns, and not on a grid.

    Raises ValueError for values that are neither.
    """
    if len(domain.spatial) < 2:
        return False
    scattered, form = (2, "(points, times)") if "t" in domain.names else (1, "(points,)")
    if values.ndim not in (scattered, len(domain)):
        raise ValueError(
            f"{what} has shape {tuple(values.shape)}; expected {form}, or a grid with a dimension for each of "
            f"{', '.join(domain.names)}"
        )
    return values.ndim == scattered


def _check_lengths(columns: Mapping[str, Tensor], what: str) -> None:
    """Raises ValueError for scattered points that have more values of one coordinate than of another."""
    lengths = {name: len(column) for name, column in columns.items() if name != "t"}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{n} of {name}" for name, n in lengths.items())
        raise ValueError(f"{what} has {listed}; expected one of each for every point")


def _column_shape(axes: Mapping[str, Tensor]) -> tuple[int, ...]:
    points = next(len(axis) for name, axis in axes.items() if name != "t")
    return (points, len(axes["t"])) if "t" in axes else (points,)


def _at_all_times(axes: Mapping[str, Tensor]) -> Tensor:
    """Scattered points at every time, (M T, D), the time running fastest."""
    times = len(axes.get("t", (0,)))
    columns = [c.repeat(_column_shape(axes)[0]) if n == "t" else c.repeat_interleave(times) for n, c in axes.items()]
    return torch.stack(columns, 1)


def _check_inside(outside: Tensor, domain: Domain, what: str) -> None:
    """Raises ValueError if points (N, D), which a domain does not contain, are not on its boundary up to rounding."""
    far = outside[domain.distance(Points(outside, domain.names)) < -OUTSIDE * domain.size] if len(outside) else outside
    if len(far):
        example = ", ".join(f"{name} = {value:g}" for name, value in zip(domain.names, far[0].tolist(), strict=True))
        raise ValueError(f"{what} has {len(far):,} points outside of the domain {domain!r}, e.g. {example}")


def check_nonzero(values: Tensor, what: str) -> None:
    """Raises ValueError for true values that are zero everywhere."""
    if not values.nan_to_num().any():
        raise ValueError(f"{what} is 0 on the whole evaluation grid; no error is relative to that, leave it out")


def _read_arrays(path: Path, title: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f"{title}: the reference {path} does not exist")
    try:
        with np.load(path) as file:
            return {k: torch.from_numpy(_in_double_precision(file[k])) for k in file.files}
    except Exception as error:  # not an .npz file, or not of numbers
        raise ValueError(f"{title}: the reference {path} cannot be read: {error}") from None


def _in_double_precision(array: np.ndarray) -> np.ndarray:
    """Raises ValueError for an array of anything but real numbers."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"an array of {array.dtype}; expected real numbers")
    return array.astype(np.float64)


def _check_axis(axis: Tensor, bounds: tuple[float, float], what: str) -> None:
    if axis.ndim != 1:
        raise ValueError(f"{what} has shape {tuple(axis.shape)}; expected 1-D")
    if len(axis) < 2 or not (axis.diff() > 0).all():
        raise ValueError(f"{what} does not increase from 2 points or more")
    low, high = bounds
    slack = AXIS_TOLERANCE * (high - low)
    if axis[0] < low - slack or axis[-1] > high + slack:
        raise ValueError(f"{what} runs from {axis[0]:g} to {axis[-1]:g}, outside the domain's [{low:g}, {high:g}]")


def _check_column(column: Tensor, bounds: tuple[float, float], what: str) -> None:
    """Raises ValueError for coordinates of scattered points that are no list, or lie outside."""
    if column.ndim != 1 or not len(column):
        raise ValueError(f"{what} has shape {tuple(column.shape)}; expected the coordinate of each point, 1-D")
    low, high = bounds
    slack = AXIS_TOLERANCE * (high - low)
    least, most = float(column.min()), float(column.max())
    if least < low - slack or most > high + slack:
        raise ValueError(f"{what} runs from {least:g} to {most:g}, outside the domain's [{low:g}, {high:g}]")
