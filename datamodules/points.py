"""`PointsDataModule`: collocation, boundary and initial points for any problem, and its evaluation grid.

A training batch is a dict from the name of each loss term to its points. They are drawn on the training device,
in the module's dtype, as a pure function of (seed, rank, step, term): two ranks never share points by accident,
and a resumed run draws what the uninterrupted one would have drawn, with no random state to save. Only adaptive points
depend on the weights too, at the step they were drawn: those in use are kept in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import lightning as L
import numpy as np
import torch
from torch import Generator, Tensor

from datamodules.adaptive import check_adaptive, choose, pool_size, residual_sizes
from datamodules.samplers import SAMPLERS
from mask_pinns.objective import PointSets
from mask_pinns.problems import Problem
from mask_pinns.problems.conditions import Condition
from mask_pinns.registry import lookup, unknown

STEPS_PER_EPOCH = 1000
VALIDATION = 2**32 - 1  # the "step" of the validation points
CHUNK = 8192
# Shares are equal, so that the mean over ranks of their mean squares is the mean square over all points.
SHARES: dict[str, Callable[[int, int], int]] = {"split": lambda n, ranks: -(-n // ranks), "each": lambda n, ranks: n}


def generator(device: torch.device | str, *key: int | str) -> Generator:
    """A generator seeded by the key alone: numbers from 0 to 2^32 - 1, and names."""
    words = [crc32(k.encode()) if isinstance(k, str) else k for k in key]
    state = np.random.SeedSequence(words).generate_state(1, np.uint64)[0]
    return Generator(device=device).manual_seed(int(state) >> 1)


class Batches:
    """A sequence of batches as one dataloader (Lightning takes a bare list for several dataloaders).

    It has no state to resume: what a training batch holds follows from the trainer's step alone.
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
    """One training batch that holds the points of several optimizer steps, drawn as they are asked for.

    It ends at every global step that is a multiple of `length`, and at the trainer's last: however a run was cut,
    after a resume the bursts lie where they lay.
    """

    def __init__(self, length: int, draw: Callable[[], PointSets], trainer: L.Trainer) -> None:
        self.length, self.draw, self.trainer = length, draw, trainer

    def __iter__(self) -> Iterator[PointSets]:
        while True:
            yield self.draw()
            step = self.trainer.global_step
            if step % self.length == 0 or step == self.trainer.max_steps or self.trainer.should_stop:
                return


