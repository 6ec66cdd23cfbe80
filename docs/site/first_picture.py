"""Makes docs/first.gif, the picture of the first page: the wave equation while it trains, a frame for each step.

python docs/site/first_picture.py
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from mask_pinns import MaskPINN, recipe_for


class Frames(L.Callback):
    """Keeps the network's values on the evaluation grid, at the start and after each step."""

    def __init__(self) -> None:
        self.values: list[np.ndarray] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        self.keep(pl_module)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        self.keep(pl_module)

    def keep(self, model: MaskPINN) -> None:
        grid = model.problem.evaluation()
        self.values.append(model.predict(grid.points).reshape(grid.shape))


def frame(step: int, values: np.ndarray, true: np.ndarray, extent: tuple[float, ...]) -> Image.Image:
    figure = Figure(figsize=(5.6, 2.7), layout="constrained", dpi=90)
    left, right = figure.subplots(1, 2)
    left.imshow(values, origin="lower", aspect="auto", extent=extent, vmin=-1, vmax=1, cmap="RdBu")
    left.set(title=f"step {step}", xlabel="t", ylabel="x")
    error = np.log10(np.abs(values - true) + 1e-16)
    image = right.imshow(error, origin="lower", aspect="auto", extent=extent, vmin=-14, vmax=0, cmap="magma")
    relative = np.linalg.norm(values - true) / np.linalg.norm(true)
    right.set(title=f"log10 |error|, relative {relative:.0e}", xlabel="t")
    figure.colorbar(image, ax=right)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB").quantize(48)


def main() -> None:
    frames = Frames()
    model = recipe_for("wave").fit(callbacks=[frames])
    grid = model.problem.evaluation()
    assert grid.values is not None
    x, t = (axis.numpy() for axis in grid.axes.values())
    true, extent = grid.values.numpy().reshape(grid.shape), (t[0], t[-1], x[0], x[-1])
    pictures = [frame(step, values, true, extent) for step, values in enumerate(frames.values)]
    path = Path(__file__).parents[1] / "first.gif"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=[500] * (len(pictures) - 1) + [4000], loop=0
    )


if __name__ == "__main__":
    main()
