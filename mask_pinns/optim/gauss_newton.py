"""Gauss-Newton with adaptive damping (Levenberg-Marquardt) and corrected steps, on residuals v with loss |v|^2.

    (J'J + lambda I) s = -J'v                       the linear step; the linear model predicts w = v + J s
    (J'J + lambda I) d = -J'(v(x + s) - w)          a correction, s <- s + d, repeated: same factors, new residuals
    ratio = (|v|^2 - |v(x + s)|^2) / (|v|^2 - |w|^2)

Each step starts with a smaller damping than the last, and raises it until the ratio of actual to predicted decrease
reaches a small target. It thus takes the smallest damping in a geometric sequence that reaches it. The more common
rule, to lower the damping only if the model is very good, is much slower on PINNs (arXiv 2607.02194).

The loss of a PINN has narrow, curved valleys, in which linear steps have to be short. Corrections bring a long step
back into the valley, each for one evaluation of the residuals and one solve with the factors of the linear step. The
first is the geodesic acceleration of Transtrum & Sethna (arXiv 1201.5885) to leading order; together they are the
simplified Newton iteration (Deuflhard, Newton Methods for Nonlinear Problems, 2011, section 2.1.2) for v = w.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mask_pinns.memory import announce, require_memory
from mask_pinns.optim.linear_solvers import (
    MAX_FACTORIZED_SIZE,
    LeastSquares,
    LinearSolver,
    choose_linear_solver,
)

SUFFICIENT_DECREASE = 0.5
"""Ratio of actual to predicted decrease from which on a step gets no more corrections."""


LEAST_DAMPING = 0.1
"""Least damping to try, in units of the rounding error of the trace of J'J."""
EASE = 0.9
"""Factor by which a step lowers the least damping at which a factorization is known to exist."""


