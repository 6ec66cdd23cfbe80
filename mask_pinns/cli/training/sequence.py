"""Trains time windows one after the other, each as a run of its own in RUN/window-K, and joins them to one solution.

RUN has the solution as a whole: checkpoints/best.ckpt, solution.png, summary.json, and windows.json (`Record`). A
window begins with the weights that had the smallest loss at fresh points in the window before it.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import torch

from mask_pinns.callbacks.summary import RunSummary, finite
from mask_pinns.callbacks.training_alarms import STANDS_STILL
from mask_pinns.checkpoints.loading import load_checkpoint, load_weights
from mask_pinns.cli.configuration import save
from mask_pinns.cli.run import Run, announce, build, explain, train
from mask_pinns.cli.run_folder import (
    Stopped,
    UsageError,
    find_checkpoint,
    locked,
    new_folder,
    process_rank,
    run_folder_of,
)
from mask_pinns.cli.training.record import Record, Window
from mask_pinns.cli.training.resume import resumed, unchanged_if_it_fails
from mask_pinns.cli.training.whole import finish, load_window, write_checkpoint
from mask_pinns.datamodules.points import VALIDATION_STEP
from mask_pinns.jets import JetNetwork
from mask_pinns.module import MaskPINN
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.windows import blend, jumps, require_windows, resolved, window_of
from mask_pinns.windows.spans import following, shorter

FINISHED = ("steps", "target", "patience", "stalled", "last phase done", STANDS_STILL)
"""Reasons for the end of a training after which the next window begins."""


def fit_windows(run: Run) -> tuple[Path, int]:
    """Trains all windows that are left. Returns the run folder and the exit code; `run.module` is the whole solution.

    Raises ValueError for a problem that cannot be solved window by window, and for settings that do not fit.
    """
    config, problem = run.config, run.module.problem
    require_windows(problem)
    planned = resolved(config.windows, problem.domain)
    _check(run, planned)
    if config.explain or config.dry_run:
        first = Sequence(run, Path(), Record([]), planned)
        run.console.print(f"{first.title(first.end)}; each window as follows", highlight=False)
        explain(first.built(first.end), planned)
    if config.dry_run:
        return Path(), 0
    with _folder(config) as folder:
        record = Record.read(folder, config.windows) if config.resume else Record([str(w) for w in config.windows])
        sequence = Sequence(run, folder, record, planned)
        if sequence.done and (folder / "summary.json").is_file():
            raise UsageError(f"all windows of {folder} are trained already; begin a new run for other settings")
        if not process_rank():
            save(config, folder / "config.yaml")
            record.write(folder)
        announce(run, folder, run.ranks)
        while not sequence.done:
            if code := sequence.train_next():
                run.console.print(f"ended in {sequence.title(sequence.end)}; go on with --resume {sequence.folder}")
                return folder, code
        run.module = finish(run, sequence.folder, sequence.record, sequence.parts, not process_rank())
    return folder, 0


def _check(run: Run, planned: list[float] | None) -> None:
    """Raises UsageError for settings that do not go together with windows."""
    config = run.config
    if config.on_stall == "retry" and "--on_stall" in config.typed:
        raise UsageError("--on_stall retry begins a run again as a whole; windows that miss a target: --windows auto")
    if config.trainer.get("max_time"):
        raise UsageError("--trainer.max_time is for one training, and each window is one: leave it out")
    config.on_stall = "tell"  # the default recipe begins again
    if config.start_from:
        begins = find_checkpoint(config.start_from, Path(config.folder), "best.ckpt")
        if load_checkpoint(begins).get("hyper_parameters", {}).get("windows"):
            raise UsageError(f"--from {config.start_from} is a run in time windows; name one: .../window-1")
    typed = {"--target", "--loss_target"} & set(config.typed)  # that of the default recipe is to never end too soon
    targets = [config.target, typed and config.loss_target, run.module.schedule.phases[-1].target]
    if planned is None and not any(targets) and not config.resume:
        raise UsageError(
            "--windows auto needs a target that tells whether a window is solved: --loss_target 1e-8, --target, or the "
            "target of the last phase"
        )


@contextmanager
def _folder(config: SimpleNamespace) -> Iterator[Path]:
    """The locked folder of a new run, or of the one to go on with."""
    checkpoint = find_checkpoint(config.resume, Path(config.folder)) if config.resume else None
    folder = run_folder_of(checkpoint) if checkpoint else new_folder(config)
    with locked(folder):
        yield folder


class Sequence:
    """Windows that are trained one after the other.

    Args:
        run: the parts of the whole run.
        folder: its folder.
        record: how far it is.
        planned: ends of the windows; None: found on the way (`auto`).

    Attributes:
        parts: the networks of the windows that are trained.
    """

    def __init__(self, run: Run, folder: Path, record: Record, planned: list[float] | None) -> None:
        self.run, self.folder, self.record, self.planned = run, folder, record, planned
        self.problem = run.module.problem
        self.first, self.last = self.problem.domain["t"]
        self.parts: list[JetNetwork] = []
        ends, record.windows = record.windows, []
        for window in ends:  # each one needs the one before it
            part = self.built(window.end)
            load_window(part, folder / window.weights)
            self.parts.append(part.module.network)  # type: ignore[arg-type]  # windows are made of jets
            record.windows.append(window)

    @property
    def start(self) -> float:
        return self.record.ends[-1] if self.record.windows else self.first

    @property
    def done(self) -> bool:
        return self.start >= self.last

    @property
    def end(self) -> float:
        """The end of the next window."""
        if self.planned is not None:
            return self.planned[len(self.record.windows)]
        return self.record.end if self.record.end is not None else following(self.problem.domain, self.record.windows)

    def title(self, end: float) -> str:
        of = "" if self.planned is None else f" of {len(self.planned)}"
        return f"window {len(self.parts) + 1}{of}: t from {self.start:g} to {end:g}"

    def built(self, end: float) -> Run:
        """The parts of the next window's run: the same settings, and the conditions that are exact stay so."""
        config, before = copy.deepcopy(self.run.config), self.parts[-1] if self.parts else None
        config.windows, config.resume, config.name = [], None, None
        if before is not None:
            config.exact, config.start_from = list(getattr(before, "hard_conditions", ())), None
        return build(config, window_of(self.problem, self.start, end, before), number=len(self.parts))

    def train_next(self) -> int:
        """Trains the next window, and keeps it. Returns an exit code: not 0 if the training was interrupted."""
        end, name = self.end, f"window-{len(self.parts) + 1}"
        part = self.built(end)
        self._require_values(part)
        part.prepare()
        code = 0 if self._is_trained(self.folder / name) else self._train(part, self.folder / name, end)
        self.folder = from_first_process(self.folder)
        summary: dict[str, Any] = from_first_process(_summary(self.folder / name))
        if code or summary.get("stop_reason", "steps") not in FINISHED:
            return code or 1
        if self.planned is None and summary["stop_reason"] != "target":
            self._shorten(self.folder / name, end)
        else:
            self._keep(part, self.folder / name, summary)
        from_first_process(None)  # all go on together
        return 0

    def _require_values(self, part: Run) -> None:
        """Raises UsageError where --target would mean another thing: a loss, where no solution is known."""
        values = (problem.evaluation().values for problem in (self.problem, part.module.problem))
        if part.config.target and next(values) is not None and next(values) is None:
            raise UsageError(
                f"--target needs two times of the reference between {self.start:g} and {self.end:g}; use --loss_target"
            )

    def _is_trained(self, folder: Path) -> bool:
        """Whether a window was trained in a session that ended before it was kept; not if it missed its target."""
        reason = _summary(folder).get("stop_reason")
        return reason == "target" or (reason in FINISHED and self.planned is not None)

    def _train(self, part: Run, folder: Path, end: float) -> int:
        """Trains a window in its folder, or goes on where it was interrupted. Returns the exit code."""
        last, title, more = folder / "checkpoints" / "last.ckpt", self.title(end), [FirstLoss(self.record.first_loss)]
        if last.is_file() and _summary(folder).get("stop_reason") not in FINISHED:
            before = resumed(part, last)
            if before.steps >= part.steps:
                if not process_rank():
                    (folder / "summary.json").unlink(missing_ok=True)  # the session was ended after its last step
                return 0
            with unchanged_if_it_fails(part.module, folder, before.steps):
                title += f", from step {before.steps:,} on"
                return train(part, folder, before.checkpoint, before.steps, [*before.observers, *more], title)
        if not process_rank():
            shutil.rmtree(folder, ignore_errors=True)  # of a session that ended before its first checkpoint
            folder.mkdir(parents=True)
        if self.parts:
            blend(self.parts[-1], part.module.network, part.config.window_fresh)
        elif part.config.start_from:
            load_weights(
                find_checkpoint(part.config.start_from, Path(part.config.folder), "best.ckpt"), part.module.network
            )
        return train(part, folder, more=more, window=title)

    def _shorten(self, folder: Path, end: float) -> None:
        """Makes the next window shorter, because it missed its target; its files stay beside the others.

        Raises Stopped where windows have become too short.
        """
        new_end = shorter(self.start, end, self.problem.domain)
        if new_end is None:
            raise Stopped(
                f"the window from t = {self.start:g} to {end:g} misses its target, and shorter ones are not made; take "
                f"more --steps or another target, and go on with --resume {self.folder}"
            )
        self.record.tries, self.record.end = self.record.tries + 1, new_end
        if not process_rank():
            folder.rename(_free(folder.with_name(f"missed-{self.record.tries}-{folder.name}")))
            self.record.write(self.folder)
        self.run.console.print(f"it missed its target: again, only to t = {new_end:g}", highlight=False)

    def _keep(self, part: Run, folder: Path, summary: dict[str, Any]) -> None:
        """Adds a window to the solution, with the weights that had the smallest loss at fresh points."""
        network, (start, end) = part.module.network, part.module.problem.domain["t"]
        best = folder / "checkpoints" / "best.ckpt"
        weights = best if best.is_file() else best.with_name("last.ckpt")
        content = load_window(part, weights)
        if self.record.first_loss is None:
            self.record.first_loss = content.get("first_loss")
        assert isinstance(network, JetNetwork)
        gaps = jumps(self.parts[-1], network, part.module.problem) if self.parts else {}
        errors = RunSummary.errors(part.module)["errors"]
        window = Window(
            start, end, str(weights.relative_to(self.folder)), summary.get("steps", part.steps),
            summary.get("wall_s", 0.0), fresh_loss(part), gaps,
            {name: error["rel_l2"] for name, error in errors.items()}, summary.get("stop_reason", "steps"),
            summary.get("steps", part.steps) / part.steps, summary.get("device", ""), summary.get("loss"),
        )  # fmt: skip
        self.parts.append(network)
        self.record.windows.append(window)
        self.record.end = None
        if not process_rank():
            write_checkpoint(self.run, self.folder, self.record, self.parts, content["schedule"])
            self.record.write(self.folder)
        self.run.console.print(f"window {len(self.parts)}: {window.in_words()}", highlight=False, soft_wrap=True)


