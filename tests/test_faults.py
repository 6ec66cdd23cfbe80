"""What breaks from outside: kills, files cut short, full disks, signals; and that long runs do not grow."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, loads, same

from callbacks import MetricsFile, WholeFiles
from callbacks.checkpoints import NotSaved
from callbacks.drift_table import DriftTable
from mask_pinns import MaskPINN

ROOT = Path(__file__).parent.parent
EACH = {
    "adam": "adam",
    "soap": "soap",
    "lbfgs": "[{optimizer: lbfgs, max_iter: 4}]",
    "bfgs": "[{optimizer: bfgs, max_iter: 4}]",
    "ssbfgs": "[{optimizer: ssbfgs, max_iter: 4}]",
    "ssbroyden": "[{optimizer: ssbroyden, max_iter: 4}]",
    "gauss_newton": "gauss_newton",
    "two phases": "adam 20, lbfgs",
}


# ---- kills -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tortured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run left alone and one killed ten times, for each optimizer; all in one process, to import torch once."""
    words = [sys.executable, "tests/faults.py", str(tmp_path_factory.mktemp("kills")), *EACH.values()]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("optimizer", EACH)
def test_a_run_killed_ten_times_ends_with_the_weights_of_one_left_alone(tortured: dict, optimizer: str) -> None:
    """By SIGKILL between steps, in the middle of a checkpoint's bytes, before its rename and after it."""
    result = tortured[EACH[optimizer]]
    assert result["codes"] == [0, 0]
    assert result["killed"] == 10
    assert result["steps"][0] == result["steps"][1] > 40
    assert result["same"]
    assert max(result["lost"]) <= 3, "no more than the steps between checkpoints"


