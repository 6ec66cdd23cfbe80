"""TensorBoard: finds the writers of a run, and adds figures, each drawn only once for all its uses."""

from __future__ import annotations

from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def tensorboard_writers(trainer: L.Trainer) -> list[Any]:
    """Returns the writers of the trainer's loggers on the first rank, and none on the others."""
    if not trainer.is_global_zero:
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def add_picture(trainer: L.Trainer, tag: str, figure: Figure) -> np.ndarray:
    """Adds a figure to TensorBoard at the current step. Returns its pixels, (height, width, 3)."""
    pixels = pixels_of(figure)
    for writer in tensorboard_writers(trainer):
        writer.add_image(tag, pixels, trainer.global_step, dataformats="HWC")
    return pixels


def pixels_of(figure: Figure) -> np.ndarray:
    """Draws a figure. Returns its pixels, (height, width, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
