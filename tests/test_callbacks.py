"""Callbacks: statistics equal a direct computation, TensorBoard gets what it should, files are what they say."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import lightning as L
import pytest
import torch
from conftest import small_network
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from test_training import QUIET, module

from callbacks import FeatureStatistics, MetricsFile, Progress, RunSummary, SolutionFigures, Throughput
from callbacks.drift_table import DriftTable
from callbacks.feature_statistics import OVERLAID, PICTURED, features, probe_points, statistics
from callbacks.figures import draw, picture_grid
from datamodules import PointsDataModule
from mask_pinns import NETWORKS, PROBLEMS, Box
from mask_pinns.problems.loading import make_problem


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("network", NETWORKS)
def test_statistics_equal_a_direct_computation(network: str) -> None:
    net = small_network(network, 2, 1, "tanh")
    x = probe_points(Box(x=(0, 1), t=(0, 5)), 200)
    found = features(net, x)
    layers = [layer for layer in net.modules() if type(layer).__name__ == "Masked"]
    assert len(found) == len(layers) == 5
    h = block_input = x
    for i, ((name, seen), (linear, activation)) in enumerate(zip(found.items(), layers, strict=True)):
        z = h @ linear.weight.T + linear.bias
        m = 1 - torch.exp(-((activation.alpha * z) ** 2)) if activation.alpha is not None else torch.ones_like(z)
        out = torch.tanh(z) * m
        values = statistics(seen)
        torch.testing.assert_close(seen.z, z, msg=name)
        torch.testing.assert_close(values["preactivation_std"], ((z - z.mean()) ** 2).mean().sqrt())
        torch.testing.assert_close(values["feature_mean"], out.mean())
        torch.testing.assert_close(values["saturation"], (torch.cosh(z) ** -2 < 0.05).double().mean())
        if activation.alpha is not None:
            torch.testing.assert_close(values["openness"], m.mean())
            torch.testing.assert_close(values["alpha_max"], activation.alpha.abs().max())
        else:
            assert "openness" not in values
        skips = network != "mlp" and i in (2, 4)
        h = block_input + out if skips else out
        block_input = h if i % 2 == 0 else block_input


def test_looking_leaves_nothing_behind() -> None:
    net = small_network("masked", 2, 1).train()
    state = torch.get_rng_state()
    features(net, torch.rand(5, 2, generator=torch.Generator().manual_seed(0)))
    probe_points(Box(x=(0, 1), t=(0, 1)), 16)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(not m._forward_hooks and m.training for m in net.modules())


def read_rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run with every callback that writes."""
    folder = tmp_path_factory.mktemp("runs") / "wave-1"
    folder.mkdir()
    throughput = Throughput()
    watchers = [
        throughput, FeatureStatistics(every=5, probes=64, folder=folder), SolutionFigures(folder, every=10),
        RunSummary(folder, throughput, seed=0),
    ]  # fmt: skip
    m = module("adam 6, lbfgs")
    loggers = [TensorBoardLogger(folder.parent, folder.name, version=""), MetricsFile(folder)]
    options = QUIET | {"logger": loggers, "max_steps": 12, "log_every_n_steps": 2, "val_check_interval": 4}
    trainer = L.Trainer(**options, callbacks=watchers, enable_checkpointing=False, precision="64-true")
    trainer.fit(m, PointsDataModule(m.problem, 100))
    return folder


