"""Standard deviations of unknowns and fields: against a direct fit and dense matrices; what is not determined."""

from __future__ import annotations

import json
import re
from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import fit

from mask_pinns import Box, Data, Dirichlet, Initial, MaskPINN, PointsDataModule, Problem, Unknown
from mask_pinns.cli.plan import plan
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.posterior import Posterior, described_unknowns, in_words

pytestmark = pytest.mark.usefixtures("float64")
SMALL = {"name": "masked", "width": 10, "blocks": 1, "activation": "sin"}
NOISE = 0.01


def measured(seed: int, n: int = 100) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    x, t = draw.random((2, n))
    return {"x": x, "t": t, "u": np.exp(-0.1 * pi**2 * t) * np.sin(pi * x) + NOISE * draw.normal(size=n)}


def cooling(table: dict[str, np.ndarray], *unknowns: Unknown, noise: float | None = NOISE, residual=None) -> Problem:
    body = {
        "domain": Box(x=(0.0, 1.0), t=(0.0, 1.0)), "derivatives": ("t", "xx"),
        "unknowns": (Unknown("k", start=0.5, positive=True), *unknowns),
        "conditions": (Initial(u=lambda p: torch.sin(pi * p.x)), Dirichlet("x", u=0.0), Data(table, noise=noise)),
        "residual": residual or (lambda self, p, u, k: u.t - k * u.xx),
    }  # fmt: skip
    return type("Cooling", (Problem,), body)()


def trained(problem: Problem, steps: int = 15) -> tuple[MaskPINN, Posterior]:
    torch.manual_seed(0)
    model = MaskPINN(problem, SMALL, "gauss_newton", exact="auto", dimensionless=True)
    fit(model, steps, points=300, resample=0)
    points = PointsDataModule(problem, points=300, hard=model.objective.hard).draw(0)
    return model, Posterior(Jacobian(model.objective, model.network), points)


def direct(table: dict[str, np.ndarray]) -> tuple[float, float]:
    """k and its standard deviation by least squares with the exact solution."""
    k, x, t = 0.1, table["x"], table["t"]
    for _ in range(50):
        u = np.exp(-k * pi**2 * t) * np.sin(pi * x)
        slope = -(pi**2) * t * u
        k += slope @ (table["u"] - u) / (slope @ slope)
    return k, NOISE / np.sqrt(slope @ slope)


@pytest.mark.parametrize("seed", [0, 1])
def test_number_and_deviation_are_those_of_a_direct_fit(seed: int) -> None:
    table = measured(seed)
    model, posterior = trained(cooling(table))
    k, std = direct(table)
    assert abs(model.unknowns["k"] - k) < 0.1 * std
    found = posterior.of_unknowns()["k"]
    assert found.determined and found.settled and found.std == pytest.approx(std, rel=0.1)


def test_noise_that_is_not_known_is_estimated_from_the_misfit() -> None:
    table = measured(2)
    problem = cooling(table, noise=None)
    torch.manual_seed(0)
    model = MaskPINN(problem, SMALL, "gauss_newton", exact="auto", dimensionless=True, weights={"data": 0.01})
    fit(model, 15, points=300, resample=0)
    points = PointsDataModule(problem, points=300, hard=model.objective.hard).draw(0)
    std = Posterior(Jacobian(model.objective, model.network), points).of_unknowns()["k"].std
    assert std == pytest.approx(direct(table)[1], rel=0.25)


def test_deviations_are_those_of_the_inverse_matrix() -> None:
    model, posterior = trained(cooling(measured(0, 30)), 8)
    objective, jacobian = model.objective, posterior.jacobian
    points = PointsDataModule(model.problem, points=300, hard=objective.hard).draw(0)
    n = 30 * objective.scales["data"] ** 2 / objective.weight_of("data")
    matrix = sum(rows.T @ rows for _, rows in jacobian.blocks(points)) * n
    size = matrix.diagonal().sqrt()
    scaled = matrix / size / size[:, None] + 1e-10 * torch.eye(len(size))
    x = torch.rand(20, 2)
    (gradients,) = jacobian.of_fields(x)
    parameters = list(model.network.parameters())
    first = torch.autograd.grad(model.network(x)[0, 0], parameters, allow_unused=True)
    flat = [torch.zeros(p.numel()) if g is None else g.flatten() for g, p in zip(first, parameters, strict=True)]
    torch.testing.assert_close(gradients[0], torch.cat(flat))
    expected = torch.einsum("np,np->n", gradients / size, torch.linalg.solve(scaled, (gradients / size).T).T).sqrt()
    torch.testing.assert_close(posterior.of_fields(x)[:, 0], expected, rtol=1e-3, atol=0.0)


def test_an_unknown_that_nothing_determines_is_named() -> None:
    """Only the product of k and m is in the equation."""
    both = Unknown("m", start=1.0, positive=True)
    problem = cooling(measured(0), both, residual=lambda self, p, u, k, m: u.t - k * m * u.xx)
    model, posterior = trained(problem, 8)
    assert not any(found.determined for found in posterior.of_unknowns().values())
    found = described_unknowns(model.objective, model.network, lambda: _points(model))
    assert in_words(found["k"]).endswith("which the data do not determine")


