"""`TrainingAlarms` tells when training stands still, or fresh points contradict the loss; `Patience` ends it by these.

Legend: val/loss is the loss at validation points, which are not trained on.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console

from mask_pinns.callbacks.checkpoints import burst_of
from mask_pinns.module import MaskPINN
from mask_pinns.problems import Data, Problem

STANDS_STILL = "stands still"
"""The kind of the message, and the reason why training ends."""
STALL_STEPS = 12
"""Number of steps over which the loss of a method that searches must fall."""
STALL_RATIO = 0.98
"""Training stands still if the loss is more than this part of its value so many steps ago."""
SOLVED_RATIO = 1e-8
"""A loss this small, relative to the first one, has converged: it does not stand still, and fresh points are well."""
UNSOLVED_RATIO = 1e-6
"""A problem is not solved if the loss at fresh points ends above this part of the first loss."""
NOISE_RATIO = 3.0
"""A loss below this many times what the noise of measurements makes of it has converged too."""
NOISY_PROGRESS = 1e-3
"""Relative decrease of the loss at fresh points that counts where measurements have noise."""
FRESH_RATIO = 100.0
"""Fresh points contradict the loss if theirs is so many times as large, in several validations one after the other."""
FRESH_VALIDATIONS = 3


def remedies(problem: Problem, causal: bool = False) -> list[str]:
    """Returns what usually helps if training of such a problem stands still, the most likely first.

    Args:
        problem: the problem.
        causal: whether its points have causal weights already.
    """
    in_time = ["--causal 100 (a point counts once the equation holds at earlier times)"]
    return [
        *(in_time if "t" in problem.domain and not causal else []),
        "a larger --first_scale (3 to 30) where the solution oscillates or is steep",
        "--adaptive 1 1 --resample 5 for layers and fronts",
    ]


class TrainingAlarms(L.Callback):
    """Tells once that training stands still, that the loss on fresh points stays far above the loss, or that it ends
    large.

    Training stands still if an optimizer that searches for its steps (all but the first-order ones) has not lowered the
    loss by 2 % in 12 steps, unless the loss is below 1e-8 of the first one. With causal weights, which let later times
    count only step by step, neither the loss nor its value on fresh points tells before the end.

    Args:
        console: the console of the messages; standard output if not given.
        stops: end training if it stands still, with the reason `STANDS_STILL`. With causal weights, training stood
            still if the loss at fresh points has ended large and did not fall over the last three validations.
        judges_end: tell if the loss at fresh points ends large, relative to the first one, which has to be that of an
            untrained network.

    `raised` contains the kinds of messages that were printed.

    Example:
        >>> import lightning as L
        >>> from mask_pinns.callbacks import TrainingAlarms
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[TrainingAlarms()], logger=False)
    """

    def __init__(self, console: Console | None = None, stops: bool = False, judges_end: bool = True) -> None:
        self.console, self.stops, self.judges_end = console or Console(markup=False, emoji=False), stops, judges_end
        self.raised: list[str] = []
        self._losses: deque[float] = deque(maxlen=STALL_STEPS + 1)
        self._fresh: deque[float] = deque(maxlen=FRESH_VALIDATIONS + 1)
        self._phase = 0
        self._contradictions = 0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """A fit begins anew; a checkpoint that it goes on from is loaded afterwards."""
        if stage == "fit":
            self._losses.clear()
            self._fresh.clear()
            self._phase = self._contradictions = 0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know to tell the same at the same step."""
        return {
            "losses": list(self._losses), "fresh": list(self._fresh), "phase": self._phase,
            "contradictions": self._contradictions, "raised": list(self.raised),
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._losses.extend(state_dict["losses"])
        self._fresh.extend(state_dict["fresh"])
        self._phase, self._contradictions = state_dict["phase"], state_dict["contradictions"]
        self.raised = list(state_dict["raised"])

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, MaskPINN)
        schedule, causal = pl_module.schedule, pl_module.objective.adaptive.causal
        if causal or not schedule.phase.method.searches or schedule.index != self._phase:
            self._losses.clear()
            self._phase = schedule.index
            return
        if trainer.global_step % burst_of(trainer):
            return  # only the last batch of a session ends so
        self._losses.append(float(pl_module.stepper.last_loss))
        if len(self._losses) > STALL_STEPS and self._losses[-1] > STALL_RATIO * self._losses[0]:
            self._stands_still(pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """An optimizer that found no lower loss ends its phase by itself, sooner than is told above."""
        assert isinstance(pl_module, MaskPINN)
        causal = pl_module.objective.adaptive.causal > 0
        if pl_module.stop_reason == "stalled" and not causal:
            self._stands_still(pl_module)
        if self._unsolved(trainer, pl_module) and STANDS_STILL not in self.raised:
            fresh, first = self._fresh[-1], pl_module.stepper.first_loss or 1.0
            self._tell(
                "not solved",
                f"the loss at fresh points ends at {fresh:.1e}, {fresh / first:.1e} of the first one: not solved yet; "
                f"what usually helps: {_noise_hint(pl_module)}more --steps; "
                f"{'; '.join(remedies(pl_module.problem, causal))}",
            )
            if self.stops and causal and fresh > self._fresh[0] / 2:
                pl_module.stop(STANDS_STILL)

    def _unsolved(self, trainer: L.Trainer, module: MaskPINN) -> bool:
        """Whether an optimizer that searches has had all its steps and left a large loss at fresh points."""
        ended = module.stop_reason in ("last phase done", "stalled", "patience") or (
            module.stop_reason == "steps" and trainer.global_step == trainer.max_steps
        )
        if not (self.judges_end and ended and self._fresh and trainer.global_step >= STALL_STEPS):
            return False
        first = module.stepper.first_loss or float("inf")
        if self._fresh[-1] <= NOISE_RATIO * module.objective.noise_floor:
            return False
        return module.schedule.phase.method.searches and self._fresh[-1] > UNSOLVED_RATIO * first

    def _stands_still(self, module: MaskPINN) -> None:
        """Tells that training stands still, and ends it if it is to end, unless it has converged."""
        loss = float(module.stepper.last_loss)
        solved = SOLVED_RATIO * (module.stepper.first_loss or 0.0)
        if loss <= max(solved, NOISE_RATIO * module.objective.noise_floor):
            return
        helps = "; ".join(remedies(module.problem, module.objective.adaptive.causal > 0))
        self._tell(STANDS_STILL, f"training stands still at a loss of {loss:.1e}; what usually helps: {helps}")
        if self.stops:
            module.stop(STANDS_STILL)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MaskPINN)
        fresh, loss = trainer.callback_metrics.get("val/loss"), float(pl_module.stepper.last_loss)
        if fresh is None or trainer.state.fn != TrainerFn.FITTING:
            return
        self._fresh.append(float(fresh))
        solved = float(fresh) <= SOLVED_RATIO * (pl_module.stepper.first_loss or 0.0)
        above = float(fresh) > FRESH_RATIO * loss and not solved and not pl_module.objective.adaptive.causal
        self._contradictions = self._contradictions + 1 if above else 0
        if self._contradictions >= FRESH_VALIDATIONS:
            self._tell(
                "fresh points",
                f"the loss is {loss:.1e} at the points that are trained on, {float(fresh):.1e} at fresh ones: believe "
                "the latter; what usually helps: more --points, a smaller --first_scale or network",
            )

    def _tell(self, kind: str, message: str) -> None:
        if kind not in self.raised:
            self.raised.append(kind)
            self.console.print(message, highlight=False, soft_wrap=True)


