"""Checkpoints: `last` is saved at an interval and at the end, `best` at the lowest loss on the validation points.

The best one is chosen by val/loss and never by the error against a known solution, which would be tuning on the answer.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.trainer.states import TrainerFn

from mask_pinns.checkpoints.atomic_files import links_elsewhere, whole_file


class NotSaved(OSError):
    """A checkpoint could not be written. The previous one still exists."""


DISK_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""Error numbers of the operating system for a disk that cannot be written to."""


def is_disk_error(error: BaseException) -> bool:
    """Tells whether a file could not be written because of the disk, not because of a wrong request."""
    return isinstance(error, NotSaved) or (isinstance(error, OSError) and error.errno in DISK_ERRNOS)


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint to the disk beside the old one, and replaces the old one only when it is complete.

    Lightning's own class writes into the system's temporary folder and moves the file from there. Across file systems,
    the move is a copy into the old file, and a kill or a full disk would leave it incomplete.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Raises NotSaved if the file cannot be written; an incomplete file is removed."""
        path = Path(path)
        if path.parent.name == "checkpoints" and path.parent.is_symlink():
            raise NotSaved(f"{path} could not be written: {links_elsewhere(path.parent)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path, "wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch's writer hides the error of the disk
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            raise NotSaved(f"{path} could not be written ({str(cause).splitlines()[0]})") from error


def best_checkpoint(folder: str | Path) -> ModelCheckpoint:
    """Makes a callback that keeps `best.ckpt`, the state with the lowest val/loss so far.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import best_checkpoint
        >>> best = best_checkpoint("runs/example/checkpoints")
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[best], val_check_interval=100, logger=False)
        >>> best.monitor
        'val/loss'
    """
    return ModelCheckpoint(
        folder, "best", monitor="val/loss", mode="min", save_on_train_epoch_end=False, enable_version_counter=False
    )


def burst_of(trainer: L.Trainer) -> int:
    """Returns the number of optimizer steps per training batch; only the last batch of a session has fewer."""
    return getattr(getattr(trainer, "datamodule", None), "burst", 1)


def validation_due(trainer: L.Trainer) -> bool:
    """Tells whether a validation after this training batch is scheduled, by number of batches, each a whole burst."""
    if trainer.global_step % burst_of(trainer):
        return False
    batches: Any = trainer.val_check_batch
    if not trainer.enable_validation or trainer.check_val_every_n_epoch is not None or batches in (None, float("inf")):
        return False
    return (trainer.fit_loop.total_batch_idx + 1) % int(batches) == 0


class LastCheckpoint(L.Callback):
    """Keeps `last.ckpt`: saves it every `every` steps, and at the end of training unless an error ended it.

    Where a validation is due at that step it is saved after it, so that a resumed run neither repeats nor misses one.
    Lightning's own ModelCheckpoint saves at an interval of steps only under automatic optimization.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import LastCheckpoint
        >>> last = LastCheckpoint("runs/example/checkpoints", every=500)
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[last], enable_checkpointing=False, logger=False)
        >>> last.path.name
        'last.ckpt'
    """

    def __init__(self, folder: str | Path, every: int) -> None:
        self.path = Path(folder) / "last.ckpt"
        self.every = every
        self.saved_at = -1

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Goes behind all other callbacks, whose states it saves, as that of `best.ckpt`."""
        others: Any = trainer  # the type checker does not see where the attribute is set
        others.callbacks = [*(callback for callback in others.callbacks if callback is not self), self]

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if not self._due(trainer):
            return
        if not (validation_due(trainer) or (trainer.should_stop and trainer.enable_validation)):
            self._save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING and self._due(trainer):
            self._save(trainer)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Saves the step before a validation that fails. Several ranks may not fail together, and save together."""
        if trainer.validating and trainer.world_size == 1 and isinstance(exception, Exception):
            with suppress(Exception):  # as on a full disk, which is the failure then
                self._save(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer)

    def _due(self, trainer: L.Trainer) -> bool:
        """Whether it is to be saved at this step; what callbacks do at the end of training can be long."""
        return trainer.global_step % self.every == 0 or trainer.should_stop or trainer.global_step == trainer.max_steps

    def _save(self, trainer: L.Trainer) -> None:
        if trainer.global_step > 0 and self.saved_at != trainer.global_step:
            trainer.save_checkpoint(self.path)
            self.saved_at = trainer.global_step
