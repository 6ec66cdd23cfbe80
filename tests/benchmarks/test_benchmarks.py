"""The benchmarks' own parts: what is timed against us computes the same thing."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import small_network

from mask_pinns import MaskPINN, Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets.activations import ACTIVATIONS

HERE = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def step_time():
    return load("step_time")


@pytest.fixture(scope="module")
def initial_spread():
    return load("initial_spread")


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_the_published_network_is_ours(step_time, activation: str) -> None:
    network = small_network("masked", 2, 1, activation)
    x = torch.randn(9, 2)
    torch.testing.assert_close(step_time.Published(network, activation)(x), network(x))


@pytest.mark.usefixtures("float64")
def test_every_work_has_the_same_loss_both_ways(step_time) -> None:
    for work in step_time.WORKS.values():
        network = small_network("masked", 2, 1, work.activation)
        points = PointsDataModule(work.problem, points=20).draw(0)
        nested = Objective(work.problem, derivatives="autograd").loss(
            step_time.Published(network, work.activation), points
        )
        torch.testing.assert_close(Objective(work.problem).loss(network, points)[0], nested[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("s", [0.01, 0.3, 1.0, 4.0, 100.0])
def test_monte_carlo_and_quadrature_equal_the_closed_form(initial_spread, s: float) -> None:
    """E[(z m(z))^2] / E[z^2] for z ~ N(0, q), s = alpha^2 q; 0.704 at s = 1."""
    expected = initial_spread.attenuation(s)
    q, alpha = 2.5, (s / 2.5) ** 0.5
    z = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * q**0.5
    drawn = (z * (1 - torch.exp(-((alpha * z) ** 2)))).square()
    error = float(drawn.std()) / len(drawn) ** 0.5 / q
    assert abs(float(drawn.mean()) / q - expected) < 4 * error
    assert initial_spread.moments("identity", q, alpha)[1] / q == pytest.approx(expected, rel=1e-9)
    assert expected < 1


def test_the_attenuation_at_one(initial_spread) -> None:
    assert initial_spread.attenuation(1.0) == pytest.approx(0.704, abs=6e-4)


@pytest.mark.parametrize("alpha", [0.25, 1.0, 20.0, None])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_monte_carlo_equals_the_quadrature(initial_spread, activation: str, alpha: float | None) -> None:
    """E[h] and E[h^2] of every activation, also where the mask is a dip far narrower than z is spread."""
    z = 0.8 * torch.randn(1_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = ACTIVATIONS[activation](z, 0)[0] * (1 if alpha is None else 1 - torch.exp(-((alpha * z) ** 2)))
    for drawn, expected in zip((h, h.square()), initial_spread.moments(activation, 0.64, alpha), strict=True):
        assert abs(float(drawn.mean()) - expected) < 4 * float(drawn.std()) / len(h) ** 0.5


@pytest.mark.parametrize("alpha", [0.25, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_first_masked_layer_begins_as_the_theory_says(initial_spread, activation: str, alpha: float) -> None:
    """Width 256, mean of four networks."""
    options = {"width": 256, "blocks": 0, "activation": activation, "mask": True, "mask_init": alpha}
    runs = torch.tensor([initial_spread.measured(options, seed)[0] for seed in range(4)])
    (expected,) = initial_spread.theory(options)
    assert float(runs.square().mean().sqrt()) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("activation", ["identity", "tanh", "gelu", "sin", "softplus"])
def test_wide_networks_begin_as_the_theory_says(initial_spread, activation: str, mask: bool) -> None:
    """Width 512, mean of eight networks: input layer and first block; masked, the layer after the next scatters."""
    options = {"width": 512, "blocks": 1, "activation": activation, "mask": mask, "mask_init": 1.0}
    runs = torch.tensor([initial_spread.measured(options, seed)[0] for seed in range(8)])
    expected = torch.tensor(initial_spread.theory(options))
    spread, error = runs.square().mean(0).sqrt(), runs.std(0) / 8**0.5
    close = (spread - expected).abs() < 4 * error + (0.1 if mask else 0.03) * expected
    assert torch.all(close[: 2 if mask else 3]), f"{spread} for {expected}"


def test_the_mask_attenuates_features_and_gradients_at_the_start(initial_spread) -> None:
    options = {"width": 64, "blocks": 2, "activation": "tanh", "mask_init": 1.0}
    (masked, masked_gradient), (plain, plain_gradient) = (
        initial_spread.measured(options | {"mask": mask}, 0) for mask in (True, False)
    )
    assert all(a < b for a, b in zip(masked, plain, strict=True))
    assert masked_gradient[0] < plain_gradient[0]


def test_the_spread_is_drawn(initial_spread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "spread"
    monkeypatch.setattr(initial_spread, "BASE", initial_spread.BASE | {"width": 8, "blocks": 1})
    monkeypatch.setattr(sys, "argv", ["x", "--only", "alpha", "--networks", "1", "--out", str(out)])
    initial_spread.main()
    assert out.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
    (cells,) = json.loads(out.with_suffix(".json").read_text()).values()
    assert [c["options"]["mask_init"] for c in cells] == [0.25, 0.5, 1.0, 2.0, 5.0, 20.0]


def test_times_to_errors_count_the_windows_before_the_last() -> None:
    accuracy = load("accuracy")
    plain = {"curve": [(10, 1e-2), (20, 1e-4)], "s_per_step": 0.5, "wall_s": 12.0, "rel_l2": 9e-6}
    assert [accuracy.seconds_to(plain, level) for level in (1e-3, 1e-5, 1e-7)] == [10.0, 12.0, float("inf")]
    windows = plain | {"begins_s": 100.0, "last_s_per_step": 2.0, "wall_s": 150.0}
    assert [accuracy.seconds_to(windows, level) for level in (1e-3, 1e-5)] == [140.0, 150.0]
    assert accuracy.median_seconds([plain, plain | {"rel_l2": 1.0}, windows], 1e-5) == "150"
    text = accuracy.table({"a": [{"seed": 0, "max_error": 1.0, "parameters": 7, "openness": 0.25} | plain]})
    assert "| 10, 12, - | 0.25 |" in text.splitlines()[-1]


def test_openness_is_the_mean_of_all_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, module = load("training_runs"), MaskPINN("wave", {"name": "masked", "width": 4, "blocks": 1})
    monkeypatch.setattr(runs.MaskPINN, "load_from_checkpoint", lambda path: module)
    opened = runs.openness(tmp_path)
    assert 0 < opened < 1
    for name, parameter in module.named_parameters():
        if name.endswith("alpha"):
            torch.nn.init.constant_(parameter, 1e4)
    assert opened < runs.openness(tmp_path) <= 1
    plain = MaskPINN("wave", {"name": "masked", "width": 4, "blocks": 1, "mask": False})
    monkeypatch.setattr(runs.MaskPINN, "load_from_checkpoint", lambda path: plain)
    assert runs.openness(tmp_path) is None


def test_the_gpu_bundle_runs_at_toy_size_on_the_cpu(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    words = ["bash", str(HERE / "gpu.sh"), "--accelerator", "cpu", "--toy", "--out", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHON": sys.executable})
    assert done.returncode == 0, done.stdout + done.stderr
    parts = json.loads(out.read_text())
    assert all(check["holds"] for check in parts["checks"].values())
    assert parts["step_time"]["works"]["wave_64x3"]["against_nested"] > 1
    runs = [part for name, part in parts.items() if name.startswith("paper/")]
    assert [run["steps"] for run in runs] == [20, 20] and "40 cells" in parts["study published"]["said"]
