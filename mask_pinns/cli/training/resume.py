"""Going on with a run: its steps so far, what changes, what is judged anew, and what stays as it was if it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mask_pinns.callbacks import Patience, TrainingAlarms
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.checkpoints.compatibility import changes, differing
from mask_pinns.checkpoints.loading import check_resume
from mask_pinns.cli.configuration import load_yaml
from mask_pinns.cli.run import Run
from mask_pinns.cli.run_folder import UsageError, run_folder_of
from mask_pinns.cli.training.record import FILE as WINDOWS
from mask_pinns.module import MaskPINN
from mask_pinns.settings import (
    LossSettings,
    MachineSettings,
    Sampling,
    TrainerSettings,
    TrainingSettings,
    defaults,
)

CHANGEABLE = (Sampling, LossSettings, TrainingSettings, MachineSettings)
KEPT = (".yaml", ".json", ".csv", ".txt")
"""Suffixes of the files of a run folder that a session changes."""


class Resumed(NamedTuple):
    """A checkpoint that can be gone on from, its number of steps, and the observers that this session needs beside."""

    checkpoint: Path
    steps: int
    observers: list[L.Callback]


def resumed(run: Run, checkpoint: Path) -> Resumed:
    """Checks a checkpoint, and prints which settings change in this session. Raises ValueError if it does not fit."""
    folder = run_folder_of(checkpoint)
    if (folder / WINDOWS).is_file():
        raise UsageError(f"{folder} is a run in time windows: leave out --windows, or begin a new run")
    content, run_file = check_resume(checkpoint, run.module, run.dtype), folder / "config.yaml"
    # A session that was killed before its first checkpoint has written its settings, not trained with them.
    before = (load_yaml(run_file) if run_file.is_file() else {}) | content.get("hyper_parameters", {})
    now: dict[str, Any] = vars(run.config)
    observers: list[L.Callback] = []
    trainer = defaults(TrainerSettings) | before.get("trainer", {}), now["trainer"]
    words = [changes(before, now, CHANGEABLE), changes(*trainer, [TrainerSettings], "trainer.")]
    if changed := ", ".join(filter(None, words)):
        run.console.print(f"from here on: {changed}", highlight=False, soft_wrap=True, markup=False)
    if differing(before, now, CHANGEABLE, judged=True) or differing(*trainer, [TrainerSettings], judged=True):
        observers.append(JudgedAnew())
        text = "the loss at fresh points is another one now: best.ckpt, patience and --loss_target are judged anew"
        run.console.print(text, highlight=False, soft_wrap=True)
    return Resumed(checkpoint, int(content["global_step"]), observers)


class JudgedAnew(L.Callback):
    """Forgets the smallest loss at fresh points, and the first loss, with which later ones cannot be compared."""

    forgets = ("ModelCheckpoint", Patience.__name__, TrainingAlarms.__name__)

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        assert isinstance(pl_module, MaskPINN)
        states: Mapping[str, Any] = checkpoint["callbacks"]
        checkpoint["callbacks"] = {key: state for key, state in states.items() if not key.startswith(self.forgets)}
        pl_module.stepper.first_loss = None


@contextmanager
def unchanged_if_it_fails(module: MaskPINN, folder: Path, steps: int) -> Iterator[None]:
    """Puts the files of a run folder back as they were if the block fails before a step is taken.

    Checkpoints are not saved before the first step; event files of TensorBoard are new in each session.
    """
    if getattr(rank_zero_only, "rank", 0):
        yield  # rank 0 writes the files
        return
    before = {path: path.read_bytes() for path in folder.iterdir() if path.suffix in KEPT and path.is_file()}
    names = {path.name for path in folder.iterdir()}
    try:
        yield
    except Exception:
        if module._trainer is None or module.global_step <= steps:
            with suppress(OSError):  # of a full disk, which is the failure then
                _restore(folder, names, before)
        raise


def _restore(folder: Path, names: set[str], before: Mapping[Path, bytes]) -> None:
    """Writes files as they were, and removes those of this package that are new."""
    for path in folder.iterdir():
        ours = path.suffix in KEPT or path.name.startswith("events.out.tfevents")
        if path.name not in names and ours and path.is_file():
            path.unlink()
    for path, content in before.items():
        if not path.is_file() or path.read_bytes() != content:
            with whole_file(path, "wb") as file:
                file.write(content)
