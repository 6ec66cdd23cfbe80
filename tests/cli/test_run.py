"""Whole runs by the command line, in this process: their folder, their bits, problems of the user's own, NaN."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from mask_pinns import PROBLEMS
from mask_pinns.cli.parser import read

IN_WINDOWS = [name for name in PROBLEMS if read(["--problem", name])[1].windows]
"""Problems whose recipe cuts the time."""


NEXT = ("tensorboard --logdir", "mask_pinns.report", "predict --ckpt_path")
"""What the table says that can be done with a run."""


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("problem", [name for name in PROBLEMS if name not in IN_WINDOWS])
def test_every_problem_runs_to_its_table(command, tmp_path: Path, problem: str) -> None:
    code, out, err = command("--problem", problem, "--steps", "6")
    assert (code, err) == (0, "")
    for row in ("relative L2", "worst point", "steps", "time", *NEXT):
        assert row in out
    run = tmp_path / "runs" / f"{problem}-1"
    names = {p.name for p in run.iterdir()}
    assert {"config.yaml", "checkpoints", "metrics.csv", "solution.png", "summary.json"} <= names
    assert any(name.startswith("events.out") for name in names)
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert json.loads((run / "summary.json").read_text())["steps"] == 6


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("problem", IN_WINDOWS)
def test_every_problem_in_windows_runs_to_its_table(command, tmp_path: Path, problem: str) -> None:
    code, out, err = command("--problem", problem, "--steps", "3", "--windows", "2")
    assert (code, err) == (0, "")
    for row in ("relative L2", "worst point", "jumps", "steps", "time", *NEXT):
        assert row in out
    run = tmp_path / "runs" / f"{problem}-1"
    assert {"config.yaml", "checkpoints", "window-1", "window-2", "solution.png"} <= {p.name for p in run.iterdir()}
    assert json.loads((run / "summary.json").read_text())["steps"] == 6


def test_twice_the_same_command_gives_the_same_bits(command, tmp_path: Path) -> None:
    for _ in range(2):
        assert command("--steps", "8", "--optimizer", "adam 5, lbfgs")[0] == 0
    first, second = (json.loads((tmp_path / f"runs/wave-{i}/summary.json").read_text()) for i in (1, 2))
    assert first["loss"] == second["loss"]
    assert first["rel_l2"] == second["rel_l2"]


MINE = """
import torch
from mask_pinns import Box, Initial, Problem

class Mine(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t",)
    conditions = (Initial(u=lambda p: p.x),)
    rate: float = 1.0

    def residual(self, p, u):
        return RESIDUAL
"""


def test_a_problem_of_the_users_own(command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("RESIDUAL", "u.t + self.rate * u"))
    code, out, err = command("--problem", f"{tmp_path}/mine.py:Mine", "--problem.rate", "2", "--steps", "3")
    assert (code, err) == (0, "")
    assert "relative L2" not in out  # nothing is known to compare with
    assert (tmp_path / "runs/Mine-1/solution.png").is_file()


@pytest.mark.parametrize(
    ("residual", "message"),
    [("u.xx", 'add "xx"'), ("(u.t)[:, None]", "(128, 1)"), ("u.t.mean()", "shape ()"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_problem_with_a_mistake_in_it(command, tmp_path: Path, residual: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("RESIDUAL", residual))
    code, _, err = command("--problem", f"{tmp_path}/mine.py:Mine", "--steps", "3")
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


def test_nan_exits_with_one_and_keeps_the_last_good_checkpoint(command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("RESIDUAL", "u.t + torch.log(1.0 - u)"))
    flags = ["--lr", "5", "--validate_every", "1", "--exact", "--patience", "300", "--dimensionless", "false"]
    code, _, err = command("--problem", f"{tmp_path}/mine.py:Mine", "--steps", "300", *flags)
    assert code == 1
    assert re.search(r"stopped: the loss became nan at step \d+: term 'pde'.*; the last good checkpoint is kept$", err)
    assert err.count("\n") == 1
    saved = torch.load(tmp_path / "runs/Mine-1/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(v).all() for v in saved.values())
    assert json.loads((tmp_path / "runs/Mine-1/summary.json").read_text())["stop_reason"] == "non-finite loss"


def test_a_name_that_is_taken_gets_a_number(command, tmp_path: Path) -> None:
    for _ in range(2):
        assert command("--steps", "1", "--name", "mine")[0] == 0
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"mine", "mine-2"}


def test_a_phase_that_ends_early_does_not_lengthen_the_last(command, tmp_path: Path) -> None:
    phases = "[{optimizer: adam, steps: 60, target: 1000000.0}, {optimizer: gauss_newton, steps: 3}]"
    for flags, steps, reason in (([], 4, "last phase done"), (["--steps", "6"], 6, "steps")):
        assert command("--optimizer", phases, *flags, "--name", f"a{steps}")[0] == 0
        summary = json.loads((tmp_path / f"runs/a{steps}/summary.json").read_text())
        assert (summary["steps"], summary["stop_reason"]) == (steps, reason)
