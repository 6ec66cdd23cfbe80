"""The commands that evaluate a checkpoint: validate, test, predict and export."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mask_pinns.checkpoints.loading import check_checkpoint, load_checkpoint
from mask_pinns.cli.run import Run, make_module
from mask_pinns.cli.run_folder import UsageError, find_checkpoint
from mask_pinns.cli.trainer import make_trainer
from mask_pinns.datamodules.points import VALIDATION_STEP
from mask_pinns.datamodules.points_file import outside, read_points
from mask_pinns.export import Prediction, export_solution, require_format, require_writer, write_table
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
    """Writes points, values and the further columns that are asked for to a table or, in a .vtu file, on a mesh of the
    domain: --predict_file, else prediction.npz in the run folder or beside a single checkpoint.

    With --vtu also prediction.vtu there (with time, several, and prediction.pvd).
    """
    config, problem = run.config, run.module.problem
    check_columns(run.module.objective, config.predict_derivatives, config.predict_std, "--predict_derivatives")
    named = Path(config.predict_file) if config.predict_file else None
    for_paraview = named is not None and named.suffix.lower() == ".vtu"
    if named is not None:
        require_writer(named)
    if config.vtu or for_paraview:
        require_vtu(problem.domain, "--vtu" if named is None or not for_paraview else f"--predict_file {named}")
    points = None if for_paraview else _points(run)
    checkpoint = load_checkpoint_of(run)
    module = run.module  # of a run in windows, another one than before
    posterior = posterior_of(run) if config.predict_std else None
    further = partial(
        further_columns, module.objective, module.network, derivatives=config.predict_derivatives, posterior=posterior
    )
    path = named or folder_of(checkpoint) / "prediction.npz"
    if points is not None:
        columns = further(points)
        write_table(Prediction(module.problem, points, module.predict(points), columns), path)
        with_these = f" with {', '.join(columns)}" if columns else ""
        _print(run, f"{len(points):,} points{with_these} written to {path}")
    for name, entry in described(module.network, posterior.of_unknowns() if posterior else None).items():
        _print(run, f"{name}  {in_words(entry)}")
    if config.vtu or for_paraview:
        mesh = path if for_paraview else folder_of(checkpoint) / "prediction.vtu"
        written = write_vtu(module.problem, module.predict, mesh.parent, further, mesh.stem)
        _print(run, f"the solution in the domain, for ParaView: {written}")
    return 0


def export(run: Run) -> int:
    """Writes the solution, with the derivatives that are asked for, as a program for any points: --export_file, else
    solution.onnx in the run folder. Tells how far its results are from the predictions.
    """
    config = run.config
    check_columns(run.module.objective, config.predict_derivatives, False, "--predict_derivatives")
    named = Path(config.export_file) if config.export_file else None
    require_format(named or Path("solution.onnx"))
    checkpoint = load_checkpoint_of(run)
    path = named or folder_of(checkpoint) / "solution.onnx"
    made = export_solution(run.module, path, config.predict_derivatives, config.export_precision)
    coordinates = ", ".join(run.module.problem.domain.names)
    what = f"{', '.join(made.outputs)} at any points ({coordinates}), in float{made.precision}"
    _print(run, f"{what}, written to {made.path}")
    _print(run, str(made.trial))
    return 0


def _points(run: Run) -> np.ndarray:
    """The points (N, D) of a prediction: those of the file, else of the evaluation grid. Tells those outside."""
    file, problem = run.config.predict_points, run.module.problem
    points = read_points(file, problem.domain.names) if file else problem.evaluation().points.numpy()
    if note := outside(points, problem.domain):
        _print(run, note)
    return points


def _print(run: Run, line: str) -> None:
    run.console.print(line, highlight=False, soft_wrap=True, markup=False)


def folder_of(checkpoint: Path) -> Path:
    """The run folder of a checkpoint; the folder of one that lies in no run."""
    return checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent


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
