"""The comparison in a study: pairs of cells, and settings; effects.py says how large the difference is.

A pair is two cells that differ in the compared axis alone. Its value is log10 of their ratio of relative L2 errors:
-1 is ten times better than the baseline. A cell that failed has an infinite error; a pair of which both failed is left
out, as is one with a cell that is unfinished. A setting is all pairs that differ in the seed alone.
"""

from __future__ import annotations

from math import isnan
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from studies.grid import Study
from studies.tables import ERROR

MAX_SOLVED_ERROR = 0.5
"""Largest relative error of a cell that counts as solved; the error of a field that is zero everywhere is 1."""


def pairs(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """A row for each pair: its axes but the compared one, `value` of that, `error`, `base`, `log_ratio`.

    Raises ValueError if the table has a cell twice.
    """
    others = [name for name in study.columns.values() if name != study.compared]
    cells = table[[*others]].assign(value=table[study.compared].astype(str), error=_errors(table))
    is_base = cells["value"] == str(study.compare["baseline"])
    base = cells[is_base].drop(columns="value").rename(columns={"error": "base"})
    by: dict[str, Any] = {"on": others, "validate": "many_to_one"} if others else {"how": "cross"}
    joined = cells[~is_base].merge(base, **by)
    with np.errstate(divide="ignore", invalid="ignore"):
        joined["log_ratio"] = np.log10(joined["error"]) - np.log10(joined["base"])
    return joined.dropna(subset="log_ratio")


def _errors(table: pd.DataFrame) -> pd.Series:
    """The error of each cell: infinite if the cell failed or its error is not a number; NaN if it is unfinished."""
    errors = table[ERROR].astype(float)
    ended = table["state"].isin(["done", "failed"])
    return errors.where(errors.notna() | ~ended, np.inf).where(ended)


def by_setting(pairs: pd.DataFrame, study: Study) -> pd.DataFrame:
    """A row for each setting and each value that is compared with the baseline.

    Columns: the setting's axes, `value`, `pairs`, `error` and `baseline` (medians), `spread` (worst over best seed),
    `log_ratio` (median of log10 error / baseline's), `better` and `worse` (pairs in which it is).
    """
    names = [name for name in study.columns.values() if name not in (study.compared, "seed")] + ["value"]
    groups = pairs.groupby(names, sort=False)
    return pd.DataFrame([dict(zip(names, key, strict=True)) | _setting(group) for key, group in groups])


def _setting(pairs: pd.DataFrame) -> dict[str, Any]:
    """The columns of one setting, from its pairs (a row for each seed); opposite infinities cancel in a median."""
    ratios, errors = pairs["log_ratio"], pairs["error"]
    middle = median(ratios)
    return {
        "pairs": len(pairs), "error": median(errors), "baseline": median(pairs["base"]),
        "spread": errors.max() / errors.min() if errors.min() < np.inf else np.inf,
        "log_ratio": 0.0 if isnan(middle) else middle,
        "better": int((ratios < 0).sum()), "worse": int((ratios > 0).sum()),
    }  # fmt: skip


def verdict(settings: pd.DataFrame, value: str) -> dict[str, Any]:
    """The counts for one value: over all settings, and over those that one of the two solves."""
    rows = settings[settings["value"] == value]
    solved = rows[(rows["error"] <= MAX_SOLVED_ERROR) | (rows["baseline"] <= MAX_SOLVED_ERROR)]
    return {"value": value, "all": summary(rows), "solved": summary(solved)}


def summary(settings: pd.DataFrame) -> dict[str, Any]:
    """Counts and the typical factor over settings; only their number if there are none."""
    if settings.empty:
        return {"settings": 0}
    ratios = settings["log_ratio"]
    return {
        "settings": len(settings), "better": int((ratios < 0).sum()),
        "surely_better": int((settings["better"] == settings["pairs"]).sum()),
        "surely_worse": int((settings["worse"] == settings["pairs"]).sum()),
        "factor": 10.0 ** median(ratios), "best": 10.0 ** ratios.min(), "worst": 10.0 ** ratios.max(),
    }  # fmt: skip
