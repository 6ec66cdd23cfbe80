"""Reads the points of a prediction from a user's file: .npy, or .csv with or without a header of coordinates.

Legend: N points, D coordinates.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NoReturn

import numpy as np

from mask_pinns.checks import is_number_in_text
from mask_pinns.domains import Domain
from mask_pinns.memory import is_out_of_memory


class PointsFileError(ValueError):
    """The file does not hold points; the message says why, in one line."""


TOLERANCE = 1e-9
"""By how much a coordinate may exceed the domain by rounding, relative to its width."""


def read_points(file: str, names: Sequence[str]) -> np.ndarray:
    """Reads points (N, D) from an .npy or .csv file. Raises PointsFileError for anything but finite real numbers."""
    path, what = Path(file), f"points file {file}"
    kind = path.suffix.lower()
    if not path.is_file() or kind not in (".npy", ".csv"):
        raise PointsFileError(f"{what}: expected an existing .npy or .csv file")
    try:
        points = _read_array(path, what) if kind == ".npy" else _read_table(path, names, what)
    except PointsFileError:
        raise
    except Exception as error:  # numpy raises many kinds of errors for invalid files
        if is_out_of_memory(error):
            raise PointsFileError(f"{what} does not fit into memory; predict it in several files") from None
        raise PointsFileError(f"{what} cannot be read: {error}") from None
    if not points.size:
        raise PointsFileError(f"{what} has no points; expected one or more of {', '.join(names)}")
    if points.ndim != 2 or points.shape[1] != len(names):
        raise PointsFileError(f"{what} has shape {points.shape}; expected (N, {len(names)}): {', '.join(names)}")
    if not (finite := np.isfinite(points)).all():
        row, column = np.argwhere(~finite)[0]
        value = f"{names[column]} = {points[row, column]} in point {row + 1}"
        raise PointsFileError(f"{what} has {value} of {len(points):,}; expected finite numbers")
    return points


def outside(points: np.ndarray, domain: Domain) -> str:
    """Says how many points lie outside the domain, "" if none does."""
    low, high = np.array(domain.low), np.array(domain.high)
    slack = TOLERANCE * (high - low)
    count = int(((points < low - slack) | (points > high + slack)).any(axis=1).sum())
    box = ", ".join(f"{name} in [{domain[name][0]:g}, {domain[name][1]:g}]" for name in domain.names)
    return f"{count:,} of {len(points):,} points lie outside {box}, where nothing was trained" if count else ""


def _read_array(path: Path, what: str) -> np.ndarray:
    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise PointsFileError(f"{what} holds Python objects; expected an array of real numbers") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        held = f"{array.dtype}" if isinstance(array, np.ndarray) else "several arrays"
        raise PointsFileError(f"{what} holds {held}; expected an array of real numbers")
    return np.asarray(array, dtype=np.float64)


def _read_table(path: Path, names: Sequence[str], what: str) -> np.ndarray:
    """Reads lines of numbers with commas between them. A first line of the coordinates' names says their order."""
    with path.open(encoding="utf-8-sig") as file:
        first, order = _first_line(file, names, what)
        with warnings.catch_warnings(action="ignore"):  # a warning that there are no points
            try:
                points = np.loadtxt(chain([first], file), delimiter=",", ndmin=2)
            except ValueError as error:
                _explain(path, len(names), what, error)
    return points[:, order] if points.shape[1] == len(order) else points


def _first_line(lines: Iterable[str], names: Sequence[str], what: str) -> tuple[str, list[int]]:
    """Returns the first line of numbers ("" after a header), and the column of each coordinate.

    A comment that names the coordinates, as numpy.savetxt writes it, is a header too.
    """
    in_order = list(range(len(names)))
    for line in lines:
        cells = [cell.strip().strip("\"'") for cell in line.lstrip().lstrip("#").split(",")]
        if sorted(cells) == sorted(names):
            return "", [cells.index(name) for name in names]
        if not (content := line.partition("#")[0].strip()):
            continue
        if ";" in content:
            raise PointsFileError(
                f"{what} has semicolons; expected commas between {', '.join(names)}, and decimal points"
            )
        if not any(map(is_number_in_text, cells)):
            known = ", ".join(names)
            raise PointsFileError(
                f"{what} begins with {content[:60]!r}; expected numbers, or a header with {known} in any order"
            )
        return line, in_order
    return "", in_order


def _explain(path: Path, expected: int, what: str, error: ValueError) -> NoReturn:
    """Raises PointsFileError that names the first line which is not so many numbers."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
            numbers = all(map(is_number_in_text, cells))
            header = not any(map(is_number_in_text, cells))
            if cells != [""] and not header and not (numbers and len(cells) == expected):
                text = line.strip()[:60]
                raise PointsFileError(
                    f"{what}, line {number}: {text!r}; expected {expected} numbers with commas between them"
                )
    raise PointsFileError(f"{what} cannot be read: {error}")
