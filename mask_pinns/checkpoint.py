"""Looking at a checkpoint before anything is built on it: it can be read, it is one of ours, and of this run.

Whatever it is refused for, another one beside it is named where that one fits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from mask_pinns.checkpoint_form import JUDGED, RESUMED, check_form
from mask_pinns.identity import differences
from mask_pinns.module import MaskPINN

Content = dict[str, Any]
Look = Callable[[Path], Content]


def load_checkpoint(path: Path) -> Content:
    """A checkpoint's content, read with weights_only: nothing in it is executed.

    Raises ValueError for a file that cannot be read, and for one that is no checkpoint that can be judged.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is cut off, empty or something else makes the unpickler fail in any way
        raise ValueError(f"checkpoint {path} cannot be read: {_unread(error)}") from None
    check_form(path, content, JUDGED)
    return content


def _unread(error: Exception) -> str:
    """Why a file could not be read. What PyTorch says of unsafe ones is advice to load them all the same."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if "Weights only load failed" in str(error):
        return "it is no checkpoint, or holds more than tensors and plain values, which could run code: never loaded"
    return "it is truncated, or no checkpoint"


def _check_run(path: Path, content: Content, module: MaskPINN) -> None:
    """Raises ValueError where the checkpoint is of another problem or network."""
    if differ := differences(content.get("hyper_parameters", {}), module.hparams):
        what = "problem" if any(key.startswith("problem.") for key in differ) else "network"
        listed = "; ".join(f"{key} {values}" for key, values in differ.items())
        raise ValueError(f"checkpoint {path} is of another {what}: {listed}; leave that as it was")
    own = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    theirs = {k: tuple(v.shape) for k, v in content["state_dict"].items()}
    if own != theirs:
        name = next(k for k in [*own, *theirs] if own.get(k) != theirs.get(k))
        raise ValueError(
            f"checkpoint {path} is of another network: {name} has shape {theirs.get(name, 'none')} there, "
            f"{own.get(name, 'none')} here"
        )


def _check_weights(path: Path, content: Content, module: MaskPINN, run_dtype: torch.dtype) -> None:
    """Raises ValueError for weights in another precision than the run's (or its phase's), or not finite."""
    own, phases = module.state_dict(), module.schedule.phases
    phase = phases[min(content["schedule"]["index"], len(phases) - 1)]  # fewer where others judge than trained
    for name, value in content["state_dict"].items():
        dtype = (phase.dtype if name.startswith("network.") else None) or run_dtype
        if value.dtype != (expected := dtype if own[name].is_floating_point() else own[name].dtype):
            there, here = (str(d).removeprefix("torch.") for d in (value.dtype, expected))
            raise ValueError(
                f"checkpoint {path} is of another precision: {name} is {there} there, {here} here; leave --precision "
                "as it was"
            )
        if not torch.isfinite(value).all():
            raise ValueError(f"checkpoint {path} cannot be used: {name} is not finite")


def check_checkpoint(path: Path, module: MaskPINN, dtype: torch.dtype | None = None) -> Content:
    """A checkpoint's content, if it can be read, is of the module's problem and network, and finite.

    Args:
        path: of the file.
        module: that is to judge with it.
        dtype: of the run's weights; the module's own unless said.

    Raises ValueError for any other, with another checkpoint of the run that fits, where there is one.
    """

    def look(file: Path) -> Content:
        content = load_checkpoint(file)
        _check_run(file, content, module)
        _check_weights(file, content, module, dtype or module.run_dtype)
        return content

    return _look_or_offer(path, look, "--ckpt_path")


def check_resume(path: Path, module: MaskPINN, dtype: torch.dtype | None = None) -> Content:
    """A checkpoint's content, if the module can go on from it; the module's schedule then stands where it stood.

    Raises ValueError as check_checkpoint does, and for one trained by other phases, or without what training needs.
    """
    return _look_or_offer(path, lambda file: _resumable(file, module, dtype or module.run_dtype), "--resume")


def _resumable(path: Path, module: MaskPINN, dtype: torch.dtype) -> Content:
    content = load_checkpoint(path)
    check_form(path, content, RESUMED)
    _check_run(path, content, module)
    module.schedule.load_state_dict(content["schedule"])  # a fit begins with the schedule reset, and loads it again
    _check_weights(path, content, module, dtype)
    return content


def not_loaded(path: Path, module: MaskPINN, dtype: torch.dtype, error: Exception) -> ValueError:
    """What to say of a checkpoint that looked right, but of which a part (an optimizer's state, ...) did not load."""
    reason = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0]
    other = _offer(path, lambda file: _resumable(file, module, dtype), "--resume")
    return ValueError(f"checkpoint {path} cannot be gone on with ({reason}){other}")


def _look_or_offer(path: Path, look: Look, flag: str) -> Content:
    """What look finds; its ValueError with another checkpoint that can be given instead, where there is one."""
    try:
        return look(path)
    except ValueError as error:
        raise ValueError(f"{error}{_offer(path, look, flag)}") from None


def _offer(path: Path, look: Look, flag: str) -> str:
    """The latest checkpoint beside a refused one that passes the same look, in words; empty where there is none."""
    beside = [other for other in path.parent.glob("*.ckpt") if other != path and other.is_file()]
    for other in sorted(beside, key=lambda file: file.stat().st_mtime, reverse=True):
        with suppress(ValueError):
            look(other)
            return f"; this one fits: {flag} {other}"
    return ""
