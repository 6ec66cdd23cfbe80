"""Losses that are not finite: a run stops, or goes back to good weights."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers import same

from mask_pinns.checkpoints.rollback import MAX_ROLLBACKS
from mask_pinns.stepper import Stepper

BLOWUP = """
import torch
from mask_pinns import Box, Initial, Problem

class Blowup(Problem):
    "u_t + log(LIMIT - u) = 0: NaN wherever u is larger than LIMIT."
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t",)
    conditions = (Initial(u=0.0),)

    def residual(self, p, u):
        return u.t + torch.log(LIMIT - u)
"""


@pytest.fixture
def blowup(tmp_path: Path) -> list[str]:
    """Flags of a run whose loss becomes NaN with the first steps, unless they are small."""
    (tmp_path / "blowup.py").write_text(BLOWUP.replace("LIMIT", "1.0"))
    flags = "--lr 0.6 --decay 1 --exact --validate_every 5 --log_every 1"
    return ["--problem", f"{tmp_path}/blowup.py:Blowup", *flags.split()]


def test_a_run_goes_back_to_good_weights_with_half_the_learning_rate(command, tmp_path: Path, blowup) -> None:
    code, _, err = command(*blowup, "--steps", "30", "--name", "stop")
    assert code == 1, "it does blow up"
    code, out, err = command(*blowup, "--steps", "30", "--on_nonfinite", "rollback", "--name", "a")
    assert code == 0, err
    rollbacks = re.findall(
        r"the loss became nan at step \d+: .*; back to the weights of step \d+, lr (\S+) \((\d)", out
    )
    assert rollbacks
    assert [(float(lr), int(n)) for lr, n in rollbacks] == [(0.6 / 2**n, n) for n in range(1, len(rollbacks) + 1)]
    summary = json.loads((tmp_path / "runs/a/summary.json").read_text())
    assert (summary["rollbacks"], summary["steps"], summary["stop_reason"]) == (len(rollbacks), 30, "steps")
    with (tmp_path / "runs/a/metrics.csv").open(newline="") as file:
        rows = [row["rollbacks"] for row in csv.DictReader(file)]
    assert [float(x) for x in rows if x] == [float(n) for _, n in rollbacks]


def test_a_run_that_went_back_resumes_exactly(command, tmp_path: Path, blowup) -> None:
    """The copy of the good weights, the count and the smaller learning rate are in the checkpoint."""
    flags = [*blowup, "--on_nonfinite", "rollback"]
    command(*flags, "--steps", "30", "--name", "whole")
    for steps in ("1", "7", "13", "30"):
        flags = [*flags, "--name", "a"] if steps == "1" else ["--resume", str(tmp_path / "runs/a")]
        assert command(*flags, "--steps", steps, tiny=steps == "1")[0] == 0
    assert same(*(tmp_path / "runs" / name / "checkpoints/last.ckpt" for name in ("a", "whole")))
    a, whole = (json.loads((tmp_path / f"runs/{name}/summary.json").read_text()) for name in ("a", "whole"))
    assert a["rollbacks"] == whole["rollbacks"] > 0


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "ssbroyden", "gauss_newton"])
def test_going_back_ends_after_a_few_times(command, tmp_path: Path, monkeypatch, optimizer: str) -> None:
    """Where nothing helps: NaN from step 3 on, whatever the weights."""
    require_finite = Stepper._require_finite

    def poisoned(self: Stepper, loss: Any, terms: Any) -> None:
        require_finite(self, loss * float("nan") if self.host.global_step >= 3 else loss, terms)

    monkeypatch.setattr(Stepper, "_require_finite", poisoned)
    code, out, err = command("--steps", "9", "--optimizer", optimizer, "--on_nonfinite", "rollback", "--name", "a")
    assert (code, err.count("\n")) == (1, 1), err
    assert f"after going back {MAX_ROLLBACKS} times" in err
    assert len(re.findall("back to the weights of step", out)) == MAX_ROLLBACKS
    assert json.loads((tmp_path / "runs/a/summary.json").read_text())["stop_reason"] == "non-finite loss"


def test_nothing_to_go_back_to_stops_the_run(command, tmp_path: Path) -> None:
    (tmp_path / "blowup.py").write_text(BLOWUP.replace("LIMIT", "-9.0"))
    flags = ["--problem", f"{tmp_path}/blowup.py:Blowup", "--exact", "--steps", "3", "--on_nonfinite", "rollback"]
    code, _, err = command(*flags)
    assert code == 1
    assert "at step 0" in err
    assert "nothing was saved yet" in err
    code, _, err = command("--on_nonfinite", "ignore")
    assert (code, err.count("\n")) == (2, 1)
    assert "stop, rollback" in err
