"""Recordings of features over a run: their steps, their cost, what a resumed run continues from."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from forks import two_ranks
from helpers import events, fit, module, same_weights
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from torch import nn

from mask_pinns import NETWORKS, MaskPINN, NonFiniteLoss
from mask_pinns.callbacks import FeatureStatistics
from mask_pinns.callbacks.features.drift_table import DriftTable, column
from mask_pinns.callbacks.features.observer import Observer
from mask_pinns.cli.main import main
from mask_pinns.cli.parser import read
from mask_pinns.cli.run import build, make_callbacks
from mask_pinns.cli.trainer import make_loggers

PHASES = "[{optimizer: adam, steps: 2}, {optimizer: lbfgs, max_iter: 4}]"
WATCHED = dict.fromkeys(NETWORKS, "adam") | {"masked": PHASES, "residual": "gauss_newton", "siren": PHASES}
"""An optimizer for every network; each kind of optimizer has one."""


@pytest.mark.parametrize("network", NETWORKS)
def test_training_ends_with_the_same_bits_with_every_callback(tmp_path: Path, network: str) -> None:
    """Weights and buffers, with every callback and logger of a run and at each step."""
    words = f"--network {network} --width 6 --blocks 1 --causal 1 --exact --statistics_every 1 --figures_every 2"
    flags = [*words.split(), "--optimizer", WATCHED[network], "--validate_every", "2"]
    alone, watched = (build(read(flags)[1]) for _ in range(2))
    fit(alone.module, 4)
    fit(watched.module, 4, make_callbacks(watched, tmp_path)[1], logger=make_loggers(tmp_path, 0), val_check_interval=2)
    assert same_weights(alone.module, watched.module)
    assert {"drift.csv", "solution.png", "summary.json", "checkpoints"} <= {path.name for path in tmp_path.iterdir()}


def test_a_resumed_run_measures_drift_from_its_first_step(tmp_path: Path) -> None:
    def train(name: str, steps: int, checkpoint: Path | None = None) -> Path:
        m, folder = module(), tmp_path / name
        watchers = [FeatureStatistics(every=4, probes=32)]
        trainer = fit(m, steps, watchers, logger=TensorBoardLogger(tmp_path, name, version=""), ckpt_path=checkpoint)
        trainer.save_checkpoint(folder / "end.ckpt")
        return folder

    def drift(folder: Path, quantity: str = "drift") -> dict[int, float]:
        return {e.step: e.value for e in events(folder).Scalars(f"feature/{quantity}/1_block1.1")}

    whole = train("whole", 8)
    half = train("half", 4)
    resumed = train("resumed", 8, half / "end.ckpt")
    assert drift(resumed)[8] == drift(whole)[8] > drift(half)[4] > 0
    assert drift(resumed, "drift_step")[8] == drift(whole, "drift_step")[8]


class SaveAt(L.Callback):
    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


RESUMED_AT = (3, 4, 6, 8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run without interruption, with checkpoints of some of its steps."""
    folder = tmp_path_factory.mktemp("whole")
    saved = [SaveAt(step, folder / f"{step}.ckpt") for step in RESUMED_AT]
    fit(module(), 12, [FeatureStatistics(every=4, probes=32, folder=folder), *saved])
    return folder


