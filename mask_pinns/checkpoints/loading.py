"""Loads a checkpoint after checks that it can be read, is one of a MaskPINN, and belongs to this run.

If one is refused, for any reason, the message names another checkpoint in its folder that fits, if there is one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mask_pinns.checkpoints.compatibility import differences
from mask_pinns.checkpoints.contents import FOR_EVALUATION, FOR_RESUME, check_contents, upgrade
from mask_pinns.jets.network import is_of_tangent
from mask_pinns.memory import is_out_of_memory
from mask_pinns.optim.phases import Schedule
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.statement import contradiction, statement

Content = dict[str, Any]
Reader = Callable[[Path], Content]
BEGIN_ANEW = "leave that as it was, or begin a new run with its weights: --from RUN"


class Trained(Protocol):
    """The part of a module that a checkpoint is compared with before it is loaded."""

    problem: Problem
    schedule: Schedule
    run_dtype: torch.dtype

    @property
    def hparams(self) -> Any: ...
    def state_dict(self) -> dict[str, Any]: ...


def load_checkpoint(path: Path) -> Content:
    """A checkpoint's content, read with weights_only: nothing in it is executed.

    Raises ValueError for a file that cannot be read, or that does not contain what an evaluation needs.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is cut off, empty or something else makes the unpickler fail in any way
        if is_out_of_memory(error):
            raise
        raise ValueError(f"checkpoint {path} cannot be read: {_why_unreadable(error)}") from None
    upgrade(content)
    check_contents(path, content, FOR_EVALUATION)
    return content


