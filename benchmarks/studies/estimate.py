"""How long cells take here: measured on those that are done, else by one step of each kind of cell."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from mask_pinns.plan import duration, seconds_of_run
from studies.checks import configuration
from studies.grid import Cell
from studies.runner import state

__all__ = ["Estimate", "duration"]


class Estimate:
    """Seconds by kind of cell (all but its seed); `out` is the folder of the cells."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.measured: dict[str, list[float]] = {}
        self.planned: dict[str, float] = {}

    def learn(self, cell: Cell) -> None:
        """Takes note of how long a cell took that is done."""
        if state(self.out / cell.name) == "done":
            summary = json.loads((self.out / cell.name / "run" / "summary.json").read_text())
            self.measured.setdefault(cell.kind.name, []).append(summary["wall_s"])

    def seconds(self, cell: Cell) -> float:
        """Of the cells of its kind, the median; before there is one, from the time of a step now."""
        kind = cell.kind.name
        if kind not in self.measured:
            self.learn(cell)
        if kind in self.measured:
            return median(self.measured[kind])
        if kind not in self.planned:
            self.planned[kind] = _planned(cell)
        return self.planned[kind]


def _planned(cell: Cell) -> float:
    """Seconds of the cell's run by its plan, as `python train.py --dry_run` has it; none where it cannot be run."""
    from train import build

    try:
        run = build(configuration(cell))
    except ValueError:  # it will fail at once, and the queue will say why
        return 0.0
    dtype = next(run.module.network.parameters()).dtype
    return seconds_of_run(run.module, run.data.draw(0, 0, 1, "cpu", dtype), run.steps)