@pytest.mark.parametrize("step", RESUMED_AT)
def test_a_resumed_run_has_every_recording_of_the_whole_one(whole: Path, tmp_path: Path, step: int) -> None:
    """Killed at the end, resumed from a checkpoint at a recording or between two: drift.csv is the same text."""
    table = Path(shutil.copy(whole / "drift.csv", tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        steps = steps_of_recordings(patch)
        statistics = FeatureStatistics(every=4, probes=32, folder=tmp_path)
        fit(module(), 12, [statistics], ckpt_path=whole / f"{step}.ckpt")
    assert steps == [s for s in (4, 8, 12) if s > step], "a step that was recorded is not recorded again"
    assert table.read_text() == (whole / "drift.csv").read_text()


def test_two_ranks_record_what_one_process_records(tmp_path: Path) -> None:
    flags = ["--width", "6", "--blocks", "1", "--points", "80", "--precision", "64", "--optimizer", "adam"]
    machine = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu", "--folder", str(tmp_path), "--steps", "4"]
    two_ranks(tmp_path / "streams", main, [*flags, *machine, "--statistics_every", "4"])
    m = build(read(flags)[1]).module.double()
    observer = Observer(m.problem, 256)
    expected = {0: observer.numbers(m, observer.layers(m.network))}
    m.load_state_dict(torch.load(tmp_path / "wave-1/checkpoints/last.ckpt", weights_only=True)["state_dict"])
    expected[4] = observer.numbers(m, observer.layers(m.network))
    with (tmp_path / "wave-1/drift.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5
    for row in rows:
        for quantity, value in expected[int(row["step"])][row["layer"]].items():
            assert float(row[column(quantity)]) == pytest.approx(value, rel=1e-9, abs=1e-12), quantity


def test_recordings_stay_within_their_share_of_the_time() -> None:
    """Every step wanted, hardly any can be afforded: the first and the last are taken all the same."""
    with_share = FeatureStatistics(every=1, probes=512, share=1e-9)
    recorded = []
    for watcher in (with_share, FeatureStatistics(every=1, probes=16)):
        with pytest.MonkeyPatch.context() as patch:
            steps = steps_of_recordings(patch)
            patch.setattr(
                "mask_pinns.callbacks.features.callback.tensorboard_writers", lambda trainer: [TensorBoardless()]
            )
            fit(module(), 6, [watcher])
        recorded.append(steps)
        assert watcher.seconds > 0
    assert recorded == [[0, 6], [0, 1, 2, 3, 4, 5, 6]]


def steps_of_recordings(patch: pytest.MonkeyPatch) -> list[int]:
    """The steps of recordings from here on."""
    steps: list[int] = []
    real = Observer.numbers

    def counted(self: Observer, module: Any, layers: Any) -> Any:
        steps.append(module.global_step)
        return real(self, module, layers)

    patch.setattr(Observer, "numbers", counted)
    return steps


class TensorBoardless:
    """A writer that takes everything and keeps nothing."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> None:
        return None


def test_a_network_without_jets_has_no_statistics(tmp_path: Path) -> None:
    plain = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    m, console = MaskPINN("wave", plain, derivatives="autograd"), Console(record=True, width=200)
    fit(m, 2, [FeatureStatistics(every=1, folder=tmp_path, console=console)])
    assert console.export_text().count("no feature statistics: Sequential is not made of layers on jets") == 1
    assert not (tmp_path / "drift.csv").exists()


def test_the_command_line_records_what_it_is_told(command: Any, tmp_path: Path) -> None:
    flags = ["--statistics_every", "2", "--statistics_probes", "32", "--statistics_record", "moments", "mask"]
    code, out, err = command("--steps", "4", *flags)
    assert (code, err) == (0, "") and re.search(r"recordings \d\.\d\d s of it, .*%; at the end \d\.\d\d s", out)
    rows = list(csv.DictReader((tmp_path / "runs/wave-1/drift.csv").read_text().splitlines()))
    assert {r["step"] for r in rows} == {"0", "2", "4"}
    assert "mask_openness" in rows[0] and "feature_drift" not in rows[0]
    summary = json.loads((tmp_path / "runs/wave-1/summary.json").read_text())
    assert 0 < summary["statistics_s"] < summary["wall_s"]
    assert "statistics_end_s" in summary
    assert summary["alarms"] == []
    code, _, err = command("--statistics_record", "moment")
    assert (code, err.count("\n")) == (2, 1) and "did you mean 'moments'" in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--statistics_probes", "1"], "at 1 probes; expected 1 and 2 or more"),
        (["--statistics_record", "derivatives", "units"], "without any of moments, quantiles, drift, histograms: add"),
        (["--statistics_record", "moment"], "did you mean 'moments'"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_there_is_a_folder(
    command: Any, tmp_path: Path, flags: list[str], words: str
) -> None:
    code, _, err = command(*flags)
    assert (code, err.count("\n")) == (2, 1) and words in err
    assert not (tmp_path / "runs").exists()


def test_the_end_is_counted_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last recording and the pictures, on a clock that only they move; the first recording is part of training."""
    clock = [0.0]
    monkeypatch.setattr("mask_pinns.callbacks.features.callback.time.perf_counter", lambda: clock[0])

    def passing(seconds: float, real: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            clock[0] += seconds
            return real(*given, **named)

        return call

    monkeypatch.setattr(Observer, "numbers", passing(1.0, Observer.numbers))
    monkeypatch.setattr(DriftTable, "picture", passing(10.0, DriftTable.picture))
    watcher = FeatureStatistics(every=2, probes=16, folder=tmp_path)
    fit(module(), 5, [watcher])
    assert (watcher.seconds, watcher.seconds_at_end) == (3.0, 41.0)


def test_a_network_that_diverges_is_recorded_all_the_same(tmp_path: Path) -> None:
    """The loss is what stops the run, not the recording before it."""
    m = module()
    with torch.no_grad():
        m.network.output.weight.fill_(torch.nan)
        m.network.input[0].weight.fill_(torch.nan)
    watchers = [FeatureStatistics(every=1, probes=16, folder=tmp_path)]
    with pytest.raises(NonFiniteLoss, match="at step 0"):
        fit(m, 2, watchers, logger=TensorBoardLogger(tmp_path, "", version=""))
    assert (tmp_path / "drift.csv").is_file()


def test_resuming_with_other_statistics(command: Any, tmp_path: Path) -> None:
    """Another number of probes begins drift anew; a new quantity is a new column."""
    flags = ["--statistics_every", "2", "--statistics_probes", "32", "--statistics_record", "drift"]
    assert command("--steps", "4", *flags)[0] == 0
    other = ["--statistics_probes", "64", "--statistics_record", "drift", "units"]
    code, _, err = command("--resume", "last", "--steps", "8", *other, tiny=False)
    assert (code, err) == (0, "")
    rows = list(csv.DictReader((tmp_path / "runs/wave-1/drift.csv").read_text().splitlines()))
    of_input = [r for r in rows if r["layer"] == "input"]
    assert [r["step"] for r in of_input] == ["0", "2", "4", "6", "8"]
    assert [bool(r["feature_dead"]) for r in of_input] == [False, False, True, True, True]
    assert [float(r["feature_drift"]) > 0 for r in of_input] == [False, True, False, True, True]


def test_a_callback_fits_a_second_network(tmp_path: Path) -> None:
    watcher = FeatureStatistics(every=1, probes=16, folder=tmp_path)
    fit(module(), 2, [watcher])
    other = MaskPINN("wave", {"name": "masked", "width": 8, "blocks": 2, "first_scale": 3.0})
    fit(other, 2, [watcher])
    rows = list(csv.DictReader((tmp_path / "drift.csv").read_text().splitlines()))
    assert {float(r["feature_drift"]) for r in rows if r["step"] == "0" and r["feature_drift"]} == {0.0}
    assert "block2.2" in {r["layer"] for r in rows}
