"""Training through Lightning: it learns, repeats itself to the last bit, resumes exactly, and stops on NaN."""

from __future__ import annotations

import copy
import csv
import inspect
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from conftest import small_network
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from callbacks import FeatureStatistics, LastCheckpoint, SolutionFigures, Throughput, best_checkpoint
from datamodules import PointsDataModule
from mask_pinns import Box, Initial, MaskPINN, NonFiniteLoss, Problem
from mask_pinns.checkpoint import check_checkpoint
from mask_pinns.optim import OPTIMIZERS

QUIET: dict[str, Any] = {
    "logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1,
    "max_epochs": -1, "min_epochs": 0, "num_sanity_val_steps": 0, "check_val_every_n_epoch": None,
    "inference_mode": False,
}  # fmt: skip


def module(optimizer: Any = "adam", **options: Any) -> MaskPINN:
    torch.manual_seed(0)
    return MaskPINN("wave", {"name": "masked", "width": 8, "blocks": 1, "activation": "sin"}, optimizer, **options)


def fit(m: MaskPINN, steps: int, callbacks: Any = (), precision: str = "64-true", **options: Any) -> L.Trainer:
    own = {key: options.pop(key, default) for key, default in (("points", 100), ("resample", 1), ("burst", 1))}
    data = PointsDataModule(m.problem, **own)
    checkpoint = options.pop("ckpt_path", None)
    options = QUIET | {"log_every_n_steps": 5, "val_check_interval": 10} | options
    trainer = L.Trainer(
        max_steps=steps, precision=precision, callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks), **options,
    )  # fmt: skip
    trainer.fit(m, data, ckpt_path=checkpoint, weights_only=True)
    return trainer


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# Each optimizer, with few inner iterations where it has any, to be quick.
EACH = [
    {"optimizer": name} | ({"max_iter": 4} if "max_iter" in inspect.signature(method.build).parameters else {})
    for name, method in OPTIMIZERS.items()
]


@pytest.mark.parametrize("optimizer", [*EACH, "adam 20, lbfgs", "soap 30, ssbroyden"], ids=str)
def test_loss_falls_and_every_metric_is_there(optimizer: Any) -> None:
    m = module(optimizer, lr=0.01)
    trainer = fit(m, 40)
    assert trainer.global_step == 40
    assert m.last_loss < 0.7
    for name in ("loss", "loss/pde", "loss/initial.u", "val/loss", "val/rel_l2", "val/max_error", "lr"):
        assert torch.isfinite(trainer.callback_metrics[name]), name
    assert m.schedule.last


def test_lightning_step_equals_a_loop_by_hand() -> None:
    """Ten Adam steps on the points of each step, in plain torch."""
    m = module(lr=0.01)
    by_hand = copy.deepcopy(m.network).double()
    fit(m, 10)
    data = PointsDataModule(m.problem, 100)
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


@pytest.mark.parametrize(
    "optimizer",
    [*EACH, "adam 8, lbfgs", "soap 8, ssbroyden", {"optimizer": "ssbroyden", "resample": 4, "max_iter": 4}],
    ids=str,
)
@pytest.mark.parametrize("stop", [6, 10])
def test_resume_equals_the_uninterrupted_run(tmp_path: Path, optimizer: Any, stop: int) -> None:
    """Before and after the change of phase, to the last bit."""
    whole, half, rest = module(optimizer), module(optimizer), module(optimizer)
    fit(whole, 16)
    fit(half, stop, [LastCheckpoint(tmp_path, 100)])
    trainer = fit(rest, 16, ckpt_path=tmp_path / "last.ckpt")
    assert trainer.global_step == 16
    assert same_weights(whole, rest)
    assert whole.schedule.state_dict() == rest.schedule.state_dict()


def test_resume_across_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamodules.points.STEPS_PER_EPOCH", 5)
    whole, half, rest = module(), module(), module()
    fit(whole, 17)
    fit(half, 8, [LastCheckpoint(tmp_path, 4)])
    fit(rest, 17, ckpt_path=tmp_path / "last.ckpt")
    assert same_weights(whole, rest)


@pytest.mark.parametrize(("resample", "draws"), [(1, 6), (3, 2), (0, 1)])
def test_points_are_redrawn_every_k_steps(resample: int, draws: int) -> None:
    seen = []

    class Watch(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, *_):
            seen.append(batch["pde"].clone())

    fit(module(), 6, [Watch()], resample=resample)
    assert len({float(x.sum()) for x in seen}) == draws
    assert all(x.dtype == torch.float64 for x in seen)


