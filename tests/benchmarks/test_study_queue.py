"""The queue of a study: whatever ends a process or the whole queue, it loses and repeats nothing, and says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import torch
from studies import runner
from studies.grid import Study
from study import main
from tiny_study import TINY, command, write


def _anyone_in(folder: Path) -> bool:
    """Whether a process works on the study in this folder."""
    found = subprocess.run(["pgrep", "-f", str(folder.parent)], capture_output=True, text=True)
    return any(int(pid) != os.getpid() for pid in found.stdout.split())


LONG = {"steps": 20_000, "statistics_every": 5000}


Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(request: pytest.FixtureRequest) -> Begin:
    """Starts a queue in a process group of its own and waits for the first checkpoint of its first cell."""

    def start(study: Path, first: Path) -> subprocess.Popen[str]:
        queue = subprocess.Popen(
            command(study), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        request.addfinalizer(lambda: (queue.kill(), queue.communicate()))
        until(lambda: (first / "run/checkpoints/last.ckpt").is_file() or queue.poll() is not None, 120)
        return queue

    return start


def until(come: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not come() and time.monotonic() < deadline:
        time.sleep(0.02)


def worker_of(queue: subprocess.Popen[str]) -> int:
    """The process that runs the queue's cells, by its number."""
    found = subprocess.run(["pgrep", "-f", "spawn_main", "-P", str(queue.pid)], capture_output=True, text=True)
    return int(found.stdout.split()[0])


def test_ctrl_c_saves_the_cells_in_hand_and_begins_no_other(tmp_path: Path, begin: Begin) -> None:
    study, cells = write(tmp_path / "s.yaml", settings=TINY["settings"] | LONG), tmp_path / "cells" / "s"
    first, *others = [cells / cell.name for cell in Study.read(study).cells()]
    queue = begin(study, first)
    os.killpg(queue.pid, signal.SIGINT)
    said, _ = queue.communicate(timeout=60)
    assert queue.returncode == 130
    assert said.strip().splitlines()[-1] == "stopped; the same command goes on" and "Traceback" not in said
    assert json.loads((first / "run/summary.json").read_text())["stop_reason"] == "interrupted"
    assert [runner.state(first), *map(runner.state, others)] == ["begun", "new", "new", "new"]
    assert not any((other / "run").exists() for other in others)
    assert not _anyone_in(cells)


