"""`DriftTable`: drift.csv, a row for each layer at each look, for plots of one's own; its picture, layers by steps."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

LOOKS = 12  # named below the picture


class DriftTable:
    """Rows of step, layer and quantities.

    Args:
        path: of the CSV file, begun anew at the first look and added to with every other.
        resume_at: rows from this step on, of the run that is continued, are dropped, the others kept.
    """

    def __init__(self, path: Path, resume_at: int = 0) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if resume_at and path.is_file():
            with path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) < resume_at]
        if self.rows:
            self._write(self.rows, "w")

    def add(self, step: int, layers: Mapping[str, Mapping[str, float]]) -> None:
        """One look: the quantities of each layer by name."""
        new = [{"step": str(step), "layer": name} | {k: repr(v) for k, v in q.items()} for name, q in layers.items()]
        mode = "a" if self.rows else "w"
        self.rows += new
        self._write(new, mode)

    def _write(self, rows: list[dict[str, str]], mode: str) -> None:
        """A new file begins with its header, the quantities of the first row of all."""
        with self.path.open(mode, newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            if mode == "w":
                writer.writeheader()
            writer.writerows(rows)

    def picture(self, quantity: str) -> Figure:
        """Layers from top to bottom, looks from left to right, the quantity in colour."""
        steps = sorted({int(row["step"]) for row in self.rows})
        layers = list(dict.fromkeys(row["layer"] for row in self.rows))
        image = np.full((len(layers), len(steps)), np.nan)
        for row in self.rows:
            image[layers.index(row["layer"]), steps.index(int(row["step"]))] = float(row[quantity])
        figure = Figure(figsize=(8.0, 1.2 + 0.35 * len(layers)), layout="constrained")
        axis = figure.subplots()
        drawn = axis.imshow(image, aspect="auto", interpolation="nearest")
        shown = np.unique(np.linspace(0, len(steps) - 1, min(LOOKS, len(steps))).round().astype(int))
        axis.set_xticks(shown, [str(steps[i]) for i in shown])
        axis.set_yticks(range(len(layers)), layers)
        axis.set_xlabel("step")
        figure.colorbar(drawn, ax=axis, label=quantity.replace("_", " "))
        return figure
