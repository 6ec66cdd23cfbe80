"""`SolutionFigures`: draws the solution, the reference and the error for TensorBoard and the run folder.

For one coordinate it draws curves, for two images. For more it draws images over the first two coordinates, with the
others at the middle of the domain. A domain that is no box, values at scattered points, and a family of problems are a
`Scene`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.image import imsave

from mask_pinns.callbacks.tensorboard import add_picture
from mask_pinns.callbacks.throughput import TimeShare
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.domains import Box
from mask_pinns.module import MaskPINN
from mask_pinns.pictures.panels import draw_scene
from mask_pinns.pictures.scene import Scene, scene
from mask_pinns.problems import Evaluation, Problem
from mask_pinns.problems.derived.determinacy import without_levels
from mask_pinns.problems.derived.families import family_parameters
from mask_pinns.problems.evaluation_grid import mesh


def picture_grid(problem: Problem) -> Evaluation | Scene:
    """Returns the points to draw: the evaluation grid for one or two coordinates, else a plane through the middle.

    For a domain that is no box, for a box with a reference at scattered points, and for a family of problems, it is a
    scene of several views.
    """
    scattered = problem.reference is not None and not problem.evaluation().axes
    if not isinstance(problem.domain, Box) or scattered or family_parameters(problem):
        return scene(problem)
    if len(problem.domain) <= 2:
        return problem.evaluation()
    if problem.reference is not None:
        return _middle_plane(problem.evaluation())
    axes = {}
    for i, name in enumerate(problem.domain.names):
        low, high = problem.domain[name]
        middle = torch.tensor([(low + high) / 2], dtype=torch.float64)
        axes[name] = torch.linspace(low, high, 100, dtype=torch.float64) if i < 2 else middle
    points = mesh(list(axes.values()))
    return Evaluation(axes, points, problem.solution(points))


def _middle_plane(grid: Evaluation) -> Evaluation:
    """The plane of the first two coordinates of a reference's grid, in the middle of the others' stored values."""
    middle = tuple(slice(None) if i < 2 else slice(n // 2, n // 2 + 1) for i, n in enumerate(grid.shape))
    axes = {name: axis[part] for (name, axis), part in zip(grid.axes.items(), middle, strict=True)}
    points, values = (
        None if x is None else x.reshape(*grid.shape, -1)[middle].reshape(-1, x.shape[1])
        for x in (grid.points, grid.values)
    )
    assert points is not None
    return Evaluation(axes, points, values)


def draw(problem: Problem, grid: Evaluation | Scene, predicted: np.ndarray, title: str) -> Figure:
    """Draws a row of panels for each field: solution, reference and absolute error, the last two if they are known.

    A field that the problem determines up to a constant is drawn at the level of the reference.
    """
    if isinstance(grid, Scene):
        return draw_scene(problem, grid, predicted, title)
    true = None if grid.values is None else grid.values.numpy()
    if grid.values is not None:
        predicted = without_levels(problem, grid.points, torch.as_tensor(predicted), grid.values).numpy()
    rows, columns = len(problem.fields), 1 if true is None else 3
    figure = Figure(figsize=(4.6 * columns, 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for f, name in enumerate(problem.fields):
        panels = [(predicted[:, f], f"{name}, network")]
        if true is not None and not np.isnan(true[:, f]).all():
            panels += [(true[:, f], f"{name}, reference"), (np.abs(predicted[:, f] - true[:, f]), f"|error| of {name}")]
        for axis in axes[f][len(panels) :]:
            axis.set_visible(False)
        for axis, (values, label) in zip(axes[f], panels, strict=False):
            (_curve if len(problem.domain) == 1 else _image)(figure, axis, grid, values)
            axis.set_title(label)
    figure.suptitle(title)
    return figure


def _curve(figure: Figure, axis: Any, grid: Evaluation, values: np.ndarray) -> None:
    ((name, x),) = grid.axes.items()
    axis.plot(x.numpy(), values)
    axis.set_xlabel(name)


def _image(figure: Figure, axis: Any, grid: Evaluation, values: np.ndarray) -> None:
    (first, a), (second, b) = list(grid.axes.items())[:2]
    across, up = (second, first) if second == "t" else (first, second)  # time runs to the right
    image = values.reshape(len(a), len(b))
    image = image if up == first else image.T
    extent = (*_ends(grid, across), *_ends(grid, up))
    drawn = axis.imshow(image, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
    figure.colorbar(drawn, ax=axis)
    axis.set_xlabel(across)
    axis.set_ylabel(up)


def _ends(grid: Evaluation, name: str) -> tuple[float, float]:
    return float(grid.axes[name][0]), float(grid.axes[name][-1])


class SolutionFigures(L.Callback):
    """Adds a figure of the solution to TensorBoard at an interval; at the end also saves it as `folder`/solution.png.

    Args:
        folder: the run folder, which must exist when training ends.
        every: the number of steps between two figures.
        share: the largest share of the training time for the figures before the last; those that would exceed it are
            left out. None: no limit.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import SolutionFigures
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[SolutionFigures("runs/example", every=500)], logger=False)

    Raises:
        ValueError: an interval below 1.
    """

    def __init__(self, folder: str | Path, every: int = 1000, share: float | None = None) -> None:
        if every < 1:
            raise ValueError(f"figures every {every} steps; expected 1 or more")
        self.path = Path(folder) / "solution.png"
        self.every, self.time = every, TimeShare(share)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.time.begin()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if trainer.global_step % self.every == 0 and self.time.affords_another:
            with self.time.taken():
                self._draw(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._draw(trainer, pl_module, save=True)

    def _draw(self, trainer: L.Trainer, module: Any, save: bool = False) -> None:
        if not trainer.is_global_zero:
            return
        assert isinstance(module, MaskPINN)
        grid = picture_grid(module.problem)
        figure = draw(
            module.problem, grid, module.predict(grid.points), f"{module.problem.title}, step {trainer.global_step}"
        )
        pixels = add_picture(trainer, "solution", figure)
        if save:
            save_picture(pixels, self.path)


def save_picture(pixels: np.ndarray, path: Path) -> None:
    """Writes pixels (height, width, 3) to a .png file that is complete or does not exist."""
    with whole_file(path, "wb") as file:
        imsave(file, pixels, format="png")  # type: ignore[arg-type]  # a file of bytes