def test_ctrl_c_twice_ends_at_once_in_one_line(tmp_path: Path, begin: Begin) -> None:
    """Once while the workers are asked to end, which one of them, stopped here, does not do."""
    study = write(tmp_path / "s.yaml", settings=TINY["settings"] | LONG)
    queue = begin(study, tmp_path / "cells/s" / Study.read(study).cells()[0].name)
    worker = worker_of(queue)
    os.kill(worker, signal.SIGSTOP)
    os.killpg(queue.pid, signal.SIGINT)
    until(lambda: int(signal_status(worker, "ShdPnd"), 16) > 0, 20)
    for _ in range(5):  # an interrupt that falls into a finalizer is lost; people press again
        os.killpg(queue.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            said, _ = queue.communicate(timeout=20)
            break
    assert queue.returncode == 130 and "Traceback" not in said


def signal_status(process: int, line: str) -> str:
    """A line of what the system says about a process: ShdPnd, the signals that wait for it."""
    text = Path(f"/proc/{process}/status").read_text()
    return next(words.split()[1] for words in text.splitlines() if words.startswith(line))


def test_a_worker_that_is_killed_costs_its_cell_alone(tmp_path: Path, begin: Begin) -> None:
    study = write(tmp_path / "s.yaml", where={"network.mask": {False: LONG}}, axes=TINY["axes"] | {"seed": [0]})
    killed, other = [tmp_path / "cells/s" / cell.name for cell in Study.read(study).cells()]
    queue = begin(study, killed)
    os.kill(worker_of(queue), signal.SIGKILL)
    said, _ = queue.communicate(timeout=120)
    assert queue.returncode == 1 and "Traceback" not in said and "1 cells failed" in said
    assert (killed / "failed.txt").read_text() == "the process was killed by SIGKILL, as for want of memory\n"
    assert runner.state(other) == "done"


def test_a_cell_that_was_stopped_is_unfinished(tmp_path: Path, begin: Begin) -> None:
    study = write(tmp_path / "s.yaml", where={"network.mask": {False: LONG}}, axes=TINY["axes"] | {"seed": [0]})
    stopped, other = [tmp_path / "cells/s" / cell.name for cell in Study.read(study).cells()]
    queue = begin(study, stopped)
    os.kill(worker_of(queue), signal.SIGTERM)
    said, _ = queue.communicate(timeout=120)
    assert queue.returncode == 1
    assert said.strip().splitlines()[-1] == "1 cells unfinished; the same command goes on"
    assert (runner.state(stopped), runner.state(other)) == ("begun", "done")


def test_a_killed_study_goes_on_and_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """Killed with a cell done and one in its middle: the first is left alone, the other ends as if never stopped."""
    study, cells = write(tmp_path / "s.yaml"), tmp_path / "cells" / "s"
    names = [cell.name for cell in Study.read(study).cells()]
    slow = {"steps": 400}
    write(study, settings=TINY["settings"] | slow)
    queue = subprocess.Popen(command(study), stdout=subprocess.DEVNULL, start_new_session=True)
    second = cells / names[1] / "run" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not second.is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    queue.kill()
    queue.wait()
    assert runner.state(cells / names[0]) == "done"
    assert runner.state(cells / names[1]) == "begun", "killed in its middle"
    kept = (cells / names[0] / "run" / "summary.json").stat().st_mtime_ns
    workers_end = time.monotonic() + 20
    while _anyone_in(cells) and time.monotonic() < workers_end:
        time.sleep(0.1)
    assert not _anyone_in(cells), "workers end with their queue"
    assert subprocess.run(command(study), stdout=subprocess.DEVNULL).returncode == 0
    assert {runner.state(cells / name) for name in names} == {"done"}
    assert (cells / names[0] / "run" / "summary.json").stat().st_mtime_ns == kept
    whole = tmp_path / "whole"
    whole.mkdir()
    runner.prepare([cell for cell in Study.read(study).cells() if cell.name == names[1]], whole, retry=False)
    runner.run_cell(whole / names[1])
    weights = [
        torch.load(f / names[1] / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"] for f in (cells, whole)
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[1])
    assert len(pd.read_csv(tmp_path / "results" / "s.csv")) == len(names)


def test_failed_cells_are_reported_kept_and_retried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write(
        tmp_path / "s.yaml", where={"network.mask": {True: {"sampler": "nowhere"}}}, axes=TINY["axes"] | {"seed": [0]}
    )
    found = subprocess.run(command(study), capture_output=True, text=True)
    assert found.returncode == 1
    assert "1 cells failed" in found.stderr and "nowhere" in found.stdout
    assert "failed: mask=true,seed=0" in " ".join(found.stdout.split())
    again = subprocess.run(command(study), capture_output=True, text=True)
    assert "failed: mask=true" not in again.stdout, "left alone until asked for"
    retried = subprocess.run(command(study, "--retry"), capture_output=True, text=True)
    assert "failed: mask=true,seed=0" in " ".join(retried.stdout.split())
    table = pd.read_csv(tmp_path / "results" / "s.csv")
    assert sorted(table["state"]) == ["done", "failed"]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # its files
def test_a_job_array_runs_the_same_cells(tmp_path: Path) -> None:
    """By submitit's debug cluster, in this process."""
    study = Study.read(write(tmp_path / "s.yaml", axes=TINY["axes"] | {"seed": [0]}))
    cells = runner.prepare([cell.shortened(2) for cell in study.cells()], tmp_path / "c", retry=False)
    folders = [tmp_path / "c" / cell.name for cell in cells]
    done = dict(runner.cluster(folders, tmp_path, "debug", 1.0, 1))
    assert done == dict.fromkeys(folders, "")


def test_a_second_queue_on_the_same_study_is_refused(tmp_path: Path) -> None:
    from filelock import FileLock

    out = tmp_path / "cells" / "s"
    out.mkdir(parents=True)
    with FileLock(out / ".lock"):
        found = subprocess.run(command(write(tmp_path / "s.yaml")), capture_output=True, text=True)
    assert found.returncode == 2 and "another process runs the study" in found.stderr


@pytest.mark.parametrize("flag", ["--workers", "--threads"])
@pytest.mark.parametrize("number", ["0", "-1", "1.5"])
def test_no_workers_are_refused(flag: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["width", "--dry_run", flag, number])
    assert f"argument {flag}: {number!r} is not a whole number above zero" in capsys.readouterr().err
