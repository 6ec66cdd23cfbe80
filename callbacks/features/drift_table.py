"""`DriftTable`: writes drift.csv, with a row for each layer in each recording, and draws its columns as heat maps."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mask_pinns.callbacks.csv_files import read_intact_rows, replace_rows
from mask_pinns.checkpoints.atomic_files import without_link

MAX_STEP_LABELS = 12
"""The largest number of recordings whose steps are written below a heat map."""


def column(quantity: str) -> str:
    """Returns the column of a quantity: `<stage>_<quantity>` for `<stage>/<quantity>`."""
    return quantity.replace("/", "_")


class DriftTable:
    """A table with columns for step, layer and quantities. A quantity that a layer does not have is left empty.

    Args:
        path: the CSV file. The first recording replaces it, later ones are appended.
        resume_at: the step from which a resumed run records. Rows from this step on are removed, earlier ones stay.
    """

    def __init__(self, path: Path, resume_at: int = 0) -> None:
        self.path = path
        self.columns: list[str] = []  # empty: the file has no rows of this run
        columns, rows = read_intact_rows(path) if resume_at else ([], [])
        if earlier := [row for row in rows if int(row["step"]) < resume_at]:
            replace_rows(path, columns, earlier)
            self.columns = columns

    @property
    def rows(self) -> list[dict[str, str]]:
        """Reads all rows from the file. In memory, they would grow with the length of the run."""
        return read_intact_rows(self.path)[1] if self.columns else []

    def add(self, step: int, layers: Mapping[str, Mapping[str, float]]) -> None:
        """Adds one recording: the quantities of each layer by name. For a new quantity, the file is rewritten."""
        new = [
            {"step": str(step), "layer": name} | {column(k): repr(v) for k, v in quantities.items()}
            for name, quantities in layers.items()
        ]
        columns = list(dict.fromkeys([*self.columns, *(name for row in new for name in row)]))
        if columns != self.columns:
            replace_rows(self.path, columns, [*self.rows, *new])
            self.columns = columns
            return
        with without_link(self.path).open("a", newline="") as file:
            csv.DictWriter(file, columns).writerows(new)

    def has(self, quantity: str) -> bool:
        """Tells whether any row has a value of the quantity."""
        return any(row.get(column(quantity)) for row in self.rows)

    def picture(self, quantity: str) -> Figure:
        """Draws a quantity as colour: layers that have it from top to bottom, recordings from left to right."""
        rows = [row for row in self.rows if row.get(column(quantity))]
        steps = sorted({int(row["step"]) for row in rows})
        layers = list(dict.fromkeys(row["layer"] for row in rows))
        image = np.full((len(layers), len(steps)), np.nan)
        for row in rows:
            image[layers.index(row["layer"]), steps.index(int(row["step"]))] = float(row[column(quantity)])
        figure = Figure(figsize=(8.0, 1.2 + 0.35 * len(layers)), layout="constrained")
        axis = figure.subplots()
        heatmap = axis.imshow(image, aspect="auto", interpolation="nearest")
        labelled = np.unique(np.linspace(0, len(steps) - 1, min(MAX_STEP_LABELS, len(steps))).round().astype(int))
        axis.set_xticks(labelled, [str(steps[i]) for i in labelled])
        axis.set_yticks(range(len(layers)), layers)
        axis.set_xlabel("step")
        figure.colorbar(heatmap, ax=axis, label=quantity.replace("/", " ").replace("_", " "))
        return figure