@pytest.mark.parametrize(("optimizer", "keeps"), [("lbfgs", False), ("ssbroyden", True)])
def test_what_is_remembered_when_points_are_redrawn(optimizer: str, keeps: bool) -> None:
    """L-BFGS begins anew; an inverse Hessian stays, if it is positive definite."""
    seen = []

    class Watch(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            (state,) = trainer.optimizers[0].state.values()
            seen.append(state["updates"] if keeps else state["n_iter"])

    fit(module({"optimizer": optimizer, "resample": 2, "max_iter": 3}), 6, [Watch()])
    assert seen == ([3, 6, 9, 12, 15, 18] if keeps else [3, 6, 3, 6, 3, 6])


def test_a_broken_inverse_hessian_is_dropped_when_points_are_redrawn() -> None:
    seen = []

    class Break(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            (state,) = trainer.optimizers[0].state.values()
            seen.append(state["updates"])
            state["H"][0, 0] = -1.0

    fit(module({"optimizer": "bfgs", "resample": 1, "max_iter": 3}), 3, [Break()])
    assert seen == [3, 3, 3]


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
    kept = check_checkpoint(tmp_path / "last.ckpt", m)
    assert kept["global_step"] >= 1
    assert all(torch.isfinite(v).all() for v in kept["state_dict"].values())


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
    assert m.last_loss < 1.0
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


def test_a_second_fit_begins_with_the_first_phase() -> None:
    m = module("adam 3, lbfgs")
    fit(m, 5)
    seen = []

    class Watch(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, *_):
            seen.append(pl_module.schedule.phase.optimizer)

    fit(m, 5, [Watch()])
    assert seen == ["adam"] * 3 + ["lbfgs"] * 2


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


@pytest.mark.parametrize("optimizer", ["adam", "adam 7, lbfgs"])
def test_bursts_take_the_same_steps(tmp_path: Path, optimizer: str) -> None:
    """Several steps per batch: the same weights, the same learning rates, the same steps logged, to the last bit."""
    runs = {}
    for burst in (1, 4, 6):
        m = module(optimizer, lr=0.01, decay=0.5, decay_every=3)
        m.log_every = 2
        logger = CSVLogger(tmp_path, name="", version=str(burst))
        trainer = fit(m, 13, burst=burst, val_check_interval=12, logger=logger, resample=3)
        assert trainer.global_step == 13, "the last burst is cut short"
        with (tmp_path / str(burst) / "metrics.csv").open(newline="") as file:
            rows = [(r["step"], r["loss"], r["lr"]) for r in csv.DictReader(file) if r["loss"]]
        runs[burst] = m, rows
    assert [int(step) for step, *_ in runs[1][1]] == [2, 4, 6, 8, 10, 12]
    for burst in (4, 6):
        assert same_weights(runs[1][0], runs[burst][0])
        assert runs[burst][1] == runs[1][1]


def test_resume_with_another_burst(tmp_path: Path) -> None:
    whole, half, rest = module(), module(), module()
    fit(whole, 17)
    fit(half, 9, [LastCheckpoint(tmp_path, 9)], burst=4)
    fit(rest, 17, ckpt_path=tmp_path / "last.ckpt", burst=5)
    assert same_weights(whole, rest)


def test_target_ends_training_at_the_first_validation_that_meets_it() -> None:
    m = module("adam", target=0.9, lr=0.02)
    trainer = fit(m, 400, val_check_interval=20)
    assert m.stop_reason == "target"
    assert trainer.global_step < 400
    assert trainer.global_step % 20 == 0
    assert float(trainer.callback_metrics["val/rel_l2"]) <= 0.9
    with pytest.raises(ValueError, match="it must be a positive"):
        module(target=0.0)


def test_target_is_a_loss_where_no_solution_is_known() -> None:
    class Unknown(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
        derivatives = ("t",)
        conditions = (Initial(u=1.0),)

        def residual(self, p, u):
            return u.t + u

    m = MaskPINN(Unknown(), {"name": "masked", "width": 8, "blocks": 1}, lr=0.01, target=0.05)
    trainer = fit(m, 1000, val_check_interval=10)
    assert m.stop_reason == "target"
    assert trainer.callback_metrics["val/loss"] <= 0.05


def test_a_phase_ends_at_its_target() -> None:
    m = module([{"optimizer": "adam", "target": 0.5, "lr": 0.02}, {"optimizer": "gauss_newton"}])
    fit(m, 200)
    assert m.schedule.index == 1
    assert m.schedule.start < 200
    alone = module([{"optimizer": "gauss_newton", "target": 0.1}])
    fit(alone, 200)
    assert alone.stop_reason == "target"
    assert alone.last_loss <= 0.1


MIXED = [{"optimizer": "adam", "steps": 4, "precision": 32}, {"optimizer": "gauss_newton", "steps": 3}]


def test_a_phase_can_have_a_precision_of_its_own() -> None:
    m = module(MIXED)
    seen: list[torch.dtype] = []
    whole = m._optimizer_step
    m._optimizer_step = lambda points: (whole(points), seen.append(next(m.network.parameters()).dtype))[0]  # type: ignore[method-assign]
    fit(m, 7)
    # what is seen is the precision after a step: that of the next one
    assert seen == [torch.float32] * 3 + [torch.float64] * 4
    assert m.run_dtype == torch.float64


@pytest.mark.parametrize("steps", [2, 4, 5])
def test_resume_in_a_run_of_mixed_precision_equals_the_uninterrupted_run(steps: int, tmp_path: Path) -> None:
    whole = module(MIXED)
    fit(whole, 7)
    first = module(MIXED)
    fit(first, steps).save_checkpoint(tmp_path / "a.ckpt")
    second = module(MIXED)
    fit(second, 7, ckpt_path=tmp_path / "a.ckpt")
    assert same_weights(whole, second)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="phase 'adam': precision is 16; expected 32, 64"):
        module([{"optimizer": "adam", "precision": 16}])
