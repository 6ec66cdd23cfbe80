"""The command fit, and the runs that follow: another attempt after a stall (`--on_stall retry`), and `--verify`.

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
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch

from mask_pinns.callbacks.training_alarms import STANDS_STILL
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.checkpoints.loading import load_weights
from mask_pinns.cli.evaluation import load_checkpoint_of
from mask_pinns.cli.run import Run, build, explain, train
from mask_pinns.cli.run_folder import UsageError, find_checkpoint, locked, new_folder, run_folder_of
from mask_pinns.cli.training.resume import resumed, unchanged_if_it_fails
from mask_pinns.cli.training.sequence import fit_windows
from mask_pinns.metrics import Errors
from mask_pinns.module import MaskPINN
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.determinacy import errors_between

CAUSAL = 100.0
"""Strictness of the causal weights in the attempt with them."""
SCALE_FACTOR = 3.0
"""Factor on the frequencies at which the first layer starts, in the attempt with higher ones."""
WIDER, MORE_POINTS = 1.25, 1.5
"""Factors on the width and on the numbers of points, in the run that verifies."""


def fit(run: Run, tried: tuple[Attempt, ...] = ()) -> int:
    """Trains, after attempts that stood still; writes the run folder and prints a short table."""
    config = run.config
    if config.ckpt_path:
        raise UsageError("--ckpt_path is for validate, test and predict; to go on training: --resume")
    if config.resume and config.name:
        raise UsageError(f"--name {config.name} is for a new run; a resumed run stays in its folder: leave out --name")
    if config.verify and run.ranks > 1:
        raise UsageError("--verify trains a second time in this process; use one process")
    if config.windows:
        folder, code = fit_windows(run)
        return verify(run, folder) if config.verify and not code and not config.dry_run else code
    checkpoint = find_checkpoint(config.resume, Path(config.folder)) if config.resume else None
    with ExitStack() as locks:
        if checkpoint:
            folder = locks.enter_context(locked(run_folder_of(checkpoint)))
        before = resumed(run, checkpoint) if checkpoint else None
        done = before.steps if before else 0
        if done >= run.steps and config.verify:
            return verify_finished(run, folder)
        if done >= run.steps:
            raise UsageError(f"{checkpoint} has had {done} steps already; go on with a larger --steps")
        run.prepare()
        if config.explain or config.dry_run:
            explain(run)
        if config.dry_run:
            return 0
        if before is None:
            if config.start_from:
                load_weights(find_checkpoint(config.start_from, Path(config.folder), "best.ckpt"), run.module.network)
            folder = locks.enter_context(locked(new_folder(config)))
            code = train(run, folder)
        else:
            with unchanged_if_it_fails(run.module, folder, done):
                code = train(run, folder, *before)
    if code or run.module.stop_reason == "max_time":
        return code
    if run.module.stop_reason == STANDS_STILL:
        return try_again(run, folder, tried)
    return verify(run, folder) if config.verify else code


def verify(run: Run, folder: Path) -> int:
    """Trains a second, wider network at more points; their difference estimates the error. Returns the exit code."""
    run.console.print(f"verifying {folder} by a second run", highlight=False)
    other = build(verifying(run.config, folder))
    code = fit(other)
    if not code:
        run.console.print(keep_estimate(folder, run.module, other.module), highlight=False, soft_wrap=True)
    return code


def verify_finished(run: Run, folder: Path) -> int:
    """Verifies the best weights of a finished run."""
    run.config.ckpt_path, run.config.resume = str(folder), None
    load_checkpoint_of(run)
    return verify(run, folder)


def try_again(run: Run, folder: Path, tried: tuple[Attempt, ...]) -> int:
    """Begins again with what usually helps if training stood still, as a new run. Returns the exit code."""
    if run.config.verify:
        run.console.print("it is not verified: it is not solved")
    if run.ranks > 1 or run.config.resume:
        run.console.print(f"go on from its weights with --resume {folder} --on_stall tell, or begin another run")
        return 0
    fresh = float(run.module.trainer.callback_metrics.get("val/loss", float("inf")))
    following = next_attempt(run.config, run.module.problem, [attempt.followed_by for attempt in tried])
    if following is None:
        best = min((*tried, Attempt(folder, fresh, "")), key=lambda attempt: attempt.fresh)
        words = f"no attempt got on; the smallest loss at fresh points, {best.fresh:.1e}, is that of {best.folder}"
        run.console.print(words, highlight=False, soft_wrap=True)
        return 0
    flag, config = following
    run.console.print(f"{folder} stands still; beginning again with {in_words(flag, config)}", highlight=False)
    return fit(build(config), (*tried, Attempt(folder, fresh, flag)))


class Attempt(NamedTuple):
    """A run that stood still: its folder, its loss at fresh points, and the flag that the next attempt changed."""

    folder: Path
    fresh: float
    followed_by: str


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
    changed.seed, changed.name = (config.seed + 1) % 2**32, f"{folder.name}-verify"
    changed.resume, changed.start_from, changed.ckpt_path = None, None, None
    changed.verify, changed.on_stall = False, "tell"
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
    worst, file = max(by_field.values()), folder / "summary.json"
    summary = json.loads(file.read_text()) if file.is_file() else {}
    summary |= {"estimated_rel_l2": worst if math.isfinite(worst) else None, "estimates": by_field}
    with whole_file(file) as out:
        out.write(json.dumps(summary, indent=2) + "\n")
    words = ", ".join(f"{error:.1e} for {name}" for name, error in by_field.items())
    return f"estimated relative L2 of {folder}, from its difference to a second, wider run: about {words}"
