"""Gauss-Newton with adaptive damping (Levenberg-Marquardt) and corrected steps, on residuals v with loss |v|^2.

    (J'J + lambda I) s = -J'v                       the straight step, to where a linear model says w = v + J s
    (J'J + lambda I) d = -J'(v(x + s) - w)          a correction, s <- s + d, repeated: same factors, new residuals
    ratio = (|v|^2 - |v(x + s)|^2) / (|v|^2 - |w|^2)

Each step begins with a smaller damping than the last, and raises it until the ratio of actual to predicted decrease
reaches a small target: of a ladder of dampings, the least one that keeps its promise. The far
commoner rule, to lower the damping only where the model is very good, is far slower on PINNs (arXiv 2607.02194).

The loss of a PINN is a narrow valley that bends: straight steps have to be short. Corrections bring a long step back
into the valley, each for one look at the residuals and one solution with factors that are there already. The first is
the geodesic acceleration of Transtrum & Sethna (arXiv 1201.5885) to leading order; together they are the simplified
Newton iteration (Deuflhard, Newton Methods for Nonlinear Problems, 2011, section 2.1.2) for v = w.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mask_pinns.optim.damped_squares import LARGEST, Form, LeastSquares, chosen
from mask_pinns.optim.memory import announce, require_memory

ENOUGH = 0.5  # of the predicted decrease: no more corrections then


class GaussNewton(Optimizer):
    """Adaptive-ratio Levenberg-Marquardt. `step(closure)`: the closure returns a `LeastSquares`.

    Args:
        params: the parameters, in the order of J's columns.
        lr: factor on the step; 1 is Gauss-Newton's own.
        damping: at the start, in units of the mean diagonal of J'J.
        ratio: least actual over predicted decrease of a step that is taken.
        shrink: factor by which a step lowers the damping before its first try, where the step before could take its
            first; else by `grow` alone.
        grow: factor by which a failed try raises it.
        tries: at most so many dampings a step; then none is taken, which is a step without progress.
        corrections: at most so many of each step, as long as each halves the loss; 0: straight steps only.
        largest: side of the largest matrix to factorize; beyond it, conjugate gradients.

    Raises ValueError for a number out of range, and at the first step where its matrices do not fit into memory.
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
        largest: int = LARGEST,
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
        """Options that a checkpoint does not know yet are those given now."""
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    @torch.no_grad()
    def step(self, closure: Callable[[], LeastSquares]) -> Tensor:  # type: ignore[override]
        """One damped step, or none where every damping fails. Returns the loss before it."""
        group, problem = self.param_groups[0], closure()
        form = self._form(problem, group["largest"])
        state = self.state[self.parameters[0]]
        path = _Path(self.parameters, problem)
        damping = max(self._first_damping(form), torch.finfo(form.loss.dtype).eps * form.scale)
        for tried in range(group["tries"]):
            if self._advance(form, path, damping):
                state["damping"], state["bold"] = damping, tried == 0
                return form.loss
            damping *= group["grow"]
        path.back()
        state["damping"], state["bold"] = damping, False
        return form.loss

    def _advance(self, form: Form, path: _Path, damping: float) -> bool:
        """Takes the step of this damping, corrected as long as that pays; whether it keeps enough of its promise."""
        group, straight = self.param_groups[0], form.step(damping)
        if straight is None:
            return False
        step = group["lr"] * straight
        promised, wanted = form.predicted(step), form.v + form.change(step)
        if not promised > 0:
            return False
        best: tuple[Tensor, Tensor] | None = None
        for loss, taken in self._corrected(form, path, step, wanted, damping):
            best = (loss, taken) if best is None or loss < best[0] else best
            if form.loss - loss >= ENOUGH * promised:
                break
        if best is None or not form.loss - best[0] >= group["ratio"] * promised:
            return False
        path.put(best[1])
        return True

    def _corrected(
        self, form: Form, path: _Path, step: Tensor, wanted: Tensor, damping: float
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Loss and step: the straight one first, then with one correction more each time, as long as each pays."""
        before = torch.full_like(form.loss, torch.inf)
        for _ in range(self.param_groups[0]["corrections"] + 1):
            path.put(step)
            residuals, loss = path.problem.look()
            path.back()  # J, where it is not kept, is made again at the parameters as they are
            yield loss, step
            if not loss < before / 2:
                return
            before, step = loss, step + form.answer(residuals - wanted, damping)

    def _first_damping(self, form: Form) -> float:
        """The first that a step tries."""
        group, state = self.param_groups[0], self.state[self.parameters[0]]
        if "damping" not in state:
            return float(group["damping"] * form.scale)
        return float(state["damping"] / (group["shrink"] if state["bold"] else group["grow"]))

    def _form(self, problem: LeastSquares, largest: int) -> Form:
        size, rows = sum(p.numel() for p in self.parameters), problem.rows
        form = chosen(rows, size, largest, problem.shared)
        self._announce(*form.takes(rows, size))
        return form(problem)

    def _announce(self, what: str, numbers: int) -> None:
        """Logs once what a step takes. Raises ValueError where it does not fit."""
        p = self.parameters[0]
        if not self._announced:
            need = numbers * p.itemsize
            require_memory(need, p.device, what, "take a smaller width or fewer points, or a smaller `largest`")
            announce(need, p.device, f"{what}, with working copies")
            self._announced = True


class _Path:
    """The parameters, and where they stood before the step."""

    def __init__(self, parameters: list[Tensor], problem: LeastSquares) -> None:
        self.parameters, self.problem = parameters, problem
        self.before = [p.clone() for p in parameters]

    @torch.no_grad()
    def back(self) -> None:
        """Goes back there."""
        for p, value in zip(self.parameters, self.before, strict=True):
            p.copy_(value)

    @torch.no_grad()
    def put(self, step: Tensor) -> None:
        """Takes a step from there."""
        sizes = [p.numel() for p in self.parameters]
        for p, value, part in zip(self.parameters, self.before, step.split(sizes), strict=True):
            p.copy_(value + part.view_as(p))
