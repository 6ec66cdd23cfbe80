"""Runs that are killed at any point end with the weights of a run left alone; long runs do not grow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.fixture(scope="module")
def tortured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run left alone and one killed ten times, for each optimizer; all in one process, to import torch once."""
    words = [sys.executable, "tests/checkpoints/faults.py", str(tmp_path_factory.mktemp("kills")), *EACH.values()]
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


@pytest.mark.parametrize("steps", [1500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_and_open_files_stay_as_they_are(tmp_path: Path, steps: int) -> None:
    """After a warm-up of 500 steps: resident memory grows by less than 5%, and no file is left open."""
    words = [sys.executable, "tests/checkpoints/faults.py", str(tmp_path), "--memory", str(steps)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kB"][1] < 1.05 * found["kB"][0], found
    assert found["files"][0] == found["files"][1], found
