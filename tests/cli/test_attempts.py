"""A run that stands still begins again with what usually helps, as a run of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

FILE = """
from mask_pinns import Box, Dirichlet, Initial, Problem

class Decay(Problem):
    domain = Box(t=(0.0, 1.0))
    derivatives = ("t",)
    conditions = (Initial(u=1.0),)

    def residual(self, p, u):
        return u.t + u

class Bar(Decay):
    domain = Box(x=(0.0, 1.0))
    derivatives = ("xx",)
    conditions = (Dirichlet("x", u=0.0),)

    def residual(self, p, u):
        return u.xx - 1.0
"""
FLAGS = ["--optimizer", "gauss_newton", "--steps", "16", "--on_stall", "retry", "--network.first_scale", "2"]


@pytest.mark.parametrize(
    ("name", "changes"), [("Decay", [{"causal": 100.0}]), ("Bar", [{"network": {"first_scale": 6.0}}])]
)
def test_it_begins_again_and_each_attempt_is_a_run(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, changes: list[dict]
) -> None:
    monkeypatch.setattr("mask_pinns.callbacks.training_alarms.STALL_RATIO", 0.0)
    monkeypatch.setattr("mask_pinns.callbacks.training_alarms.SOLVED_RATIO", 0.0)
    (tmp_path / "mine.py").write_text(FILE)
    code, out, err = command("--problem", f"{tmp_path}/mine.py:{name}", *FLAGS)
    assert (code, err) == (0, "")
    runs = tmp_path / "runs"
    assert sorted(path.name for path in runs.iterdir()) == [f"{name}-1", f"{name}-2"]
    first, second = (yaml.safe_load((runs / f"{name}-{i}/config.yaml").read_text()) for i in (1, 2))
    (change,) = changes
    for key, value in change.items():
        assert second[key] == (first[key] | value if isinstance(value, dict) else value)
    assert {k for k in first if first[k] != second[k]} == set(change)
    assert json.loads((runs / f"{name}-1/summary.json").read_text())["stop_reason"] == "stands still"
    assert "beginning again with --" in " ".join(out.split())


def test_a_stall_is_only_told_unless_it_is_to_begin_again(command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("mask_pinns.callbacks.training_alarms.STALL_RATIO", 0.0)
    monkeypatch.setattr("mask_pinns.callbacks.training_alarms.SOLVED_RATIO", 0.0)
    code, out, _ = command("--steps", "16", "--optimizer", "gauss_newton", "--name", "a")
    assert code == 0 and "training stands still at a loss of" in out
    summary = json.loads((tmp_path / "runs/a/summary.json").read_text())
    assert (summary["steps"], summary["training_alarms"]) == (16, ["stands still"])
    assert summary["val_loss"] > 0
