"""Runs stopped and resumed under every pair of settings: the same bits as a run that was left alone."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import loads
from pairs import HEAT, ROWS, STEPS, Killed, eventful, flags

from mask_pinns.stepper import Stepper

IN_EVERY_SUITE = range(0, len(ROWS), 14)
"""Numbers of the rows that do not wait for `make slow`."""
COMPARED = ("state_dict", "optimizer_states", "lr_schedulers", "schedule", "global_step", "good", "first_loss",
            "callbacks", "PointsDataModule")  # fmt: skip
"""Parts of a checkpoint."""
NOT_COMPARED = ("current_score",)
"""Of Lightning's ModelCheckpoint: the latest val/loss, which it does not restore."""


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """The places in which two nested contents differ, the names of the two run folders apart."""
    if isinstance(a, dict) and isinstance(b, dict):
        a, b = ({str(k).replace("runs/whole", "runs/half"): v for k, v in x.items()} for x in (a, b))
        keys = [key for key in a.keys() | b.keys() if key not in NOT_COMPARED]
        return [d for key in keys for d in differences(a.get(key), b.get(key), f"{path}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{path}/{i}")]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    same = str(a).replace("runs/whole", "runs/half") == str(b) or not (a or b)
    return [] if same else [f"{path}: {a!r:.60} {b!r:.60}"]


def state(checkpoint: Path) -> dict[str, Any]:
    """What of a checkpoint determines how training goes on: not the states of optimizers whose phase is over."""
    content = loads(checkpoint)
    content["optimizer_states"][: content["schedule"]["index"]] = []
    return {key: content.get(key) for key in COMPARED}


def metrics(run: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv, without times, and without recordings, which are made at the end of a session too."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if v and not k.startswith(("throughput", "statistics/"))} for row in rows]


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=() if i in IN_EVERY_SUITE else pytest.mark.slow, id=str(i)) for i, row in enumerate(ROWS)],
)
def test_a_resumed_run_equals_one_left_alone(command, tmp_path: Path, monkeypatch, row: dict[str, Any]) -> None:
    problem, runs = tmp_path / "heat.py", tmp_path / "runs"
    problem.write_text(HEAT)

    def run(*words: str, ends: bool = False) -> str:
        monkeypatch.setattr(Stepper, "_require_finite", eventful(row, ends))
        try:
            code, _, err = command(*words, tiny=False)
        except Killed:
            return ""
        assert code in (0, 143) or "is not finite" in err, err
        return err

    begin = ["--problem", str(problem), *flags(row)]
    failed = run(*begin, "--steps", str(STEPS), "--name", "whole")
    run(*begin, "--steps", str(row["stop"] if row["ended by"] == "steps" else STEPS), "--name", "half", ends=True)
    whole, half = (runs / name / "checkpoints" for name in ("whole", "half"))
    if failed or loads(whole / "last.ckpt")["global_step"] > loads(half / "last.ckpt")["global_step"]:
        assert run("--resume", str(runs / "half"), "--steps", str(STEPS)) == failed, row
    if failed:
        return  # at the same step, by the same parameter; the interruption has saved a later checkpoint
    for name in ("last.ckpt", "best.ckpt"):
        found = differences(state(whole / name), state(half / name), name) if (whole / name).is_file() else []
        assert not found, (row, found)
    assert metrics(runs / "whole") == metrics(runs / "half"), row
