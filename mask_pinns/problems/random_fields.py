"""`RandomField`: a smooth random function of the coordinates, for coefficients, sources and initial values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.checks import is_finite


class RandomField:
    """A Gaussian random field with covariance std^2 exp(-|x - x'|^2 / (2 length^2)), as a sum of random waves.

    g(x) = mean + std sqrt(2 / M) sum_m cos(w_m . x + b_m), with wave vectors w_m from a normal distribution of
    standard deviation 1 / length and phases b_m in [0, 2 pi): its covariance is exact in the mean over seeds, and the
    more waves, the more normal it is (Shinozuka, J. Acoust. Soc. Am. 49, 1971). g is smooth, and the same on every
    machine. It takes points and gives numbers of shape (N,), and derivatives in conditions that hold by construction.

    Args:
        coordinates: names of the coordinates on which it depends.
        length: correlation length, in their units; one for all, or one for each.
        mean, std: mean and standard deviation.
        waves: their number M.
        seed: of the wave vectors and phases.

    Raises:
        ValueError: no coordinate, or a number out of range.

    Example:
        >>> from mask_pinns import Box, Points, RandomField
        >>> log_a = RandomField("x", "y", length=0.3, seed=1)
        >>> log_a.on(x=[0.0, 0.5], y=[0.0, 1.0]).shape
        (2,)
    """

    def __init__(
        self,
        *coordinates: str,
        length: float | Sequence[float],
        mean: float = 0.0,
        std: float = 1.0,
        waves: int = 100,
        seed: int = 0,
    ) -> None:
        lengths = tuple(length) if isinstance(length, Sequence) else (length,) * len(coordinates)
        if not coordinates or len(lengths) != len(coordinates):
            raise ValueError(
                f"RandomField of {coordinates} with lengths {lengths}: expected a length for each coordinate"
            )
        if not all(is_finite(x) and x > 0 for x in lengths):
            raise ValueError(f"RandomField: length is {length!r}; expected positive numbers")
        if not (is_finite(mean) and is_finite(std) and isinstance(waves, int | np.integer) and waves > 0):
            raise ValueError(
                f"RandomField: mean {mean!r}, std {std!r}, waves {waves!r}; expected numbers, waves 1 or more"
            )
        random = np.random.default_rng(seed)
        self.coordinates, self.mean, self.factor = coordinates, mean, std * (2 / waves) ** 0.5
        self.vectors = random.standard_normal((waves, len(coordinates))) / np.array(lengths)
        self.phases = random.uniform(0, 2 * np.pi, waves)

    def __call__(self, p: Any) -> Any:
        """g at the points, (N,)."""
        x = [getattr(p, name) for name in self.coordinates]
        if all(isinstance(c, Tensor) for c in x):
            vectors, phases = (torch.as_tensor(a, dtype=x[0].dtype, device=x[0].device) for a in self._waves)
            return self.mean + self.factor * torch.cos(torch.stack(x, -1) @ vectors.T + phases).sum(-1)
        waves = (
            torch.cos(sum(float(w) * c for w, c in zip(vector, x, strict=True)) + float(phase))
            for vector, phase in zip(*self._waves, strict=True)
        )
        return self.mean + self.factor * sum(waves)

    @property
    def _waves(self) -> tuple[np.ndarray, np.ndarray]:
        return self.vectors, self.phases

    def on(self, **coordinates: Any) -> np.ndarray:
        """g at arrays of coordinates of one shape, as an array: for references and pictures."""
        x = np.stack([np.asarray(coordinates[name], dtype=float) for name in self.coordinates], -1)
        return self.mean + self.factor * np.cos(x @ self.vectors.T + self.phases).sum(-1)
