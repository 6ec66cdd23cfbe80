"""train.py with a trace of every step, in each of several ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning as L
import torch

from mask_pinns.cli import main as command_line
from mask_pinns.cli import run as commands


class Trace(L.Callback):
    """At the start of every step: loss and gradient over all ranks, and this rank's collocation points."""

    def __init__(self, path: str) -> None:
        self.path, self.steps = path, []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        loss, _ = module.objective.loss(module.network, batch)
        gradient = torch.autograd.grad(loss, list(module.network.parameters()), materialize_grads=True)
        loss, *gradient = (trainer.strategy.reduce(x, reduce_op="mean") for x in (loss.detach(), *gradient))
        step = {"loss": loss, "gradient": torch.cat([g.flatten() for g in gradient]), "points": batch["pde"]}
        self.steps.append({name: x.clone() for name, x in step.items()})

    def on_train_end(self, trainer: Any, module: Any) -> None:
        torch.save(self.steps, f"{self.path}-{trainer.global_rank}.pt")


def traced(path: str, words: Sequence[str]) -> int:
    """Runs train.py with these flags, on one thread; the trace of rank 0 is in PATH-0.pt."""
    torch.set_num_threads(1)
    make = commands.make_callbacks

    def make_callbacks(*arguments: Any) -> Any:
        summary, watchers = make(*arguments)
        return summary, [*watchers, Trace(path)]

    commands.make_callbacks = make_callbacks
    return command_line.main(list(words))
