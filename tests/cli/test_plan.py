"""The plan of a run: what it says is what training does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mask_pinns import MaskPINN
from mask_pinns.cli.plan import plan
from mask_pinns.datamodules import PointsDataModule


@pytest.mark.parametrize("problem", ["wave", "burgers"])
def test_the_plan_says_points_terms_streams_and_cost(problem: str) -> None:
    module = MaskPINN(problem, {"name": "masked", "width": 9, "blocks": 1}, "adam 5, lbfgs 3", weights={"initial": 7.0})
    points = PointsDataModule(module.problem, points={"pde": 40, "initial": 6}).draw(0)
    lines = dict(plan(module, points, 8))
    assert lines["network"].startswith(f"{sum(p.numel() for p in module.parameters()):,} parameters, float32")
    for name, x in points.items():
        assert lines[f"term {name}"].startswith(f"{len(x)} points")
    assert "weight 7" in lines["term initial"]
    assert lines["term dirichlet_x"].endswith("streams: value")
    assert ("tt - xx" in lines["term pde"]) == (problem == "wave")
    assert lines["a run"].startswith("8 steps, 65 evaluations")
    assert lines["memory"].split()[0].replace(",", "").isdigit()


def test_a_run_takes_its_factorizations_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of least-squares phases alone: three steps of 100 s, for evaluations of milliseconds."""
    monkeypatch.setattr("mask_pinns.cli.plan._factorization_seconds", lambda module, points, rate: (100.0, 1))
    module = MaskPINN("wave", {"name": "masked", "width": 4, "blocks": 1}, "adam 2, gauss_newton 3")
    lines = dict(plan(module, PointsDataModule(module.problem, points=20).draw(0), 5))
    assert "about 5 min 0 s" in lines["a run"]


def test_memory_is_proportional_to_the_points() -> None:
    module = MaskPINN("wave", {"name": "masked", "width": 32, "blocks": 2})
    sizes = []
    for n in (2000, 8000):
        points = PointsDataModule(module.problem, points=n).draw(0)
        sizes.append(int(dict(plan(module, points, 1))["memory"].split()[0].replace(",", "")))
    assert sizes[1] == pytest.approx(4 * sizes[0], rel=0.1)


@pytest.mark.parametrize("network", ["masked", "batchnorm"])
def test_planning_changes_nothing(command, tmp_path: Path, network: str) -> None:
    assert command("--dry_run")[0] == 0
    assert not (tmp_path / "runs").exists()
    code, out, _ = command("--network", network, "--steps", "4", "--explain", "--name", "explained")
    assert code == 0
    assert "the plan" in out
    assert command("--network", network, "--steps", "4", "--name", "plain")[0] == 0
    a, b = (
        torch.load(tmp_path / f"runs/{n}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for n in ("explained", "plain")
    )
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_burst_must_divide_the_intervals(command, tmp_path: Path) -> None:
    code, _, err = command("--steps", "12", "--burst", "5", "--log_every", "6")
    assert code == 2
    assert "--burst 5 does not divide --log_every 6" in err
    every = ["--log_every", "2", "--validate_every", "4", "--statistics_every", "4", "--figures_every", "4"]
    states = []
    for burst in ("1", "2"):
        assert command("--steps", "7", "--burst", burst, "--name", burst, *every)[0] == 0
        states.append(torch.load(tmp_path / "runs" / burst / "checkpoints/last.ckpt", weights_only=True))
    assert all(torch.equal(v, states[1]["state_dict"][k]) for k, v in states[0]["state_dict"].items())
    rows = [(tmp_path / "runs" / burst / "metrics.csv").read_text().splitlines()[0] for burst in ("1", "2")]
    assert rows[0] == rows[1]
