"""The results of a study as tables, a row for each cell and the curves of all, and how stored tables are read.

Values on the axes are text, so that a table is read as it was written, with numbers, names or phases.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from studies.grid import Cell, Study
from studies.runner import state

ERROR = "rel_l2"
"""The column with the error that is compared."""
FROM_SUMMARY = (ERROR, "max_error", "loss", "steps", "evaluations", "wall_s", "s_per_step", "parameters", "optimizer",
                "dtype", "device", "stop_reason", "commit")  # fmt: skip
"""Columns that are read from summary.json."""
DRIFT = "feature_drift"
"""The column of drift.csv that is read."""


def collect(study: Study, cells: Sequence[Cell], out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row for each cell (values on the axes, state, reason of a failure, results), and the curves of all cells.

    If a result has the name of an axis (steps, optimizer), the column contains the axis.
    """
    rows = [_results(out / cell.name) | _values(cell) for cell in cells]
    curves = [_curve(out / cell.name).assign(**_values(cell)) for cell in cells if state(out / cell.name) == "done"]
    curves = [curve for curve in curves if len(curve)]
    empty = pd.DataFrame(columns=["step", ERROR, *study.columns.values()])
    return pd.DataFrame(rows, columns=_columns(study)), pd.concat(curves) if curves else empty


def _columns(study: Study) -> list[str]:
    return list(dict.fromkeys([*study.columns.values(), "state", "reason", *FROM_SUMMARY, "drift", "torch"]))


def _values(cell: Cell) -> dict[str, str]:
    return {name: str(value) for name, value in cell.values.items()}


def _results(folder: Path) -> dict[str, Any]:
    """State and reason; for a cell that is done, its results, versions, and the mean drift of its layers at the end."""
    current = state(folder)
    if current == "failed":
        reason = (folder / "failed.txt").read_text().strip().replace(str(folder.resolve()), folder.name)
        return {"state": current, "reason": reason.replace(str(folder), folder.name)}
    if current != "done":
        return {"state": current}
    summary = json.loads((folder / "run" / "summary.json").read_text())
    results = {key: summary.get(key) for key in FROM_SUMMARY}
    drift = final_drift(folder / "run" / "drift.csv")
    return {"state": current, **results, "drift": drift, "torch": summary["versions"]["torch"]}


def _curve(folder: Path) -> pd.DataFrame:
    """Error against step; empty if no solution is known."""
    table = pd.read_csv(folder / "run" / "metrics.csv")
    curve = table.rename(columns={f"val/{ERROR}": ERROR}).reindex(columns=["step", ERROR])
    return curve.dropna(subset=ERROR)


def final_drift(path: Path) -> float:
    """The mean over the layers of the last feature drift; NaN if drift was not recorded."""
    if not path.is_file():
        return float("nan")
    table = pd.read_csv(path)
    return float(table[table["step"] == table["step"].max()].get(DRIFT, pd.Series(dtype=float)).mean())


def stored(study: Study, results: Path) -> pd.DataFrame | None:
    """The table of cells as `collect` made it; None if nothing is stored.

    Raises ValueError if it was stored from another definition of the study.
    """
    file = results / f"{study.name}.csv"
    if not file.is_file():
        return None
    axes = list(study.columns.values())
    texts, others = dict.fromkeys([*axes, "reason"], str), {*FROM_SUMMARY, "drift", "torch"} - {*axes}
    table = pd.read_csv(file, dtype=texts, keep_default_na=False, na_values={key: [""] for key in others})
    if missing := [name for name in axes if name not in table]:
        raise ValueError(f"{file} has no column {missing[0]!r}: it is of another definition; run the study again")
    return table.reindex(columns=_columns(study)).assign(reason=table.get("reason", ""))