class PointsDataModule(L.LightningDataModule):
    """Points for every term of a problem's loss.

    Args:
        problem: the problem.
        points: number of collocation points, or a dict from term names to numbers ("pde" the collocation points;
            on each face for a condition). A condition that is not named gets a tenth of the collocation points.
            What that means under several processes is `over_ranks`'s to say.
        sampler: a key of SAMPLERS; "latin_hypercube" as published.
        resample: steps between fresh points; 0 keeps the first. A phase of the module's may have its own.
        seed: of the points.
        burst: optimizer steps per batch of Lightning's loop, whose own work of about half a millisecond a batch
            is most of a fast GPU's step. With more than one, a batch is a `Burst`, to be iterated over.
        exact: terms that hold by the network's construction (`model.objective.exact`): they get no points.
        adaptive: (k, c), collocation points where the residual is large (see `adaptive.py`), chosen whenever they are
            redrawn; empty: from the sampler alone. Validation points never are.
        over_ranks: "split", the points are those of all processes, each draws an equal share of its own, rounded up;
            "each", every process draws as many.

    Raises:
        ValueError: an unknown sampler or term (the known ones listed), a number below one, a negative interval.
    """

    def __init__(
        self,
        problem: Problem,
        points: int | Mapping[str, int] = 2500,
        sampler: str = "latin_hypercube",
        resample: int = 1,
        seed: int = 0,
        burst: int = 1,
        exact: Collection[str] = (),
        adaptive: Sequence[float] = (),
        over_ranks: str = "split",
    ) -> None:
        super().__init__()
        self.problem = problem
        self.terms = [term for term in problem.terms if term.name not in exact]
        self.sampler = lookup(SAMPLERS, sampler, "sampler")
        self.counts = self._counts(points if isinstance(points, Mapping) else {"pde": points})
        if resample < 0 or seed < 0:
            raise ValueError(f"resample is {resample} and seed is {seed}; neither can be negative")
        if burst < 1:
            raise ValueError(f"burst is {burst}; it must be 1 or more")
        self.resample, self.seed, self.burst = resample, seed, burst
        self.shares = lookup(SHARES, over_ranks, "way to share points over ranks:")
        self.adaptive = check_adaptive(adaptive)
        self._kept: tuple[Any, PointSets] = (None, {})
        self._restored: tuple[int | None, Tensor] = (None, torch.empty(0))

    def _counts(self, points: Mapping[str, int]) -> dict[str, int]:
        names = [term.name for term in self.problem.terms]
        for name, n in points.items():
            if name not in names:
                raise unknown(name, names, f"point set of {self.problem.title}")
            if n < 1:
                raise ValueError(f"points for {name!r}: {n}; at least 1 is needed")
        counts = {"pde": 2500} | dict(points)
        return {name: counts.get(name, max(1, counts["pde"] // 10)) for name in [t.name for t in self.terms]}

    def draw(self, step: int, rank: int = 0, world_size: int = 1, device: torch.device | str = "cpu",
             dtype: torch.dtype | None = None) -> PointSets:  # fmt: skip
        """The points drawn at a step: for each term (R n, D), n its points per face, face after face."""
        dtype = dtype or torch.get_default_dtype()
        return {
            term.name: self._draw_term(
                term, self.shares(self.counts[term.name], world_size), (rank, step), device, dtype
            )
            for term in self.terms
        }

    def uneven(self, ranks: int) -> str:
        """The terms whose points are more than asked for, so that every rank has as many."""
        return ", ".join(name for name, n in self.counts.items() if self.shares(n, ranks) not in (n, n / ranks))

    def _draw_term(self, term: Condition, n: int, key: tuple[int, int], device: Any, dtype: torch.dtype) -> Tensor:
        box = self.problem.domain
        random = generator(device, self.seed, *key, term.name)
        blocks = []
        for group in term.faces(box):
            free = [c for c in box.names if c not in group[0]]
            unit = self.sampler(n, len(free), random, dtype) if free else torch.empty(1, 0, device=device, dtype=dtype)
            drawn = {c: box[c][0] + (box[c][1] - box[c][0]) * unit[:, i] for i, c in enumerate(free)}
            for face in group:
                columns = [drawn[c] if c in drawn else unit.new_full((len(unit),), face[c]) for c in box.names]
                blocks.append(torch.stack(columns, 1))
        return torch.cat(blocks)

    def train_dataloader(self) -> Batches:
        """Only counts steps: the points themselves are drawn on the device, in `transfer_batch_to_device`."""
        return Batches(range(STEPS_PER_EPOCH))

    def val_dataloader(self) -> Batches:
        """The evaluation grid in chunks of (points, values), if a solution is known; then the validation points."""
        grid = self.problem.evaluation()
        rank, ranks = self.ranks()
        chunks: list[Any] = []
        if grid.values is not None:
            x, u = grid.points[rank::ranks], grid.values[rank::ranks]
            chunks = list(zip(x.split(CHUNK), u.split(CHUNK), strict=True))
        return Batches([*chunks, VALIDATION])

    def test_dataloader(self) -> Batches:
        return self.val_dataloader()

    def predict_dataloader(self) -> Batches:
        return Batches(self.problem.evaluation().points.split(CHUNK))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Draws the points of the current step (or the validation points); moves anything else, in the dtype."""
        dtype = next(self._module().parameters()).dtype
        if isinstance(batch, int):
            if batch == VALIDATION:
                return self.draw(VALIDATION, *self.ranks(), device, dtype)
            burst = Burst(self.burst, lambda: self._current(self._drawn_at(), device, dtype), self._trainer())
            return burst if self.burst > 1 else burst.draw()
        if isinstance(batch, Tensor):
            return batch.to(device, dtype)
        x, u = batch
        return x.to(device, dtype), u.to(device)  # values stay float64: errors are measured in it

    def _current(self, step: int, device: torch.device, dtype: torch.dtype) -> PointSets:
        if self._kept[0] != (step, device, dtype):
            drawn = self.draw(step, *self.ranks(), device, dtype)
            if self.adaptive:
                drawn["pde"] = self._adapted(step, drawn["pde"])
            self._kept = (step, device, dtype), drawn
        return self._kept[1]

    def _adapted(self, step: int, x: Tensor) -> Tensor:
        """As many collocation points as x has, where the residual is large now; after a resume, those in use then."""
        (restored_at, restored), self._restored = self._restored, (None, torch.empty(0))
        rank, ranks = self.ranks()
        if restored_at == step and restored.shape == (ranks, *x.shape):
            return restored[rank].to(x)
        assert self.adaptive is not None
        module: Any = self._module()
        pool = self._draw_term(self.terms[0], pool_size(len(x)), (rank, step), x.device, x.dtype)
        sizes = residual_sizes(module.objective, module.network, pool)
        return pool[choose(sizes, len(x), *self.adaptive, generator(x.device, self.seed, rank, step, "adaptive"))]

    def setup(self, stage: str) -> None:
        """A fit begins with points of its own."""
        if stage == "fit":
            self._kept, self._restored = (None, {}), (None, torch.empty(0))

    def state_dict(self) -> dict[str, Any]:
        """The adaptive points in use, of all ranks (R, N, D), and the step they were drawn at."""
        key, points = self._kept
        if not self.adaptive or key is None:
            return {}
        x = points["pde"]
        every: Any = self._trainer().strategy.all_gather(x) if self.ranks()[1] > 1 else x[None]
        return {"step": key[0], "pde": every.cpu()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict["step"], state_dict["pde"]

    def _drawn_at(self) -> int:
        """The step at which the points in use now were drawn."""
        module = self._module()
        every = getattr(module, "resample", None)
        every = self.resample if every is None else every
        return module.global_step // every * every if every else 0

    def _trainer(self) -> L.Trainer:
        assert self.trainer is not None, "the datamodule is used through a Trainer; call draw() for points without one"
        return self.trainer

    def _module(self) -> L.LightningModule:
        return self._trainer().lightning_module

    def ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
