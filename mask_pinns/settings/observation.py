"""`ObservationSettings`: what is recorded during a run, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jsonargparse.typing import PositiveInt, restricted_number_type

from mask_pinns.settings.fields import setting

ProbeCount: Any = restricted_number_type("Probes", int, [(">", 0), ("<=", 10**6)])
RECORDED = ("moments", "quantiles", "drift", "units", "mask", "derivatives", "gradients", "histograms")
"""The kinds of statistics that can be recorded; each can be left out."""


@dataclass(frozen=True)
class ObservationSettings:
    """What is recorded during a run, and how often.

    Args:
        log_every: steps between logged losses; if not given, a share of --steps
        validate_every: steps between validations and checkpoints; if not given, a share of --steps
        statistics_every: steps between recordings of the features; if not given, a share of --steps, and 2 % of the
            training time at most
        statistics_probes: number of points at which the features are recorded
        statistics_record: any of moments quantiles drift units mask derivatives gradients histograms; or nothing
        figures_every: steps between figures of the solution; if not given, a share of --steps, and 2 % of the training
            time at most; the last one is drawn in any case
    """

    log_every: int | None = setting(None, kind=PositiveInt | None, decides=False)
    validate_every: int | None = setting(None, kind=PositiveInt | None, decides=False)
    statistics_every: int | None = setting(None, kind=PositiveInt | None, decides=False)
    statistics_probes: int = setting(256, kind=ProbeCount, decides=False)
    statistics_record: Sequence[str] = setting(factory=lambda: list(RECORDED), kind=str, many=True, decides=False)
    figures_every: int | None = setting(None, kind=PositiveInt | None, decides=False)
