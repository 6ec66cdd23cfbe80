"""Further attempts of a run that stands still (`--on_stall retry`): it begins again with what usually helps.

Each attempt is a run of its own, with a folder and a config.yaml of its own, so that it can be resumed and repeated. No
attempt knows of an error against a solution: it is made because the loss does not fall.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from types import SimpleNamespace

from mask_pinns.problems import Problem

CAUSAL = 100.0
"""Strictness of the causal weights in the attempt with them."""
SCALE_FACTOR = 3.0
"""Factor on the frequencies at which the first layer starts, in the attempt with higher ones."""


def next_attempt(
    config: SimpleNamespace, problem: Problem, tried: Collection[str]
) -> tuple[str, SimpleNamespace] | None:
    """Returns what is changed, in words, and the changed configuration; None if nothing is left to try.

    Args:
        config: configuration of the run that stands still.
        problem: its problem.
        tried: what was changed in earlier attempts.
    """
    changed = copy.deepcopy(config)
    if "t" in problem.domain and not config.causal and "--causal" not in tried:
        changed.causal = CAUSAL
        return "--causal", changed
    if "first_scale" in config.network and "--first_scale" not in tried:
        changed.network["first_scale"] = SCALE_FACTOR * config.network["first_scale"]
        return "--first_scale", changed
    return None


def in_words(flag: str, changed: SimpleNamespace) -> str:
    """Describes the change as the flag that makes it."""
    value = changed.causal if flag == "--causal" else changed.network["first_scale"]
    return f"{flag} {value:g}"
