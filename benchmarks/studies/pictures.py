"""The figures of a study: errors of all seeds, and error against step, drift and width."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib import MatplotlibDeprecationWarning
from matplotlib.figure import Figure

from studies.grid import Study
from studies.tables import ERROR


def draw(table: pd.DataFrame, curves: pd.DataFrame, study: Study) -> dict[str, Figure]:
    """box: errors of all seeds; steps: error against step; drift: error against drift; width: if it is an axis."""
    done = table[table["state"] == "done"].assign(setting=lambda t: _setting(t, study))
    panels = {"col": "problem", "col_wrap": 2} if "problem" in done else {}
    shared: dict[str, Any] = {"y": ERROR, "hue": study.compared, "palette": "colorblind", "height": 3.2} | panels
    spread: dict[str, Any] = {"kind": "line", "estimator": "median", "errorbar": ("pi", 100), "aspect": 1.5} | shared
    apart = {"sharex": False, "sharey": False}
    with warnings.catch_warnings():  # seaborn's box plots use a deprecated name of matplotlib
        warnings.simplefilter("ignore", MatplotlibDeprecationWarning)
        boxes = sns.catplot(done, x="setting", kind="box", sharex=False, aspect=1.5, **shared)
    grids = {
        "box": boxes,
        "drift": sns.relplot(done, x="drift", aspect=1.3, facet_kws=apart, **shared),
    }
    if len(curves):
        grids["steps"] = sns.relplot(curves, x="step", **spread)
    if "width" in study.columns.values():
        sizes = done.assign(width=pd.to_numeric(done["width"]))
        grids["width"] = sns.relplot(sizes, x="width", marker="o", **spread)
        grids["width"].set(xscale="log", xticks=(widths := sorted(set(sizes["width"]))), xticklabels=widths)
        for axis in grids["width"].axes.flat:
            axis.minorticks_off()
    for grid in grids.values():
        grid.set(yscale="log", ylabel="relative L2 error")
    for label in (label for axis in grids["box"].axes.flat for label in axis.get_xticklabels()):
        label.set(rotation=30, ha="right")
    for grid in grids.values():
        grid.tight_layout()
    return {name: grid.figure for name, grid in grids.items()}


def _setting(table: pd.DataFrame, study: Study) -> pd.Series:
    names = [n for n in study.columns.values() if n not in (study.compared, "problem", "seed")]
    return table[names].astype(str).agg(" ".join, axis=1) if names else pd.Series("", table.index)