def test_a_number_that_training_has_not_found_yet_is_said_to_move() -> None:
    model, _ = trained(cooling(measured(0)), 3)
    found = described_unknowns(model.objective, model.network, lambda: _points(model))["k"]
    assert not found["settled"] and abs(found["value"] - 0.1) > found["std"]
    assert in_words(found).endswith(", if training had ended: more --steps")


def line(noise: float, **options: object) -> MaskPINN:
    """u' = k, u(0) = 0, k about a thousand, 30 measurements."""
    x = np.linspace(0.05, 1, 30)
    rows = {"x": x, "u": 1000 * x + noise * np.random.default_rng(0).normal(size=30)}
    body = {
        "domain": Box(x=(0.0, 1.0)), "derivatives": ("x",), "unknowns": (Unknown("k", start=1.0),),
        "conditions": (Dirichlet("x", side="low", u=0.0), Data(rows, noise=noise)),
        "residual": lambda self, p, u, k: u.x - k,
    }  # fmt: skip
    torch.manual_seed(0)
    model = MaskPINN(type("Line", (Problem,), body)(), SMALL, "gauss_newton", dimensionless=True, **options)
    fit(model, 60, points=100, resample=0)
    return model


@pytest.mark.parametrize("options", [{}, {"balance": 7}])
def test_a_number_far_from_its_start_is_determined_and_adaptive_weights_do_not_count(options) -> None:
    theory = 10.0 / np.sqrt((np.linspace(0.05, 1, 30) ** 2).sum())
    model = line(10.0, exact="auto", **options)
    found = described_unknowns(model.objective, model.network, lambda: _points(model))["k"]
    assert found["determined"] and found["std"] == pytest.approx(theory, rel=0.1)
    assert abs(found["value"] - 1000.0) < 3 * theory


def test_measurements_of_weight_zero_tell_nothing() -> None:
    model = MaskPINN(cooling(measured(0)), SMALL, "gauss_newton", weights={"data": 0.0})
    found = described_unknowns(model.objective, model.network, lambda: _points(model))
    assert found["k"]["std"] is None and in_words(found["k"]) == "0.5, of which no measurement tells"


def _points(model: MaskPINN):
    return PointsDataModule(model.problem, points=300, hard=model.objective.hard).draw(0)


def test_without_measurements_nothing_is_said() -> None:
    model = MaskPINN("wave", SMALL)
    with pytest.raises(ValueError, match="has no Data, whose noise tells how sure a result is"):
        Posterior(Jacobian(model.objective, model.network), _points(model))
    assert described_unknowns(model.objective, model.network, lambda: _points(model)) == {}
    body = {"domain": Box(x=(0.0, 1.0)), "derivatives": ("x",), "unknowns": (Unknown("k", start=0.5),)}
    body |= {"conditions": (Dirichlet("x", u=0.0),), "residual": lambda self, p, u, k: u.x - k}
    without = MaskPINN(type("Bare", (Problem,), body)(), SMALL)
    found = described_unknowns(without.objective, without.network, lambda: _points(without))
    assert in_words(found["k"]) == "0.5, of which no measurement tells"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"value": 0.10021, "std": 0.00037, "determined": True}, "0.10021 +- 0.00037"),
        ({"value": 9.9999998, "std": 6.2e-8, "determined": True}, "9.9999998 +- 6.2e-08"),
        ({"value": 123.4, "std": 20.0, "determined": True}, "123 +- 20"),
        ({"value": 0.5, "std": None, "determined": None}, "0.5"),
        ({"value": 0.5, "std": None, "determined": False}, "0.5, which the data do not determine"),
        ({"value": 0.25, "held": True}, "0.25, held"),
    ],
)
def test_words(entry, words: str) -> None:
    assert in_words(entry) == words


def test_the_plan_has_their_number_and_share() -> None:
    model = MaskPINN(cooling(measured(0)), SMALL, "gauss_newton", exact="auto", dimensionless=True)
    lines = dict(plan(model, _points(model), 10))
    assert re.search(r"^100 points; data \(weight 0.01\), [\d.]+% of the loss now", lines["term data"])


def test_summary_table_and_files_have_them(command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--config", "cooling", "--network.width", "8", "--points.pde", "200", "--figures_every", "1000"]
    code, out, err = command(*small, "--steps", "15", "--name", "run", tiny=False)
    assert code == 0, err
    summary = json.loads((tmp_path / "runs" / "run" / "summary.json").read_text())
    entry = summary["unknowns"]["k"]
    assert abs(entry["value"] - 0.1) < 3 * entry["std"] < 0.01 and entry["determined"]
    assert in_words(entry) in out.replace("│", "") and "unknown/k" in (tmp_path / "runs/run/metrics.csv").read_text()
    code, out, err = command(*small, "--steps", "2", "--name", "held", "--fix", "k=0.1", tiny=False)
    assert code == 0 and "0.1, held" in out
