"""`MaskPINN`: the LightningModule that wires problem, network, objective, optimizers and metrics.

It holds no maths. Manual optimization: one `optimizer.step(closure)` per training step, on frozen points.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mask_pinns.compilation import MODES, Loss, compiled_loss, pays
from mask_pinns.ends import make_ends
from mask_pinns.jacobian import Jacobian
from mask_pinns.least_squares import ResidualSquares
from mask_pinns.objective import Objective, PointSets
from mask_pinns.optim import Method
from mask_pinns.optim.damped_squares import LeastSquares
from mask_pinns.optim.phases import Schedule, Spec, forget, parse_phases, points_changed
from mask_pinns.problems import Problem
from mask_pinns.problems.loading import describe, make_problem
from mask_pinns.recording import Evaluations, Recorded
from mask_pinns.registry import lookup
from mask_pinns.rollback import ANSWERS, GoodWeights, NonFiniteLoss, not_finite
from mask_pinns.weighting import balanced, gradient_norms, gradients


class MaskPINN(Recorded):
    """A physics-informed network in training.

    Args:
        problem: a Problem, a name from PROBLEMS, "FILE.py:CLASS", or {"name": ..., coefficient: ...}.
        network: a module (N, D) -> (N, F), a name from NETWORKS, or {"name": ..., option: ...}.
        optimizer: phases, e.g. "adam 2000, lbfgs"; see `parse_phases`.
        lr, decay, decay_every: of every first-order phase that does not say its own.
        weights: factors of the loss by term or residual, e.g. {"initial": 100.0}.
        derivatives: "jet" (Taylor mode), or "autograd" for networks that are not made of layers on jets.
        compile: compile the loss: "on", "off", or "auto", where the run is long enough to win the compile time back.
        target: stop when a validation finds a relative L2 error this small; a loss, where no solution is known.
        embedding: options of `make_embedding`, e.g. {"periodic": ["x"], "fourier": 64}.
        exact: names of conditions that hold by construction, or "all"; with `exact_time`, see `exact_conditions.py`.
        symmetry: coordinates in which the fields are even or odd by construction, e.g. {"x": "odd"} (`Symmetry`).
        causal: epsilon of causal weights on the PDE's points (`weighting.causal_weights`); 0: none.
        balance: optimizer steps between updates of the residuals' multipliers (`weighting.balanced`); 0: none.
        on_nonfinite: what a loss that becomes NaN or infinite does: "stop", or "rollback" (see `rollback.py`).

    Logged: loss and loss/<residual> (unweighted mean squares), weight/<residual> (multipliers), lr; val/loss on points
    of its own, by the given weights alone, and val/rel_l2 and val/max_error on the problem's evaluation grid where its
    solution is known.

    Raises:
        ValueError: anything that the parts refuse.
    """

    multipliers: Tensor  # of the residuals, only where they are balanced

    def __init__(
        self,
        problem: Problem | str | Mapping[str, Any] | None = "wave",
        network: nn.Module | str | Mapping[str, Any] | None = "masked",
        optimizer: Spec = "adam",
        lr: float | None = None,
        decay: float | None = None,
        decay_every: int | None = None,
        weights: Mapping[str, float] | None = None,
        derivatives: str = "jet",
        compile: str = "auto",
        target: float | None = None,
        embedding: Mapping[str, Any] | None = None,
        exact: str | Sequence[str] = (),
        exact_time: float | None = None,
        symmetry: Mapping[str, Any] | None = None,
        causal: float = 0.0,
        balance: int = 0,
        on_nonfinite: str = "stop",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if problem is None or network is None:
            what = "problem" if problem is None else "network"
            raise ValueError(
                f"the checkpoint does not know its {what} by a name: load_from_checkpoint(path, {what}=...)"
            )
        self.problem = make_problem(problem)
        self.network = make_ends(network, self.problem, embedding, exact, exact_time, symmetry)
        self.objective = Objective(self.problem, weights, derivatives, getattr(self.network, "holds", ()), causal)
        self._begin_balance(balance)
        lookup(MODES, compile, "compile mode")
        self.compile_mode = compile
        self.good = GoodWeights() if lookup(ANSWERS, on_nonfinite, "answer to a loss that is not finite:") else None
        if target is not None and not target > 0:
            raise ValueError(f"target is {target}; it must be a positive number")
        self.target = target
        self.loss: Loss | None = None  # chosen at the first step: compiled or eager
        self.jacobian: Jacobian | None = None  # for least-squares methods, made at their first step
        self.compile_seconds = 0.0
        self.schedule = Schedule(parse_phases(optimizer, lr=lr, decay=decay, decay_every=decay_every))
        self.run_dtype = next(self.network.parameters()).dtype  # the trainer's, once there is one
        self.stop_reason = "steps"
        self._save_specs(problem=describe(self.problem), network=None if isinstance(network, nn.Module) else network)

    def _save_specs(self, **specs: Any) -> None:
        """Hyperparameters in primitives only, so that checkpoints load with weights_only."""
        self.save_hyperparameters(ignore=["problem", "network"])
        self.hparams.update(specs)  # None: not to be found by a name; load_from_checkpoint must be given it

    def _begin_balance(self, every: int) -> None:
        """Multipliers of 1, kept in the checkpoint, where they are asked for."""
        if every < 0:
            raise ValueError(f"balance is {every}; expected a number of steps, or 0 (no balancing)")
        self.balance_every = every
        if every:
            few = self.objective.few_points(next(self.network.parameters()))
            self.objective.multiplied = tuple(self.objective.check(self.network, few))
            self.register_buffer("multipliers", torch.ones(len(self.objective.multiplied)))

    # ---- training -------------------------------------------------------------------------------------------

    @property
    def resample(self) -> int | None:
        """Steps between fresh points in the current phase; None leaves it to the datamodule."""
        phase = self.schedule.phase
        return phase.method.resample if phase.resample is None else phase.resample

    def configure_optimizers(self) -> Any:
        """All phases' optimizers. Their states, if a checkpoint brings some, will take the dtype of the weights."""
        self._take_precision()
        built = [phase.build(self.network.parameters()) for phase in self.schedule.phases]
        return [optimizer for optimizer, _ in built], [scheduler for _, scheduler in built]

    def planned_evaluations(self, steps: int) -> int:
        """How often the loss will be evaluated in so many steps, line searches included, roughly."""
        planned, left = 0, steps
        for phase in self.schedule.phases:
            last = phase is self.schedule.phases[-1]  # lasts as long as the trainer does
            length = left if last or phase.steps is None else min(left, phase.steps)
            planned, left = planned + length * phase.evaluations, left - length
        return planned

    def _prepare_loss(self, points: PointSets) -> Loss:
        """Decides once, on the first points, whether to compile, and does it."""
        self.loss = self.objective.loss
        evaluations = self.planned_evaluations(self.trainer.max_steps)
        if pays(self.compile_mode, self.objective, self.network, points, evaluations):
            begun = time.perf_counter()
            self.loss = compiled_loss(self.objective, self.network, points, self.compile_mode == "on")
            self.compile_seconds = time.perf_counter() - begun
        return self.loss

    def training_step(self, batch: PointSets | Iterable[PointSets], batch_idx: int) -> None:
        """One optimizer step, or several where the batch holds the points of several."""
        for points in (batch,) if isinstance(batch, dict) else batch:
            self._optimizer_step(points)

    def _take_precision(self) -> None:
        """Puts the network into the current phase's precision; where that changes it, the loss is prepared anew."""
        dtype = self.schedule.phase.dtype or self.run_dtype
        if next(self.network.parameters()).dtype == dtype:
            return
        if self.trainer.world_size > 1:
            raise ValueError("a phase with a precision of its own runs on one device: leave out `precision`")
        self.network.to(dtype)
        self.loss = self.jacobian = self.objective.held_causal = None

    def _optimizer_step(self, points: PointSets) -> None:
        dtype = next(self.network.parameters()).dtype
        points = {name: x.to(dtype) for name, x in points.items()}
        optimizer, method = self._current(self.optimizers()), self.schedule.phase.method
        balances = self.balance_every > 0 and self.global_step % self.balance_every == 0
        if self.balance_every:
            self.objective.multipliers = self.multipliers  # where the trainer has moved them
        if balances:
            self._balance(points)
        self._hold_causal(method, points)
        self.loss = self.loss or self._prepare_loss(points)
        redrawn = self.resample and self.global_step % self.resample == 0
        if method.remembers_points and (redrawn or balances):
            points_changed(optimizer)
        evaluations = self._finite_step(optimizer, method, points)
        self._current(self.lr_schedulers()).step()
        self._log_training(*evaluations[0], lr=optimizer.param_groups[0]["lr"], phase=self.schedule.index)
        progress = not method.searches or any(loss < self.last_loss for loss, _ in evaluations[1:])
        target = self.schedule.phase.target
        self._go_on(optimizer, progress, target is not None and bool(self.last_loss <= target))

    def _finite_step(self, optimizer: Any, method: Method, points: PointSets) -> Evaluations:
        """One step of the optimizer, from good weights and a smaller step where the loss is not finite."""
        closure = self._squares_closure if method.least_squares else self._loss_closure
        while True:
            evaluations: Evaluations = []
            try:
                optimizer.step(closure=closure(optimizer, points, evaluations))
                break
            except NonFiniteLoss as error:
                self._go_back(optimizer, error)
                self._hold_causal(method, points)
        if self.good is not None and (broken := not_finite(self.network, self.global_step)):
            self._go_back(optimizer, broken)  # before it is saved
        return evaluations

    def _hold_causal(self, method: Method, points: PointSets) -> None:
        """Fixes causal weights for the step where several looks at the loss, or several ranks, must agree on them."""
        ranks = self.trainer.world_size > 1
        if self.objective.causal and (method.searches or ranks):
            self.objective.hold_causal(self.network, points, self._mean if ranks else None)
        else:
            self.objective.held_causal = None

    def _balance(self, points: PointSets) -> None:
        """Takes the residuals' multipliers a step on, in place: a compiled loss stays valid. Always eager."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        parts = [residual.part for residual in self.objective.residuals(self.network, points).values()]
        found = gradients(parts, parameters)
        norms = gradient_norms(self._mean(found) if self.trainer.world_size > 1 else found, self.multipliers)
        self.multipliers.copy_(balanced(self.multipliers, norms))

    def _loss_closure(self, optimizer: Any, points: PointSets, evaluations: Evaluations) -> Callable[[], Tensor]:
        """Evaluates loss and gradient: what most optimizers ask for, some of them several times in a step."""
        assert self.loss is not None
        loss_function = self.loss

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss, terms = loss_function(self.network, points)
            self._note(*self._over_ranks(loss, terms), points, evaluations)
            self.manual_backward(loss)  # under DDP, this averages the gradients over the ranks
            return evaluations[-1][0]

        return closure

    def _squares_closure(self, _: Any, points: PointSets, evaluations: Evaluations) -> Callable[[], LeastSquares]:
        """Gives the loss as a sum of squares, with the residuals' Jacobian; each look at the loss is noted."""
        if self.jacobian is None:
            self.jacobian = Jacobian(self.objective, self.network)
            self.jacobian.check(self.objective.few_points(points[self.objective.terms[0].name]))
        jacobian = self.jacobian

        def closure() -> LeastSquares:
            with torch.no_grad():
                self._note(*self._over_ranks(*self.objective.loss(self.network, points)), points, evaluations)
            return ResidualSquares(
                jacobian,
                points,
                lambda loss: self._note(loss, {}, points, evaluations),
                self._mean if self.trainer.world_size > 1 else None,
            )

        return closure

    def _go_on(self, optimizer: Any, progress: bool, reached: bool) -> None:
        """To the next step, the next phase or the end, as the schedule says."""
        reason = self.schedule.advance(self.global_step, progress, reached)
        if self.schedule.stalls:
            forget(optimizer)
        if reason is not None:
            self.stop(reason)
        else:
            self._take_precision()

    def _current(self, items: Any) -> Any:
        """The current phase's item of what Lightning gives as one item or a list."""
        return items[self.schedule.index] if isinstance(items, list | tuple) else items

    # ---- checkpoints ----------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the schedule. Raises NonFiniteLoss rather than replace a good checkpoint by one with NaN in it."""
        if broken := not_finite(self.network, self.global_step):
            raise broken
        checkpoint |= {"schedule": self.schedule.state_dict(), "ranks": self.trainer.world_size}
        if self.good is not None:
            checkpoint["good"] = self.good.state_dict()

    def setup(self, stage: str) -> None:
        """Before a checkpoint is loaded: the schedule at its start, and the network in the trainer's dtype.

        Lightning converts only after loading, and so would round the weights of a float64 run.
        """
        if stage == "fit":
            self.schedule.reset()
            self.stop_reason, self.loss, self.jacobian, self.compile_seconds = "steps", None, None, 0.0
            if self.balance_every:
                self.multipliers.fill_(1.0)
            if self.good is not None:
                self.good.reset()
        self.trainer.strategy.precision_plugin.convert_module(self)
        self.run_dtype = next(self.network.parameters()).dtype

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """In a fit, takes the schedule up; without a trainer to say the dtype, takes that of the weights."""
        if self._trainer is None:
            self.network.to(next(v.dtype for k, v in checkpoint["state_dict"].items() if k.startswith("network.")))
        elif self.trainer.training:
            self.schedule.load_state_dict(checkpoint["schedule"])
            self._compare_devices(checkpoint.get("ranks"))
            if self.good is not None and "good" in checkpoint:
                self.good.load_state_dict(checkpoint["good"])
