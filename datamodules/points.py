"""`PointsDataModule`: collocation, boundary and initial points for any problem, and its evaluation grid.

A training batch is a dict from the name of each loss term to its points. They are drawn on the training device,
in the module's dtype, as a pure function of (seed, rank, step, term): two ranks never have the same points by accident,
and a resumed run draws what the uninterrupted run would have drawn, with no random state to save. Only adaptive points
depend also on the weights, at the step they were drawn: a checkpoint contains those in use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from zlib import crc32

import lightning as L
import numpy as np
import torch
from torch import Generator, Tensor

from mask_pinns.datamodules.adaptive import check_adaptive, choose, pool_size, residual_sizes
from mask_pinns.datamodules.batches import Batches, Burst
from mask_pinns.datamodules.samplers import SAMPLERS
from mask_pinns.objective import PointSets
from mask_pinns.problems import Condition, Problem
from mask_pinns.registry import lookup, unknown
from mask_pinns.settings import Sampling, complete

STEPS_PER_EPOCH = 1000
"""Number of training batches in an epoch of Lightning."""
VALIDATION_STEP = 2**32 - 1
"""Number that takes the place of the step when the validation points are drawn."""
ODD = 0x9E3779B1
"""Factor of the step in a seed: 2^32 over the golden ratio."""
GRID_CHUNK = 8192
"""Number of points of the evaluation grid at a time."""
SHARES: dict[str, Callable[[int, int], int]] = {"split": lambda n, ranks: -(-n // ranks), "each": lambda n, ranks: n}
"""A rank's number of points, from n and the number of ranks.

