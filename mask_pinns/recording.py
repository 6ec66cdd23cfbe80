"""What a network in training writes down: losses at each evaluation, logged values, and that they are finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mask_pinns.evaluation import Evaluated
from mask_pinns.objective import PointSets
from mask_pinns.rollback import GoodWeights, NonFiniteLoss

Evaluations = list[tuple[Tensor, dict[str, Tensor]]]
"""The loss and its terms, each time that they were looked at in a step."""


class Recorded(Evaluated):
    """A network in training, as far as its losses are noted and logged."""

    def __init__(self) -> None:
        super().__init__()
        self.log_every: int | None = None  # optimizer steps between logged losses; None: the trainer's own interval
        self.last_loss = torch.tensor(float("nan"))  # at the start of the latest step
        self.good: GoodWeights | None = None  # where a run may go back to, if it may
        self.evaluations = self.points = 0  # of the loss, and the points it was evaluated at, in this session

    def on_fit_start(self) -> None:
        """From here on, a residual that fails is said to fail at a step."""
        self.objective.when = lambda: f"at step {self.global_step}"

    def on_fit_end(self) -> None:
        self.objective.when = None

    def _note(self, loss: Tensor, terms: dict[str, Tensor], points: PointSets, evaluations: Evaluations) -> None:
        """Counts an evaluation, and keeps its values, those of all ranks; the first of a step has to be finite."""
        self.evaluations += 1
        self.points += sum(map(len, points.values()))
        evaluations.append((loss, terms))
        if len(evaluations) == 1:
            self._require_finite(*evaluations[0])
            if self.good is not None and self.global_step % self._log_every == 0:
                self.good.keep(self, self.global_step)

    def _log_training(self, loss: Tensor, terms: dict[str, Tensor], lr: float, phase: int) -> None:
        """At the trainer's interval only: in between, `last_loss` alone is kept, without looking at it."""
        self.last_loss = loss
        if not self.logs_now:
            return
        unweighted = {f"loss/{name}": value for name, value in terms.items()}
        factors = self.objective.multipliers
        weights = {} if factors is None else dict(zip(self.objective.multiplied, factors, strict=True))
        multipliers = {f"weight/{name}": value for name, value in weights.items()}
        self.record({"loss": loss, **unweighted, **multipliers, "lr": lr, "phase": float(phase)})

    def record(self, values: Mapping[str, Tensor | float]) -> None:
        """Gives values to the callbacks, and to the loggers at the optimizer step: Lightning itself counts batches."""
        self.log_dict(dict(values), logger=False)
        for logger in self.loggers:
            logger.log_metrics({name: float(value) for name, value in values.items()}, step=self.global_step)
            logger.save()

    def _compare_devices(self, before: int | None) -> None:
        """Says what changes where a run goes on with another number of devices."""
        now = self.trainer.world_size
        if before not in (None, now):
            self.print(
                f"trained on {before} device(s) so far, on {now} from here: each draws points of its own, so the run "
                f"goes on from the same weights, but not with the same points as on {before}"
            )

    @property
    def logs_now(self) -> bool:
        """Whether the step just done is one to log."""
        return self.global_step % self._log_every == 0

    @property
    def _log_every(self) -> int:
        trainer: Any = self.trainer  # the attribute is set where the type checker does not see it
        return self.log_every or trainer.log_every_n_steps

    def _go_back(self, optimizer: Any, error: NonFiniteLoss) -> None:
        """To the last good weights, written down; raises the error where the run is not to go back, or cannot."""
        if self.good is None:
            raise error
        self.print(self.good.go_back(self, optimizer, error))
        self.record({"rollbacks": float(self.good.count)})

    def _require_finite(self, loss: Tensor, terms: dict[str, Tensor]) -> None:
        """Raises NonFiniteLoss. On an accelerator, looking costs a synchronization: only where something is logged,
        or where the run may go back."""
        looks = self.device.type == "cpu" or self.good is not None or (self.global_step + 1) % self._log_every == 0
        if looks and not torch.isfinite(loss):
            bad = [f"{name!r}" for name, value in terms.items() if not torch.isfinite(value)]
            what = f"term {', '.join(bad)}" if bad else "the weighted sum"
            raise NonFiniteLoss(f"the loss became {float(loss)} at step {self.global_step}: {what} is not finite")
