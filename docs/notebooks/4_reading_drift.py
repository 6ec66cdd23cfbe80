# %% [markdown]
# # Reading the drift of features
#
# The features of a PINN's hidden layers move while it trains, and may saturate. Here two networks of equal shape
# train on the same equation with Adam, one with the mask and one without, and their statistics are recorded on the
# way.

# %%
import csv
from pathlib import Path

import lightning as L
from matplotlib.figure import Figure

from mask_pinns import FeatureStatistics, MaskPINN, PointsDataModule


def trained(mask: bool) -> list[dict[str, str]]:
    """Trains a network of the published shape, smaller, and returns the rows of its drift.csv."""
    L.seed_everything(0)
    folder = Path("drift") / ("masked" if mask else "plain")
    folder.mkdir(parents=True, exist_ok=True)
    network = {"name": "masked", "width": 32, "blocks": 2, "activation": "tanh", "mask": mask}
    model = MaskPINN("convection", network, "adam 300", exact=["initial"])
    data = PointsDataModule(model.problem, points=500)
    statistics = FeatureStatistics(every=20, folder=folder)
    trainer = L.Trainer(max_steps=300, max_epochs=-1, logger=False, callbacks=[statistics], enable_checkpointing=False)
    trainer.fit(model, data)
    return list(csv.DictReader((folder / "drift.csv").read_text().splitlines()))


runs = {"masked": trained(True), "plain": trained(False)}
print([name for name in runs["masked"][0] if name.endswith("_drift")])

# %% [markdown]
# `drift.csv` has a row for each recording and layer. The drift of the features h, which the next layer sees, is the
# 1-Wasserstein distance to their distribution at the start, in units of the standard deviation there.

# %%
figure = Figure(figsize=(8, 3), layout="constrained")
for axis, (name, rows) in zip(figure.subplots(1, 2), runs.items(), strict=True):
    layers = dict.fromkeys(row["layer"] for row in rows)
    for layer in layers:
        of_layer = [row for row in rows if row["layer"] == layer]
        steps, drift = (
            [float(row[key]) for row in of_layer if row["feature_drift"]] for key in ("step", "feature_drift")
        )
        axis.plot(steps, drift, label=layer)
    axis.set(title=name, xlabel="step", ylabel="drift of the features")
    axis.legend(fontsize=7)
figure.savefig("drift.png")

# %% [markdown]
# TensorBoard draws the same, and a report puts two runs side by side: `python -m mask_pinns.report runs/a runs/b`.
