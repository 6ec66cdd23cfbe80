"""Joins the networks of all windows to one solution in the run folder: its checkpoint, picture, summary and table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from matplotlib.figure import Figure
from rich.table import Table
from torch import nn

from mask_pinns.callbacks.figures import draw, picture_grid, save_picture
from mask_pinns.callbacks.summary import RunSummary, commit, error_rows, next_rows, versions
from mask_pinns.callbacks.tensorboard import pixels_of
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.checkpoints.loading import check_checkpoint
from mask_pinns.cli.run import Run, make_module
from mask_pinns.cli.training.record import Record
from mask_pinns.module import MaskPINN
from mask_pinns.problems.derived.determinacy import free_fields
from mask_pinns.problems.derived.statement import statement
from mask_pinns.windows import joined


def load_window(part: Run, checkpoint: Path) -> dict[str, Any]:
    """Loads a window's weights from a checkpoint of its training, in their dtype. Returns the checkpoint's content.

    Raises ValueError for a checkpoint of another problem, other settings of the network, or another window.
    """
    content = check_checkpoint(checkpoint, part.module, part.dtype)
    state = content["state_dict"]
    weights = {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
    network = part.module.network
    network.to(next(v.dtype for k, v in weights.items() if k in dict(network.named_parameters())))
    network.load_state_dict(weights)
    return content


def write_checkpoint(
    run: Run, folder: Path, record: Record, parts: Sequence[nn.Module], schedule: dict[str, Any]
) -> None:
    """Writes the solution so far to checkpoints/best.ckpt: that of a MaskPINN with these windows.

    schedule: that of the last window's checkpoint, whose phase has the dtype of its weights.
    """
    module, dtype = run.module, max((next(part.parameters()).dtype for part in parts), key=lambda d: d.itemsize)
    state = {name: value for name, value in module.state_dict().items() if not name.startswith("network.")}
    for k, part in enumerate(parts):
        for name, value in part.state_dict().items():
            state[f"network.parts.{k}.{name}"] = value.to(dtype) if value.is_floating_point() else value
    content = {
        "state_dict": state,
        "global_step": sum(window.steps for window in record.windows),
        "schedule": schedule,
        "hyper_parameters": dict(module.hparams) | {"windows": record.ends},
        "statement": statement(module.problem),
        "pytorch-lightning_version": L.__version__,
    }
    (folder / "checkpoints").mkdir(exist_ok=True)
    with whole_file(folder / "checkpoints" / "best.ckpt", "wb") as file:
        torch.save(content, file)


def finish(run: Run, folder: Path, record: Record, parts: Sequence[nn.Module], writes: bool) -> MaskPINN:
    """Returns the whole solution; the first process (`writes`) draws it, writes summary.json and prints a table."""
    module = joined(lambda: make_module(run.config, windows=record.ends), parts)
    if writes:
        summary = summarized(run, module, record)
        with whole_file(folder / "summary.json") as file:
            file.write(json.dumps(summary, indent=2) + "\n")
        save_picture(pixels_of(_picture(module, len(record.windows))), folder / "solution.png")
        run.console.print(_table(summary, folder))
    return module


def _picture(module: MaskPINN, windows: int) -> Figure:
    grid = picture_grid(module.problem)
    return draw(module.problem, grid, module.predict(grid.points), f"{module.problem.title}, {windows} windows")


def summarized(run: Run, module: MaskPINN, record: Record) -> dict[str, Any]:
    """What summary.json has of a run in windows: see `RunSummary`. Steps and times are sums, losses the largest."""
    windows = record.windows
    steps, wall_s = sum(w.steps for w in windows), sum(w.wall_s for w in windows)
    return {
        "problem": module.problem.title,
        "coefficients": module.problem.coefficients(),
        **RunSummary.errors(module),
        "unknowns": {},
        "free": {f: kind for f, kind in free_fields(module.problem).items() if kind},
        "loss": _largest([w.trained_loss for w in windows]),
        "val_loss": _largest([w.loss for w in windows]),
        "steps": steps,
        "wall_s": round(wall_s, 3),
        "s_per_step": wall_s / max(1, steps),
        "device": windows[-1].device,
        "devices": run.ranks,
        "dtype": str(next(module.network.parameters()).dtype).removeprefix("torch."),
        "seed": run.config.seed,
        "parameters": sum(p.numel() for p in module.network.parameters()),
        "optimizer": ", ".join(map(str, module.schedule.phases)),
        "windows": [
            {"start": w.start, "end": w.end, "steps": w.steps, "loss": w.loss, "jump": w.jump} for w in windows
        ],
        "largest_jump": max((gap for w in windows for gap in w.jump.values()), default=0.0),
        "versions": versions(),
        "commit": commit(),
        "stop_reason": "all windows" if all(w.stop_reason == "target" for w in windows) else windows[-1].stop_reason,
    }


def _largest(losses: Sequence[float | None]) -> float | None:
    """None if one is not known or not finite."""
    known = [loss for loss in losses if loss is not None]
    return max(known) if len(known) == len(losses) else None


def _table(summary: dict[str, Any], folder: Path) -> Table:
    table = Table(show_header=False, title=f"{summary['problem']}: time windows")
    for row in error_rows(summary):
        table.add_row(*row)
    if summary["val_loss"] is not None:
        table.add_row("loss", f"{summary['val_loss']:.3e}, the largest loss of a window where it is not trained")
    table.add_row("jumps", f"at most {summary['largest_jump']:.1e} of a field's size between two windows")
    table.add_row("steps", f"{summary['steps']:,} in all")
    table.add_row("time", f"{summary['wall_s']:.1f} s, {summary['s_per_step'] * 1e3:.2f} ms a step")
    table.add_row("device", f"{summary['device']}, {summary['dtype']}")
    for row in next_rows(folder, summary["stop_reason"]):
        table.add_row(*row)
    return table
