"""What one does with a trained module from Python: save it, load it in another process, draw it.

    save_solution(model, "heat.ckpt")
    model = load_solution("heat.ckpt", problem=Heat())
    plot_solution(model, "heat.png")

A saved file is a checkpoint as a run leaves them, without what only a resume needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn

from mask_pinns.callbacks.figures import draw, picture_grid
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.checkpoints.loading import load_checkpoint
from mask_pinns.checkpoints.rollback import nonfinite_parameter
from mask_pinns.cli.run_folder import find_checkpoint
from mask_pinns.module import MaskPINN
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.statement import statement


def save_solution(model: MaskPINN, path: str | Path) -> Path:
    """Writes a trained module to a file, which is complete or does not exist, and returns its path.

    The file contains tensors and plain values only, so that loading it executes nothing. `load_solution` reads it, and
    so do `python train.py predict --ckpt_path` and `--from`.

    Raises NonFiniteLoss for a network with weights that are not finite.

    Example:
        >>> from mask_pinns import load_solution, recipe_for, save_solution
        >>> model = recipe_for("wave", steps=1).fit(accelerator="cpu")
        >>> same = load_solution(save_solution(model, "runs/wave.ckpt"))
    """
    if error := nonfinite_parameter(model.network, model.global_step):
        raise error
    content = {
        "state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams), "global_step": model.global_step,
        "schedule": model.schedule.state_dict(), "first_loss": model.stepper.first_loss,
        "statement": statement(model.problem), "pytorch-lightning_version": L.__version__, "epoch": 0,
    }  # fmt: skip
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target, "wb") as file:
        torch.save(content, file)
    return target


def load_solution(path: str | Path, problem: Problem | str | None = None, network: nn.Module | None = None) -> MaskPINN:
    """The module of a checkpoint: one that was saved from Python, or one of a run (`runs/NAME/checkpoints/best.ckpt`).

    Args:
        path: the file, or the folder of a run, of which it takes the best checkpoint.
        problem: its problem, where the file does not know it by a name: a class that was declared in a notebook.
        network: a module of its shape, where the network was a module of your own.

    Raises:
        ValueError: a file that cannot be read or contains more than tensors and plain values, one of another equation,
            and one whose problem or network has no name, if none is given.
    """
    path = find_checkpoint(str(path), Path("runs"), "best.ckpt") if Path(path).is_dir() else Path(path)
    load_checkpoint(path)  # it says in one line what is wrong
    given: dict[str, Any] = {"problem": problem, "network": network}
    known = {name: value for name, value in given.items() if value is not None}
    model = MaskPINN.load_from_checkpoint(path, map_location="cpu", weights_only=True, **known)
    return model.eval()


def plot_solution(model: MaskPINN, path: str | Path | None = None) -> Figure:
    """Draws every field, and where a solution is known, that solution and the error, as the picture of a run does.

    Args:
        model: the trained module.
        path: a file to write, .png, .pdf or .svg; None: the figure is returned only.
    """
    grid = picture_grid(model.problem)
    figure = draw(model.problem, grid, model.predict(grid.points), model.problem.title)
    FigureCanvasAgg(figure)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    return figure
