"""TensorBoard's writers, and pictures for them: drawn once, whoever wants them."""

from __future__ import annotations

from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def boards(trainer: L.Trainer) -> list[Any]:
    """The writers, on the first rank alone."""
    if not trainer.is_global_zero:
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def show(trainer: L.Trainer, tag: str, figure: Figure) -> np.ndarray:
    """Draws a figure into TensorBoard at the step. Returns its pixels, (height, width, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    for board in boards(trainer):
        board.add_image(tag, pixels, trainer.global_step, dataformats="HWC")
    return pixels
