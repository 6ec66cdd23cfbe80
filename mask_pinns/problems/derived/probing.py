"""Evaluates a problem's residuals on probe fields: what each residual depends on, and how strongly.

A probe field is  offset + size * w(p),  w a fixed sum of random waves with values and, over the length of each
coordinate, derivatives of about one. The streams of such a field (its value and derivatives) are independent inputs of
a residual, so that one reverse pass gives the residual's derivative by each of them. Everything here holds for the
declaration alone: no network takes part.

A problem does not change, so that what is found is kept (`once`).
Legend: N points, D coordinates, F fields, m the multi-index of a derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor

from mask_pinns.domains import Domain
from mask_pinns.domains.quadrature import Quadrature
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.functions import sin
from mask_pinns.problems.checks import check_shape
from mask_pinns.problems.conditions import Condition, qualified
from mask_pinns.problems.failures import attribute_errors_to
from mask_pinns.problems.fields import fields_of
from mask_pinns.problems.problem import Problem

WAVES = 8
"""Number of waves in a probe field."""
PROBES = 128
"""Number of points on each piece of a place."""

Streams = dict[str, Tensor]
Found = TypeVar("Found")


def once(find: Callable[[Problem], Found]) -> Callable[[Problem], Found]:
    """Makes a function of a problem keep its result, in the problem itself."""

    @wraps(find)
    def kept(problem: Problem) -> Found:
        known = vars(problem).setdefault("_found", {})
        if find not in known:
            known[find] = find(problem)
        return known[find]

    return kept


@dataclass(frozen=True)
class Sensitivity:
    """One residual's dependence on the streams of the fields.

    Attributes:
        source: root mean square of its values on fields that are constant at their offsets.
        slopes: root mean square of its derivative by a stream, times the scale of that stream for a field of size one,
            by field and multi-index: the size of the term that contains the stream, for a field of size one.
    """

    source: float
    slopes: dict[tuple[str, str], float]


class ProbeFields:
    """Probe fields of a problem, in float64, at fixed random points."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.lengths = problem, half_lengths(problem.domain)
        draw = Generator().manual_seed(0)
        like: Any = {"dtype": torch.float64, "generator": draw}
        scale = torch.tensor([self.lengths[c] for c in problem.domain.names], dtype=torch.float64)
        self.wave_vectors = torch.randn(WAVES, len(problem.domain), **like) / scale
        self.phases = torch.randn(WAVES, **like) * math.pi
        self.amplitudes = torch.randn(len(problem.fields), WAVES, **like) * (2 / WAVES) ** 0.5
        limits = [problem.domain[c] for c in problem.domain.names]
        self.middle = torch.tensor([(low + high) / 2 for low, high in limits], dtype=torch.float64)

    def points(self, term: Condition, count: int = PROBES) -> Tensor:
        """Points of a term's place, equally many on each piece."""
        draw, place = Generator().manual_seed(1), term.place(self.problem.domain)
        return place.draw(
            place.usual(count), lambda dimension, n: torch.rand(n, dimension, dtype=torch.float64, generator=draw)
        )

    def waves(self, coordinates: Jet) -> Jet:
        """The sums of waves w (N, F), of about one, with their derivatives, from the jet of the coordinates (N, D)."""
        centred = Jet(coordinates.derivatives, coordinates.streams | {"": coordinates.value - self.middle})
        z = centred.linear(self.wave_vectors, self.phases)
        return z.compose(sin(z.value, z.derivatives.order)).linear(self.amplitudes)

    def streams(
        self, x: Tensor, derivatives: Derivatives, offsets: Mapping[str, float], sizes: Mapping[str, float]
    ) -> Streams:
        """The streams (N, F) of the probe fields at points (N, D), or at measurements (N, D + K)."""
        names = self.problem.domain.names
        waves = self.waves(Jet.of_coordinates(x[:, : len(names)], names, derivatives))
        size = x.new_tensor([sizes[f] for f in self.problem.fields])
        offset = x.new_tensor([offsets[f] for f in self.problem.fields])
        full = {m: torch.zeros_like(waves.value) if s is None else s.expand_as(waves.value) * size
                for m, s in ((m, waves[m]) for m in derivatives.indices)}  # fmt: skip
        return full | {"": full[""] + offset}

    def residuals(self, term: Condition, x: Tensor, streams: Streams) -> dict[str, Tensor]:
        """The residuals of a term by their names in the loss. Raises ValueError if the problem's function fails."""
        problem, names = self.problem, self.problem.domain.names
        owner = problem.title if term is problem.equation else f"condition {term.name!r} of {problem.title}"
        with attribute_errors_to(f"the residual {term.name!r}", problem.title):
            fields = fields_of(Jet(term.derivatives, streams), problem.fields, names, owner)
            place = term.place(problem.domain)
            parts = term.residuals(problem.points(place, x), fields, place)
        n = len(x) // len(place) if term.paired else len(x)
        return {
            k: check_shape(r, n, f"the residual {k!r} of {problem.title}") for k, r in qualified(term, parts).items()
        }

    def sensitivities(
        self, term: Condition, offsets: Mapping[str, float], sizes: Mapping[str, float]
    ) -> dict[str, Sensitivity]:
        """How the residuals of a term depend on the fields near probe fields of these offsets and sizes."""
        x, place = self.points(term), term.place(self.problem.domain)
        nodes = len(place) if isinstance(place, Quadrature) else 1  # each has its share in an integral
        inputs = {m: s.requires_grad_() for m, s in self.streams(x, term.derivatives, offsets, sizes).items()}
        constant = self.streams(x, term.derivatives, offsets, dict.fromkeys(sizes, 0.0))
        with torch.no_grad():
            sources = self.residuals(term, x, constant)
        found = {}
        with torch.enable_grad():
            for name, residual in self.residuals(term, x, inputs).items():
                by_stream = self.gradients(residual, inputs)
                slopes = {
                    (f, m): nodes * rms(g[:, i]) / self.unit(m)
                    for m, g in by_stream.items() for i, f in enumerate(self.problem.fields)
                }  # fmt: skip
                found[name] = Sensitivity(rms(sources.get(name)), slopes)
        return found

    @staticmethod
    def gradients(residual: Tensor, inputs: Streams) -> Streams:
        if not residual.requires_grad:
            return {}
        gradients = torch.autograd.grad(residual.sum(), list(inputs.values()), retain_graph=True, allow_unused=True)
        return {m: g for m, g in zip(inputs, gradients, strict=True) if g is not None}

    def unit(self, m: str) -> float:
        """The product of the half lengths of the coordinates of a multi-index."""
        return math.prod(self.lengths[c] for c in m)


@once
def probe_fields(problem: Problem) -> ProbeFields:
    """The probe fields of a problem."""
    return ProbeFields(problem)


def agree(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Whether the same entries are finite, and these differ by at most the tolerance."""
    finite = a.isfinite()
    return torch.equal(finite, b.isfinite()) and bool(((a - b).abs()[finite] <= tolerance).all())


def half_lengths(domain: Domain) -> dict[str, float]:
    """Half the length of the domain's bounding box along each coordinate."""
    return {c: (domain[c][1] - domain[c][0]) / 2 for c in domain.names}


def rms(x: Tensor | None) -> float:
    """The root mean square of the finite entries; 0 if there are none."""
    if x is None:
        return 0.0
    finite = x.detach().double()
    finite = finite[finite.isfinite()]
    if not len(finite):
        return 0.0
    largest = float(finite.abs().max())
    return largest * float((finite / largest).square().mean()) ** 0.5 if largest else 0.0
