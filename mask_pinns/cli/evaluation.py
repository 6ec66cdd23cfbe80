"""The commands that evaluate a checkpoint: validate, test and predict."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.checkpoints.loading import check_checkpoint, load_checkpoint
from mask_pinns.cli.run import Run, make_module
from mask_pinns.cli.run_folder import UsageError, find_checkpoint
from mask_pinns.cli.trainer import make_trainer
from mask_pinns.datamodules.points import VALIDATION_STEP
from mask_pinns.datamodules.points_file import outside, read_points
from mask_pinns.objective.posterior import Posterior, described, in_words, make_posterior
from mask_pinns.objective.prediction import check_columns, further_columns
from mask_pinns.pictures.vtu import require_vtu, write_vtu


def evaluate(run: Run, stage: str) -> int:
    """Prints loss and errors of a checkpoint: of a run folder, the best one."""
    load_checkpoint_of(run)
    results = getattr(make_trainer(run.config, logger=False), stage)(run.module, run.data, verbose=False)
    for name, value in results[0].items():
        run.console.print(f"{name}  {value:.6e}", highlight=False)
    return 0


def predict(run: Run) -> int:
    """Writes points (N, D), values (N, F) and the further columns that are asked for, each (N,), to prediction.npz, in
    the run folder or beside a single checkpoint.

    With --vtu also prediction.vtu (with time, several, and prediction.pvd), on a mesh of the domain.
    """
    config, problem = run.config, run.module.problem
    check_columns(run.module.objective, config.predict_derivatives, config.predict_std, "--predict_derivatives")
    if config.vtu:
        require_vtu(problem.domain)
    file = config.predict_points
    points = read_points(file, problem.domain.names) if file else problem.evaluation().points.numpy()
    if note := outside(points, problem.domain):
        run.console.print(note, highlight=False, soft_wrap=True, markup=False)
    checkpoint = load_checkpoint_of(run)
    module = run.module  # of a run in windows, another one than before
    folder = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    posterior = posterior_of(run) if config.predict_std else None
    further = partial(
        further_columns, module.objective, module.network, derivatives=config.predict_derivatives, posterior=posterior
    )
    columns: dict[str, Any] = further(points)
    with whole_file(folder / "prediction.npz", "wb") as out:
        np.savez(out, points=points, values=module.predict(points), **columns)
    with_these = f" with {', '.join(columns)}" if columns else ""
    written = f"{len(points):,} points{with_these} written to {folder / 'prediction.npz'}"
    run.console.print(written, highlight=False, soft_wrap=True)
    for name, entry in described(module.network, posterior.of_unknowns() if posterior else None).items():
        run.console.print(f"{name}  {in_words(entry)}", highlight=False)
    if config.vtu:
        path = write_vtu(module.problem, module.predict, folder, further)
        run.console.print(f"the solution in the domain, for ParaView: {path}", highlight=False, soft_wrap=True)
    return 0


def posterior_of(run: Run) -> Posterior:
    """The posterior around the weights of a run, at the points of its validation."""
    like = next(run.module.network.parameters())
    draw = partial(run.data.draw, VALIDATION_STEP, device=like.device, dtype=like.dtype)
    try:
        return make_posterior(run.module.objective, run.module.network, draw)
    except ValueError as error:
        raise UsageError(f"--predict_std: {error}") from error


def load_checkpoint_of(run: Run) -> Path:
    """Loads the checkpoint of --ckpt_path into the module, in the dtype of its training, and returns its path.

    For a run in time windows, run.module becomes the module of the whole solution.
    """
    if run.config.resume or not run.config.ckpt_path:
        raise UsageError("this command needs --ckpt_path: last, a run folder, or a checkpoint file (not --resume)")
    checkpoint = find_checkpoint(run.config.ckpt_path, Path(run.config.folder), "best.ckpt")
    if ends := load_checkpoint(checkpoint).get("hyper_parameters", {}).get("windows"):
        run.module = make_module(run.config, windows=_whole(ends, run, checkpoint))
    content = check_checkpoint(checkpoint, run.module, run.dtype)
    run.module.on_load_checkpoint(content)
    run.module.load_state_dict(content["state_dict"])
    return checkpoint


def _whole(ends: Sequence[float], run: Run, checkpoint: Path) -> Sequence[float]:
    """The ends of windows. Raises UsageError if the last one is not the end of the problem's time."""
    last = run.module.problem.domain["t"][1]
    if ends[-1] < last:
        raise UsageError(
            f"the windows of {checkpoint} end at t = {ends[-1]:g}, the problem at {last:g}: go on with --resume first"
        )
    return ends
