"""Resumed training, and steps in bursts: the same bits as in a run without interruption, step by step."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import EACH_OPTIMIZER, fit, module, same_weights
from lightning.pytorch.loggers import CSVLogger

from mask_pinns.callbacks import LastCheckpoint

PHASES = [
    [{"optimizer": first, "steps": 8}, {"optimizer": second, "max_iter": 4}]
    for first, second in (("adam", "lbfgs"), ("soap", "ssbroyden"))
]
CASES = [(optimizer, 6) for optimizer in [*EACH_OPTIMIZER, {"optimizer": "ssbroyden", "resample": 4, "max_iter": 4}]]
CASES += [(phases, stop) for phases in PHASES for stop in (6, 10)]


@pytest.mark.parametrize(("optimizer", "stop"), CASES, ids=str)
def test_resume_equals_the_uninterrupted_run(tmp_path: Path, optimizer: Any, stop: int) -> None:
    """To the last bit; with phases, before and after their change."""
    whole, half, rest = module(optimizer), module(optimizer), module(optimizer)
    fit(whole, 16)
    fit(half, stop, [LastCheckpoint(tmp_path, 100)])
    trainer = fit(rest, 16, ckpt_path=tmp_path / "last.ckpt")
    assert trainer.global_step == 16
    assert same_weights(whole, rest)
    assert whole.schedule.state_dict() == rest.schedule.state_dict()


def test_resume_across_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mask_pinns.datamodules.points.STEPS_PER_EPOCH", 5)
    whole, half, rest = module(), module(), module()
    fit(whole, 17)
    fit(half, 8, [LastCheckpoint(tmp_path, 4)])
    fit(rest, 17, ckpt_path=tmp_path / "last.ckpt")
    assert same_weights(whole, rest)


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


MIXED = [{"optimizer": "adam", "steps": 4, "precision": 32}, {"optimizer": "gauss_newton", "steps": 3}]


def test_a_phase_can_have_a_precision_of_its_own() -> None:
    m = module(MIXED)
    seen: list[torch.dtype] = []
    step = m.stepper.step
    m.stepper.step = lambda points: (step(points), seen.append(next(m.network.parameters()).dtype))[0]  # type: ignore[method-assign]
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
