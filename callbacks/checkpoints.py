"""Checkpoints: `last` at an interval and at the end, `best` by the loss on the validation points, each written whole.

The best is chosen by val/loss, never by the error against a known solution: that would be tuning on the answer.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from mask_pinns.whole_files import whole


class NotSaved(OSError):
    """A checkpoint that could not be written; the one before is kept."""


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""What a system says where a disk takes no more."""


def of_the_disk(error: BaseException) -> bool:
    """Whether a file could not be written because of its disk, not because of what was asked."""
    return isinstance(error, NotSaved) or (isinstance(error, OSError) and error.errno in DISK)


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the old one, down to the disk, and only then puts it in its place.

    Lightning's own writes into the system's temporary folder and moves it from there: across file systems that is a
    copy into the old file, which a kill or a full disk cuts short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Raises NotSaved where the disk does not take it; the part that was written is removed."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path, "wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch's writer hides what the disk said
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            raise NotSaved(f"{path} could not be written ({str(cause).splitlines()[0]})") from error


def best_checkpoint(folder: str | Path) -> ModelCheckpoint:
    """Keeps `best.ckpt`, the state with the lowest val/loss so far."""
    return ModelCheckpoint(
        folder, "best", monitor="val/loss", mode="min", save_on_train_epoch_end=False, enable_version_counter=False
    )


class LastCheckpoint(L.Callback):
    """Keeps `last.ckpt`: every `every` steps, and where training ends in good order.

    Lightning's own ModelCheckpoint saves at steps only under automatic optimization.
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
