"""`MaskPINN`: the LightningModule that joins problem, network, objective, optimizers and metrics.

It contains no mathematics. Manual optimization: the `Stepper` takes one `optimizer.step(closure)` per training step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from mask_pinns.checkpoints.rollback import make_good_weights
from mask_pinns.checkpoints.training_state import add_state, take_state
from mask_pinns.jets.network import weights_of
from mask_pinns.memory import evaluate_in_chunks
from mask_pinns.metrics import SolutionErrors
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.networks.unknown import unknown_values
from mask_pinns.objective import AdaptiveWeights, Objective, PointSets
from mask_pinns.objective.checks import check_objective
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.prediction import as_points, further_columns
from mask_pinns.optim.phases import Schedule
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.determinacy import solution_errors
from mask_pinns.problems.derived.scales import residual_scales
from mask_pinns.problems.derived.statement import statement
from mask_pinns.problems.loading import describe, make_problem
from mask_pinns.settings import Constraints, LossSettings, Phases, TrainingSettings, complete, to_mapping
from mask_pinns.stepper import Stepper, StepResult
from mask_pinns.windows import assemble_windows


class MaskPINN(L.LightningModule):
    """A physics-informed neural network and its training.

    Args:
        problem: a Problem, a name from PROBLEMS, "FILE.py:CLASS", or {"name": ..., coefficient: ...}.
        network: a module (N, D) -> (N, F), a name from NETWORKS, or {"name": ..., option: ...}.
        optimizer: phases, e.g. "adam 2000, lbfgs"; see `parse_phases`.
        constraints: embedding, symmetry, and conditions that hold by construction.
        loss: weights of the loss, and the engine of the derivatives.
        training: how the loss is minimized.
        windows: ends of time windows, for a solution that was trained in windows.
        options: single fields of these three, which replace theirs:
            `MaskPINN("wave", exact="all", weights={"initial": 100.0})`.

    Logged: loss and loss/<residual> (unweighted mean squares), weight/<residual> (multipliers), unknown/<name> (numbers
    that are found), lr; val/loss on other points, without adaptive weights; if the solution is known, val/rel_l2 and
    val/max_error of the worst field on the evaluation grid, and of each field: val/rel_l2/<field>, ...

    Example:
        >>> from mask_pinns import MaskPINN
        >>> model = MaskPINN("wave", {"name": "masked", "width": 16, "blocks": 1}, "adam 500, lbfgs 20", exact="all")
        >>> model.predict([[0.5, 0.0]]).shape
        (1, 1)

    Raises:
        ValueError: anything that one of the parts refuses.
    """

    def __init__(
        self,
        problem: Problem | str | Mapping[str, Any] | None = "wave",
        network: nn.Module | str | Mapping[str, Any] | None = "masked",
        optimizer: Phases | None = None,
        constraints: Constraints | None = None,
        loss: LossSettings | None = None,
        training: TrainingSettings | None = None,
        windows: Sequence[float] = (),
        **options: Any,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if problem is None or network is None:
            what = "problem" if problem is None else "network"
            raise ValueError(
                f"the checkpoint knows its {what} by no name: load_solution or load_from_checkpoint(path, {what}=...)"
            )
        given = {Constraints: constraints, LossSettings: loss, TrainingSettings: training}
        options |= {} if optimizer is None else {"optimizer": optimizer}
        given_constraints, given_loss, settings = complete("setting of MaskPINN", given, options)
        self.problem = make_problem(problem)
        self.network = assemble_windows(network, self.problem, given_constraints, windows)
        self.adaptive_weights = AdaptiveWeights(given_loss.causal, given_loss.balance)
        hard = getattr(self.network, "hard_conditions", ())
        scales = residual_scales(self.problem) if given_constraints.dimensionless else {}
        self.objective = Objective(self.problem, given_loss, hard, self.adaptive_weights, scales)
        self.schedule = Schedule.of(settings)
        self.stepper = Stepper(self, settings.compile)
        self.good = make_good_weights(settings.on_nonfinite)
        self.target, self.loss_target = settings.target, settings.loss_target
        self.log_every: int | None = None  # optimizer steps between logged losses; None: the trainer's interval
        self.stop_reason = "steps"
        self.validated_at = -1  # the step of the latest validation
        self.run_dtype = next(self.network.parameters()).dtype  # the trainer's, once there is one
        self.errors, self.knows_solution = SolutionErrors(), False  # those of the problem from `setup` on
        # Plain values, so that checkpoints load with weights_only: None for a problem or network without a name.
        self.save_hyperparameters(to_mapping(settings) | to_mapping(given_loss) | to_mapping(given_constraints))
        spec = None if isinstance(network, nn.Module) else network
        self.hparams.update(problem=describe(self.problem), network=spec, windows=list(windows))

    def check(self) -> None:
        """Evaluates everything once at a few points. Raises ValueError for parts that do not fit together, or fail."""
        statement(self.problem)  # found now: before training, which a user's function may count
        self.adaptive_weights.start(check_objective(self.objective, self.network))
        if any(phase.method.least_squares for phase in self.schedule.phases):
            like = next(self.network.parameters())
            Jacobian(self.objective, self.network).check(self.objective.check_points(like))

    def forward(self, x: Tensor) -> Tensor:
        """The fields (N, F) at points (N, D)."""
        return self.network(x)

    def predict(self, points: Tensor | np.ndarray) -> np.ndarray:
        """The fields (N, F) at any points (N, D), as an array, in evaluation mode: a prediction changes nothing.

        They pass in chunks, so that any number of points fits. Raises ValueError for another shape.
        """
        x = as_points(points, self.problem.domain.names)
        with torch.no_grad(), evaluation_mode(self.network):
            return evaluate_in_chunks(self.network, x, next(self.network.parameters())).numpy()

    def derivatives(self, points: Tensor | np.ndarray, *wanted: str) -> dict[str, np.ndarray]:
        """Derivatives of every field at any points (N, D), each (N,): `derivatives(points, "x", "tt")["u_tt"]`."""
        return further_columns(self.objective, self.network, points, wanted)

    @property
    def unknowns(self) -> dict[str, float]:
        """The unknown numbers by name, as they are now."""
        return {name: float(value.detach()) for name, value in unknown_values(self.network).items()}

    # ---- training -------------------------------------------------------------------------------------------

    @property
    def resample(self) -> int | None:
        """Steps between new points in the current phase; None: those of the datamodule."""
        phase = self.schedule.phase
        return phase.method.resample if phase.resample is None else phase.resample

    @property
    def mean_over_ranks(self) -> Callable[[Tensor], Tensor] | None:
        """The mean of a tensor over the ranks; None if there is only one."""
        return self._mean if self.trainer.world_size > 1 else None

    def _mean(self, x: Tensor) -> Tensor:
        mean: Tensor = self.trainer.strategy.reduce(x, reduce_op="mean")
        return mean

    def configure_optimizers(self) -> Any:
        """All phases' optimizers. States that are loaded from a checkpoint take the dtype of the weights."""
        self.schedule.check_precision(str(self.trainer.precision))
        self.stepper.take_precision()
        built = [phase.build(weights_of(self.network)) for phase in self.schedule.phases]
        return [optimizer for optimizer, _ in built], [scheduler for _, scheduler in built]

    def training_step(self, batch: PointSets | Iterable[PointSets], batch_idx: int) -> None:
        """One optimizer step, or several if the batch contains the points of several."""
        for points in (batch,) if isinstance(batch, dict) else batch:
            result = self.stepper.step(points)
            self._log_step(result)
            if result.ends is not None:
                self.stop(result.ends)

    def stop(self, reason: str) -> None:
        """Ends training after this step, for a reason that is written to summary.json."""
        self.stop_reason = reason
        self.trainer.should_stop = True

    def on_fit_start(self) -> None:
        """From now on, the message about a residual that fails names the step."""
        self.objective.when = lambda: f"at step {self.global_step}"

    def on_fit_end(self) -> None:
        self.objective.when = None

    # ---- logging --------------------------------------------------------------------------------------------

    def _log_step(self, result: StepResult) -> None:
        if not self.logs_now:
            return
        unweighted = {f"loss/{name}": value for name, value in result.terms.items()}
        adaptive = self.adaptive_weights
        balanced = zip(adaptive.names, adaptive.multipliers, strict=True) if adaptive.names else ()
        multipliers = {f"weight/{name}": value for name, value in balanced}
        unknowns = {f"unknown/{name}": value for name, value in self.unknowns.items()}
        more = {"lr": result.lr, "phase": float(result.phase)}
        self.record({"loss": result.loss, **unweighted, **multipliers, **unknowns, **more})

    def record(self, values: Mapping[str, Tensor | float], ahead: int = 0) -> None:
        """Passes values to callbacks, and to loggers with the optimizer step (`ahead`: of one that is being taken)."""
        self.log_dict(dict(values), logger=False)
        for logger in self.loggers:
            logger.log_metrics({name: float(value) for name, value in values.items()}, self.global_step + ahead)
            logger.save()

    def note_rollback(self, message: str) -> None:
        """Prints that the run has gone back to good weights, and logs the number of rollbacks."""
        self.print(message)
        self.record({"rollbacks": float(self.good.count if self.good else 0)}, ahead=1)

    @property
    def logs_now(self) -> bool:
        """Whether the step that was just taken is logged."""
        return self.global_step % self.log_interval == 0

    @property
    def log_interval(self) -> int:
        """Optimizer steps between logged losses."""
        return self.log_every or self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # set in a connector

    # ---- validation, test, prediction -----------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def predict_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self(batch)

    def _evaluate(self, batch: Any, stage: str) -> None:
        """Updates the errors with a chunk (points, values) of the grid, or evaluates the loss on point sets."""
        if isinstance(batch, dict):
            self._evaluate_loss(batch, stage)
        else:
            x, values = batch
            self.errors.update(self(x), values, self.problem.domain.time(x))

    def _evaluate_loss(self, points: PointSets, stage: str) -> None:
        self.objective.separate_streams()
        loss = self.objective.unadapted_loss(self.network, points).detach()  # causal weights make early losses small
        self.log(f"{stage}/loss", loss, sync_dist=True, batch_size=1)
        mean = self.mean_over_ranks
        loss = loss if mean is None else mean(loss)
        if not self.knows_solution:
            self._compare_to_target(loss, self.target)
        if self.loss_target is not None and (first := self.stepper.first_loss) is not None:
            self._compare_to_target(loss, self.loss_target * first)
        if self.trainer.state.fn == TrainerFn.FITTING:
            self.validated_at = self.global_step
            self.log("step", float(self.global_step), batch_size=1)

    def on_validation_epoch_end(self) -> None:
        self._log_errors("val")

    def on_test_epoch_end(self) -> None:
        self._log_errors("test")

    def _log_errors(self, stage: str) -> None:
        if self.errors.update_called:
            errors = self.errors.compute()
            self._compare_to_target(errors.worst[0], self.target)
            # Equal on every rank already: the metric has synchronized.
            self.log_dict(errors.named(self.problem.fields, stage), sync_dist=True)
        self.errors.reset()

    def _compare_to_target(self, value: Tensor, target: float | None) -> None:
        """Ends training if an error or a loss is small enough."""
        if target is not None and self.trainer.state.fn == TrainerFn.FITTING and value <= target:
            self.stop("target")

    # ---- checkpoints ----------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        add_state(self, checkpoint)

    def setup(self, stage: str) -> None:
        """Before a checkpoint is loaded: resets the schedule, and converts the network to the trainer's dtype.

        Lightning converts it only after loading, which would round the weights of a float64 run.
        """
        statement(self.problem)
        if stage == "fit":
            self.schedule.reset()
            self.stepper.reset()
            self.stop_reason = "steps"
            if self.adaptive_weights.balance and not self.adaptive_weights.names:
                self.check()
            self.adaptive_weights.start(self.adaptive_weights.names)
            if self.good is not None:
                self.good.reset()
        self.errors = solution_errors(self.problem)
        self.knows_solution = self.problem.evaluation().values is not None
        self.trainer.strategy.precision_plugin.convert_module(self)
        self.run_dtype = next(self.network.parameters()).dtype
        self.network.to(self.run_dtype)  # its buffers too, which a float32 trainer leaves as they are

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes its state; without a trainer, which sets the dtype, takes that of the weights too."""
        take_state(self, checkpoint, fits=self._trainer is not None and bool(self.trainer.training))
        if self._trainer is None:
            self.network.to(next(v.dtype for k, v in checkpoint["state_dict"].items() if k.startswith("network.")))