# ---- files cut short -------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_is_cut_short_is_refused_and_the_other_one_offered(command, tmp_path: Path) -> None:
    command("--steps", "8", "--validate_every", "4", "--name", "whole")
    command("--steps", "4", "--validate_every", "4", "--name", "a")
    folder = tmp_path / "runs/a/checkpoints"
    good = (folder / "last.ckpt").read_bytes()
    for content in (good[: len(good) // 2], good[:-1], b"", b"hello", pickle.dumps({"weights": 3})):
        (folder / "last.ckpt").write_bytes(content)
        code, _, err = command("--resume", str(tmp_path / "runs/a"), "--steps", "8", tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert f"{folder / 'last.ckpt'} cannot be read" in err
        offered = re.search(r"this one fits: (--resume) (\S+)$", err)
        assert offered is not None, err
    assert command("--resume", "last", "--steps", "8", tiny=False)[0] == 2
    assert command(*offered.groups(), "--steps", "8", tiny=False)[0] == 0
    assert same(folder / "last.ckpt", tmp_path / "runs/whole/checkpoints/last.ckpt"), "the offered one resumes exactly"


def test_where_no_other_checkpoint_can_be_read_none_is_offered(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "a")
    for path in (tmp_path / "runs/a/checkpoints").iterdir():
        path.write_bytes(b"")
    for flags in (["--resume", str(tmp_path / "runs/a")], ["test", "--ckpt_path", str(tmp_path / "runs/a")]):
        code, _, err = command(*flags, tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "cannot be read" in err
        assert "this one fits" not in err


def test_tables_that_were_cut_short_are_gone_on_with(tmp_path: Path) -> None:
    """A kill in the middle of a row: that row is left out, those before it stay."""
    (tmp_path / "metrics.csv").write_text("loss,step\n0.5,2\n0.25,4\n0.12")
    logger = MetricsFile(tmp_path, resume_at=4)
    logger.log_metrics({"loss": 0.1, "val": 1.0}, step=6)
    logger.save()
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert [(r["step"], r["loss"], r["val"]) for r in csv.DictReader(file)] == [
            ("2", "0.5", ""), ("4", "0.25", ""), ("6", "0.1", "1.0"),
        ]  # fmt: skip
    (tmp_path / "drift.csv").write_text("step,layer,a\r\n0,x,1.0\r\n500,x,2.0\r\n100")
    DriftTable(tmp_path / "drift.csv", resume_at=1200)
    assert (tmp_path / "drift.csv").read_text().split() == ["step,layer,a", "0,x,1.0", "500,x,2.0"]


@pytest.mark.parametrize("bad", ["\0\0\0\0", "x,0.1", "-1,0.1", "1.5,0.1", "9", "3,0.1,7", "", ",0.1"])
def test_damaged_rows_of_tables_are_left_out(tmp_path: Path, bad: str) -> None:
    """A disk that lost power leaves zeros, or anything; a good checkpoint must be enough to go on."""
    for name in ("metrics.csv", "drift.csv"):
        (tmp_path / name).write_text(f"step,loss\n2,0.5\n{bad}\n4,0.25\n")
    MetricsFile(tmp_path, resume_at=9)
    DriftTable(tmp_path / "drift.csv", resume_at=9)
    for name in ("metrics.csv", "drift.csv"):
        assert (tmp_path / name).read_text().split() == ["step,loss", "2,0.5", "4,0.25"]


def test_a_table_without_a_column_of_steps_counts_as_empty(command, tmp_path: Path) -> None:
    command("--steps", "2", "--log_every", "1", "--name", "a")
    for name in ("metrics.csv", "drift.csv"):
        (tmp_path / "runs/a" / name).write_text("\0\0\0\0\n1,2\n")
    code, _, err = command("--resume", str(tmp_path / "runs/a"), "--steps", "4", tiny=False)
    assert (code, err) == (0, "")
    with (tmp_path / "runs/a/metrics.csv").open(newline="") as file:
        assert {row["step"] for row in csv.DictReader(file)} == {"3", "4"}


def test_metrics_are_on_the_disk_before_the_first_row_of_a_resumed_run(tmp_path: Path) -> None:
    """Lightning's own logger deletes the file when it begins: a run that is killed then would lose it."""
    (tmp_path / "metrics.csv").write_text("loss,step\n0.5,2\n")
    assert MetricsFile(tmp_path, resume_at=2).experiment is not None
    assert "0.5,2" in (tmp_path / "metrics.csv").read_text()


# ---- full disks ------------------------------------------------------------------------------------------------------


class Full(io.FileIO):
    """A file on a disk that takes so many bytes of it."""

    room = 2000

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.room:
            super().write(bytes(data)[: self.room - self.tell()])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data) or 0


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the disk full for checkpoints."""
    opened = Path.open

    def fill() -> None:
        def open_(self: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
            full = self.name.endswith(".ckpt.part")
            return Full(str(self), mode) if full else opened(self, mode, *rest, **options)

        monkeypatch.setattr(Path, "open", open_)

    return fill


def test_a_failed_save_leaves_the_good_one_and_nothing_else(tmp_path: Path, full_disk: Any) -> None:
    path = tmp_path / "checkpoints/last.ckpt"
    WholeFiles().save_checkpoint({"a": torch.ones(3)}, path)
    full_disk()
    with pytest.raises(NotSaved, match=r"last\.ckpt could not be written \(\[Errno 28\] No space left on device\)"):
        WholeFiles().save_checkpoint({"a": torch.zeros(5000)}, path)
    assert torch.equal(loads(path)["a"], torch.ones(3))
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]


def test_a_checkpoint_is_on_the_disk_before_it_replaces_the_old_one(tmp_path: Path, monkeypatch) -> None:
    seen, sync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (seen.append("sync"), sync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append("replace"), replace(a, b))[1])
    WholeFiles().save_checkpoint({"a": torch.ones(3)}, tmp_path / "a.ckpt")
    assert seen == ["sync", "replace", "sync"], "the file, its name, the folder"


def test_a_disk_that_fills_up_stops_the_run_in_one_line(command, tmp_path: Path, full_disk: Any, monkeypatch) -> None:
    step = MaskPINN._optimizer_step

    def stepping(self: MaskPINN, points: Any) -> None:
        if self.global_step == 5:
            full_disk()
        step(self, points)

    monkeypatch.setattr(MaskPINN, "_optimizer_step", stepping)
    code, _, err = command("--steps", "12", "--validate_every", "4", "--name", "a")
    assert (code, err.count("\n")) == (1, 1), err
    assert "No space left on device" in err
    assert "last.ckpt could not be written" in err or "best.ckpt could not be written" in err
    assert f"make room there and go on with --resume {tmp_path / 'runs/a'}" in err
    assert json.loads((tmp_path / "runs/a/summary.json").read_text())["stop_reason"] == "file not written"
    assert loads(tmp_path / "runs/a/checkpoints/last.ckpt")["global_step"] == 4
    monkeypatch.undo()
    assert command("--resume", str(tmp_path / "runs/a"), tiny=False)[0] == 0
    assert command("--steps", "12", "--validate_every", "4", "--name", "whole")[0] == 0
    assert same(*(tmp_path / "runs" / name / "checkpoints/last.ckpt" for name in ("a", "whole")))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of a megabyte, where mounting is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True)
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_small_disk_stops_the_run_in_one_line(command, small_disk: Path) -> None:
    """Whatever is written when it is full: a checkpoint, TensorBoard's events, a table."""
    code, _, err = command(
        "--steps", "400", "--validate_every", "4", "--log_every", "1", "--statistics_every", "4", "--name", "a",
        "--folder", str(small_disk),
    )  # fmt: skip
    assert (code, err.count("\n")) == (1, 1), err
    assert "No space left on device" in err
    assert "MB free on the disk of" in err
    assert loads(small_disk / "a/checkpoints/last.ckpt")["global_step"] >= 4
    assert not list(small_disk.glob("a/checkpoints/*.part"))


@pytest.mark.parametrize(("code", "full"), [("ENOSPC", True), ("EDQUOT", True), ("EROFS", True), ("ENOENT", False)])
def test_only_a_disk_that_takes_no_more_is_called_one(command, tmp_path, monkeypatch, code: str, full: bool) -> None:
    """A problem that opens a file of its own, and does not find it, is not told to make room."""

    def stepping(self: MaskPINN, points: Any) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)), "table.npz")

    monkeypatch.setattr(MaskPINN, "_optimizer_step", stepping)
    exit_code, _, err = command("--steps", "2", "--name", "a")
    assert (exit_code, err.count("\n")) == (1, 1), err
    assert os.strerror(getattr(errno, code)) in err
    assert "'table.npz'" in err
    assert "nothing was saved yet" in err
    assert ("make room" in err) == full
    reason = json.loads((tmp_path / "runs/a/summary.json").read_text())["stop_reason"]
    assert (reason == "file not written") == full


