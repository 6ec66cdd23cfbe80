"""Phases of training: "adam 2000, lbfgs" is 2000 steps of Adam, then L-BFGS until the end.

`parse_phases` parses them, `Schedule` says which one is active; its state is part of a checkpoint, so that a run
resumes in the middle of any phase. A phase ends after its number of steps, at its target, or when its optimizer stalls.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import StepLR

from mask_pinns.checks import is_finite
from mask_pinns.optim.optimizers import OPTIMIZERS, Method
from mask_pinns.optim.options import check_options_of
from mask_pinns.registry import lookup
from mask_pinns.settings import Phases, TrainingSettings, phase_mappings

PRECISIONS = {None: None, 32: torch.float32, 64: torch.float64}
"""Dtypes by the bits of a phase; None: that of the run."""


@dataclass(frozen=True)
class Phase:
    """One phase.

    Attributes:
        optimizer: a key of OPTIMIZERS.
        steps: its number of steps; None: until the end of training (the last phase only).
        lr: learning rate at its start; None: the optimizer's default.
        decay, decay_every: staircase, lr * decay^floor(step / decay_every), for optimizers that decay.
        resample: steps between new points; 0: the first points stay; None: the optimizer's default.
        target: end the phase at a loss this small.
        precision: 32 or 64, bits of weights and points in this phase, on one device; None: those of the run.
        options: further arguments of the optimizer, e.g. betas, max_iter.

    Raises:
        ValueError: an unknown optimizer or option, a number out of range.
    """

    optimizer: str
    steps: int | None = None
    lr: float | None = None
    decay: float = 0.9
    decay_every: int = 1000
    resample: int | None = None
    target: float | None = None
    precision: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        what, method = f"phase {self.optimizer!r}", self.method
        self._check_numbers(what)
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"{what}: steps is {self.steps}; it must be 1 or more")
        if self.lr is not None and not self.lr > 0:
            raise ValueError(f"{what}: lr is {self.lr}; it must be a positive number")
        if self.target is not None and not self.target > 0:
            raise ValueError(f"{what}: target is {self.target}; it must be a positive number")
        if not 0 < self.decay <= 1 or self.decay_every < 1:
            raise ValueError(
                f"{what}: decay is {self.decay} every {self.decay_every} steps; expected 0 < decay <= 1 and 1 or more"
            )
        if self.resample is not None and self.resample < 0:
            raise ValueError(f"{what}: resample is {self.resample}; it must be 0 (never) or more")
        if self.precision not in list(PRECISIONS):  # a list compares where a dict would hash
            raise ValueError(f"{what}: precision is {self.precision!r}; expected 32, 64, or nothing for the run's own")
        check_options_of(method.build, self.options, self.optimizer, what)
        try:
            self.build([nn.Parameter(torch.zeros(1))])
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{what}: {error}") from None

    def _check_numbers(self, what: str) -> None:
        """Raises ValueError for a setting that is not of its type; None is allowed if it is the default."""
        for f in fields(self):
            number = getattr(self, f.name)
            if f.name not in ("steps", "decay_every", "resample", "lr", "decay", "target"):
                continue
            whole = f.name not in ("lr", "decay", "target")
            fits = isinstance(number, int) and not isinstance(number, bool) if whole else is_finite(number)
            if not fits and not (number is None and f.default is None):
                raise ValueError(f"{what}: {f.name} is {number!r}; expected a {'whole' if whole else 'finite'} number")

    @property
    def method(self) -> Method:
        return lookup(OPTIMIZERS, self.optimizer, "optimizer")

    @property
    def evaluations(self) -> int:
        """Approximate number of evaluations of the loss in one step: one, or the optimizer's inner iterations."""
        default = inspect.signature(self.method.build).parameters.get("max_iter")
        return int(self.options.get("max_iter", default.default if default else 1))

    @property
    def dtype(self) -> torch.dtype | None:
        """The dtype of weights and points; None: that of the run."""
        return PRECISIONS[self.precision]

    def build(self, parameters: Iterable[nn.Parameter]) -> tuple[Optimizer, StepLR]:
        """The optimizer and its learning-rate staircase."""
        optimizer = self.method.build(parameters, lr=self.method.lr if self.lr is None else self.lr, **self.options)
        gamma = self.decay if self.method.decays else 1.0
        return optimizer, StepLR(optimizer, self.decay_every, gamma)

    def settings(self) -> dict[str, Any]:
        """All attributes but the name and the steps."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("optimizer", "steps")}

    def __str__(self) -> str:
        return self.optimizer if self.steps is None else f"{self.optimizer} {self.steps}"


def parse_phases(spec: Phases, **defaults: Any) -> tuple[Phase, ...]:
    """Phases from "adam 2000, lbfgs" (or "adam 2000 then lbfgs"), one mapping, or a list of either.

    A mapping has attributes of Phase as keys, and arguments of the optimizer beside them. `defaults` are for settings
    that a phase does not have (defaults that are None are ignored).
    """
    given = {k: v for k, v in defaults.items() if v is not None}
    phases = tuple(_phase(item, given) for item in phase_mappings(spec))
    for phase in phases[:-1]:
        if phase.method.last:
            raise ValueError(f"phase {phase.optimizer!r} keeps the weights as they are: it has to be the last one")
        if phase.steps is None and phase.target is None:
            raise ValueError(
                f"phase {phase.optimizer!r} is followed by another: give its steps (or target), e.g. 'adam 2000, lbfgs'"
            )
    return phases


def _phase(item: dict[str, Any], defaults: dict[str, Any]) -> Phase:
    if "optimizer" not in item:
        raise ValueError(f"phase {item}: it needs `optimizer`; known: {', '.join(OPTIMIZERS)}")
    decays = lookup(OPTIMIZERS, item["optimizer"], "optimizer").decays
    attributes = {f.name for f in fields(Phase)} - {"options"}
    shared = defaults if decays else {}  # lr and its staircase are for first-order optimizers
    given = item.get("options", {})
    if not isinstance(given, Mapping):
        raise ValueError(f"phase {item['optimizer']!r}: options are {given!r}; expected names and values")
    rest = {k: v for k, v in item.items() if k not in attributes | {"options"}}
    return Phase(**shared | {k: v for k, v in item.items() if k in attributes}, options=dict(given) | rest)


class Schedule:
    """The active phase, and the reason why training ends.

    The last phase lasts as long as the trainer runs or, if the schedule is `bounded`, for its number of steps.
    State, beside the phases' settings: `index`, `start` (the global step at which the phase started), and `stalls`
    (consecutive steps without progress).
    """

    def __init__(self, phases: tuple[Phase, ...]) -> None:
        self.phases = phases
        self.bounded = False
        self.reset()

    @classmethod
    def of(cls, settings: TrainingSettings) -> Schedule:
        """The schedule of the phases in the settings; a phase without numbers of its own takes theirs."""
        numbers = {"lr": settings.lr, "decay": settings.decay, "decay_every": settings.decay_every}
        return cls(parse_phases(settings.optimizer, **numbers))

    def reset(self) -> None:
        """Returns to the start of the first phase."""
        self.index = self.start = self.stalls = 0

    @property
    def phase(self) -> Phase:
        return self.phases[self.index]

    @property
    def last(self) -> bool:
        return self.index == len(self.phases) - 1

    def check_precision(self, precision: str) -> None:
        """Raises ValueError for half precision ("16-mixed", "bf16-mixed", ...) with an optimizer that cannot use it."""
        unable = [phase.optimizer for phase in self.phases if not phase.method.half]
        if "16" in precision and unable:
            able = ", ".join(name for name, method in OPTIMIZERS.items() if method.half)
            raise ValueError(
                f"{', '.join(dict.fromkeys(unable))} cannot train in half precision ({precision}); use --precision 32 "
                f"or 64, or an optimizer that can: {able}"
            )

    def advance(self, step: int, progress: bool = True, reached: bool = False) -> str | None:
        """Records a step (`step` is their number so far), whether it made progress, and whether it reached the target.

        The next phase starts when this one has had its steps or has reached its target, or after two steps without
        progress: after the first of them, `stalls` is 1, and the optimizer is to forget its curvature and try once
        more. Returns the reason if the last phase ends, "target", "stalled" or "last phase done", else None.
        """
        self.stalls = 0 if progress else self.stalls + 1
        ends = self.bounded or not self.last
        steps_done = ends and self.phase.steps is not None and step - self.start >= self.phase.steps
        if not steps_done and not reached and self.stalls < 2:
            return None
        if self.last:
            return "target" if reached else "last phase done" if steps_done else "stalled"
        self.index, self.start, self.stalls = self.index + 1, step, 0
        return None

    def planned_evaluations(self, steps: int) -> int:
        """The approximate number of evaluations of the loss in so many steps, line searches included."""
        planned, left = 0, steps
        for phase in self.phases:
            last = phase is self.phases[-1]  # lasts as long as the trainer runs
            length = left if last or phase.steps is None else min(left, phase.steps)
            planned, left = planned + length * phase.evaluations, left - length
        return planned

    def state_dict(self) -> dict[str, Any]:
        return {"index": self.index, "start": self.start, "stalls": self.stalls, "phases": self.settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises ValueError for the state of other phases: optimizers cannot be changed on resume."""
        if state["phases"] != self.settings():
            raise ValueError(
                "the checkpoint was trained by other phases; on resume, optimizers and their settings (lr among them) "
                f"must stay as they were. There: {'; '.join(state['phases'])}. Here: {'; '.join(self.settings())}"
            )
        self.index, self.start, self.stalls = state["index"], state["start"], state["stalls"]

    def settings(self) -> list[str]:
        """What must not change on resume: each phase with all its settings, except the length of the last."""
        return [str(replace(p, steps=None) if p is self.phases[-1] else p) + f" {p.settings()}" for p in self.phases]


def forget(optimizer: Optimizer) -> None:
    """Clears the state of an optimizer (moments, curvature); its options stay."""
    optimizer.state.clear()


def points_changed(optimizer: Optimizer) -> None:
    """Tells an optimizer that points changed: its method `points_changed` says what to keep, else nothing is kept."""
    getattr(optimizer, "points_changed", lambda: forget(optimizer))()
