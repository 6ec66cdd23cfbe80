"""What a module adds to Lightning's checkpoint, and takes from one: its schedule, good weights, and what it solves."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from mask_pinns.checkpoints.compatibility import change_of_devices
from mask_pinns.checkpoints.contents import count_batches, upgrade
from mask_pinns.checkpoints.rollback import GoodWeights, nonfinite_parameter
from mask_pinns.optim.phases import Schedule
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.statement import contradiction, statement


class Trained(Protocol):
    """The part of a module whose state a checkpoint contains."""

    network: torch.nn.Module
    problem: Problem
    schedule: Schedule
    stepper: Any
    good: GoodWeights | None
    trainer: Any

    @property
    def global_step(self) -> int: ...
    def print(self, *words: Any) -> None: ...


def add_state(module: Trained, checkpoint: dict[str, Any]) -> None:
    """Adds the module's state to a checkpoint.

    Raises NonFiniteLoss rather than replace a good checkpoint by one with NaN in it.
    """
    if error := nonfinite_parameter(module.network, module.global_step):
        raise error
    checkpoint |= {"schedule": module.schedule.state_dict(), "ranks": module.trainer.world_size}
    checkpoint |= {"first_loss": module.stepper.first_loss, "statement": statement(module.problem)}
    if module.good is not None:
        checkpoint["good"] = module.good.state_dict()


def take_state(module: Trained, checkpoint: dict[str, Any], fits: bool) -> None:
    """Takes a module's state from a checkpoint; of the schedule and the good weights only if it `fits`.

    Raises ValueError for a checkpoint of another equation.
    """
    upgrade(checkpoint)
    if differs := contradiction(checkpoint.get("statement", {}), statement(module.problem)):
        raise ValueError(f"the checkpoint is of another {module.problem.title}: {differs}")
    if not fits:
        return
    module.schedule.load_state_dict(checkpoint["schedule"])
    count_batches(checkpoint, getattr(module.trainer.datamodule, "burst", 1))
    module.stepper.first_loss = checkpoint.get("first_loss")
    if change := change_of_devices(checkpoint.get("ranks"), module.trainer.world_size):
        module.print(change)
    if module.good is not None and "good" in checkpoint:
        module.good.load_state_dict(checkpoint["good"])
