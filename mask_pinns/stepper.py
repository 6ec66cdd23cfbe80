"""`Stepper`: takes optimizer steps, each at fixed points, with any optimizer.

First-order methods evaluate loss and gradient once a step, quasi-Newton methods many times, Gauss-Newton the residuals
and their Jacobian. Everything that depends on all points (loss, gradients, J'J, causal weights) is averaged over the
ranks before a decision depends on it, so that every rank takes the same step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from mask_pinns.checkpoints.rollback import GoodWeights, NonFiniteLoss, nonfinite_parameter
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.objective import Objective, PointSets
from mask_pinns.objective.adaptive_weights import LEAST_CAUSAL_WEIGHT
from mask_pinns.objective.compilation import COMPILE_MODES, Loss, compiled_loss, should_compile
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.residual_squares import ResidualSquares, require_tangent
from mask_pinns.optim import Method
from mask_pinns.optim.linear_solvers import LeastSquares
from mask_pinns.optim.phases import Schedule, forget, points_changed
from mask_pinns.registry import lookup

Evaluations = list[tuple[Tensor, dict[str, Tensor]]]
"""The loss and its terms, for every evaluation in a step."""


class StepResult(NamedTuple):
    """Loss and terms at the start of a step, its learning rate and phase, and the reason why training ends, or None."""

    loss: Tensor
    terms: dict[str, Tensor]
    lr: float
    phase: int
    ends: str | None


class Host(Protocol):
    """The part of a LightningModule that the stepper needs."""

    network: nn.Module
    objective: Objective
    schedule: Schedule
    good: GoodWeights | None
    run_dtype: torch.dtype
    trainer: Any

    @property
    def global_step(self) -> int: ...
    @property
    def resample(self) -> int | None: ...
    @property
    def mean_over_ranks(self) -> Callable[[Tensor], Tensor] | None: ...
    @property
    def log_interval(self) -> int: ...
    def optimizers(self) -> Any: ...
    def lr_schedulers(self) -> Any: ...
    def manual_backward(self, loss: Tensor) -> None: ...
    def note_rollback(self, message: str) -> None: ...


class Stepper:
    """Takes the steps of a LightningModule's training.

    Args:
        host: the LightningModule.
        compile_mode: "on", "off", or "auto".

    Attributes:
        loss: the function that evaluates the loss, compiled or eager; chosen at the first step.
        first_loss: the loss at the very start of the training, without adaptive weights; None before. A checkpoint
            contains it.
        last_loss: the loss at the start of the latest step.
        evaluations, points: number of evaluations of the loss, and sum of their numbers of points, in this session.
        compile_seconds: time that compilation took.

    Raises:
        ValueError: an unknown compile mode.
    """

    def __init__(self, host: Host, compile_mode: str = "auto") -> None:
        lookup(COMPILE_MODES, compile_mode, "compile mode")
        self.host, self.compile_mode = host, compile_mode
        self.last_loss = torch.tensor(float("nan"))
        self.evaluations = self.points = 0
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is prepared for a fit."""
        return vars(self) | {"loss": None, "jacobian": None}

    def reset(self) -> None:
        """Returns to the start of a fit, at which nothing is prepared."""
        self.loss: Loss | None = None
        self.first_loss: float | None = None
        self.jacobian: Jacobian | None = None
        self.version = self.host.objective.version
        self.compile_seconds = 0.0

    def step(self, points: PointSets) -> StepResult:
        """One optimizer step at these points."""
        host = self.host
        dtype = next(host.network.parameters()).dtype
        points = {name: x.to(dtype) for name, x in points.items()}
        host.objective.separate_streams()
        if self.version != host.objective.version:
            self.loss = self.jacobian = None  # they were prepared for other streams
            self.version = host.objective.version
        optimizer, method = self._current(host.optimizers()), host.schedule.phase.method
        balance = host.objective.adaptive.balance
        balances = balance > 0 and host.global_step % balance == 0
        if balances:
            self._balance(points)
        self._freeze_causal_weights(method, points)
        if self.first_loss is None and (host.objective.adaptive.causal or balance):
            self.first_loss = self._unadapted_loss(points)
        if not method.least_squares:  # which evaluate residuals and their Jacobian, never a compiled loss
            self.loss = self.loss or self._prepare_loss(points)
        redrawn = host.resample and host.global_step % host.resample == 0
        if method.remembers_points and (redrawn or balances):
            points_changed(optimizer)
        evaluations = self._finite_step(optimizer, method, points)
        self._current(host.lr_schedulers()).step()
        self.last_loss, terms = evaluations[0]
        self.first_loss = float(self.last_loss) if self.first_loss is None else self.first_loss
        progress = not method.searches or any(loss < self.last_loss for loss, _ in evaluations[1:])
        lr, phase = optimizer.param_groups[0]["lr"], host.schedule.index
        return StepResult(self.last_loss, terms, lr, phase, self._advance(optimizer, progress))

    def take_precision(self) -> None:
        """Converts the network to the current phase's precision; if that changes it, the loss is prepared anew."""
        host = self.host
        dtype = host.schedule.phase.dtype or host.run_dtype
        if next(host.network.parameters()).dtype == dtype:
            return
        if host.trainer.world_size > 1:
            raise ValueError("a phase with a precision of its own runs on one device: leave out `precision`")
        host.network.to(dtype)
        self.loss = self.jacobian = host.objective.adaptive.frozen_causal_weights = None

    # ---- before the step ------------------------------------------------------------------------------------

    def _prepare_loss(self, points: PointSets) -> Loss:
        """Decides once, on the first points, whether to compile, and does it."""
        host = self.host
        evaluations = host.schedule.planned_evaluations(host.trainer.max_steps)
        if not should_compile(self.compile_mode, host.objective, host.network, points, evaluations):
            return host.objective.loss
        start = time.perf_counter()
        loss = compiled_loss(host.objective, host.network, points, self.compile_mode == "on")
        self.compile_seconds += time.perf_counter() - start
        return loss

    def _freeze_causal_weights(self, method: Method, points: PointSets) -> None:
        """Fixes causal weights if several evaluations in the step, or several ranks, must use the same ones."""
        objective, mean = self.host.objective, self.host.mean_over_ranks
        if objective.adaptive.causal and (method.searches or mean):
            least = LEAST_CAUSAL_WEIGHT if method.searches else 0.0
            objective.freeze_causal_weights(self.host.network, points, mean, least)
        else:
            objective.adaptive.frozen_causal_weights = None

    def _unadapted_loss(self, points: PointSets) -> float:
        with evaluation_mode(self.host.network):
            loss = self.host.objective.unadapted_loss(self.host.network, points).detach()
        mean = self.host.mean_over_ranks
        return float(loss if mean is None else mean(loss))

    def _balance(self, points: PointSets) -> None:
        """Updates the residuals' multipliers; always eager."""
        objective, network = self.host.objective, self.host.network
        parameters = [p for p in network.parameters() if p.requires_grad]
        parts = [residual.part for residual in objective.residuals(network, points).values()]
        objective.adaptive.update_multipliers(parts, parameters, self.host.mean_over_ranks)

    # ---- the step -------------------------------------------------------------------------------------------

    def _finite_step(self, optimizer: Any, method: Method, points: PointSets) -> Evaluations:
        """One step of the optimizer; if the loss is not finite, from good weights and with a smaller step."""
        host = self.host
        closure = self._squares_closure if method.least_squares else self._loss_closure
        while True:
            evaluations: Evaluations = []
            try:
                optimizer.step(closure=closure(optimizer, points, evaluations))
                break
            except NonFiniteLoss as error:
                self._go_back(optimizer, error)
                self._freeze_causal_weights(method, points)
        if host.good is not None and (nonfinite := nonfinite_parameter(host.network, host.global_step)):
            self._go_back(optimizer, nonfinite)  # before a checkpoint is saved
        return evaluations

    def _go_back(self, optimizer: Any, error: NonFiniteLoss) -> None:
        """Restores the last good weights; raises the error if the run is not to go back, or cannot."""
        if self.host.good is None:
            raise error
        self.host.note_rollback(self.host.good.go_back(self.host, optimizer, error))  # type: ignore[arg-type]  # a module

    def _loss_closure(self, optimizer: Any, points: PointSets, evaluations: Evaluations) -> Callable[[], Tensor]:
        """The closure of most optimizers: it evaluates loss and gradient, for some of them several times in a step."""
        assert self.loss is not None
        loss_function = self.loss

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss, terms = loss_function(self.host.network, points)
            self._note(*self._over_ranks(loss, terms), points, evaluations)
            self.host.manual_backward(loss)  # under DDP, this averages the gradients over the ranks
            return evaluations[-1][0]

        return closure

    def _squares_closure(self, _: Any, points: PointSets, evaluations: Evaluations) -> Callable[[], LeastSquares]:
        """The closure of Gauss-Newton: it gives the loss as a sum of squares, with the residuals' Jacobian."""
        objective, network = self.host.objective, self.host.network
        if self.jacobian is None:
            if self.host.schedule.phase.method.last:
                require_tangent(network)
            self.jacobian = Jacobian(objective, network)
            self.jacobian.check(objective.check_points(next(iter(points.values()))))
        jacobian = self.jacobian

        def closure() -> LeastSquares:
            note = lambda loss, terms: self._note(loss, terms, points, evaluations)  # noqa: E731
            return ResidualSquares(jacobian, points, note, self.host.mean_over_ranks)

        return closure

    def _over_ranks(self, loss: Tensor, terms: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and terms without their graph, averaged over the ranks: every rank decides on the same numbers."""
        values = torch.stack([loss, *terms.values()]).detach()
        if mean := self.host.mean_over_ranks:
            values = mean(values)
        return values[0], dict(zip(terms, values[1:], strict=True))

    def _note(self, loss: Tensor, terms: dict[str, Tensor], points: PointSets, evaluations: Evaluations) -> None:
        """Records an evaluation with its values, those of all ranks; the first of a step has to be finite."""
        self.evaluations += 1
        self.points += sum(map(len, points.values()))
        evaluations.append((loss, terms))
        if len(evaluations) == 1:
            self._require_finite(*evaluations[0])
            host = self.host
            if host.good is not None and host.global_step % host.log_interval == 0:
                host.good.store(host, host.global_step)  # type: ignore[arg-type]  # a module

    def _require_finite(self, loss: Tensor, terms: dict[str, Tensor]) -> None:
        """Raises NonFiniteLoss. On an accelerator, this test costs a synchronization, so it is made only if the step is
        logged or the run may go back."""
        host = self.host
        tests = loss.device.type == "cpu" or host.good is not None or (host.global_step + 1) % host.log_interval == 0
        if tests and not torch.isfinite(loss):
            bad = [f"{name!r}" for name, value in terms.items() if not torch.isfinite(value)]
            what = f"term {', '.join(bad)}" if bad else "the weighted sum"
            raise NonFiniteLoss(f"the loss became {float(loss)} at step {host.global_step}: {what} is not finite")

    # ---- after the step -------------------------------------------------------------------------------------

    def _advance(self, optimizer: Any, progress: bool) -> str | None:
        """Goes on to the next step or the next phase; returns the reason why training ends, or None."""
        schedule = self.host.schedule
        target = schedule.phase.target
        reached = target is not None and bool(self.last_loss <= target)
        reason = schedule.advance(self.host.global_step, progress, reached)
        if schedule.stalls:
            forget(optimizer)
        if reason is None:
            self.take_precision()
        return reason

    def _current(self, items: Any) -> Any:
        """The item of the current phase; Lightning gives a single item or a list."""
        return items[self.host.schedule.index] if isinstance(items, list | tuple) else items
