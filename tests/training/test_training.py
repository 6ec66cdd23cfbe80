"""Training through Lightning: it learns, repeats itself to the last bit, stops on NaN, ignores its callbacks."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import EACH_OPTIMIZER, fit, module, same_weights, small_network
from torch import nn

from mask_pinns import Box, Initial, MaskPINN, NonFiniteLoss, Problem
from mask_pinns.callbacks import FeatureStatistics, LastCheckpoint, SolutionFigures, Throughput, best_checkpoint
from mask_pinns.checkpoints.loading import check_checkpoint
from mask_pinns.datamodules import PointsDataModule


@pytest.mark.parametrize("optimizer", [*EACH_OPTIMIZER, "adam 20, lbfgs", "soap 20, ssbroyden"], ids=str)
def test_loss_falls_and_every_metric_is_there(optimizer: Any) -> None:
    m = module(optimizer, lr=0.01)
    steps = 40 if m.schedule.phases[0].method.decays and m.schedule.last else 24
    trainer = fit(m, steps)
    assert trainer.global_step == steps
    assert m.stepper.last_loss < 0.7
    for name in ("loss", "loss/pde", "loss/initial.u", "val/loss", "val/rel_l2", "val/max_error", "lr"):
        assert torch.isfinite(trainer.callback_metrics[name]), name
    assert m.schedule.last


def test_lightning_step_equals_a_loop_by_hand() -> None:
    """Ten Adam steps on the points of each step, in plain torch."""
    m = module(lr=0.01)
    by_hand = copy.deepcopy(m.network).double()
    fit(m, 10)
    data = PointsDataModule(m.problem, points=100)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.01, fused=True)
    for step in range(10):
        optimizer.zero_grad()
        m.objective.loss(by_hand, data.draw(step, dtype=torch.float64))[0].backward()
        optimizer.step()
    assert same_weights(m.network, by_hand)


@pytest.mark.parametrize("optimizer", ["adam", "adam 7, lbfgs"])
@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_the_same_run_twice_ends_with_the_same_bits(optimizer: str, precision: str) -> None:
    first, second = module(optimizer), module(optimizer)
    fit(first, 12, precision=precision)
    torch.rand(3)
    fit(second, 12, precision=precision)
    assert same_weights(first, second)


def test_callbacks_do_not_change_training(tmp_path: Path) -> None:
    with_all, without = module("adam 8, lbfgs"), module("adam 8, lbfgs")
    fit(without, 12, val_check_interval=1000)
    watchers = [
        FeatureStatistics(every=1), SolutionFigures(tmp_path, every=5), Throughput(), LastCheckpoint(tmp_path, 3),
        best_checkpoint(tmp_path),
    ]  # fmt: skip
    fit(with_all, 12, watchers, val_check_interval=2)
    assert same_weights(with_all, without)


class Blowup(Problem):
    """A loss that becomes NaN as soon as the first parameters have moved far enough."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t",)
    conditions = (Initial(u=0.0),)

    def residual(self, p, u):
        return u.t + torch.log(1.0 - u)


def test_nan_stops_the_run_with_step_and_term_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    m = MaskPINN(Blowup(), {"name": "masked", "width": 8, "blocks": 1}, lr=5.0)
    with pytest.raises(NonFiniteLoss, match=r"nan at step \d+: term 'pde' is not finite"):
        fit(m, 200, [LastCheckpoint(tmp_path, 1)])
    saved = check_checkpoint(tmp_path / "last.ckpt", m)
    assert saved["global_step"] >= 1
    assert all(torch.isfinite(v).all() for v in saved["state_dict"].values())


def test_a_stalled_lbfgs_ends_the_run() -> None:
    m = module("lbfgs")
    with torch.no_grad():
        m.network.output.weight.zero_()

    class Flat(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
        derivatives = ("t",)

        def residual(self, p, u):
            return 0.0 * u + 1.0

    m = MaskPINN(Flat(), {"name": "masked", "width": 4, "blocks": 1}, "lbfgs")
    trainer = fit(m, 50)
    assert m.stop_reason == "stalled"
    assert trainer.global_step == 2


class Bare(nn.Module):
    """A network of the user's own, not made of our layers."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, 10), nn.Tanh(), nn.Linear(10, 1))

    def forward(self, x):
        return self.inner(x)


def test_a_network_of_the_users_own_trains_with_autograd() -> None:
    torch.manual_seed(0)
    m = MaskPINN("wave", Bare(), derivatives="autograd", lr=0.01)
    trainer = fit(m, 30)
    assert m.stepper.last_loss < 1.0
    assert torch.isfinite(trainer.callback_metrics["val/loss"])


def test_checkpoints_hold_primitives_and_load_again(tmp_path: Path) -> None:
    m = module("adam 3, lbfgs")
    fit(m, 6, [LastCheckpoint(tmp_path, 100), best_checkpoint(tmp_path)], val_check_interval=2)
    again = MaskPINN.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True, map_location="cpu")
    assert same_weights(again.network, m.network)  # in float64, as they were trained
    assert (tmp_path / "best.ckpt").is_file()
    assert not any(k.startswith("_orig_mod") or "_orig_mod" in k for k in again.state_dict())


def test_a_problem_without_a_name_must_be_given_when_loading(tmp_path: Path) -> None:
    torch.manual_seed(0)
    m = MaskPINN(Blowup(), {"name": "masked", "width": 4, "blocks": 0}, lr=1e-4)
    fit(m, 2, [LastCheckpoint(tmp_path, 100)])
    with pytest.raises(ValueError, match=r"load_from_checkpoint\(path, problem=...\)"):
        MaskPINN.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    again = MaskPINN.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True, problem=Blowup())
    assert same_weights(again.network, m.network)


def test_problems_do_not_change() -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        module().problem.c = 2.0


def test_the_best_checkpoint_is_chosen_by_the_validation_loss(tmp_path: Path) -> None:
    best = best_checkpoint(tmp_path)
    trainer = fit(module(lr=0.05), 20, [best], val_check_interval=4)
    assert best.monitor == "val/loss"
    assert float(best.best_model_score) <= float(trainer.callback_metrics["val/loss"])


def test_problem_from_python_in_five_lines() -> None:
    m = MaskPINN(Blowup(), small_network("masked", 2, 1), lr=1e-4)
    fit(m, 3)
    assert m.predict(torch.rand(4, 2)).shape == (4, 1)


def test_predict_refuses_points_of_another_dimension() -> None:
    with pytest.raises(ValueError, match=r"expected \(N, 2\): x, t"):
        module().predict(torch.rand(4, 3))


def test_errors_are_measured_in_float64() -> None:
    """A float32 network against a float64 solution: the metric's own arithmetic loses nothing."""
    m = module()
    trainer = fit(m, 1, precision="32-true", val_check_interval=1)
    grid = m.problem.evaluation()
    error = torch.from_numpy(m.predict(grid.points)).double() - grid.values
    expected = float(error.norm() / grid.values.norm())
    assert float(trainer.callback_metrics["val/rel_l2"]) == pytest.approx(expected, rel=1e-12)
    assert trainer.callback_metrics["val/rel_l2"].dtype == torch.float64
