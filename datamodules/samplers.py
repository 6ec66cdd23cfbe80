"""Samplers of the unit cube: `sampler(n, d, generator, dtype) -> (n, d)` in (0, 1), on the generator's device.

SAMPLERS names them; their randomness comes from the generator alone, so that points can be drawn again.
Legend: n points, d coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.quasirandom import SobolEngine

Sampler = Callable[[int, int, Generator, torch.dtype], Tensor]


def latin_hypercube(n: int, d: int, generator: Generator, dtype: torch.dtype) -> Tensor:
    """One point in each of n equal slices of every coordinate, the slices shuffled coordinate by coordinate.

    Points keep so far from the ends of their slices that rounding to the dtype moves none into the next one.
    """
    jitter = torch.rand(n, d, generator=generator, device=generator.device, dtype=dtype)
    order = torch.stack([torch.randperm(n, generator=generator, device=generator.device) for _ in range(d)], 1)
    margin = min(0.5, n * torch.finfo(dtype).eps)
    return order.to(dtype) / n + jitter.clamp(margin, 1 - margin) / n


def sobol(n: int, d: int, generator: Generator, dtype: torch.dtype) -> Tensor:
    """A scrambled Sobol sequence (Owen's scrambling, by torch), with a scrambling seed drawn from the generator."""
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # torch makes the engine's first point in the default dtype
    try:
        engine = SobolEngine(d, scramble=True, seed=seed)
    finally:
        torch.set_default_dtype(default)
    return engine.draw(n, dtype=dtype).to(generator.device)


def uniform(n: int, d: int, generator: Generator, dtype: torch.dtype) -> Tensor:
    """Independent uniform points."""
    return torch.rand(n, d, generator=generator, device=generator.device, dtype=dtype)


def grid(n: int, d: int, generator: Generator, dtype: torch.dtype) -> Tensor:
    """The midpoints of m^d equal cells, m = floor(n^(1/d)): at most n points, the same at every draw."""
    m = math.floor(n ** (1 / d) + 1e-9)
    axis = (torch.arange(m, device=generator.device, dtype=dtype) + 0.5) / m
    return torch.cartesian_prod(*[axis] * d).reshape(-1, d)


SAMPLERS: dict[str, Sampler] = {
    "latin_hypercube": latin_hypercube,
    "sobol": sobol,
    "uniform": uniform,
    "grid": grid,
}
