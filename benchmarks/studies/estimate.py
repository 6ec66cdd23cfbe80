"""Estimates how long cells take here, from those that are done, else from one step of each kind of cell."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from mask_pinns.cli.plan import duration, seconds_of_run
from mask_pinns.cli.run import build
from studies.cells import configuration
from studies.grid import Cell
from studies.runner import state

__all__ = ["Estimate", "duration"]


class Estimate:
    """Seconds by kind of cell (a cell without its seed); `out` is the folder of the cells."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.measured: dict[str, list[float]] = {}
        self.planned: dict[str, float] = {}

    def learn(self, cell: Cell) -> None:
        """Records how long a cell took, if it is done."""
        if state(self.out / cell.name) == "done":
            summary = json.loads((self.out / cell.name / "run" / "summary.json").read_text())
            self.measured.setdefault(cell.kind.name, []).append(summary["wall_s"])

    def seconds(self, cell: Cell) -> float:
        """The median of the cells of its kind; before one is done, an estimate from the time of a step."""
        kind = cell.kind.name
        if kind not in self.measured:
            self.learn(cell)
        if kind in self.measured:
            return median(self.measured[kind])
        if kind not in self.planned:
            self.planned[kind] = _planned(cell)
        return self.planned[kind]


def _planned(cell: Cell) -> float:
    """Seconds of the cell's run by its plan, as in `python train.py --dry_run`; 0 if it cannot be run."""
    try:
        run = build(configuration(cell))
    except ValueError:  # the cell will fail at once, and the queue will print why
        return 0.0
    dtype = next(run.module.network.parameters()).dtype
    return seconds_of_run(run.module, run.data.draw(0, 0, 1, "cpu", dtype), run.steps)
