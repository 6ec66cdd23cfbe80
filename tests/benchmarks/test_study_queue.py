"""The queue of a study: whatever ends a process or the whole queue, it loses and repeats nothing, and says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from forks import Fork
from helpers import same
from studies import runner
from studies.grid import Study
from study import main
from tiny_study import TINY, command, forked_queue, run_here, shortened, words, write

LONG = {"steps": 20_000, "statistics_every": 5000, "figures_every": 20_000}
"""A cell that is still in training whatever the test has to do."""


def anyone_in(folder: Path) -> bool:
    """Whether a queue works on the study in this folder."""
    lines = subprocess.run(["pgrep", "-f", str(folder.parent)], capture_output=True, text=True).stdout.split()
    return any(int(pid) != os.getpid() for pid in lines)


def alive(process: int) -> bool:
    status = Path(f"/proc/{process}/status")
    return status.exists() and status_line(process, "State") != "Z"


def pending(process: int, number: signal.Signals) -> bool:
    """Whether a signal waits for a process that is stopped."""
    return bool(int(status_line(process, "ShdPnd"), 16) >> (number - 1) & 1)


def status_line(process: int, name: str) -> str:
    """What the system tells about a process, by the name of the line."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(name))


def until(come: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not come() and time.monotonic() < deadline:
        time.sleep(0.02)


def worker_of(queue: Any) -> int:
    """The process that runs the queue's cells, by its number."""
    children = subprocess.run(["pgrep", "-a", "-P", str(queue.pid)], capture_output=True, text=True).stdout
    return next(int(line.split()[0]) for line in children.splitlines() if "resource_tracker" not in line)


def first_checkpoint(queue: Any, cell: Path) -> None:
    """Waits for the first checkpoint of a cell, or the end of the queue."""
    until(lambda: (cell / "run/checkpoints/last.ckpt").is_file() or not alive(queue.pid), 120)


@pytest.fixture
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Fork]:
    """Starts a queue in a fork and waits for the first checkpoint of a cell."""

    def start(study: Path, cell: Path) -> Fork:
        queue = Fork(tmp_path / "streams", forked_queue, words(study))
        request.addfinalizer(lambda: queue.wait(0))
        first_checkpoint(queue, cell)
        return queue

    return start


def test_ctrl_c_saves_the_cells_in_training_and_begins_no_other(tmp_path: Path) -> None:
    study, cells = write(tmp_path / "s.yaml", settings=TINY["settings"] | LONG), tmp_path / "cells" / "s"
    first, *others = [cells / cell.name for cell in Study.read(study).cells()]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    queue = subprocess.Popen(command(study), start_new_session=True, **pipes)
    try:
        first_checkpoint(queue, first)
        os.killpg(queue.pid, signal.SIGINT)
        output, _ = queue.communicate(timeout=60)
    finally:
        queue.kill()
        queue.communicate()
    assert queue.returncode == 130
    assert output.strip().splitlines()[-1] == "stopped; the same command goes on" and "Traceback" not in output
    assert json.loads((first / "run/summary.json").read_text())["stop_reason"] == "interrupted"
    assert [runner.state(first), *map(runner.state, others)] == ["begun", "new", "new", "new"]
    assert not any((other / "run").exists() for other in others)
    assert not anyone_in(cells)


def test_ctrl_c_twice_ends_at_once_in_one_line(tmp_path: Path, begin: Callable[..., Fork]) -> None:
    """Once while the workers are asked to end, which one of them, stopped here, does not do."""
    study = write(tmp_path / "s.yaml", settings=TINY["settings"] | LONG)
    queue = begin(study, tmp_path / "cells/s" / Study.read(study).cells()[0].name)
    worker = worker_of(queue)
    os.kill(worker, signal.SIGSTOP)
    os.killpg(queue.pid, signal.SIGINT)
    until(lambda: pending(worker, signal.SIGTERM), 20)
    for _ in range(5):  # an interrupt that falls into a finalizer is lost; people press again
        os.killpg(queue.pid, signal.SIGINT)
        queue.join(20)
        if queue.exitcode is not None:
            break
    assert queue.exitcode == 130 and "Traceback" not in queue.err


def test_a_worker_that_is_killed_costs_its_cell_alone(tmp_path: Path, begin: Callable[..., Fork]) -> None:
    study = write(tmp_path / "s.yaml", where={"network.mask": {False: LONG}}, axes=TINY["axes"] | {"seed": [0]})
    killed, other = [tmp_path / "cells/s" / cell.name for cell in Study.read(study).cells()]
    queue = begin(study, killed)
    os.kill(worker_of(queue), signal.SIGKILL)
    assert queue.wait(120) == 1
    assert "Traceback" not in queue.out + queue.err and "1 cells failed" in queue.err
    assert (killed / "failed.txt").read_text() == "the process was killed by SIGKILL, as for want of memory\n"
    assert runner.state(other) == "done"


