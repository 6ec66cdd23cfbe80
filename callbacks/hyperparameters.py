"""`Hyperparameters`: shows a run's settings and final metrics on TensorBoard's page "hparams", to compare runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L

from mask_pinns.callbacks.summary import RunSummary
from mask_pinns.callbacks.tensorboard import tensorboard_writers
from mask_pinns.settings import flatten

FINAL_METRICS = ("rel_l2", "max_error", "loss", "steps", "wall_s", "parameters")


class Hyperparameters(L.Callback):
    """Writes settings and final metrics once, at the end of training.

    Args:
        settings: the settings that determine the training. Those of problem, network and embedding are shown one by
            one (`network.width`), and lists and mappings as text.
        summary: the callback with the final metrics; it must stand before this one.
    """

    def __init__(self, settings: Mapping[str, Any], summary: RunSummary) -> None:
        self.settings, self.summary = settings, summary

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        settings = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in flatten(self.settings).items()
            if value not in (None, "", [], {})  # settings that are not in use would fill the page
        }
        result = self.summary.result
        metrics = {f"final/{name}": result[name] for name in FINAL_METRICS if result.get(name) is not None}
        for writer in tensorboard_writers(trainer):
            writer.add_hparams(settings, metrics, run_name=".", global_step=trainer.global_step)
