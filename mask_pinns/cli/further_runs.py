"""Runs that follow a run: another attempt if it stands still (`--on_stall retry`), a second solution (`--verify`).

Each is a run of its own, with a folder and a config.yaml of its own, so that it can be resumed and repeated. No attempt
knows of an error against a solution: it is made because the loss does not fall. The second solution is that of a wider
network at more points from another seed: where no solution is known, the difference of the two estimates the error of
the first. What both have wrong, as a mistake in the equation, it does not show.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace

import torch

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.metrics import Errors
from mask_pinns.module import MaskPINN
from mask_pinns.problems import Problem
from mask_pinns.problems.determinacy import errors_between

CAUSAL = 100.0
"""Strictness of the causal weights in the attempt with them."""
SCALE_FACTOR = 3.0
"""Factor on the frequencies at which the first layer starts, in the attempt with higher ones."""
WIDER, MORE_POINTS = 1.25, 1.5
"""Factors on the width and on the numbers of points, in the run that verifies."""


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


def verifying(config: SimpleNamespace, folder: Path) -> SimpleNamespace:
    """Returns the configuration of the run that verifies the one in a folder."""
    changed = copy.deepcopy(config)
    changed.seed, changed.name, changed.verify, changed.on_stall = (
        config.seed + 1,
        f"{folder.name}-verify",
        False,
        "tell",
    )
    changed.resume = changed.start_from = None
    if "width" in changed.network:
        changed.network["width"] = math.ceil(WIDER * config.network["width"])
    changed.points = {name: math.ceil(MORE_POINTS * count) for name, count in config.points.items()}
    return changed


def estimate(first: MaskPINN, second: MaskPINN) -> Errors:
    """Returns the difference of two solutions on the evaluation points, by field, relative to the second one."""
    points = first.problem.evaluation().points
    return errors_between(first.problem, *(torch.from_numpy(module.predict(points)) for module in (first, second)))


def keep_estimate(folder: Path, first: MaskPINN, second: MaskPINN) -> str:
    """Writes the estimates of the first solution's error into summary.json in its folder. Returns them in words."""
    errors = estimate(first, second).by_field(first.problem.fields)
    by_field = {name: float(error.rel_l2) for name, error in errors.items()}
    file = folder / "summary.json"
    summary = json.loads(file.read_text()) | {"estimated_rel_l2": max(by_field.values()), "estimates": by_field}
    with whole_file(file) as out:
        out.write(json.dumps(summary, indent=2) + "\n")
    words = ", ".join(f"{error:.1e} for {name}" for name, error in by_field.items())
    return f"estimated relative L2 of {folder}, from its difference to a second, wider run: about {words}"
