"""How often a run logs, validates and is looked at, and how many steps Lightning's loop takes at once."""

from __future__ import annotations

import math

import torch

from mask_pinns.configuration import UsageError

INTERVALS = {"log": (200, 50), "validate": (16, 500), "statistics": (20, 500), "figures": (3, 5000)}
"""Every 1/share of the run, and at most so many steps: {name: (share, most)}."""
STATISTICS_SHARE = 0.02
"""Of the training time, that looks at the features may take where their interval is not given."""
LONGEST_BURST = 50


def intervals(given: dict[str, int | None], steps: int) -> dict[str, int]:
    """Steps between logged losses, validations, ...: as given, else a share of the run's steps, bounded."""
    return {name: given[name] or max(1, min(most, steps // share)) for name, (share, most) in INTERVALS.items()}


def burst(given: int | None, every: dict[str, int]) -> int:
    """Optimizer steps per batch of Lightning's loop. Raises UsageError where one of the intervals is cut by it."""
    common = math.gcd(*every.values())
    if given is None:
        return max(n for n in range(1, LONGEST_BURST + 1) if common % n == 0) if torch.cuda.is_available() else 1
    for name, interval in every.items():
        if interval % given:
            raise UsageError(f"--burst {given} does not divide --{name}_every {interval}; change one of them")
    return int(given)