def test_tensorboard_has_scalars_histograms_and_pictures(run: Path) -> None:
    events = EventAccumulator(str(run), size_guidance={"histograms": 0, "scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    for quantity in (*OVERLAID, "feature_mean", "preactivation_skewness", "feature_kurtosis", "feature_p99"):
        assert f"{quantity}/0_input" in tags["scalars"]
        assert f"{quantity}/2_block1.2" in tags["scalars"]
    assert [e.step for e in events.Scalars("saturation/0_input")] == [0, 5, 10, 12]
    drift = [e.value for e in events.Scalars("feature_drift/0_input")]
    assert drift[0] == 0 and all(d > 0 for d in drift[1:])
    assert {"preactivation/1_block1.1", "feature/1_block1.1", "alpha/1_block1.1"} <= set(tags["histograms"])
    assert [e.step for e in events.Images("solution")] == [10, 12]
    for name in ("loss", "loss/pde", "val/rel_l2", "throughput/points_per_s"):
        assert name in tags["scalars"]


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
    trainer.fit(m, PointsDataModule(m.problem, 50))
    shown = console.file.getvalue()
    for piece in ("6/6", "loss", "rel L2", "points/s", "left"):
        assert piece in shown


@pytest.mark.parametrize("problem", PROBLEMS)
def test_pictures_of_every_problem(problem: str) -> None:
    problem = make_problem(problem)
    grid = picture_grid(problem)
    figure = draw(problem, grid, grid.values.numpy() * 1.1, "test")
    assert len(figure.axes) == 6 * len(problem.fields)  # three panels, each with a colour bar


def test_pictures_in_one_and_three_dimensions() -> None:
    from test_problems import Decay, Poisson3, Rotation

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


def test_every_overlaid_quantity_has_a_chart_of_all_layers(run: Path) -> None:
    events = EventAccumulator(str(run))
    events.Reload()
    (content,) = [e.tensor_proto.string_val[0] for e in events.Tensors("custom_scalars__config__")]
    layout = layout_pb2.Layout.FromString(content)
    (category,) = layout.category
    assert [chart.title for chart in category.chart] == list(OVERLAID)
    for chart in category.chart:
        matching = [tag for tag in events.Tags()["scalars"] if re.search(chart.multiline.tag[0], tag)]
        assert len(matching) == 3, f"{chart.title}: one line for each layer, not {matching}"


def test_a_resumed_run_measures_drift_from_its_first_step(tmp_path: Path) -> None:
    def train(name: str, steps: int, checkpoint: Path | None = None) -> Path:
        m, folder = module(), tmp_path / name
        options = QUIET | {"logger": TensorBoardLogger(tmp_path, name, version=""), "max_steps": steps}
        trainer = L.Trainer(**options, callbacks=[FeatureStatistics(every=4, probes=32)], enable_checkpointing=False)
        trainer.fit(m, PointsDataModule(m.problem, 50), ckpt_path=checkpoint, weights_only=True)
        trainer.save_checkpoint(folder / "end.ckpt")
        return folder

    def drift(folder: Path) -> dict[int, float]:
        events = EventAccumulator(str(folder))
        events.Reload()
        return {e.step: e.value for e in events.Scalars("feature_drift/1_block1.1")}

    whole = drift(train("whole", 8))
    half = train("half", 4)
    resumed = drift(train("resumed", 8, half / "end.ckpt"))
    assert resumed[8] == whole[8] > drift(half)[4] > 0


def test_drift_table_has_what_tensorboard_has(run: Path) -> None:
    with (run / "drift.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["step"]) for r in rows if r["layer"] == "input"] == [0, 5, 10, 12]
    assert len(rows) == 4 * 3
    events = EventAccumulator(str(run), size_guidance={"images": 0})
    events.Reload()
    for quantity in ("feature_drift", "saturation", "effective_rank"):
        shown = [e.value for e in events.Scalars(f"{quantity}/2_block1.2")]
        kept = [float(r[quantity]) for r in rows if r["layer"] == "block1.2"]
        assert kept == pytest.approx(shown, rel=1e-6)
        if quantity in PICTURED:
            assert [e.step for e in events.Images(f"drift/{quantity}")] == [12]


def test_drift_table_goes_on_where_a_run_is_continued(tmp_path: Path) -> None:
    first = DriftTable(tmp_path / "drift.csv")
    for step in (0, 4, 8):
        first.add(step, {"input": {"a": step / 3}, "block1.1": {"a": 2.0}})
    second = DriftTable(tmp_path / "drift.csv", resume_at=4)
    second.add(4, {"input": {"a": 7.0}, "block1.1": {"a": 2.0}})
    with (tmp_path / "drift.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["step"], r["layer"], float(r["a"])) for r in rows] == [
        ("0", "input", 0.0), ("0", "block1.1", 2.0), ("4", "input", 7.0), ("4", "block1.1", 2.0),
    ]  # fmt: skip
    axis = second.picture("a").axes[0]
    assert axis.images[0].get_array().tolist() == [[0.0, 7.0], [2.0, 2.0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["input", "block1.1"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "4"]
