"""Intervals of a run: of logging, validation, statistics and figures, and the steps per batch of Lightning's loop."""

from __future__ import annotations

import math

import torch

from mask_pinns.cli.run_folder import UsageError

INTERVALS = {"log": (200, 50), "validate": (16, 500), "statistics": (20, 500), "figures": (3, 5000)}
"""{name: (parts, limit)}: the interval is the run's steps divided by `parts`, but at most `limit`."""
STATISTICS_SHARE = 0.02
"""The largest share of the training time for recordings of the features if their interval is not given."""
LONGEST_BURST = 50
"""The most steps per batch if their number is not given."""


def intervals(given: dict[str, int | None], steps: int) -> dict[str, int]:
    """Returns the steps between logged losses, validations, ...: the given number, else one by INTERVALS."""
    return {name: given[name] or max(1, min(limit, steps // parts)) for name, (parts, limit) in INTERVALS.items()}


def burst(given: int | None, every: dict[str, int]) -> int:
    """Returns the steps per batch of Lightning's loop. Raises UsageError if they do not divide every interval."""
    divisor = math.gcd(*every.values())
    if given is None:
        return max(n for n in range(1, LONGEST_BURST + 1) if divisor % n == 0) if torch.cuda.is_available() else 1
    for name, interval in every.items():
        if interval % given:
            raise UsageError(f"--burst {given} does not divide --{name}_every {interval}; change one of them")
    return int(given)