def test_a_cell_that_was_stopped_is_unfinished(tmp_path: Path, begin: Callable[..., Fork]) -> None:
    study = write(tmp_path / "s.yaml", where={"network.mask": {False: LONG}}, axes=TINY["axes"] | {"seed": [0]})
    stopped, other = [tmp_path / "cells/s" / cell.name for cell in Study.read(study).cells()]
    queue = begin(study, stopped)
    os.kill(worker_of(queue), signal.SIGTERM)
    assert queue.wait(120) == 1
    assert queue.err.strip().splitlines()[-1] == "1 cells unfinished; the same command goes on"
    assert (runner.state(stopped), runner.state(other)) == ("begun", "done")


def test_a_killed_study_goes_on_and_loses_and_repeats_nothing(tmp_path: Path, begin: Callable[..., Fork]) -> None:
    """Killed with a cell done and one in its middle: the first is left alone, the other ends as if never stopped."""
    cells, two = tmp_path / "cells" / "s", TINY["axes"] | {"seed": [0]}
    study = write(tmp_path / "s.yaml", settings=TINY["settings"] | {"steps": 100}, axes=two)
    names = [cell.name for cell in Study.read(study).cells()]
    queue = begin(study, cells / names[1])
    worker = worker_of(queue)
    queue.kill()
    queue.wait()
    assert runner.state(cells / names[0]) == "done"
    assert runner.state(cells / names[1]) == "begun", "killed in its middle"
    finished = (cells / names[0] / "run" / "summary.json").stat().st_mtime_ns
    until(lambda: not alive(worker), 20)
    assert not alive(worker) and not anyone_in(cells), "workers end with their queue"
    assert run_here(study) == 0
    assert {runner.state(cells / name) for name in names} == {"done"}
    assert (cells / names[0] / "run" / "summary.json").stat().st_mtime_ns == finished
    whole = tmp_path / "whole"
    runner.prepare([cell for cell in Study.read(study).cells() if cell.name == names[1]], whole, retry=False)
    runner.run_cell(whole / names[1])
    assert same(*(folder / names[1] / "run/checkpoints/last.ckpt" for folder in (cells, whole)))
    assert len(pd.read_csv(tmp_path / "results" / "s.csv")) == len(names)


def test_failed_cells_are_reported_and_retried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write(
        tmp_path / "s.yaml", where={"network.mask": {True: {"exact": ["nowhere"]}}}, axes=TINY["axes"] | {"seed": [0]}
    )

    def run(*flags: str) -> tuple[int, str, str]:
        code = run_here(study, *flags)
        out, err = capsys.readouterr()
        return code, " ".join(out.split()), err

    code, out, err = run()
    assert code == 1
    assert "1 cells failed" in err and "nowhere" in out
    assert "failed: mask=true,seed=0" in out
    assert "failed: mask=true" not in run()[1], "left alone until asked for"
    assert "failed: mask=true,seed=0" in run("--retry")[1]
    table = pd.read_csv(tmp_path / "results" / "s.csv")
    assert sorted(table["state"]) == ["done", "failed"]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # its files
def test_a_job_array_runs_the_same_cells(tmp_path: Path) -> None:
    """By submitit's debug cluster, in this process."""
    study = Study.read(write(tmp_path / "s.yaml", axes=TINY["axes"] | {"seed": [0]}))
    cells = runner.prepare([shortened(cell, 2) for cell in study.cells()], tmp_path / "c", retry=False)
    folders = [tmp_path / "c" / cell.name for cell in cells]
    done = dict(runner.cluster(folders, tmp_path, "debug", 1.0, 1))
    assert done == dict.fromkeys(folders, "")


def test_a_second_queue_on_the_same_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cells" / "s"
    out.mkdir(parents=True)
    with FileLock(out / ".lock"):
        assert main(words(write(tmp_path / "s.yaml"))) == 2
    assert "another process runs the study" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--workers", "--threads"])
@pytest.mark.parametrize("number", ["0", "-1", "1.5"])
def test_no_workers_are_refused(flag: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["width", "--dry_run", flag, number])
    assert f"argument {flag}: {number!r} is not a whole number above zero" in capsys.readouterr().err
