"""Looking at a checkpoint before anything is built on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mask_pinns.module import MaskPINN


def check_checkpoint(path: Path, module: MaskPINN) -> dict[str, Any]:
    """The checkpoint's content, if it can be read (with weights_only) and fits the module.

    Raises ValueError for a file that is truncated or no checkpoint, or one of another network.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is cut off, empty or something else makes the unpickler fail in any way
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"checkpoint {path} cannot be read (truncated, or no checkpoint): {reason}") from None
    if not isinstance(content, dict) or not {"state_dict", "schedule", "global_step"} <= content.keys():
        raise ValueError(f"{path} is no checkpoint of a MaskPINN")
    own = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    theirs = {k: tuple(v.shape) for k, v in content["state_dict"].items()}
    if own != theirs:
        name = next(k for k in [*own, *theirs] if own.get(k) != theirs.get(k))
        raise ValueError(
            f"checkpoint {path} is of another network: {name} has shape {theirs.get(name, 'none')} there, "
            f"{own.get(name, 'none')} here"
        )
    return content


def check_resume(path: Path, module: MaskPINN) -> int:
    """The number of steps that a checkpoint has had, if the module can go on from it.

    Raises ValueError as check_checkpoint does, and for one trained by other phases.
    """
    content = check_checkpoint(path, module)
    module.schedule.load_state_dict(content["schedule"])  # a fit begins with the schedule reset, and loads it again
    return int(content["global_step"])