class GaussNewton(Optimizer):
    """Adaptive-ratio Levenberg-Marquardt. `step(closure)`: the closure returns a `LeastSquares`.

    Args:
        params: the parameters, in the order of J's columns.
        lr: factor on the step; 1 is the Gauss-Newton step.
        damping: initial damping, relative to the mean diagonal of J'J.
        ratio: least ratio of actual to predicted decrease of an accepted step.
        shrink: factor by which a step lowers the damping before its first try, if the last step accepted its first
            try; otherwise the factor is `grow`.
        grow: factor by which a failed try raises the damping.
        tries: largest number of dampings in a step; if all fail, the parameters do not change (no progress).
        corrections: largest number of corrections of a step, as long as each halves the loss; 0: linear steps only.
        largest: size n of the largest n x n matrix to factorize; beyond it, conjugate gradients.

    Raises ValueError for a number out of range, and at the first step if its matrices do not fit into memory.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        damping: float = 1e-2,
        ratio: float = 0.075,
        shrink: float = 10.0,
        grow: float = 3.0,
        tries: int = 20,
        corrections: int = 6,
        largest: int = MAX_FACTORIZED_SIZE,
    ) -> None:
        if damping <= 0 or not 0 < ratio < 1 or shrink < 1 or grow <= 1 or tries < 1 or corrections < 0 or largest < 1:
            raise ValueError(
                f"damping {damping}, ratio {ratio}, shrink {shrink}, grow {grow}, tries {tries}, corrections "
                f"{corrections}, largest {largest}: expected damping > 0, 0 < ratio < 1, shrink >= 1, grow > 1, "
                "corrections >= 0, tries and largest 1 or more"
            )
        options = {"damping": damping, "ratio": ratio, "shrink": shrink, "grow": grow, "tries": tries}
        options["corrections"] = corrections
        super().__init__(params, {"lr": lr, "largest": largest, **options})
        if len(self.param_groups) > 1:
            raise ValueError("Gauss-Newton takes one group of parameters")
        self.parameters = [p for p in self.param_groups[0]["params"] if p.requires_grad]
        self._announced = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Options that an older checkpoint does not contain keep their present values."""
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    @torch.no_grad()
    def step(self, closure: Callable[[], LeastSquares]) -> Tensor:  # type: ignore[override]
        """One damped step, or none if every damping fails. Returns the loss before it."""
        group, problem = self.param_groups[0], closure()
        solver = self._solver(problem, group["largest"])
        state = self.state[self.parameters[0]]
        trial = _TrialParameters(self.parameters, problem)
        damping = max(self._first_damping(solver), self._least_damping(solver))
        taken = False
        for tried in range(group["tries"]):
            linear_step = solver.step(damping)
            if linear_step is None:
                state["least"] = damping * group["grow"] / solver.scale
            taken = linear_step is not None and self._try_step(solver, trial, linear_step, damping)
            if taken:
                state["bold"] = tried == 0
                break
            damping *= group["grow"]
        if not taken:
            trial.restore()
            state["bold"] = False
        state["damping"] = damping
        return solver.loss

    def _try_step(self, solver: LinearSolver, trial: _TrialParameters, linear_step: Tensor, damping: float) -> bool:
        """Takes the best of the linear and the corrected steps; returns whether the loss decreases enough."""
        group = self.param_groups[0]
        step = group["lr"] * linear_step
        predicted_decrease, prediction = solver.predicted(step), solver.v + solver.jvp(step)
        if not predicted_decrease > 0:
            return False
        best: tuple[Tensor, Tensor] | None = None
        for loss, corrected in self._corrected(solver, trial, step, prediction, damping):
            best = (loss, corrected) if best is None or loss < best[0] else best
            if solver.loss - loss >= SUFFICIENT_DECREASE * predicted_decrease:
                break
        if best is None or not solver.loss - best[0] >= group["ratio"] * predicted_decrease:
            return False
        trial.apply(best[1])
        return True

    def _corrected(
        self, solver: LinearSolver, trial: _TrialParameters, step: Tensor, prediction: Tensor, damping: float
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Loss and step: the linear step, then with one more correction each time, as long as each halves the loss."""
        last_loss = torch.full_like(solver.loss, torch.inf)
        for _ in range(self.param_groups[0]["corrections"] + 1):
            trial.apply(step)
            residuals, loss = trial.problem.residuals()
            trial.restore()  # a J that is not stored is computed again at the current parameters
            yield loss, step
            if not loss < last_loss / 2:
                return
            last_loss, step = loss, step + solver.solve_rhs(residuals - prediction, damping)

    def _first_damping(self, solver: LinearSolver) -> float:
        """The damping of the first try in a step."""
        group, state = self.param_groups[0], self.state[self.parameters[0]]
        if "damping" not in state:
            return float(group["damping"] * solver.scale)
        return float(state["damping"] / (group["shrink"] if state["bold"] else group["grow"]))

    def _least_damping(self, solver: LinearSolver) -> float:
        """The least damping to try: below it, rounding errors are expected to leave no factorization.

        A factorization that failed raises it; each step lowers it a little, since the errors change.
        """
        state = self.state[self.parameters[0]]
        size = sum(p.numel() for p in self.parameters)
        rounding = LEAST_DAMPING * torch.finfo(solver.loss.dtype).eps * size
        state["least"] = max(rounding, EASE * state.get("least", 0.0))
        return float(state["least"] * solver.scale)

    def _solver(self, problem: LeastSquares, largest: int) -> LinearSolver:
        size, rows = sum(p.numel() for p in self.parameters), problem.rows
        solver = choose_linear_solver(rows, size, largest, problem.shared)
        self._announce(*solver.storage(rows, size))
        return solver(problem)

    def _announce(self, what: str, numbers: int) -> None:
        """Logs once how much memory a step takes. Raises ValueError if it does not fit."""
        p = self.parameters[0]
        if not self._announced:
            need = numbers * p.itemsize
            require_memory(need, p.device, what, "take a smaller width or fewer points, or a smaller `largest`")
            announce(need, p.device, f"{what}, with working copies")
            self._announced = True


class _TrialParameters:
    """The parameters during a step, and their values before it."""

    def __init__(self, parameters: list[Tensor], problem: LeastSquares) -> None:
        self.parameters, self.problem = parameters, problem
        self.before = [p.clone() for p in parameters]

    @torch.no_grad()
    def restore(self) -> None:
        """Sets the values before the step."""
        for p, value in zip(self.parameters, self.before, strict=True):
            p.copy_(value)

    @torch.no_grad()
    def apply(self, step: Tensor) -> None:
        """Sets the values before the step plus `step`."""
        sizes = [p.numel() for p in self.parameters]
        for p, value, part in zip(self.parameters, self.before, step.split(sizes), strict=True):
            p.copy_(value + part.view_as(p))
