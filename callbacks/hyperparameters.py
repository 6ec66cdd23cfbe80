"""`Hyperparameters`: a run's settings beside what it reached, on TensorBoard's page "hparams", so that runs compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L

from callbacks.boards import boards
from callbacks.summary import RunSummary
from mask_pinns.configuration import flatten

COMPARED = (
    "problem", "network", "embedding", "exact", "exact_time", "symmetry", "optimizer", "steps", "target", "lr", "decay",
    "decay_every", "weights", "causal", "balance", "derivatives", "points", "sampler", "adaptive", "resample",
    "precision", "seed",
)  # fmt: skip
"""Settings that decide what is trained and how: machine and folders are left out."""
REACHED = ("rel_l2", "max_error", "loss", "steps", "wall_s", "parameters")


class Hyperparameters(L.Callback):
    """Writes settings and final metrics once, at the end of training.

    Args:
        settings: those of COMPARED are shown; those of problem, network and embedding one by one,
            `network.width`; what is no number as text.
        summary: what was reached; it has to stand before this callback.
    """

    def __init__(self, settings: Mapping[str, Any], summary: RunSummary) -> None:
        self.settings, self.summary = settings, summary

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        chosen = flatten({name: self.settings[name] for name in COMPARED if name in self.settings})
        shown = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in chosen.items()
            if value not in (None, "", [], {})  # what is off would fill the page
        }
        result = self.summary.result
        reached = {f"final/{name}": result[name] for name in REACHED if result.get(name) is not None}
        for board in boards(trainer):
            board.add_hparams(shown, reached, run_name=".", global_step=trainer.global_step)
