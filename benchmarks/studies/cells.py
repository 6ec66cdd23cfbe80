"""The configuration of cells: train.py's parser reads every kind of cell once, before anything runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from types import SimpleNamespace

from mask_pinns.cli.parser import read
from mask_pinns.settings.values import write_values
from studies.grid import Cell


def configuration(cell: Cell) -> SimpleNamespace:
    """The cell's configuration as train.py reads it. Raises ValueError if it cannot be run."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        write_values(dict(cell.config), file)
        file.flush()
        return read(["--config", file.name])[1]


def check_cells(cells: Iterable[Cell]) -> None:
    """Raises ValueError for the first cell, whatever its seed, whose configuration train.py refuses."""
    for name, kind in {cell.kind.name: cell.kind for cell in cells}.items():
        try:
            configuration(kind)
        except ValueError as error:
            raise ValueError(f"cell {name}: {error}") from None
