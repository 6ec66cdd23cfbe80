"""Fields that are even or odd about the middle of the domain, by construction.

    N_s(p) = (N(p) + s N(R p)) / 2,    R p: a coordinate mirrored, x -> low + high - x;  s = 1 even, s = -1 odd

for every mirrored coordinate in turn. Training at a point is then training at its mirror images too: the same number of
parameters has to represent half of the domain, or a quarter. Errors that break the symmetry cannot occur: Burgers'
shock stays at x = 0.

The problem must have the symmetry: `check_symmetric` refuses one that the equation or the conditions do not have.
Legend: N points, D coordinates, F fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import pi

import torch
from torch import Generator, Tensor

from mask_pinns.domains import Domain, Points
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.functions import sin
from mask_pinns.networks.hard_constraints import HardConstraints, probe_points
from mask_pinns.problems import Condition, Problem
from mask_pinns.problems.failures import attribute_errors_to
from mask_pinns.problems.fields import fields_of
from mask_pinns.registry import lookup, unknown
from mask_pinns.settings import Parity

PARITIES = {"even": 1.0, "odd": -1.0}
IMAGE_TOLERANCE = 1e-9
"""Largest difference between values at mirrored points, relative to the largest value or one."""


class Symmetry:
    """Makes fields even or odd: called with a map of jets and the jet of the coordinates, it evaluates the new map.

    Args:
        domain: domain of the problem.
        fields: names of the fields.
        parities: "even" or "odd" for each mirrored coordinate, of all fields or field by field: {"x": "odd"},
            {"y": {"u": "even", "v": "odd"}}.

    Raises ValueError for an unknown coordinate, parity or field, and for a missing field.
    """

    def __init__(self, domain: Domain, fields: Sequence[str], parities: Mapping[str, Parity]) -> None:
        self.domain, self.signs = domain, {}
        for name, given in parities.items():
            if name not in domain:
                raise unknown(name, domain.names, "coordinate of a symmetry:")
            by_field = dict(given) if isinstance(given, Mapping) else dict.fromkeys(fields, given)
            if sorted(by_field) != sorted(fields):
                raise ValueError(
                    f"the symmetry in {name} is given for {', '.join(by_field)}; the fields are {', '.join(fields)}"
                )
            self.signs[name] = [lookup(PARITIES, str(by_field[f]), "parity") for f in fields]

    def __call__(self, network: Callable[[Jet], Jet], x: Jet) -> Jet:
        return self._mean(network, x, list(self.signs))

    def _mean(self, network: Callable[[Jet], Jet], x: Jet, names: list[str]) -> Jet:
        if not names:
            return network(x)
        image = self._mean(network, self.mirrored(x, names[0]), names[1:])
        direct = self._mean(network, x, names[1:])  # last, so that hooks on the layers end with the points themselves
        signs = torch.tensor(self.signs[names[0]], dtype=x.value.dtype, device=x.value.device)
        return (direct + image * signs) * 0.5

    def mirrored(self, x: Jet, name: str) -> Jet:
        """The jet of the coordinates (N, D) at R p, with its derivatives by p."""
        mirrored = [n == name for n in self.domain.names]
        like = {"dtype": x.value.dtype, "device": x.value.device}
        image = x * torch.tensor([-1.0 if m else 1.0 for m in mirrored], **like)  # type: ignore[arg-type]
        shift = torch.tensor([sum(self.domain[name]) if m else 0.0 for m in mirrored], **like)  # type: ignore[arg-type]
        return Jet(x.derivatives, image.streams | {"": image.value + shift})


def check_symmetric(
    problem: Problem, symmetry: Symmetry, hard: HardConstraints | None, soft: Sequence[Condition]
) -> None:
    """Raises ValueError if values or residuals of a symmetric function differ at mirrored points.

    Args:
        problem: the problem, whose equation is evaluated.
        symmetry: symmetry of the function.
        hard: hard constraints of the function.
        soft: conditions that are terms of the loss.
    """
    probe, equation = _Probe(problem, symmetry, hard), problem.equation
    for name, signs in symmetry.signs.items():
        words = [f"{f} {'even' if s > 0 else 'odd'}" for f, s in zip(problem.fields, signs, strict=True)]
        what = f"{problem.title} with {', '.join(words)} in {name}"
        x = probe_points(problem.domain.section({}))
        if not _nearly_equal(probe.values(x) * torch.tensor(signs, dtype=x.dtype), probe.values(probe.mirror(x, name))):
            raise ValueError(f"{what}: its exact conditions are not; leave out --symmetry.{name}")
        for term in (equation, *soft):
            if not _same_at_images(term, name, probe):
                culprit = "its equation" if term is equation else f"its condition {term.name!r}"
                raise ValueError(f"{what}: {culprit} is not; leave out --symmetry.{name}")


def _same_at_images(term: Condition, name: str, probe: _Probe) -> bool:
    """Whether residuals have the same size at mirrored points; true if the image of a piece is not one of the term."""
    place = term.place(probe.problem.domain)
    pieces = place.pieces
    images = [piece.mirrored(name) for piece in pieces]
    if any(image not in pieces for image in images):
        return True
    slots = [pieces.index(image) for image in images]  # the points of slots[k], mirrored, lie on piece k
    points = probe_points(place).unflatten(0, (len(pieces), -1))
    mirrored = torch.cat([probe.mirror(points[slot], name) for slot in slots])
    for direct, image in zip(probe.sizes(term, points.flatten(0, 1)), probe.sizes(term, mirrored), strict=True):
        by_piece = direct if term.paired else direct.unflatten(0, (len(pieces), -1))[slots].flatten()
        if not _nearly_equal(by_piece, image):
            return False
    return True


class _Probe:
    """A symmetric function that is generic otherwise: a sum of waves in random directions, float64."""

    def __init__(self, problem: Problem, symmetry: Symmetry, hard: HardConstraints | None) -> None:
        self.problem, self.symmetry, self.hard = problem, symmetry, hard
        domain, draw = problem.domain, Generator().manual_seed(0)
        lengths = torch.tensor(domain.high, dtype=torch.float64) - torch.tensor(domain.low, dtype=torch.float64)
        self.wave_vectors = torch.randn(8, len(domain), dtype=torch.float64, generator=draw) * pi / lengths
        self.phases = torch.randn(8, dtype=torch.float64, generator=draw)
        self.amplitudes = torch.randn(len(problem.fields), 8, dtype=torch.float64, generator=draw)

    def mirror(self, x: Tensor, name: str) -> Tensor:
        return self.symmetry.mirrored(Jet.constant(x), name).value

    def values(self, x: Tensor) -> Tensor:
        """The values (N, F) at points (N, D)."""
        return self._jet(x, Derivatives()).value

    def sizes(self, term: Condition, x: Tensor) -> list[Tensor]:
        """The absolute values of a term's residuals, each (N,)."""
        problem, names = self.problem, self.problem.domain.names
        jet = self._jet(x, term.derivatives)
        fields = fields_of(jet, problem.fields, names, problem.title)
        with attribute_errors_to(f"the residual of {term.name!r}", problem.title):
            return [r.abs() for r in term.residuals(Points(x, names), fields, term.place(problem.domain)).values()]

    def _jet(self, x: Tensor, derivatives: Derivatives) -> Jet:
        coordinates = Jet.of_coordinates(x, self.problem.domain.names, derivatives)
        jet = self.symmetry(self._waves, coordinates)
        return jet if self.hard is None else self.hard(coordinates, jet)

    def _waves(self, x: Jet) -> Jet:
        z = x.linear(self.wave_vectors, self.phases)
        return z.compose(sin(z.value, z.derivatives.order)).linear(self.amplitudes)


def _nearly_equal(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= IMAGE_TOLERANCE * a.abs().max().clamp(min=1.0))