Shares are equal, so that the mean over ranks of their mean squares is the mean square over all points."""


def generator(device: torch.device | str, step: int, *key: int | str) -> Generator:
    """A generator seeded by the step and the key alone: numbers from 0 to 2^32 - 1, and names.

    A CPU's generator reads the low 32 bits of its seed. They are a hash of the key plus the step times an odd number,
    so that no two steps have the same; a hash of both would give two of 40,000 steps the same with probability 1/6.
    """
    words = [crc32(k.encode()) if isinstance(k, str) else k for k in key]
    high, low = map(int, np.random.SeedSequence(words).generate_state(2, np.uint32))
    return Generator(device=device).manual_seed((high >> 1 << 32) + (low + step * ODD) % 2**32)


class PointsDataModule(L.LightningDataModule):
    """Points for every term of a problem's loss.

    Args:
        problem: the problem.
        sampling: number and sampling of the points.
        hard: names of conditions that hold by the network's construction (`model.objective.hard`): they have no points.
            In a fit, they are those of the module.
        burst: optimizer steps per batch of Lightning's loop, which takes about half a millisecond a batch: most of a
            step on a fast GPU. If there are several, a batch is a `Burst`, to iterate over.
        options: single fields of the sampling, which replace those of `sampling`:
            `PointsDataModule(problem, points=1000, sampler="sobol")`.

    Adaptive collocation points are denser where the residual is large (see `adaptive.py`); they are chosen whenever
    points are drawn anew. Validation points are never adaptive.

    Example:
        >>> from mask_pinns import PROBLEMS, PointsDataModule
        >>> points = PointsDataModule(PROBLEMS["wave"](), points={"pde": 100, "initial": 20}).draw(step=0)
        >>> {name: tuple(x.shape) for name, x in points.items()}
        {'pde': (100, 2), 'initial': (20, 2), 'dirichlet_x': (20, 2)}

    Raises:
        ValueError: an unknown sampler or term (the known ones listed), a number below one, a negative interval.
    """

    def __init__(
        self,
        problem: Problem,
        sampling: Sampling | None = None,
        hard: Collection[str] = (),
        burst: int = 1,
        **options: Any,
    ) -> None:
        super().__init__()
        (sampling,) = complete("setting of the points", {Sampling: sampling}, options)
        self.problem = problem
        self.terms = [term for term in problem.terms if term.name not in hard]
        self.places = {term.name: term.place(problem.domain) for term in self.terms}
        self.sampler = lookup(SAMPLERS, sampling.sampler, "sampler")
        if sampling.sampler == "grid" and any(
            piece.share < 1 for place in self.places.values() for piece in place.pieces
        ):
            raise ValueError(f"the sampler grid is for boxes; {problem.title} has shapes: take sobol")
        self.given = {name: place.count for name, place in self.places.items() if place.count}  # rows of tables
        self.counts = self._counts(sampling.points)
        if sampling.resample < 0 or sampling.seed < 0:
            raise ValueError(f"resample is {sampling.resample} and seed is {sampling.seed}; neither can be negative")
        if burst < 1:
            raise ValueError(f"burst is {burst}; it must be 1 or more")
        self.resample, self.seed, self.burst = sampling.resample, sampling.seed, burst
        self.shares = lookup(SHARES, sampling.points_over_ranks, "way to share points over ranks:")
        self.adaptive = check_adaptive(sampling.adaptive)
        self._current_points: tuple[Any, PointSets] = (None, {})
        self._restored: tuple[int | None, Tensor] = (None, torch.empty(0))

    def _counts(self, points: int | Mapping[str, int]) -> dict[str, int]:
        given = points if isinstance(points, Mapping) else {"pde": points}
        names = [term.name for term in self.problem.terms]
        for name, n in given.items():
            if name not in names:
                raise unknown(name, names, f"point set of {self.problem.title}")
            if n < 1:
                raise ValueError(f"points for {name!r}: {n}; at least 1 is needed")
            if name in self.given:
                rows = f"all {self.given[name]:,} rows of its table are taken"
                raise ValueError(f"points for {name!r}: {n}; {rows}: leave out --points.{name}")
        counts = {**Sampling().points, **given}  # type: ignore[dict-item]  # the default is a mapping
        usual = max(1, counts["pde"] // 10)
        return {
            name: self.given.get(name) or counts.get(name, place.usual(usual)) for name, place in self.places.items()
        }

    def draw(self, step: int, rank: int = 0, world_size: int = 1, device: torch.device | str = "cpu",
             dtype: torch.dtype | None = None) -> PointSets:  # fmt: skip
        """The points drawn at a step: for each term (R n, D), n its points on each piece, piece after piece."""
        dtype = dtype or torch.get_default_dtype()
        return {
            term.name: self._draw_term(
                term, self.shares(self.counts[term.name], world_size), (rank, step), device, dtype
            )
            for term in self.terms
        }

    def uneven(self, ranks: int) -> str:
        """The terms that have more points than configured, so that every rank has the same number."""
        drawn = {name: n for name, n in self.counts.items() if name not in self.given}
        return ", ".join(name for name, n in drawn.items() if self.shares(n, ranks) not in (n, n / ranks))

    def _draw_term(self, term: Condition, n: int, key: tuple[int, int], device: Any, dtype: torch.dtype) -> Tensor:
        rank, step = key
        random = generator(device, step, self.seed, rank, term.name)

        def sample(dimension: int, count: int) -> Tensor:
            if not dimension:
                return torch.empty(1, 0, device=device, dtype=dtype)  # a single point, whatever the number n
            fresh = step == VALIDATION_STEP and self.sampler is SAMPLERS["grid"]  # its points are always the same
            return (SAMPLERS["sobol"] if fresh else self.sampler)(count, dimension, random, dtype)

        return self.places[term.name].draw(n, sample)

    def train_dataloader(self) -> Batches:
        """Only counts steps: `transfer_batch_to_device` draws the points, on the device."""
        return Batches(range(STEPS_PER_EPOCH))

    def val_dataloader(self) -> Batches:
        """The validation points; then the evaluation grid in chunks of (points, values), if a solution is known.

        So there is a loss at fresh points, by which the best weights are chosen, with any limit of batches.
        """
        grid = self.problem.evaluation()
        rank, ranks = self.ranks()
        chunks: list[Any] = []
        if grid.values is not None:
            x, u = grid.points[rank::ranks], grid.values[rank::ranks]
            chunks = list(zip(x.split(GRID_CHUNK), u.split(GRID_CHUNK), strict=True))
        return Batches([VALIDATION_STEP, *chunks])

    def test_dataloader(self) -> Batches:
        return self.val_dataloader()

    def predict_dataloader(self) -> Batches:
        return Batches(self.problem.evaluation().points.split(GRID_CHUNK))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Draws the points of the current step, or the validation points; moves and converts the evaluation grid."""
        if isinstance(batch, int) and batch != VALIDATION_STEP:
            burst = Burst(self.burst, lambda: self._points_at(self._drawn_at(), device), self._trainer())
            return burst if self.burst > 1 else burst.draw()
        dtype = self._dtype()
        if isinstance(batch, int):
            return self.draw(VALIDATION_STEP, *self.ranks(), device, dtype)
        if isinstance(batch, Tensor):
            return batch.to(device, dtype)
        x, u = batch
        return x.to(device, dtype), u.to(device)  # values stay float64, in which errors are computed

    def _dtype(self) -> torch.dtype:
        """The dtype of the weights, which a phase may change within a burst."""
        return next(self._module().parameters()).dtype

    def _points_at(self, step: int, device: torch.device) -> PointSets:
        dtype = self._dtype()
        if self._current_points[0] != (step, device, dtype):
            drawn = self.draw(step, *self.ranks(), device, dtype)
            if self.adaptive:
                drawn["pde"] = self._adapted(step, drawn["pde"])
            self._current_points = (step, device, dtype), drawn
        return self._current_points[1]

    def _adapted(self, step: int, x: Tensor) -> Tensor:
        """As many adaptive collocation points as x has; on a resume, those of the checkpoint."""
        (restored_at, restored), self._restored = self._restored, (None, torch.empty(0))
        rank, ranks = self.ranks()
        if restored_at == step and restored.shape == (ranks, *x.shape) and restored.dtype == x.dtype:
            return restored[rank].to(x.device)
        assert self.adaptive is not None
        module: Any = self._module()
        pool = self._draw_term(self.problem.equation, pool_size(len(x)), (rank, step), x.device, x.dtype)
        sizes = residual_sizes(module.objective, module.network, pool)
        return pool[choose(sizes, len(x), *self.adaptive, generator(x.device, step, self.seed, rank, "adaptive"))]

    def setup(self, stage: str) -> None:
        """Takes the terms of the module's loss. A fit starts without points of an earlier one."""
        objective = getattr(self._module(), "objective", None)
        if objective is not None:
            self._take_terms([term.name for term in objective.terms])
        if stage == "fit":
            self._current_points, self._restored = (None, {}), (None, torch.empty(0))

    def _take_terms(self, names: Sequence[str]) -> None:
        """Leaves out the points of conditions that hold by the network's construction.

        Raises ValueError if a term of the loss has no points.
        """
        if missing := [name for name in names if name not in self.counts]:
            raise ValueError(
                f"there are no points for {', '.join(missing)}: the data module was made with these conditions as "
                "hard, the model has them in its loss; make it with hard=model.objective.hard"
            )
        self.terms = [term for term in self.terms if term.name in names]
        self.counts = {name: self.counts[name] for name in names}

    def state_dict(self) -> dict[str, Any]:
        """The adaptive points in use, of all ranks (R, N, D), and the step they were drawn at."""
        key, points = self._current_points
        if not self.adaptive or key is None:
            return {}
        x = points["pde"]
        of_all_ranks: Any = self._trainer().strategy.all_gather(x) if self.ranks()[1] > 1 else x[None]
        return {"step": key[0], "pde": of_all_ranks.cpu()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict["step"], state_dict["pde"]

    def _drawn_at(self) -> int:
        """The step at which the points in use now were drawn."""
        module = self._module()
        interval = getattr(module, "resample", None)
        interval = self.resample if interval is None else interval
        return module.global_step // interval * interval if interval else 0

    def _trainer(self) -> L.Trainer:
        assert self.trainer is not None, "the datamodule is used through a Trainer; call draw() for points without one"
        return self.trainer

    def _module(self) -> L.LightningModule:
        return self._trainer().lightning_module

    def ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
