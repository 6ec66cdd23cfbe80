"""Full disks, and the order in which files reach the disk."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import FULLY_RECORDED, loads, same

from mask_pinns.callbacks import WholeFiles
from mask_pinns.callbacks.checkpoints import NotSaved
from mask_pinns.stepper import Stepper


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
    step = Stepper.step

    def stepping(self: Stepper, points: Any) -> Any:
        if self.host.global_step == 5:
            full_disk()
        return step(self, points)

    monkeypatch.setattr(Stepper, "step", stepping)
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
        "--folder", str(small_disk), *FULLY_RECORDED,
    )  # fmt: skip
    assert (code, err.count("\n")) == (1, 1), err
    assert "No space left on device" in err
    assert "MB free on the disk of" in err
    saved = [loads(path)["global_step"] for path in small_disk.glob("a/checkpoints/*.ckpt")]
    assert saved and min(saved) >= 4
    assert not list(small_disk.glob("a/checkpoints/*.part"))


@pytest.mark.parametrize(("code", "full"), [("ENOSPC", True), ("EDQUOT", True), ("EROFS", True), ("ENOENT", False)])
def test_only_a_disk_that_takes_no_more_is_called_one(command, tmp_path, monkeypatch, code: str, full: bool) -> None:
    """A problem that opens a file of its own, and does not find it, is not told to make room."""

    def stepping(self: Stepper, points: Any) -> Any:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)), "table.npz")

    monkeypatch.setattr(Stepper, "step", stepping)
    exit_code, _, err = command("--steps", "2", "--name", "a")
    assert (exit_code, err.count("\n")) == (1, 1), err
    assert os.strerror(getattr(errno, code)) in err
    assert "'table.npz'" in err
    assert "nothing was saved yet" in err
    assert ("make room" in err) == full
    reason = json.loads((tmp_path / "runs/a/summary.json").read_text())["stop_reason"]
    assert (reason == "file not written") == full


def test_every_file_is_on_the_disk_before_it_gets_its_name(command, tmp_path, monkeypatch) -> None:
    synced, renamed, sync, replace = [], [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), sync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (renamed.append((str(a) in synced, b.name)), replace(a, b))[1])
    assert command("--steps", "2", "--name", "a")[0] == 0
    assert all(first for first, _ in renamed)
    assert {"config.yaml", "summary.json", "last.ckpt", "best.ckpt"} <= {name for _, name in renamed}
