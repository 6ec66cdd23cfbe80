"""Runs that are killed at any point end with the weights of a run left alone; long runs do not grow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from faults import kill_and_resume, measured
from forks import Fork

EACH = {
    "adam": "adam",
    "soap": "soap",
    "lbfgs": "[{optimizer: lbfgs, max_iter: 4}]",
    "bfgs": "[{optimizer: bfgs, max_iter: 4}]",
    "ssbfgs": "[{optimizer: ssbfgs, max_iter: 4}]",
    "ssbroyden": "[{optimizer: ssbroyden, max_iter: 4}]",
    "gauss_newton": "gauss_newton",
    "two phases": "[{optimizer: adam, steps: 12}, {optimizer: lbfgs, max_iter: 4}]",
}


@pytest.mark.parametrize(
    ("kills", "optimizer"),
    [
        pytest.param(kills, name, marks=pytest.mark.slow if kills == 10 or name in ("bfgs", "ssbfgs") else ())
        for kills in (4, 10) for name in EACH
    ],
)  # fmt: skip
def test_a_run_killed_several_times_ends_with_the_weights_of_one_left_alone(
    tmp_path: Path, optimizer: str, kills: int
) -> None:
    """By SIGKILL between steps, in the middle of a checkpoint's bytes, before its rename and after it."""
    result = kill_and_resume(tmp_path, EACH[optimizer], kills, seed=list(EACH).index(optimizer))
    assert result["codes"] == [0, 0]
    assert result["killed"] == kills
    assert result["steps"] == [8 * kills, 8 * kills]
    assert result["same"]
    assert max(result["lost"]) <= 3, "no more than the steps between checkpoints"


@pytest.mark.parametrize("steps", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_and_open_files_stay_as_they_are(tmp_path: Path, steps: int) -> None:
    """After a warm-up of 200 steps: memory grows by less than 2%, and no file is left open."""
    run = Fork(tmp_path / "streams", measured, tmp_path, steps, pictures=True)
    assert run.wait(1200) == 0, run.err
    numbers = json.loads((tmp_path / "measured.json").read_text())
    assert numbers["kB"][1] < 1.02 * numbers["kB"][0], numbers
    assert numbers["files"][0] == numbers["files"][1], numbers
