"""`RunSummary`: writes summary.json into the run folder and prints a short table at the end of training."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from rich.table import Table

from mask_pinns.callbacks.checkpoints import is_disk_error
from mask_pinns.callbacks.features.callback import FeatureStatistics
from mask_pinns.callbacks.throughput import Throughput
from mask_pinns.callbacks.training_alarms import TrainingAlarms
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.checkpoints.rollback import NonFiniteLoss
from mask_pinns.datamodules.points import GRID_CHUNK, VALIDATION_STEP, PointsDataModule
from mask_pinns.memory import is_out_of_memory
from mask_pinns.metrics import CONSTANT, TIME
from mask_pinns.module import MaskPINN
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.objective import PointSets
from mask_pinns.objective.posterior import described_unknowns, in_words
from mask_pinns.problems.derived.determinacy import free_fields, solution_errors
from mask_pinns.problems.failures import ProblemFailed

COMPARED_WITHOUT = {"": "", CONSTANT: ", up to a constant", TIME: ", up to a constant at each time"}
PACKAGES = ("mask-pinns", "torch", "lightning", "torchmetrics", "numpy")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages on which results depend."""
    result = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            result[package] = version(package)
        except PackageNotFoundError:
            result[package] = "not installed"
    return result


def commit() -> str | None:
    """Returns the commit of the running code, with "+changes" if tracked files differ; None outside a checkout."""
    here = Path(__file__).resolve().parent
    git = ["git", "-C", str(here)]
    try:
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True)
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        changes = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True)
    except OSError:
        return None
    if tracked.returncode or head.returncode:
        return None
    return head.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def device_name(device: torch.device) -> str:
    """Describes the device: the name of the GPU, or the number of threads."""
    return (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device}, {torch.get_num_threads()} threads"
    )


