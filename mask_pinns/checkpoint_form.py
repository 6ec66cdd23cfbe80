"""What a checkpoint of ours holds: each part by name, and whether it is as it should be before it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor


def _count(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) and x >= 0


def _tensors(x: Any) -> bool:
    return isinstance(x, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in x.items())


def _plain(x: Any) -> bool:
    if isinstance(x, dict):
        return all(isinstance(k, str) and _plain(v) for k, v in x.items())
    return all(map(_plain, x)) if isinstance(x, list | tuple) else x is None or isinstance(x, bool | int | float | str)


def _settings(x: Any) -> bool:
    if not (isinstance(x, dict) and _plain(x)):
        return False
    specs = [spec for spec in (x.get("problem"), x.get("network")) if spec is not None]
    named = all(isinstance(s.get("name") if isinstance(s, dict) else s, str) for s in specs)
    return named and isinstance(x.get("embedding") or {}, dict)


def _schedule(x: Any) -> bool:
    counts = isinstance(x, dict) and all(_count(x.get(key)) for key in ("index", "start", "stalls"))
    phases = x.get("phases") if counts else None
    return isinstance(phases, list) and all(isinstance(p, str) for p in phases) and x["index"] < len(phases)


def _dicts(x: Any) -> bool:
    return isinstance(x, list) and all(isinstance(item, dict) for item in x)


def _good(x: Any) -> bool:
    return (
        isinstance(x, dict) and isinstance(x.get("step"), int) and _count(x.get("count")) and _tensors(x.get("weights"))
    )


def _steps(loops: Any) -> Any:
    """The number of optimizer steps that Lightning goes on from: it counts them in its loops."""
    for key in ("fit_loop", "epoch_loop.manual_optimization.optim_step_progress", "total", "completed"):
        loops = loops.get(key) if isinstance(loops, dict) else None
    return loops


Form = dict[str, tuple[Callable[[Any], bool], str]]
"""{name: (whether it is as it should be, how it should be)}."""
JUDGED: Form = {
    "state_dict": (_tensors, "tensors by name"),
    "global_step": (_count, "a number of steps"),
    "schedule": (_schedule, "the phases, and which one is on"),
    "hyper_parameters": (_settings, "settings in plain values"),
}
RESUMED: Form = JUDGED | {
    "optimizer_states": (
        lambda x: _dicts(x) and all({"state", "param_groups"} <= state.keys() for state in x),
        "an optimizer's state for each phase",
    ),
    "lr_schedulers": (_dicts, "a learning rate's state for each phase"),
    "callbacks": (lambda x: isinstance(x, dict) and _dicts(list(x.values())), "the callbacks' states by name"),
    "loops": (lambda x: _count(_steps(x)), "the state of Lightning's loops"),
    "pytorch-lightning_version": (
        lambda x: isinstance(x, str) and re.match(r"[2-9]\.\d|\d\d+\.\d", x) is not None,
        "Lightning's version, 2.0 or later",
    ),
    "PointsDataModule": (
        lambda x: x == {} or (isinstance(x, dict) and _count(x.get("step")) and isinstance(x.get("pde"), Tensor)),
        "the adaptive points, and the step that they were drawn at",
    ),
    "good": (lambda x: x == {} or _good(x), "weights to go back to"),
}
MAY_LACK: dict[str, Any] = {"hyper_parameters": {}, "PointsDataModule": {}, "good": {}}


def check_form(path: Path, content: Any, form: Form) -> None:
    """Raises ValueError where a part is missing, or not what is loaded from it."""
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no checkpoint of a MaskPINN: it holds a {type(content).__name__}")
    for name, (fits, expected) in form.items():
        value = content.get(name, MAY_LACK.get(name))
        if not fits(value):
            found = "missing" if name not in content else " ".join(f"{value!r:.40}".split())
            raise ValueError(f"{path} is no checkpoint of a MaskPINN: {name} is {found}; expected {expected}")
    if form is RESUMED:
        _check_counts(path, content)


def _check_counts(path: Path, content: dict[str, Any]) -> None:
    """Raises ValueError where parts that are as they should be are not of one run."""
    phases, steps = len(content["schedule"]["phases"]), content["global_step"]
    for name in ("optimizer_states", "lr_schedulers"):
        if len(content[name]) != phases:
            raise ValueError(f"{path} is no checkpoint of a MaskPINN: {len(content[name])} {name} of {phases} phases")
    if _steps(content["loops"]) != steps:
        raise ValueError(f"{path} is no checkpoint of a MaskPINN: {_steps(content['loops'])} steps of {steps} in loops")