def _why_unreadable(error: Exception) -> str:
    """Why a file could not be read. PyTorch's own message about unsafe files advises to load them nevertheless."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if "Weights only load failed" in str(error):
        return "it is no checkpoint, or holds more than tensors and plain values, which could run code: never loaded"
    return "it is truncated, or no checkpoint"


def _check_run(path: Path, content: Content, module: Trained) -> None:
    """Raises ValueError if the checkpoint is of another problem or network."""
    if differ := differences(content.get("hyper_parameters", {}), module.hparams):
        what = "problem" if any(key.startswith("problem.") for key in differ) else "network"
        listed = "; ".join(f"{key} {values}" for key, values in differ.items())
        raise ValueError(f"checkpoint {path} is of another {what}: {listed}; {BEGIN_ANEW}")
    if differs := contradiction(content.get("statement", {}), statement(module.problem)):
        raise ValueError(f"checkpoint {path} is of another {module.problem.title}: {differs}; {BEGIN_ANEW}")
    here = {k: tuple(v.shape) for k, v in module.state_dict().items() if not is_of_tangent(k)}
    there = {k: tuple(v.shape) for k, v in content["state_dict"].items() if not is_of_tangent(k)}
    if here != there:
        name = next(k for k in [*here, *there] if here.get(k) != there.get(k))
        raise ValueError(
            f"checkpoint {path} is of another network: {name} has shape {there.get(name, 'none')} there, "
            f"{here.get(name, 'none')} here"
        )


def _check_weights(path: Path, content: Content, module: Trained, run_dtype: torch.dtype) -> None:
    """Raises ValueError for weights in another precision than the run's (or its phase's), or not finite."""
    state, phases = module.state_dict(), module.schedule.phases
    phase = phases[min(content["schedule"]["index"], len(phases) - 1)]  # an evaluation may have fewer phases
    for name, value in content["state_dict"].items():
        dtype = (phase.dtype if name.startswith("network.") else None) or run_dtype
        weight = is_of_tangent(name) or state[name].is_floating_point()
        if value.dtype != (expected := dtype if weight else state[name].dtype):
            there, here = (str(d).removeprefix("torch.") for d in (value.dtype, expected))
            raise ValueError(
                f"checkpoint {path} is of another precision: {name} is {there} there, {here} here; leave --precision "
                "as it was"
            )
        if not torch.isfinite(value).all():
            raise ValueError(f"checkpoint {path} cannot be used: {name} is not finite")


def load_weights(path: Path, network: nn.Module) -> None:
    """Loads the network's weights of a checkpoint of any run, in their dtype: the start of another run.

    Unknown numbers start anew, as their problem or flags say: a checkpoint has them relative to other starts. A
    tangent is left out: the weights go on to change.
    Raises ValueError for a file that cannot be read, for weights that are not finite, and for another network.
    """
    state = load_checkpoint(path)["state_dict"]
    weights = {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
    take_weights(network, weights, f"--from {path}", "name one of them: --from RUN/window-1")


def take_weights(network: nn.Module, weights: Mapping[str, Tensor], source: str, windows: str) -> None:
    """Takes the weights of another network of the same form, as `load_weights` does.

    Args:
        network: takes them.
        weights: by their names in the other network.
        source: where they come from, for messages.
        windows: what to do if the other network is one in time windows, for messages.
    """
    weights = {k: v for k, v in weights.items() if not k.startswith("unknowns.") and not is_of_tangent(k)}
    own = {k: v for k, v in network.state_dict().items() if k.startswith("unknowns.")}
    here = {k: tuple(v.shape) for k, v in network.state_dict().items() if k not in own}
    there = {k: tuple(v.shape) for k, v in weights.items()}
    if any(name.startswith("parts.") for name in there):
        raise ValueError(f"{source} is a run in time windows; {windows}")
    if here != there:
        name = next(k for k in [*here, *there] if here.get(k) != there.get(k))
        raise ValueError(
            f"{source} has another network: {name} has shape {there.get(name, 'none')} there, "
            f"{here.get(name, 'none')} here; take the same network, embedding and exact conditions"
        )
    if not all(value.isfinite().all() for value in weights.values()):
        raise ValueError(f"{source} cannot be used: its weights are not finite")
    network.to(next(v.dtype for k, v in weights.items() if k in dict(network.named_parameters())))
    network.load_state_dict({**weights, **own})


def check_checkpoint(path: Path, module: Trained, dtype: torch.dtype | None = None) -> Content:
    """A checkpoint's content, if it can be read, is of the module's problem and network, and finite.

    Args:
        path: path of the file.
        module: module that is evaluated with it.
        dtype: dtype of the run's weights; by default the module's.

    Raises ValueError for any other file, naming another checkpoint of the run that fits, if there is one.
    """

    def read(file: Path) -> Content:
        content = load_checkpoint(file)
        _check_run(file, content, module)
        _check_weights(file, content, module, dtype or module.run_dtype)
        return content

    return _read_or_name_another(path, read, "--ckpt_path")


def check_resume(path: Path, module: Trained, dtype: torch.dtype | None = None) -> Content:
    """A checkpoint's content, if the module can resume from it; the module's schedule then takes its state.

    Raises ValueError as check_checkpoint does, and for one trained by other phases, or without what training needs.
    """
    return _read_or_name_another(path, lambda file: _resumable(file, module, dtype or module.run_dtype), "--resume")


def _resumable(path: Path, module: Trained, dtype: torch.dtype) -> Content:
    content = load_checkpoint(path)
    check_contents(path, content, FOR_RESUME)
    _check_run(path, content, module)
    module.schedule.load_state_dict(content["schedule"])  # a fit resets the schedule, and loads it again
    _check_weights(path, content, module, dtype)
    return content


def resume_error(path: Path, module: Trained, dtype: torch.dtype, error: Exception) -> ValueError:
    """The error for a checkpoint that passed the checks, but whose parts (an optimizer's state, ...) did not load."""
    reason = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0]
    other = _alternative(path, lambda file: _resumable(file, module, dtype), "--resume")
    return ValueError(f"checkpoint {path} cannot be gone on with ({reason}){other}")


def _read_or_name_another(path: Path, read: Reader, flag: str) -> Content:
    """What `read` returns; its ValueError names another checkpoint that fits, if there is one."""
    try:
        return read(path)
    except ValueError as error:
        raise ValueError(f"{error}{_alternative(path, read, flag)}") from None


def _alternative(path: Path, read: Reader, flag: str) -> str:
    """The latest checkpoint beside a refused one that can be read the same way, in words; empty if there is none."""
    beside = [other for other in path.parent.glob("*.ckpt") if other != path and other.is_file()]
    for other in sorted(beside, key=lambda file: file.stat().st_mtime, reverse=True):
        with suppress(ValueError):
            read(other)
            return f"; this one fits: {flag} {other}"
    return ""
