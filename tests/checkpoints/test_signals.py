"""Signals: a run finishes its step, saves, and tells schedulers so by its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from forks import Fork
from helpers import ROOT, TINY, loads, same

from mask_pinns.callbacks import LastCheckpoint, StopOnSignal
from mask_pinns.cli.main import main
from mask_pinns.stepper import Stepper


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138)])
def test_signals_finish_the_step_save_and_say_so_to_schedulers(command, tmp_path, monkeypatch, number, code) -> None:
    step = Stepper.step

    def stepping(self: Stepper, points: Any) -> Any:
        if self.host.global_step == 3:
            signal.raise_signal(number)
        return step(self, points)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", stepping)
        assert command("--steps", "8", "--name", "a")[0] == code
    assert loads(tmp_path / "runs/a/checkpoints/last.ckpt")["global_step"] == 4
    assert json.loads((tmp_path / "runs/a/summary.json").read_text())["stop_reason"] == "interrupted"
    assert command("--resume", "last", tiny=False)[0] == 0
    assert command("--steps", "8", "--name", "whole")[0] == 0
    assert same(*(tmp_path / "runs" / name / "checkpoints/last.ckpt" for name in ("a", "whole")))


def test_a_signal_to_one_of_two_ranks_stops_both_at_the_same_step(tmp_path: Path) -> None:
    """One that stopped alone would leave the other waiting for it in the next step."""
    machine = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu", "--folder", str(tmp_path), "--name", "a"]
    words = [sys.executable, "train.py", *TINY, *machine, "--steps", "1000000", "--validate_every", "5"]
    last, begun = tmp_path / "a/checkpoints/last.ckpt", time.monotonic()
    first = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not last.is_file() and first.poll() is None and time.monotonic() - begun < 200:
            time.sleep(0.1)
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=100) == 143
    finally:
        first.kill()
        first.wait()
    summary = json.loads((tmp_path / "a/summary.json").read_text())
    assert (summary["stop_reason"], summary["steps"]) == ("interrupted", loads(last)["global_step"])


def test_a_resumed_run_that_is_killed_does_not_keep_the_summary_of_before(command, tmp_path, monkeypatch) -> None:
    command("--steps", "2", "--name", "a")
    run, seen, step = tmp_path / "runs/a", [], Stepper.step

    def stepping(self: Stepper, points: Any) -> Any:
        seen.append((run / "summary.json").exists())
        return step(self, points)

    monkeypatch.setattr(Stepper, "step", stepping)
    assert command("--resume", str(run), "--steps", "4", tiny=False)[0] == 0
    assert seen == [False, False]
    assert json.loads((run / "summary.json").read_text())["steps"] == 4


def told_by_another_rank(folder: Path) -> int:
    """In a fork: the ranks agree on a signal that another one has received; this one's own comes while it saves."""
    save = LastCheckpoint._save

    def saving(last: LastCheckpoint, trainer: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        save(last, trainer)

    StopOnSignal._agreed = lambda self, trainer, _: (signal.SIGTERM * (trainer.global_step == 3), False)  # type: ignore
    LastCheckpoint._save = saving  # type: ignore[method-assign]
    return main([*TINY, "--steps", "8", "--validate_every", "8", "--folder", str(folder), "--name", "a"])


def test_a_signal_after_that_of_another_rank_is_the_same_request(tmp_path: Path) -> None:
    run = Fork(tmp_path / "streams", told_by_another_rank, tmp_path)
    assert run.wait() == 143, run.err
    assert loads(tmp_path / "a/checkpoints/last.ckpt")["global_step"] == 3