def _noise_hint(module: MaskPINN) -> str:
    """What to say first where measurements have noise that is not known: the loss may be their misfit."""
    terms, noisy = module.objective.terms, module.objective.noisy
    unknown = [t.name for t in terms if isinstance(t, Data) and not any(n.partition(".")[0] == t.name for n in noisy)]
    return f"say the noise= of {', '.join(unknown)}, whose misfit the loss may be; " if unknown else ""


class Patience(EarlyStopping):
    """Ends training after some validations without a new smallest val/loss, with the reason "patience".

    With measurements whose noise is known, a loss that falls by less than a per mille counts as the same.

    With causal weights it never does: val/loss is large until the last times count.

    Args:
        validations: how many validations without progress end training.

    Example:
        >>> from mask_pinns import Patience
        >>> Patience(3).patience
        3
    """

    def __init__(self, validations: int) -> None:
        super().__init__(
            "val/loss", patience=validations, min_delta=0.0, check_on_train_epoch_end=False, check_finite=False
        )

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MaskPINN)
        if pl_module.objective.adaptive.causal:
            return
        if pl_module.objective.noise_floor and torch.isfinite(self.best_score):  # near which a loss falls for ever
            self.min_delta = -NOISY_PROGRESS * float(self.best_score)
        super().on_validation_end(trainer, pl_module)
        if trainer.should_stop and self.wait_count >= self.patience:
            pl_module.stop("patience")
