"""Line search for the strong Wolfe conditions: bracket a good step length, then zoom in by cubic interpolation.

    f(t) <= f(0) + c1 t f'(0)        sufficient decrease
    |f'(t)| <= c2 |f'(0)|            curvature

Nocedal & Wright, Numerical Optimization (2006), algorithms 3.5 (`bracket`) and 3.6 (`zoom`). Values and slopes are
Python floats, whatever the dtype of the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Trial:
    """An evaluation at step length t: the value f(t), the slope f'(t), and the gradient of all parameters."""

    t: float
    value: float
    slope: float
    gradient: Tensor


def strong_wolfe(
    evaluate: Callable[[float], Trial],
    start: Trial,
    t: float,
    c1: float = 1e-4,
    c2: float = 0.9,
    max_evaluations: int = 25,
) -> tuple[Trial, int]:
    """Searches from `start` (at 0, with a negative slope); the first trial is at `t`.

    Returns the trial that meets the conditions, and the number of evaluations. When the evaluations are used up, it is
    the lower end of the bracket instead: `start` if nothing was lower, never a higher trial. A trial with a value or
    slope that is NaN or infinite counts as too far.
    """
    search = _Search(evaluate, start, c1, c2, max_evaluations)
    accepted = search.zoom(*search.bracket(t))
    return accepted, max_evaluations - search.evaluations_left


class _Search:
    """One line search: its function, its conditions, and the number of evaluations that are left."""

    def __init__(
        self, evaluate: Callable[[float], Trial], start: Trial, c1: float, c2: float, max_evaluations: int
    ) -> None:
        self.evaluate, self.start, self.evaluations_left = evaluate, start, max_evaluations
        self.required_slope, self.max_slope = c1 * start.slope, -c2 * start.slope

    def at(self, t: float) -> Trial:
        self.evaluations_left -= 1
        trial = self.evaluate(t)
        finite = math.isfinite(trial.value) and math.isfinite(trial.slope)
        return trial if finite else replace(trial, value=math.inf)

    def too_far(self, trial: Trial, low: Trial) -> bool:
        return trial.value > self.start.value + trial.t * self.required_slope or trial.value >= low.value

    def flat(self, trial: Trial) -> bool:
        return abs(trial.slope) <= self.max_slope

    def bracket(self, t: float) -> tuple[Trial, Trial]:
        """(low, high) with acceptable steps between, f falling from low towards high; or an acceptable trial twice."""
        low = self.start
        while True:
            trial = self.at(t)
            if self.too_far(trial, low):
                return low, trial
            if self.flat(trial) or not self.evaluations_left:
                return trial, trial
            if trial.slope >= 0:
                return trial, low
            low, t = trial, _farther(low, trial)

    def zoom(self, low: Trial, high: Trial) -> Trial:
        """Narrows the bracket; bisects it if interpolation has not halved it, so that neither end stays for good."""
        last_width = math.inf
        while self.evaluations_left and low is not high:
            width, middle = high.t - low.t, (low.t + high.t) / 2
            guess = _cubic(low, high) if abs(width) <= last_width / 2 else middle
            trial = self.at(_within(guess, low.t + width / 10, high.t - width / 10, otherwise=middle))
            last_width = abs(width)
            if self.too_far(trial, low):
                high = trial
            elif self.flat(trial):
                return trial
            else:
                low, high = trial, low if trial.slope * width >= 0 else high
        return min(low, high, key=lambda trial: trial.value)


def _farther(low: Trial, trial: Trial) -> float:
    """The next step length while f falls: the minimum of the cubic, or ten times as far where f does not turn up."""
    if trial.slope <= low.slope:
        return 10 * trial.t
    return _within(_cubic(low, trial), 1.1 * trial.t, 10 * trial.t, otherwise=2 * trial.t)


def _cubic(a: Trial, b: Trial) -> float:
    """The minimum of the cubic through both values and slopes (ibid. eq. 3.59); NaN if it has none."""
    mean = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = mean * mean - a.slope * b.slope
    if not 0 <= square < math.inf:
        return math.nan
    root = math.copysign(math.sqrt(square), b.t - a.t)
    denominator = b.slope - a.slope + 2 * root
    return b.t - (b.t - a.t) * (b.slope + root - mean) / denominator if denominator else math.nan


def _within(t: float, one: float, other: float, otherwise: float) -> float:
    """t, moved into the interval between `one` and `other`; `otherwise` if t is NaN."""
    return otherwise if math.isnan(t) else min(max(t, min(one, other)), max(one, other))
