"""Callbacks: the summary, metrics.csv, TensorBoard, pictures and the progress line of a run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from helpers import QUIET, fit, module, real_pictures
from known_problems import Decay, Poisson3, Rotation
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mask_pinns import PROBLEMS, MaskPINN
from mask_pinns.callbacks import MetricsFile, Progress, RunSummary, SolutionFigures, Throughput
from mask_pinns.callbacks.figures import draw, picture_grid
from mask_pinns.callbacks.progress import worst_field
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.problems.loading import make_problem


def read_rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run with every callback that writes."""
    folder = tmp_path_factory.mktemp("runs") / "wave-1"
    folder.mkdir()
    throughput = Throughput()
    watchers = [
        throughput, SolutionFigures(folder, every=10),
        RunSummary(folder, throughput, seed=0),
    ]  # fmt: skip
    m = module("adam 6, lbfgs")
    loggers = [TensorBoardLogger(folder.parent, folder.name, version=""), MetricsFile(folder)]
    options = QUIET | {"logger": loggers, "max_steps": 12, "log_every_n_steps": 2, "val_check_interval": 4}
    trainer = L.Trainer(**options, callbacks=watchers, enable_checkpointing=False, precision="64-true")
    with pytest.MonkeyPatch.context() as patch:
        real_pictures(patch)
        trainer.fit(m, PointsDataModule(m.problem, points=100))
    return folder


def test_run_folder_has_summary_metrics_and_picture(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    expected = {
        "problem", "rel_l2", "max_error", "steps", "wall_s", "s_per_step", "device", "dtype", "seed", "parameters",
        "versions", "commit", "stop_reason",
    }  # fmt: skip
    assert expected <= summary.keys()
    assert (summary["steps"], summary["dtype"], summary["stop_reason"]) == (12, "float64", "steps")
    assert (run / "solution.png").read_bytes()[:4] == b"\x89PNG"
    rows = read_rows(run)
    logged = [int(r["step"]) for r in rows if r["loss"]]
    assert logged == [2, 4, 6, 8, 10, 12]
    assert summary["rel_l2"] == pytest.approx(float(rows[-1]["val/rel_l2"]), rel=1e-12)


def test_figures_beyond_their_share_of_the_time_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one tells what they take; the last one is drawn in any case."""
    drawn: list[int] = []
    monkeypatch.setattr(SolutionFigures, "_draw", lambda self, trainer, *_, **__: drawn.append(trainer.global_step))
    for share, steps in ((None, [2, 4, 6, 6]), (1e-9, [2, 6])):
        drawn.clear()
        fit(module("adam 6"), 6, callbacks=[SolutionFigures(tmp_path, 2, share)])
        assert drawn == steps


def test_the_summarys_error_is_that_of_evaluation() -> None:
    """Batchnorm: by its running averages, as in validation, though training goes on in training mode."""
    m = MaskPINN("wave", {"name": "batchnorm", "width": 6, "blocks": 1})
    trainer = fit(m, 4, val_check_interval=4)
    assert m.network.train().training
    error = RunSummary.errors(m)["rel_l2"]
    assert error == pytest.approx(float(trainer.callback_metrics["val/rel_l2"]), rel=1e-12)
    assert m.network.training


def test_tensorboard_has_losses_and_pictures(run: Path) -> None:
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0}).Reload()
    assert [e.step for e in events.Images("solution")] == [10, 12]
    assert {"loss", "loss/pde", "val/rel_l2", "throughput/points_per_s"} <= set(events.Tags()["scalars"])


def test_metrics_file_keeps_the_rows_up_to_the_resume(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path)
    for step in range(6):
        first.log_metrics({"loss": float(step)}, step)
    first.save()
    second = MetricsFile(tmp_path, resume_at=4)
    second.log_metrics({"loss": 50.0, "extra": 1.0}, 5)
    second.save()
    rows = read_rows(tmp_path)
    assert [(r["step"], r["loss"]) for r in rows] == [
        ("0", "0.0"),
        ("1", "1.0"),
        ("2", "2.0"),
        ("3", "3.0"),
        ("4", "4.0"),
        ("5", "50.0"),
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_step_loss_error_speed_and_time_left(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    throughput = Throughput()
    m = module()
    options = QUIET | {"max_steps": 6, "log_every_n_steps": 1, "val_check_interval": 2}
    watchers = [throughput, Progress(throughput, seconds=0.0, console=console)]
    trainer = L.Trainer(**options, callbacks=watchers, enable_checkpointing=False)
    trainer.fit(m, PointsDataModule(m.problem, points=50))
    shown = console.file.getvalue()
    for piece in ("6/6", "loss", "rel L2", "points/s", "left"):
        assert piece in shown


def test_progress_says_which_field_is_the_worst() -> None:
    errors = {"val/rel_l2": torch.tensor(2.0), "val/rel_l2/u": torch.tensor(1.0), "val/rel_l2/P": torch.tensor(2.0)}
    assert worst_field(errors, ("u", "v", "P")) == " of P"
    assert worst_field({"val/rel_l2": torch.tensor(2.0)}, ("u",)) == ""


def test_throughput_is_that_of_the_training_that_runs() -> None:
    """A second training with the same callback and module begins from zero."""
    m, throughput = module(), Throughput()
    ended = []
    for steps in (4, 2):
        fit(m, steps, [throughput], log_every_n_steps=1)
        ended.append((throughput.steps, throughput.seconds, throughput.points_per_s))
    (first, seconds, _), (second, again, rate) = ended
    assert (first, second) == (4, 2)
    assert 0 < again < seconds
    assert m.stepper.points * 0.1 < rate * again < m.stepper.points, "points of the first training do not count"


@pytest.mark.parametrize("problem", PROBLEMS)
def test_pictures_of_every_problem(problem: str) -> None:
    problem = make_problem(problem)
    grid = picture_grid(problem)
    figure = draw(problem, grid, np.ones((len(grid.points), len(problem.fields))), "test")
    panels = 1 if problem.evaluation().values is None else 3
    bars = 1 if len(problem.domain) == 1 else 2  # curves have no colour bar
    assert len(figure.axes) == bars * panels * len(problem.fields)


def test_pictures_in_one_and_three_dimensions() -> None:
    for problem, axes in ((Decay(), 3), (Poisson3(), 6), (Rotation(), 12)):
        grid = picture_grid(problem)
        assert len(draw(problem, grid, grid.values.numpy(), "test").axes) == axes


def test_time_runs_to_the_right() -> None:
    """The wave's first panel: x upward, t to the right; the value at (x = 1/2, t = 0) is at the left, halfway up."""
    problem = make_problem("wave")
    grid = picture_grid(problem)
    axis = draw(problem, grid, grid.values.numpy(), "test").axes[0]
    image = axis.images[0].get_array()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("t", "x")
    assert float(image[100, 0]) == pytest.approx(1.0, abs=1e-3)
    assert float(image[0, 0]) == pytest.approx(0.0, abs=1e-12)