def test_every_file_that_is_kept_is_brought_to_the_disk_before_it_gets_its_name(command, tmp_path, monkeypatch) -> None:
    synced, renamed, sync, replace = [], [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), sync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (renamed.append((str(a) in synced, b.name)), replace(a, b))[1])
    assert command("--steps", "2", "--name", "a")[0] == 0
    assert all(first for first, _ in renamed)
    assert {"config.yaml", "summary.json", "last.ckpt", "best.ckpt"} <= {name for _, name in renamed}


# ---- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138)])
def test_signals_finish_the_step_save_and_say_so_to_schedulers(command, tmp_path, monkeypatch, number, code) -> None:
    step = MaskPINN._optimizer_step

    def stepping(self: MaskPINN, points: Any) -> None:
        if self.global_step == 3:
            signal.raise_signal(number)
        step(self, points)

    with monkeypatch.context() as patch:
        patch.setattr(MaskPINN, "_optimizer_step", stepping)
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
    run, seen, step = tmp_path / "runs/a", [], MaskPINN._optimizer_step

    def stepping(self: MaskPINN, points: Any) -> None:
        seen.append((run / "summary.json").exists())
        step(self, points)

    monkeypatch.setattr(MaskPINN, "_optimizer_step", stepping)
    assert command("--resume", str(run), "--steps", "4", tiny=False)[0] == 0
    assert seen == [False, False]
    assert json.loads((run / "summary.json").read_text())["steps"] == 4


# ---- long runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_and_open_files_stay_as_they_are(tmp_path: Path, steps: int) -> None:
    """After a warm-up of 500 steps: resident memory grows by less than 5%, and no file is left open."""
    words = [sys.executable, "tests/faults.py", str(tmp_path), "--memory", str(steps)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kB"][1] < 1.05 * found["kB"][0], found
    assert found["files"][0] == found["files"][1], found
