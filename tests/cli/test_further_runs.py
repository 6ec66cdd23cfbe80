"""Runs that follow a run: one that stands still begins again with what usually helps; a second one verifies it."""

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


EXACT = """
    def exact(self, p):
        import torch
        return torch.exp(-p.t)
"""


def test_a_second_run_estimates_the_error(command, tmp_path: Path) -> None:
    """Beside the error that is known here; the second run is wider, has more points and another seed."""
    (tmp_path / "mine.py").write_text(FILE.replace("        return u.t + u\n", "        return u.t + u\n" + EXACT))
    flags = ["--optimizer", "gauss_newton", "--steps", "5", "--width", "4", "--blocks", "1", "--verify"]
    code, out, err = command("--problem", f"{tmp_path}/mine.py:Decay", *flags)
    assert (code, err) == (0, "")
    first, second = (
        yaml.safe_load((tmp_path / f"runs/{n}/config.yaml").read_text()) for n in ("Decay-1", "Decay-1-verify")
    )
    assert (second["seed"], second["network"]["width"]) == (first["seed"] + 1, 5)
    assert second["points"]["pde"] >= 1.5 * first["points"]["pde"] and "verify" not in first
    summary = json.loads((tmp_path / "runs/Decay-1/summary.json").read_text())
    assert 0.2 < summary["estimated_rel_l2"] / summary["rel_l2"] < 5
    assert "estimated relative L2 of" in out and f"{summary['estimates']['u']:.1e} for u" in out
    code, out, err = command("--resume", str(tmp_path / "runs/Decay-1"), "--verify", tiny=False)
    assert (code, err) == (0, "") and "estimated relative L2 of" in out, "a run that is finished can be verified"


def test_residuals_tell_where_no_solution_is_known(command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    code, out, _ = command("--problem", f"{tmp_path}/mine.py:Bar", "--steps", "2", "--dimensionless", "true")
    assert code == 0 and "of their terms; --verify estimates the error" in " ".join(out.replace("│", " ").split())