def fresh_loss(part: Run) -> float | None:
    """The loss of a window at fresh points, without adaptive weights."""
    network, objective = part.module.network, part.module.objective
    like = next(network.parameters())
    points = part.data.draw(VALIDATION_STEP, device=like.device, dtype=like.dtype)
    with evaluation_mode(network):
        return finite(float(objective.unadapted_loss(network, points).detach()))


class FirstLoss(L.Callback):
    """Gives a window the first loss of the first one, to which `--loss_target` is relative."""

    def __init__(self, first_loss: float | None) -> None:
        self.first_loss = first_loss

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MaskPINN)
        if self.first_loss is not None:
            pl_module.stepper.first_loss = self.first_loss


def _summary(folder: Path) -> dict[str, Any]:
    """The summary of a window's training; empty if it has not ended."""
    file = folder / "summary.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def _free(folder: Path) -> Path:
    """The folder, or one of the next numbers if a session has ended between two steps of a rename."""
    names = [folder, *(folder.with_name(f"{folder.name}-{i}") for i in range(2, 1000))]
    return next(path for path in names if not path.exists())


def from_first_process(value: Any) -> Any:
    """What the first process has, in every process: it alone makes folders and files."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    shared = [value]
    torch.distributed.broadcast_object_list(shared)
    return shared[0]
