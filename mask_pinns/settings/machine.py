"""`MachineSettings`: the processes, devices and precision of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jsonargparse.typing import PositiveInt

from mask_pinns.settings.fields import setting


@dataclass(frozen=True)
class MachineSettings:
    """The processes, devices and precision of a run.

    Args:
        precision: 32, 64, or another one of Lightning
        accelerator: auto, cpu, gpu, ...
        devices: number of devices, or their indices
        burst: optimizer steps per batch of Lightning's loop; if not given, several on a GPU, 1 on a CPU
        matmul_precision: precision of float32 products: high (TF32 on a GPU) and medium (bfloat16) are faster and less
            exact
        strategy: auto, ddp, ...
        num_nodes: number of machines
    """

    precision: str | int = setting("32", may_change=True)
    accelerator: str = setting("auto", decides=False)
    devices: int | str = setting(1, decides=False)
    burst: int | None = setting(None, kind=PositiveInt | None, decides=False)
    matmul_precision: str = setting("highest", kind=Literal["highest", "high", "medium"], decides=False)
    strategy: str = setting("auto", decides=False)
    num_nodes: int = setting(1, kind=PositiveInt, decides=False)
