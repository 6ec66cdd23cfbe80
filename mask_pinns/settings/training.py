"""`TrainingSettings`: how the loss is minimized; `WindowSettings`: in which windows of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jsonargparse.typing import ClosedUnitInterval, PositiveFloat, PositiveInt

from mask_pinns.settings.fields import setting
from mask_pinns.settings.phases import Phases


@dataclass(frozen=True)
class TrainingSettings:
    """How the loss is minimized.

    Args:
        optimizer: e.g. adam, or phases: "adam 2000, lbfgs"
        target: stop at a relative L2 error this small (a validation loss, if no solution is known)
        loss_target: stop at a validation loss this small, relative to the loss at the start
        patience: stop after this number of validations without a smaller validation loss
        on_stall: if training stands still: tell, retry (begin again with what usually helps)
        lr: learning rate of first-order phases
        decay: factor of the learning-rate staircase
        decay_every: steps between factors of the learning-rate staircase
        compile: auto (if the run is long enough to make up for the compile time), on, off
        on_nonfinite: response to a loss that becomes NaN or infinite: stop, rollback (good weights and half the lr)

    Example:
        >>> from mask_pinns import MaskPINN, TrainingSettings
        >>> MaskPINN("wave", training=TrainingSettings(optimizer="adam 500, lbfgs")).schedule.phases[0].steps
        500

    Raises:
        ValueError: a target or a loss_target that is not above zero.
    """

    optimizer: Phases = setting("adam", kind=str | dict[str, Any] | list[dict[str, Any]])
    target: float | None = setting(None, kind=PositiveFloat | None, may_change=True)
    loss_target: float | None = setting(None, kind=PositiveFloat | None, may_change=True)
    patience: int | None = setting(None, kind=PositiveInt | None, may_change=True)
    on_stall: str = setting("tell", kind=Literal["tell", "retry"], may_change=True, decides=False)
    lr: float | None = setting(None, kind=PositiveFloat | None)
    decay: float | None = setting(None, kind=PositiveFloat | None)
    decay_every: int | None = setting(None, kind=PositiveInt | None)
    compile: str = setting("auto", decides=False)
    on_nonfinite: str = setting("stop", may_change=True, decides=False)

    def __post_init__(self) -> None:
        if self.target is not None and not self.target > 0:
            raise ValueError(f"target is {self.target}; it must be a positive number")
        if self.loss_target is not None and not self.loss_target > 0:
            raise ValueError(f"loss_target is {self.loss_target}; it must be a positive number")


@dataclass(frozen=True)
class WindowSettings:
    """Time windows, one after the other, each with a network of its own that begins where the one before it ends.

    Args:
        windows: --windows 4 cuts the time in four; --windows 0.2 0.5 at these times; auto: the next length follows from
            how soon the last window reached its target, and one that misses it is halved; 1: one network for all
            times, also where a recipe has windows. --steps are those of each window
        window_fresh: share of fresh random weights at the start of a window, the others are those of the window
            before it; 1: all are fresh

    Example:
        >>> from mask_pinns.settings import WindowSettings
        >>> WindowSettings(windows=[4]).window_fresh
        0.01
    """

    windows: Sequence[int | float | str] = setting(factory=list, kind=int | float | str, many=True)
    window_fresh: float = setting(0.01, kind=ClosedUnitInterval, may_change=True)
