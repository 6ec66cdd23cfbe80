"""`DriftTable`: drift.csv, a row for each layer at each look, for plots of one's own; its picture, layers by steps."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from callbacks.rows import replace_rows, whole_rows

LOOKS = 12  # named below the picture


def column(quantity: str) -> str:
    """`<stage>/<quantity>` as the name of a column: `<stage>_<quantity>`."""
    return quantity.replace("/", "_")


class DriftTable:
    """Rows of step, layer and quantities; a quantity that a layer has not is left empty.

    Args:
        path: of the CSV file, begun anew at the first look and added to with every other.
        resume_at: rows from this step on, of the run that is continued, are dropped, the others kept.
    """

    def __init__(self, path: Path, resume_at: int = 0) -> None:
        self.path = path
        self.columns: list[str] = []  # none: nothing in the file is of this run
        columns, rows = whole_rows(path) if resume_at else ([], [])
        if kept := [row for row in rows if int(row["step"]) < resume_at]:
            replace_rows(path, columns, kept)
            self.columns = columns

    @property
    def rows(self) -> list[dict[str, str]]:
        """Read from the file: kept in memory, they would be what grows in a long run."""
        return whole_rows(self.path)[1] if self.columns else []

    def add(self, step: int, layers: Mapping[str, Mapping[str, float]]) -> None:
        """One look: the quantities of each layer by name. With a quantity that is new, the file is written anew."""
        new = [
            {"step": str(step), "layer": name} | {column(k): repr(v) for k, v in quantities.items()}
            for name, quantities in layers.items()
        ]
        columns = list(dict.fromkeys([*self.columns, *(name for row in new for name in row)]))
        if columns != self.columns:
            replace_rows(self.path, columns, [*self.rows, *new])
            self.columns = columns
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, columns).writerows(new)

    def has(self, quantity: str) -> bool:
        return any(row.get(column(quantity)) for row in self.rows)

    def picture(self, quantity: str) -> Figure:
        """Layers that have the quantity from top to bottom, looks from left to right, the quantity in colour."""
        rows = [row for row in self.rows if row.get(column(quantity))]
        steps = sorted({int(row["step"]) for row in rows})
        layers = list(dict.fromkeys(row["layer"] for row in rows))
        image = np.full((len(layers), len(steps)), np.nan)
        for row in rows:
            image[layers.index(row["layer"]), steps.index(int(row["step"]))] = float(row[column(quantity)])
        figure = Figure(figsize=(8.0, 1.2 + 0.35 * len(layers)), layout="constrained")
        axis = figure.subplots()
        drawn = axis.imshow(image, aspect="auto", interpolation="nearest")
        shown = np.unique(np.linspace(0, len(steps) - 1, min(LOOKS, len(steps))).round().astype(int))
        axis.set_xticks(shown, [str(steps[i]) for i in shown])
        axis.set_yticks(range(len(layers)), layers)
        axis.set_xlabel("step")
        figure.colorbar(drawn, ax=axis, label=quantity.replace("/", " ").replace("_", " "))
        return figure
