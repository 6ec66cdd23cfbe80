"""The parts of a checkpoint by name, each with a check that it passes before it is loaded.

A new part needs a line in FOR_RESUME, and one in MAY_LACK if checkpoints of earlier versions do not contain it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor


def _is_count(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) and x >= 0


def _are_tensors(x: Any) -> bool:
    return isinstance(x, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in x.items())


def _is_plain(x: Any) -> bool:
    if isinstance(x, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in x.items())
    return (
        all(map(_is_plain, x)) if isinstance(x, list | tuple) else x is None or isinstance(x, bool | int | float | str)
    )


def _are_settings(x: Any) -> bool:
    if not (isinstance(x, dict) and _is_plain(x)):
        return False
    specs = [spec for spec in (x.get("problem"), x.get("network")) if spec is not None]
    named = all(isinstance(s.get("name") if isinstance(s, dict) else s, str) for s in specs)
    return named and isinstance(x.get("embedding") or {}, dict)


def _is_statement(x: Any) -> bool:
    sums = x.get("residuals", {}) if isinstance(x, dict) and _is_plain(x) else None
    return isinstance(sums, dict) and all(
        isinstance(s, list) and all(isinstance(number, float) for number in s) for s in sums.values()
    )


def _is_schedule(x: Any) -> bool:
    counts = isinstance(x, dict) and all(_is_count(x.get(key)) for key in ("index", "start", "stalls"))
    phases = x.get("phases") if counts else None
    return isinstance(phases, list) and all(isinstance(p, str) for p in phases) and x["index"] < len(phases)


def _are_dicts(x: Any) -> bool:
    return isinstance(x, list) and all(isinstance(item, dict) for item in x)


def _is_good(x: Any) -> bool:
    return (
        isinstance(x, dict)
        and isinstance(x.get("step"), int)
        and _is_count(x.get("count"))
        and _are_tensors(x.get("weights"))
    )


def _steps(loops: Any) -> Any:
    """The number of optimizer steps from which Lightning resumes: it counts them in its loops."""
    for key in ("fit_loop", "epoch_loop.manual_optimization.optim_step_progress", "total", "completed"):
        loops = loops.get(key) if isinstance(loops, dict) else None
    return loops


def count_batches(content: dict[str, Any], burst: int) -> None:
    """Sets the numbers of batches in a checkpoint, in place, to those of a run that always had bursts of this length.

    Lightning validates by the number of batches. The last burst before a stop is cut short, and a resumed run may have
    another length: without this, validations would come at other steps than in a run that was left alone.
    """
    progress = content["loops"]["fit_loop"].get("epoch_loop.batch_progress")
    if progress is None:
        return
    total, current = progress["total"], progress["current"]
    surplus = total["ready"] - content["global_step"] // burst
    for numbers in (total, current):
        numbers |= {name: max(0, count - surplus) for name, count in numbers.items()}


Parts = dict[str, tuple[Callable[[Any], bool], str]]
"""{name: (check of the part, what is expected)}."""
FOR_EVALUATION: Parts = {
    "state_dict": (_are_tensors, "tensors by name"),
    "global_step": (_is_count, "a number of steps"),
    "schedule": (_is_schedule, "the phases, and which one is on"),
    "hyper_parameters": (_are_settings, "settings in plain values"),
    "statement": (_is_statement, "what its problem says, in plain values"),
}
FOR_RESUME: Parts = FOR_EVALUATION | {
    "optimizer_states": (
        lambda x: _are_dicts(x) and all({"state", "param_groups"} <= state.keys() for state in x),
        "an optimizer's state for each phase",
    ),
    "lr_schedulers": (_are_dicts, "a learning rate's state for each phase"),
    "callbacks": (lambda x: isinstance(x, dict) and _are_dicts(list(x.values())), "the callbacks' states by name"),
    "loops": (lambda x: _is_count(_steps(x)), "the state of Lightning's loops"),
    "pytorch-lightning_version": (
        lambda x: isinstance(x, str) and re.match(r"[2-9]\.\d|\d\d+\.\d", x) is not None,
        "Lightning's version, 2.0 or later",
    ),
    "PointsDataModule": (
        lambda x: x == {} or (isinstance(x, dict) and _is_count(x.get("step")) and isinstance(x.get("pde"), Tensor)),
        "the adaptive points, and the step that they were drawn at",
    ),
    "good": (lambda x: x == {} or _is_good(x), "weights to go back to"),
}
MAY_LACK: dict[str, Any] = {"hyper_parameters": {}, "statement": {}, "PointsDataModule": {}, "good": {}}
"""Parts that may be missing, with the values to check in their place."""


def check_contents(path: Path, content: Any, parts: Parts) -> None:
    """Raises ValueError if a part is missing, or is not of the expected form."""
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no checkpoint of a MaskPINN: it holds a {type(content).__name__}")
    for name, (fits, expected) in parts.items():
        value = content.get(name, MAY_LACK.get(name))
        if not fits(value):
            given = "missing" if name not in content else " ".join(f"{value!r:.40}".split())
            raise ValueError(f"{path} is no checkpoint of a MaskPINN: {name} is {given}; expected {expected}")
    if parts is FOR_RESUME:
        _check_counts(path, content)


def _check_counts(path: Path, content: dict[str, Any]) -> None:
    """Raises ValueError if parts that are valid by themselves are not of one run."""
    phases, steps = len(content["schedule"]["phases"]), content["global_step"]
    for name in ("optimizer_states", "lr_schedulers"):
        if len(content[name]) != phases:
            raise ValueError(f"{path} is no checkpoint of a MaskPINN: {len(content[name])} {name} of {phases} phases")
    if _steps(content["loops"]) != steps:
        raise ValueError(f"{path} is no checkpoint of a MaskPINN: {_steps(content['loops'])} steps of {steps} in loops")


def upgrade(content: Any) -> None:
    """Converts a checkpoint of an earlier version to the present form, in place; anything else stays as it is."""
    if not isinstance(content, dict):
        return
    good = content.get("good")
    for state in (content.get("state_dict"), good.get("weights") if isinstance(good, dict) else None):
        if isinstance(state, dict) and "multipliers" in state:  # before adaptive weights were a module
            state["adaptive_weights.multipliers"] = state.pop("multipliers")
