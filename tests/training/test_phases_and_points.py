"""Phases and points in training: when points are drawn anew, what optimizers remember, targets that end a phase."""

from __future__ import annotations

import lightning as L
import pytest
import torch
from helpers import fit, module

from mask_pinns import Box, Initial, MaskPINN, Problem


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


def test_a_second_fit_begins_with_the_first_phase() -> None:
    m = module("adam 3, lbfgs")
    fit(m, 5)
    seen = []

    class Watch(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, *_):
            seen.append(pl_module.schedule.phase.optimizer)

    fit(m, 5, [Watch()])
    assert seen == ["adam"] * 3 + ["lbfgs"] * 2


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
    m = module([{"optimizer": "adam", "target": 0.5, "lr": 0.02}, "adam"])
    fit(m, 200)
    assert m.schedule.index == 1
    assert m.schedule.start < 200
    alone = module([{"optimizer": "gauss_newton", "target": 0.1}])
    fit(alone, 200)
    assert alone.stop_reason == "target"
    assert alone.stepper.last_loss <= 0.1
