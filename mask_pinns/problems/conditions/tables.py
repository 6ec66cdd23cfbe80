"""Tables of measurements: named columns from a .csv, .npz or .parquet file, or from an object that has them.

Legend: N rows.
"""

from __future__ import annotations

import csv
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mask_pinns.checks import is_number, is_number_in_text


class TableError(ValueError):
    """The table does not hold what is expected; the message says where, in one line."""


class Table:
    """Named columns of N rows.

    Args:
        what: what it is called in messages.
        columns: the columns by name, of text or of numbers.
        lines: the line of each row, if they are lines of a text.

    Raises TableError for a name that is no text, a table without rows, and columns of unequal length.
    """

    def __init__(self, what: str, columns: Mapping[str, Any], lines: Sequence[int] = ()) -> None:
        self.what, self.lines = what, lines
        for name in columns:
            if not isinstance(name, str) or not name:
                raise TableError(f"{what} has a column that is called {name!r}; expected a name")
        lengths = {name: _length(column, f"{what}, column {name!r}") for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{n:,} of {name}" for name, n in lengths.items())
            raise TableError(f"{what} has columns of unequal length: {listed}")
        if not any(lengths.values()):
            raise TableError(f"{what} is empty; expected a row for each measurement")
        self._columns, self._length = dict(columns), next(iter(lengths.values()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def __len__(self) -> int:
        return self._length

    def cell(self, row: int, name: str) -> str:
        """Where a cell is, in words: rows are counted from 1, without the header."""
        line = f" (line {self.lines[row]})" if len(self.lines) else ""
        return f"{self.what}, row {row + 1:,}{line}, column {name!r}"

    def column(self, name: str) -> np.ndarray:
        """The numbers (N,) of a column, float64, NaN where a cell is empty.

        Raises TableError for cells that are no numbers, and for infinite ones.
        """
        column = self._columns[name]
        if isinstance(column, tuple):  # of texts
            column = np.array([self._number(text, row, name) for row, text in enumerate(column)])
        column = self._columns[name] = _numbers(column, f"{self.what}, column {name!r}")
        if len(rows := np.isinf(column).nonzero()[0]):
            raise TableError(f"{self.cell(int(rows[0]), name)} is {column[rows[0]]}; expected a finite number")
        return column

    def _number(self, text: str, row: int, name: str) -> float:
        try:
            return float(text) if text.strip() else math.nan
        except ValueError:
            raise TableError(f"{self.cell(row, name)}: {text.strip()[:40]!r} is no number") from None


def read_table(source: Any, folder: Path, owner: str) -> Table:
    """The table of a file, which lies in the folder unless its path is absolute, or of an object with columns.

    Raises TableError for a file that does not exist or cannot be read, and for columns that are none.
    """
    if not isinstance(source, str | Path):
        return _of_columns(source, f"{owner}: its table")
    path, what = folder / source, f"{owner}: {Path(source).name}"
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise TableError(f"{what} is no {', '.join(READERS)} file: its name must end so")
    if not path.is_file():
        raise TableError(f"{what} does not exist: there is no file {path}")
    try:
        return read(path, what)
    except TableError:
        raise
    except Exception as error:  # files can be damaged in many ways
        raise TableError(f"{what} cannot be read: {' '.join(str(error).split())}") from None


def is_table(source: Any) -> bool:
    """Whether an object has named columns: a mapping, a structured array, a DataFrame, a table of pyarrow."""
    return hasattr(source, "__getitem__") and _names_of(source) is not None


def folder_of(cls: type, name: str) -> Path:
    """The folder of the file in which a class declares an attribute; the current one, if there is no such file."""
    owner = next((c for c in cls.__mro__ if name in vars(c)), cls)
    try:
        return Path(inspect.getfile(owner)).parent
    except (TypeError, OSError):  # typed into a console
        return Path()


def _names_of(source: Any) -> list[Any] | None:
    if isinstance(source, Mapping):
        return list(source)
    if isinstance(source, np.ndarray):
        return None if source.dtype.names is None else list(source.dtype.names)
    names = getattr(source, "column_names", getattr(source, "columns", None))
    return None if names is None or callable(names) else list(names)


def _of_columns(source: Any, what: str) -> Table:
    names = _names_of(source) or []
    _check_distinct(names, what)
    return Table(what, {name: _array(source[name], f"{what}, column {name!r}") for name in names})


def _array(column: Any, what: str) -> np.ndarray:
    if isinstance(column, np.ma.MaskedArray):
        return np.ma.filled(column.astype(np.float64), np.nan)
    try:
        return np.asarray(column)
    except Exception as error:  # a tensor on a GPU, a list of lists
        raise TableError(f"{what} is no array: {' '.join(str(error).split())}") from None


def _length(column: Any, what: str) -> int:
    if isinstance(column, np.ndarray) and column.ndim != 1:
        raise TableError(f"{what} has shape {column.shape}; expected one number for each row")
    return len(column)


def _numbers(column: np.ndarray, what: str) -> np.ndarray:
    """The column in float64. Raises TableError for anything but real numbers; None is a number that is missing."""
    if column.dtype.kind == "O" and all(entry is None or is_number(entry) for entry in column):
        column = np.array([math.nan if entry is None else float(entry) for entry in column])
    if column.dtype.kind not in "fiu":
        raise TableError(f"{what} holds {column.dtype}; expected real numbers")
    return column.astype(np.float64)


def _check_distinct(names: Sequence[Any], what: str) -> None:
    if repeated := [name for name in names if names.count(name) > 1]:
        raise TableError(f"{what} has two columns called {repeated[0]!r}")


def _read_csv(path: Path, what: str) -> Table:
    """Lines of numbers with commas between them, after a header of the columns' names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, skipinitialspace=True)
        rows = [(reader.line_num, cells) for cells in reader if "".join(cells).strip() or len(cells) > 1]
    if not rows:
        raise TableError(f"{what} is empty; expected a header of column names, and a row for each measurement")
    names = [cell.strip() for cell in rows.pop(0)[1]]
    names[0] = names[0].lstrip("# ")  # as numpy.savetxt writes it
    _check_header(names, what)
    for line, cells in rows:
        if len(cells) != len(names):
            raise TableError(f"{what}, line {line} has {len(cells)} cells; the header has {len(names)} columns")
    columns = zip(*(cells for _, cells in rows), strict=True) if rows else [()] * len(names)
    return Table(what, dict(zip(names, map(tuple, columns), strict=True)), [line for line, _ in rows])


def _check_header(names: Sequence[str], what: str) -> None:
    text = ", ".join(names)[:60]
    if len(names) == 1 and ";" in names[0]:
        raise TableError(f"{what} has semicolons; expected commas between columns, and decimal points")
    if any(is_number_in_text(name) for name in names):
        raise TableError(f"{what} begins with {text!r}; expected a header of column names")
    if "" in names:
        raise TableError(f"{what}: column {names.index('') + 1} of its header {text!r} has no name")
    _check_distinct(names, what)


def _read_npz(path: Path, what: str) -> Table:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return _of_columns({name: arrays[name] for name in arrays.files}, what)


def _read_parquet(path: Path, what: str) -> Table:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise TableError(f"{what} needs pyarrow to be read: pip install pyarrow; or write it as .csv or .npz") from None
    return _of_columns(parquet.read_table(path), what)


READERS: dict[str, Callable[[Path, str], Table]] = {".csv": _read_csv, ".npz": _read_npz, ".parquet": _read_parquet}
"""Functions that read a file, by the end of its name."""
