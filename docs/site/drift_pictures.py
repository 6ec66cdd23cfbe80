"""Makes docs/drift.png: the drift charts of a healthy run and of two sick ones, too high a rate and too steep a start.

python docs/site/drift_pictures.py
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import lightning as L
from matplotlib.figure import Figure

from mask_pinns import FeatureStatistics, MaskPINN, PointsDataModule

STEPS = 600
RUNS: dict[str, dict[str, Any]] = {
    "healthy": {"lr": 1e-3, "first_scale": 1.0},
    "rate too high": {"lr": 0.1, "first_scale": 1.0},
    "start too steep": {"lr": 1e-3, "first_scale": 40.0},
}
CHARTS = {
    "feature_drift": "drift of the features",
    "preactivation_saturation": "saturated share",
    "feature_effective_rank": "effective rank",
}


def rows(lr: float, first_scale: float) -> list[dict[str, str]]:
    """The rows of drift.csv of one run on the wave equation."""
    L.seed_everything(0)
    network = {"name": "masked", "width": 32, "blocks": 2, "activation": "tanh", "first_scale": first_scale}
    model = MaskPINN("wave", network, f"adam {STEPS}", lr=lr, exact="all")
    with tempfile.TemporaryDirectory() as folder:
        statistics = FeatureStatistics(every=20, folder=folder)
        trainer = L.Trainer(
            max_steps=STEPS, max_epochs=-1, accelerator="cpu", logger=False, callbacks=[statistics],
            enable_checkpointing=False, enable_progress_bar=False, check_val_every_n_epoch=None,
        )  # fmt: skip
        trainer.fit(model, PointsDataModule(model.problem, points=1000))
        return list(csv.DictReader((Path(folder) / "drift.csv").read_text().splitlines()))


def main() -> None:
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    axes = figure.subplots(len(CHARTS), len(RUNS), sharex=True, sharey="row")
    for column, (name, options) in enumerate(RUNS.items()):
        table = rows(**options)
        for axis, (key, label) in zip(axes[:, column], CHARTS.items(), strict=True):
            for layer in dict.fromkeys(row["layer"] for row in table):
                own = [row for row in table if row["layer"] == layer and row[key]]
                axis.plot([int(row["step"]) for row in own], [float(row[key]) for row in own], label=layer)
            axis.set(ylabel=label if column == 0 else "", title=name if axis is axes[0, column] else "")
        axes[-1, column].set_xlabel("step")
    axes[0, 0].legend(fontsize=7)
    figure.savefig(Path(__file__).parents[1] / "drift.png", dpi=110)


if __name__ == "__main__":
    main()
