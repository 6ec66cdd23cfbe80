"""`TrainerSettings`: the arguments of Lightning's Trainer that a user may set: --trainer.max_time 00:02:00:00."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mask_pinns.settings.fields import setting


@dataclass(frozen=True)
class TrainerSettings:
    """Arguments of Lightning's Trainer.

    They are declared here, as Lightning's own declaration takes seconds to import; none may take a class, because the
    parser would import any module to check its type.

    Args:
        max_time: stop training after this time, DD:HH:MM:SS (days, hours, minutes, seconds), or a mapping with
            arguments of datetime.timedelta, e.g. hours; default: no limit
        limit_val_batches: how many of the batches of a validation to take: a share if it is a float; default: all
        deterministic: use deterministic algorithms only: true, false, or warn where there is none; default: false
        benchmark: value of torch.backends.cudnn.benchmark; default: as it is in the session
        detect_anomaly: detect anomalies in the backward pass (slow)
        profiler: simple, advanced, pytorch
    """

    max_time: str | dict[str, int] | None = setting(None, may_change=True, decides=False)
    limit_val_batches: int | float | None = setting(None, may_change=True, decides=False, judged=True)
    deterministic: bool | Literal["warn"] | None = setting(None, decides=False)
    benchmark: bool | None = setting(None, decides=False)
    detect_anomaly: bool = setting(False, decides=False)
    profiler: str | None = setting(None, decides=False)
