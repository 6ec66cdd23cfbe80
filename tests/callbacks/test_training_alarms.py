"""Stalls and fresh points: told once, with what helps; patience ends training."""

from __future__ import annotations

import io

import pytest
import torch
from helpers import fit, module
from rich.console import Console

from mask_pinns import Patience, TrainingAlarms
from mask_pinns.callbacks.training_alarms import STALL_STEPS, STANDS_STILL
from mask_pinns.stepper import Stepper


def losses(patch: pytest.MonkeyPatch, values: list[float], fresh: float | None = None) -> None:
    """Every step's loss is the next value; validations find the loss `fresh`."""
    step = Stepper.step

    def stepping(stepper: Stepper, points: object) -> object:
        result = step(stepper, points)
        stepper.first_loss = values[0]
        stepper.last_loss = torch.tensor(values[stepper.host.global_step - 1])
        return result

    patch.setattr(Stepper, "step", stepping)
    if fresh is not None:
        patch.setattr("mask_pinns.objective.Objective.unadapted_loss", lambda *_: torch.tensor(fresh))


def told(patch: pytest.MonkeyPatch, values: list[float], fresh: float | None = None, **options: object) -> tuple:
    losses(patch, values, fresh)
    console = Console(file=io.StringIO(), width=500)
    alarms = TrainingAlarms(console, stops=bool(options.pop("stops", False)))
    m = module({"optimizer": "bfgs", "max_iter": 1}, **options)
    trainer = fit(m, len(values), [alarms], val_check_interval=2)
    return console.file.getvalue(), alarms.raised, trainer.global_step, m.stop_reason


FLAT, FALLING = [1.0] + [0.5] * 19, [0.9**i for i in range(20)]


def test_a_stall_is_told_once_within_twenty_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    text, raised, steps, _ = told(monkeypatch, FLAT)
    assert raised == [STANDS_STILL] and steps == 20
    assert text.count("training stands still at a loss of 5.0e-01") == 1
    assert "--causal" in text and "--first_scale" in text and "--adaptive" in text


def test_a_stall_ends_a_training_that_is_to_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, steps, reason = told(monkeypatch, FLAT, stops=True)
    assert (steps, reason) == (STALL_STEPS + 2, STANDS_STILL)


@pytest.mark.parametrize(
    ("values", "options"),
    [(FALLING, {}), ([1.0] + [1e-9] * 19, {}), (FLAT, {"causal": 1.0})],
    ids=["falls", "has converged", "causal weights"],
)
def test_what_is_no_stall(monkeypatch: pytest.MonkeyPatch, values: list[float], options: dict[str, float]) -> None:
    assert told(monkeypatch, values, fresh=1e-9, **options)[1] == []


@pytest.mark.parametrize(("fresh", "expected"), [(5e3, True), (3.0, False), (1e-9, False)])
def test_fresh_points_that_contradict_the_loss_are_told(
    monkeypatch: pytest.MonkeyPatch, fresh: float, expected: bool
) -> None:
    losses_seen = [1.0] + [1e-12] * 19 if fresh < 1e-6 else FALLING  # the last: both are tiny
    text, raised, *_ = told(monkeypatch, losses_seen, fresh)
    assert ("fresh points" in raised) == expected
    assert ("at fresh ones: believe the latter" in text) == expected


@pytest.mark.parametrize(("fresh", "expected"), [(1e-3, ["not solved"]), (1e-9, [])])
@pytest.mark.parametrize("stops", [False, True])
def test_what_is_not_solved_at_the_end_is_told(
    monkeypatch: pytest.MonkeyPatch, fresh: float, expected: list[str], stops: bool
) -> None:
    """With causal weights, too, of which nothing is told before; then it counts as a stall."""
    text, raised, _, reason = told(monkeypatch, FLAT, fresh, causal=1.0, stops=stops)
    assert raised == expected and ("1.0e-03 of the first one: not solved yet" in text) == bool(expected)
    assert (reason == STANDS_STILL) == (stops and bool(expected))


def test_causal_weights_that_get_on_are_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss at fresh points is large at the end, and falls: more steps, not another attempt."""
    losses(monkeypatch, FLAT)
    fresh = iter([0.1 * 0.5**i for i in range(50)])
    monkeypatch.setattr("mask_pinns.objective.Objective.unadapted_loss", lambda *_: torch.tensor(next(fresh)))
    alarms = TrainingAlarms(Console(file=io.StringIO()), stops=True)
    m = module({"optimizer": "bfgs", "max_iter": 1}, causal=1.0)
    fit(m, 20, [alarms], val_check_interval=2)
    assert alarms.raised == ["not solved"] and m.stop_reason == "steps"


def test_patience_ends_training_when_fresh_points_get_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    losses(monkeypatch, FALLING, fresh=1.0)
    m = module({"optimizer": "bfgs", "max_iter": 1})
    trainer = fit(m, 20, [Patience(3)], val_check_interval=2)
    assert (trainer.global_step, m.stop_reason) == (8, "patience")