class RunSummary(L.Callback):
    """Writes `folder`/summary.json when training ends, also if an error ends it.

    rel_l2 and max_error are the errors of the final weights on the problem's evaluation grid, those of the worst field,
    null if no solution is known; errors contains those of each field, free up to what a field is compared. unknowns has
    the numbers that are found, with standard deviations if measurements tell them (see `Posterior`). statistics_s
    is the time of the feature recordings during training, statistics_end_s the time of the last recording and its
    pictures after training, alarms the kinds of alarms that were raised. wall_s is the time from the start to the end
    of training in this session, s_per_step its training time per step.

    Args:
        folder: the run folder.
        throughput: the callback that measures the training time; it must stand before this one.
        seed: the seed of the run, which the summary repeats.
        console: the console of the table; standard output if not given.
        statistics: the callback that records the features, if there is one; it must stand before this one.
        alarms: the callback that tells about stalls and fresh points, if there is one.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import RunSummary, Throughput
        >>> throughput = Throughput()
        >>> summary = RunSummary("runs/example", throughput, seed=0)
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[throughput, summary], logger=False)
    """

    def __init__(
        self,
        folder: str | Path,
        throughput: Throughput,
        seed: int,
        console: Console | None = None,
        statistics: FeatureStatistics | None = None,
        alarms: TrainingAlarms | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.throughput = throughput
        self.seed = seed
        self.console = console or Console(markup=False, emoji=False)
        self.statistics = statistics
        self.alarms = alarms
        self.result: dict[str, Any] = {}
        self.started = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Removes the summary of a previous session, which is no longer true even if this session is killed."""
        self.started = True
        if trainer.is_global_zero:
            (self.folder / "summary.json").unlink(missing_ok=True)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MaskPINN)
        early = trainer.global_step < trainer.max_steps and pl_module.stop_reason == "steps"
        self._write(trainer, pl_module, "stopped by the trainer" if early else pl_module.stop_reason)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if not self.started:
            return  # training has not begun; the folder may hold the summary of a previous session
        assert isinstance(pl_module, MaskPINN)
        reason = "file not written" if is_disk_error(exception) else type(exception).__name__
        if isinstance(exception, NonFiniteLoss):
            reason = "non-finite loss"
        reason = "out of memory" if is_out_of_memory(exception) else reason
        try:
            self._write(trainer, pl_module, reason)
        except Exception as error:
            if not isinstance(error, OSError) and not is_out_of_memory(error):  # these have been reported already
                raise

    def _write(self, trainer: L.Trainer, module: MaskPINN, reason: str) -> None:
        if not trainer.is_global_zero:
            return
        errors = self.errors(module)
        self.result = {
            "problem": module.problem.title,
            "coefficients": module.problem.coefficients(),
            **errors,
            "unknowns": self.unknowns(module, trainer),
            "free": {f: kind for f, kind in free_fields(module.problem).items() if kind},
            "loss": finite(float(module.stepper.last_loss)),
            "val_loss": finite(float(trainer.callback_metrics.get("val/loss", torch.nan))),
            "relative_residual": relative_residual(module, trainer),
            "steps": trainer.global_step,
            "evaluations": module.stepper.evaluations,
            "rollbacks": module.good.count if module.good else 0,
            "wall_s": round(self.throughput.wall_s, 3),
            "compile_s": round(module.stepper.compile_seconds, 3),
            "statistics_s": round(self.statistics.seconds, 3) if self.statistics else 0.0,
            "statistics_end_s": round(self.statistics.seconds_at_end, 3) if self.statistics else 0.0,
            "alarms": sorted(self.statistics.alarms.raised) if self.statistics else [],
            "training_alarms": list(self.alarms.raised) if self.alarms else [],
            "s_per_step": self.throughput.seconds_per_step,
            "device": device_name(module.device),
            "devices": trainer.world_size,
            "dtype": str(next(module.network.parameters()).dtype).removeprefix("torch."),
            "seed": self.seed,
            "parameters": sum(p.numel() for p in module.network.parameters()),
            "optimizer": ", ".join(map(str, module.schedule.phases)),
            "versions": versions(),
            "commit": commit(),
            "stop_reason": reason,
        }
        with whole_file(self.folder / "summary.json") as file:
            file.write(json.dumps(self.result, indent=2) + "\n")

    @staticmethod
    def unknowns(module: MaskPINN, trainer: L.Trainer) -> dict[str, Any]:
        """Returns the unknown numbers with their standard deviations, if measurements tell them."""
        data: Any = getattr(trainer, "datamodule", None)
        like = next(module.network.parameters())

        def points() -> PointSets:
            if not isinstance(data, PointsDataModule):
                raise ValueError("the points are not those of a PointsDataModule")
            return data.draw(VALIDATION_STEP, device=like.device, dtype=like.dtype)

        with evaluation_mode(module.network):
            return described_unknowns(module.objective, module.network, points)

    @staticmethod
    def errors(module: MaskPINN) -> dict[str, Any]:
        """Returns the errors of the current weights on the evaluation grid: of the worst field, then field by field."""
        grid = module.problem.evaluation()
        if grid.values is None:
            return {"rel_l2": None, "max_error": None, "errors": {}}
        metric = solution_errors(module.problem, sync_on_compute=False)
        for x, values in zip(grid.points.split(GRID_CHUNK), grid.values.split(GRID_CHUNK), strict=True):
            metric.update(torch.from_numpy(module.predict(x)), values, module.problem.domain.time(x))
        errors = metric.compute()
        rel_l2, max_error = (finite(float(e)) for e in errors.worst)
        by_field = {
            name: {kind: finite(float(e)) for kind, e in error._asdict().items()}
            for name, error in errors.by_field(module.problem.fields).items()
        }
        return {"rel_l2": rel_l2, "max_error": max_error, "errors": by_field}

    def show(self) -> None:
        """Prints a short table of the results."""
        result = self.result
        table = Table(show_header=False, title=f"{result['problem']}: {result['stop_reason']}")
        for row in error_rows(result):
            table.add_row(*row)
        for name, entry in result["unknowns"].items():
            table.add_row(name, in_words(entry))
        table.add_row("loss", "not finite" if result["loss"] is None else f"{result['loss']:.3e}")
        if result["val_loss"] is not None:
            table.add_row("fresh points", f"{result['val_loss']:.3e}, the loss where it is not trained")
        if result["rel_l2"] is None and result["relative_residual"] is not None:
            size = f"residuals at fresh points are at most {result['relative_residual']:.1e} of their terms"
            table.add_row("estimate", f"{size}; --verify estimates the error")
        table.add_row("steps", f"{result['steps']:,}")
        table.add_row("time", f"{result['wall_s']:.1f} s, {result['s_per_step'] * 1e3:.2f} ms a step")
        seconds, at_end = result["statistics_s"], result["statistics_end_s"]
        share = seconds / max(result["wall_s"], 1e-9)
        table.add_row("statistics", f"recordings {seconds:.2f} s of it, {share:.1%}; at the end {at_end:.2f} s")
        if result["alarms"]:
            table.add_row("alarms", f"{', '.join(result['alarms'])}: see alarms.txt")
        table.add_row("device", f"{result['device']}, {result['dtype']}")
        for row in next_rows(self.folder, result["stop_reason"]):
            table.add_row(*row)
        self.console.print(table)


def next_rows(folder: Path, reason: str) -> list[tuple[str, str]]:
    """Returns the rows of a table that say where the run lies, and what can be done with it."""
    rows = [("run", str(folder)), ("watch", f"tensorboard --logdir {folder}")]
    rows.append(("report", f"python -m mask_pinns.report {folder}"))
    if reason in ("interrupted", "max_time"):
        return [*rows, ("go on", f"--resume {folder}")]
    return [*rows, ("use", f"predict --ckpt_path {folder}")]


def error_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the rows of a table with the errors of each field, if the solution is known."""
    rows: list[tuple[str, str]] = []
    for name, error in summary["errors"].items() if summary["rel_l2"] is not None else ():
        of = f" of {name}" if len(summary["errors"]) > 1 else ""
        known = {k: "not known" if e is None else f"{e:.3e}" for k, e in error.items()}
        rows.append((f"relative L2{of}", known["rel_l2"] + COMPARED_WITHOUT[summary["free"].get(name, "")]))
        rows.append((f"worst point{of}", known["max_error"]))
    return rows


def relative_residual(module: MaskPINN, trainer: L.Trainer) -> float | None:
    """Returns the largest root mean square of a residual at fresh points, relative to its terms.

    Measurements whose noise is known do not count. None where residuals have their units, if one of them fails, or if
    the points are not those of a `PointsDataModule`.
    """
    data: Any = getattr(trainer, "datamodule", None)
    if not module.objective.scales or not isinstance(data, PointsDataModule):
        return None
    like = next(module.network.parameters())
    points = data.draw(VALIDATION_STEP, device=like.device, dtype=like.dtype)
    try:
        module.objective.separate_streams()
        with evaluation_mode(module.network):
            residuals = module.objective.residuals(module.network, points)
    except ProblemFailed:  # which may have ended the training
        return None
    noisy = module.objective.noisy
    compared = [r for name, r in residuals.items() if name not in noisy] or list(residuals.values())
    return finite(max(float(r.mean_square.detach()) ** 0.5 for r in compared))


def finite(x: float) -> float | None:
    """Returns x, or None if it is NaN or infinite, for which JSON has no form."""
    return x if abs(x) < float("inf") else None
