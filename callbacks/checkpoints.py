"""Checkpoints: `last` at an interval and at the end, `best` by the loss on the validation points.

The best is chosen by val/loss, never by the error against a known solution: that would be tuning on the answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint


def best_checkpoint(folder: str | Path) -> ModelCheckpoint:
    """Keeps `best.ckpt`, the state with the lowest val/loss so far."""
    return ModelCheckpoint(
        folder, "best", monitor="val/loss", mode="min", save_on_train_epoch_end=False, enable_version_counter=False
    )


class LastCheckpoint(L.Callback):
    """Keeps `last.ckpt`: every `every` steps, and where training ends in good order.

    Lightning's own ModelCheckpoint saves at steps only under automatic optimization. The file is replaced as a
    whole (Lightning writes beside it and renames), so a run that breaks leaves the one before.
    """

    def __init__(self, folder: str | Path, every: int) -> None:
        self.path = Path(folder) / "last.ckpt"
        self.every = every
        self.saved_at = -1

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step % self.every == 0:
            self._save(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        if trainer.global_step > 0 and self.saved_at != trainer.global_step:
            trainer.save_checkpoint(self.path)
            self.saved_at = trainer.global_step
