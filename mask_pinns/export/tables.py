"""Tables of a prediction, one column a coordinate, a field, or a derivative: .npz, .csv or .parquet by the file's name.

Every format has all digits: what is read back from it, in the dtype of the column, are the same bits.

Legend: N points, D coordinates, F fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.domains.shapes.meshes import library
from mask_pinns.problems import Problem

ROWS = 4096
"""Number of rows of a .csv file that are made at a time."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Points (N, D), the values (N, F) of the fields there, and further columns by name, each (N,)."""

    problem: Problem
    points: np.ndarray
    values: np.ndarray
    further: Mapping[str, np.ndarray]

    def columns(self) -> dict[str, np.ndarray]:
        """All columns (N,) by name: coordinates, fields, and the further ones. No two have the same name."""
        coordinates = dict(zip(self.problem.domain.names, self.points.T, strict=True))
        return coordinates | dict(zip(self.problem.fields, self.values.T, strict=True)) | dict(self.further)


def _write_npz(prediction: Prediction, file: IO[bytes]) -> None:
    further: dict[str, Any] = dict(prediction.further)
    np.savez(file, points=prediction.points, values=prediction.values, **further)


def _write_csv(prediction: Prediction, file: IO[bytes]) -> None:
    """Numbers are as short as they can be without losing a bit."""
    columns = prediction.columns()
    file.write((",".join(columns) + "\n").encode())
    for start in range(0, len(prediction.points), ROWS):
        cells = zip(*(column[start : start + ROWS].astype(str) for column in columns.values()), strict=True)
        file.write("".join(",".join(row) + "\n" for row in cells).encode())


def _write_parquet(prediction: Prediction, file: IO[bytes]) -> None:
    arrow, parquet = _arrow()
    parquet.write_table(arrow.table({k: np.ascontiguousarray(v) for k, v in prediction.columns().items()}), file)


def _arrow() -> tuple[Any, Any]:
    """The packages of pyarrow that are needed. Raises ValueError that says how to install it."""
    what = "a .parquet file"
    return library("pyarrow", what, "export"), library("pyarrow.parquet", what, "export")


WRITERS: dict[str, Callable[[Prediction, IO[bytes]], None]] = {
    ".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet,
}  # fmt: skip
"""Functions that write a table, by the end of the file's name."""


def require_writer(path: Path) -> None:
    """Raises ValueError if no table can be written to this path: its folder or a package is missing."""
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}; make it, or name another file")
    if path.suffix.lower() == ".parquet":
        _arrow()


def write_table(prediction: Prediction, path: Path) -> None:
    """Writes a prediction in the format that the end of the file's name says, one of WRITERS."""
    with whole_file(path, "wb") as file:
        WRITERS[path.suffix.lower()](prediction, file)
