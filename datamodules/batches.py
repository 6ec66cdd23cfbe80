"""Batches as Lightning asks for them: `Batches`, and `Burst`, the points of several optimizer steps in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import lightning as L

from mask_pinns.objective import PointSets


class Batches:
    """A sequence of batches as one dataloader (Lightning would take a list for several dataloaders).

    It has no state to resume: the points of a training batch follow from the trainer's step alone.
    """

    def __init__(self, batches: Sequence[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class Burst:
    """One training batch with the points of several optimizer steps, which are drawn one after the other.

    It ends at every global step that is a multiple of `length`, and at the trainer's last. So a resumed run has the
    same bursts as one that was not interrupted.
    """

    def __init__(self, length: int, draw: Callable[[], PointSets], trainer: L.Trainer) -> None:
        self.length, self.draw, self.trainer = length, draw, trainer

    def __iter__(self) -> Iterator[PointSets]:
        while True:
            yield self.draw()
            step = self.trainer.global_step
            if step % self.length == 0 or step == self.trainer.max_steps or self.trainer.should_stop:
                return
