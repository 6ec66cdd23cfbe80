"""One training run in its own process, and what the benchmarks keep of it: summary, curve, how open the masks are."""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mask_pinns import MaskPINN, PointsDataModule
from mask_pinns.jets.layers import Activation

ROOT = Path(__file__).parent.parent
STORED_KEYS = ("seed", "rel_l2", "max_error", "loss", "steps", "wall_s", "s_per_step", "parameters", "optimizer",
               "dtype", "stop_reason", "device", "versions", "commit")  # fmt: skip
"""Keys of summary.json that are stored."""


def train(words: Sequence[str], folder: Path, name: str, root: Path = ROOT) -> Path:
    """`python train.py` with these words in a checkout; the run's folder. Raises CalledProcessError if it fails."""
    flags = [*words, "--folder", str(folder), "--name", name]
    path = {"PYTHONPATH": str(root)} if root != ROOT else {}
    subprocess.run([sys.executable, str(root / "train.py"), *flags], check=True, cwd=root, env=os.environ | path)
    return folder / name


def recorded(out: Path, masked: bool = True) -> dict[str, Any]:
    """What is kept of a run: its summary, the curve of relative L2 against steps, and how far its masks are open."""
    summary = json.loads((out / "summary.json").read_text())
    kept = {key: summary.get(key) for key in STORED_KEYS}
    if masked:
        kept["openness"] = openness(out / "checkpoints" / "best.ckpt")
    if "windows" not in summary:
        return kept | {"curve": curve(out / "metrics.csv")}
    windows = json.loads((out / "windows.json").read_text())["windows"]
    before = sum(w["wall_s"] for w in windows[:-1])
    last = curve(out / f"window-{len(windows)}" / "metrics.csv")
    pace = windows[-1]["wall_s"] / windows[-1]["steps"]
    return kept | {"windows": len(windows), "begins_s": before, "last_s_per_step": pace, "curve": last}


def curve(path: Path) -> list[tuple[int, float]]:
    """Relative L2 after steps, from a run's metrics.csv."""
    with path.open(newline="") as file:
        return [(int(r["step"]), float(r["val/rel_l2"])) for r in csv.DictReader(file) if r.get("val/rel_l2")]


def timed_curve(run: dict[str, Any]) -> list[tuple[float, float]]:
    """Seconds of training and relative L2; of a run in windows, those in the last one. The end is the last point."""
    begin, pace = run.get("begins_s", 0.0), run.get("last_s_per_step", run["s_per_step"])
    return [(begin + step * pace, error) for step, error in run["curve"]] + [(run["wall_s"], run["rel_l2"])]


def panels(titles: Sequence[str], shared: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure with a panel of error against time for each title, four in a line; shared: one axis of errors."""
    columns = 4
    rows = max(1, -(-len(titles) // columns))
    figure = Figure(figsize=(3.6 * columns, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=shared).ravel()
    for axis, title in zip(axes, titles, strict=False):
        axis.set(title=title, yscale="log", xlabel="s")
        axis.grid(alpha=0.3)
    for axis in axes[::columns]:
        axis.set_ylabel("relative L2 error")
    for axis in axes[len(titles) :]:
        axis.set_axis_off()
    return figure, list(axes[: len(titles)])


def openness(checkpoint: Path) -> float | None:
    """The mean of m(z) over all masked units at 2,000 points; None without masks."""
    module = MaskPINN.load_from_checkpoint(checkpoint)
    means: list[float] = []
    for layer in module.network.modules():
        if isinstance(layer, Activation) and layer.alpha is not None:
            layer.register_forward_pre_hook(lambda layer, z: means.append(float(layer.openness(z[0].value).mean())))
    x = PointsDataModule(module.problem, points={"pde": 2000}).draw(0)["pde"]
    with torch.no_grad():
        module(x.to(next(module.parameters()).dtype))
    return statistics.mean(means) if means else None
