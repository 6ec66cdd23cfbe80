"""`Record`: windows.json in a run folder, which tells how far a run in time windows is; a resumed run goes on by it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.cli.run_folder import UsageError

FILE = "windows.json"


@dataclass(frozen=True)
class Window:
    """A window that is trained.

    Attributes:
        start, end: its times.
        weights: the checkpoint with its weights, relative to the run folder.
        steps, wall_s: of its training.
        loss: loss at fresh points.
        jump: largest difference of a field to the window before it at its start, relative to the field's size; by
            field. Zero where it begins exactly.
        rel_l2: error by field on the evaluation grid, if the solution is known.
        stop_reason: why its training ended.
        share: the share of its steps that it needed.
        device: on which it was trained.
        trained_loss: loss of the last step.
    """

    start: float
    end: float
    weights: str
    steps: int
    wall_s: float
    loss: float | None
    jump: dict[str, float]
    rel_l2: dict[str, float | None]
    stop_reason: str
    share: float
    device: str
    trained_loss: float | None = None

    def in_words(self) -> str:
        """All of it in a line."""
        errors = [error for error in self.rel_l2.values() if error is not None]
        parts = [f"{self.steps:,} steps ({self.stop_reason})"]
        parts += [f"loss at fresh points {self.loss:.1e}"] if self.loss is not None else []
        parts += [f"relative L2 {max(errors):.1e}"] if errors else []
        parts += [f"jump at its start {max(self.jump.values()):.1e}"] if self.jump else []
        return ", ".join([*parts, f"{self.wall_s:.1f} s"])


@dataclass
class Record:
    """The windows that are trained, and the one that is next.

    Attributes:
        given: what `--windows` says.
        windows: those that are trained, in the order of time.
        end: end of the next window; None: the planned one.
        tries: how often a window missed its target and was made shorter.
        first_loss: the loss at the very start of the first window, to which `--loss_target` is relative in all of them.
    """

    given: list[str]
    windows: list[Window] = field(default_factory=list)
    end: float | None = None
    tries: int = 0
    first_loss: float | None = None

    @classmethod
    def read(cls, folder: Path, given: Sequence[Any]) -> Record:
        """The record of a run folder.

        Raises UsageError for a folder without one, a file that cannot be read, and for other windows than those that
        were begun.
        """
        path, words = folder / FILE, [str(word) for word in given]
        if not path.is_file():
            raise UsageError(f"{folder} is no run in time windows: leave out --windows, or begin a new run")
        try:
            content = json.loads(path.read_text())
            record = cls(**content | {"windows": [Window(**w) for w in content["windows"]]})
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{path} cannot be read ({error}); begin a new run without --resume") from None
        if record.given != words:
            raise UsageError(
                f"{folder} was begun with --windows {' '.join(record.given)}, not {' '.join(words)}: leave it out"
            )
        return record

    def write(self, folder: Path) -> None:
        with whole_file(folder / FILE) as file:
            file.write(json.dumps(asdict(self), indent=1) + "\n")

    @property
    def ends(self) -> list[float]:
        return [window.end for window in self.windows]
