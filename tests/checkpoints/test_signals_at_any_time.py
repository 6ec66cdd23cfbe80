"""Signals at any time: in the first seconds, to any rank, twice, without a reader or a parent; nothing is lost."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, TINY, loads, same

TRAIN = [sys.executable, "train.py", *TINY, "--compile", "off"]
TWO_RANKS = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu"]
WITHIN = 20.0
"""Seconds in which a signal is acted on."""


def started(words: list[str], folder: Path, **options: Any) -> subprocess.Popen[str]:
    """A run in a process group of its own; its output is in a file of the folder."""
    with (folder / "out").open("a") as out:
        streams = {"stdout": out, "stderr": subprocess.STDOUT} | options
        return subprocess.Popen(words, cwd=ROOT, start_new_session=True, text=True, **streams)


def members(group: int) -> list[int]:
    """The processes of a group that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, _, its_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            found += [int(folder.name)] if int(its_group) == group and state != "Z" else []
    return found


def ended(group: int, seconds: float) -> bool:
    """Whether all processes of a group have ended within some seconds."""
    limit = time.monotonic() + seconds
    while members(group) and time.monotonic() < limit:
        time.sleep(0.05)
    return not members(group)


def test_a_reader_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    """`train.py | head -1` trains to its end."""
    words = [*TRAIN, "--steps", "40", "--validate_every", "10", "--folder", str(tmp_path), "--name", "a"]
    run = started(words, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None and run.stderr is not None
    run.stdout.readline()
    run.stdout.close()
    assert (run.wait(timeout=200), run.stderr.read()) == (0, "")
    run.stderr.close()
    assert loads(tmp_path / "a/checkpoints/last.ckpt")["global_step"] == 40


@pytest.mark.parametrize(("number", "after"), [(signal.SIGINT, 0.2), (signal.SIGHUP, 2.5)])
def test_a_signal_in_the_first_seconds_ends_the_command(tmp_path: Path, number: int, after: float) -> None:
    run = started([*TRAIN, "--steps", "1000000", "--folder", str(tmp_path / "runs")], tmp_path)
    time.sleep(after)
    run.send_signal(number)
    assert run.wait(timeout=WITHIN) in (128 + number, -number)
    assert (tmp_path / "out").read_text() == "" and not list(tmp_path.rglob("*.ckpt"))


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """One that is killed in the first seconds leaves none behind that waits for it."""
    run = started([*TRAIN, *TWO_RANKS, "--steps", "1000000", "--folder", str(tmp_path)], tmp_path)
    limit = time.monotonic() + 100
    while len(members(run.pid)) < 2 and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(1.0)  # the second one has begun to import
    assert len(members(run.pid)) >= 2
    run.kill()
    run.wait()
    assert ended(run.pid, WITHIN)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_ten_random_signals_to_two_ranks_lose_nothing(tmp_path: Path, seed: int) -> None:
    """To either rank or both, once or twice, from the first second on; the end is that of a run left alone."""
    draw, last = random.Random(seed), tmp_path / "a/checkpoints/last.ckpt"
    places = ["--folder", str(tmp_path)]
    begin = [*TRAIN, *TWO_RANKS, *places, "--steps", "5000", "--validate_every", "50", "--statistics_record"]
    reports = []
    for i in range(10):
        words = [sys.executable, "train.py", "--resume", str(tmp_path / "a"), *places] if last.is_file() else begin
        run = started([*words, *([] if last.is_file() else ["--name", "a"])], tmp_path)
        steps = loads(last)["global_step"] if last.is_file() else 0
        time.sleep(draw.uniform(0.5, 25.0))
        number, ranks = draw.choice([signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP]), members(run.pid)
        targets = draw.choice([ranks[:1], ranks[-1:], ranks])
        for _ in range(draw.choice([1, 1, 2])):
            for target in targets:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(target, number)
            time.sleep(0.05)
        begun = time.monotonic()
        assert ended(run.pid, WITHIN), (i, reports, members(run.pid))
        if not last.is_file() and (tmp_path / "a").is_dir():
            (tmp_path / "a").rename(tmp_path / f"not-begun-{i}")
        after = loads(last)["global_step"] if last.is_file() else 0
        reports.append((number, len(targets), run.wait(), round(time.monotonic() - begun, 1), steps, after))
        assert after >= steps
        if after == 5000:
            break
    print(*reports, sep="\n")
    assert "Traceback" not in (tmp_path / "out").read_text()
    if loads(last)["global_step"] < 5000:
        done = started([sys.executable, "train.py", "--resume", str(tmp_path / "a"), *places], tmp_path)
        assert done.wait(timeout=600) == 0
    assert started([*begin, "--name", "whole"], tmp_path).wait(timeout=600) == 0
    assert same(last, tmp_path / "whole/checkpoints/last.ckpt")
