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

import torch
from torch import Tensor

from mask_pinns.domains import Domain, Piece
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.networks.exact import HardConstraints, probe_points
from mask_pinns.problems import Condition, Integral, Problem
from mask_pinns.problems.conditions import qualified
from mask_pinns.problems.derived.probing import agree, probe_fields
from mask_pinns.problems.derived.scales import characteristic_scales
from mask_pinns.problems.failures import attribute_errors_to
from mask_pinns.problems.fields import fields_of
from mask_pinns.registry import lookup, unknown
from mask_pinns.settings import Parity

PARITIES = {"even": 1.0, "odd": -1.0}
IMAGE_TOLERANCE = 1e-9
"""Largest difference between values at mirrored points, relative to their characteristic scale."""


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
        mirrored = probe.values(probe.mirror(x, name)) * torch.tensor(signs, dtype=x.dtype)
        if not all(map(_nearly_equal, probe.values(x).T, mirrored.T, probe.scales.sizes.values())):
            raise ValueError(f"{what}: its exact conditions are not; leave out --symmetry.{name}")
        for term in (equation, *soft):
            integrand = term.integrand if isinstance(term, Integral) else term
            if reason := _asymmetry(integrand, name, probe, soft):
                culprit = "its equation" if term is equation else f"its condition {term.name!r}"
                raise ValueError(f"{what}: {culprit} {reason}; leave out --symmetry.{name}")


def _asymmetry(term: Condition, name: str, probe: _Probe, soft: Sequence[Condition]) -> str:
    """Why a term is not symmetric, "" if it is: residuals differ at images, or no condition holds on the image."""
    for k, piece in enumerate(term.place(probe.problem.domain).pieces):
        image = piece.mirrored(name)
        partner = _partner(term, image, probe, soft)
        if partner is not None:
            if not _same_at_image(term, k, *partner, name, probe):
                return "is not"
        elif piece.dimension:
            return "holds on one side only"
    return ""


def _partner(term: Condition, image: Piece, probe: _Probe, soft: Sequence[Condition]) -> tuple[Condition, int] | None:
    """The condition of the same kind, this one first, that holds on the image of a piece; and which piece of it."""
    for other in (term, *(c for c in soft if c is not term and type(c) is type(term))):
        for k, piece in enumerate(other.place(probe.problem.domain).pieces):
            if piece.coincides(image):
                return other, k
    return None


def _same_at_image(term: Condition, k: int, other: Condition, slot: int, name: str, probe: _Probe) -> bool:
    """Whether residuals on piece k of a term have the size of those at the mirrored points, on a piece of another."""
    points, images = probe.points(term), probe.points(other).clone()  # (R, N, D)
    images[slot] = probe.mirror(points[k], name)
    if term.paired:  # both pieces move together
        images[1 - slot] = probe.mirror(points[1 - k], name)
    direct, mirrored = (probe.sizes(c, x.flatten(0, 1)) for c, x in ((term, points), (other, images)))
    if [part.partition(".")[2] for part in direct] != [part.partition(".")[2] for part in mirrored]:
        return False
    for (part, a), b in zip(direct.items(), mirrored.values(), strict=True):
        if not term.paired:
            a, b = a.unflatten(0, points.shape[:2])[k], b.unflatten(0, images.shape[:2])[slot]
        if not _nearly_equal(a, b, probe.scales.residuals[part]):
            return False
    return True


class _Probe:
    """The problem's probe fields, made symmetric: odd fields lose their offsets."""

    def __init__(self, problem: Problem, symmetry: Symmetry, hard: HardConstraints | None) -> None:
        self.problem, self.symmetry, self.hard = problem, symmetry, hard
        self.scales = characteristic_scales(problem)
        self.sizes_of_fields = torch.tensor(list(self.scales.sizes.values()), dtype=torch.float64)
        self.offsets = torch.tensor(list(self.scales.offsets.values()), dtype=torch.float64)

    def mirror(self, x: Tensor, name: str) -> Tensor:
        return self.symmetry.mirrored(Jet.constant(x), name).value

    def points(self, term: Condition) -> Tensor:
        """Points of a term's place, (R, N, D)."""
        place = term.place(self.problem.domain)
        return probe_points(place).unflatten(0, (len(place), -1))

    def values(self, x: Tensor) -> Tensor:
        """The values (N, F) at points (N, D)."""
        return self._jet(x, Derivatives()).value

    def sizes(self, term: Condition, x: Tensor) -> dict[str, Tensor]:
        """The absolute values of a term's residuals by name, each (N,)."""
        problem, names = self.problem, self.problem.domain.names
        jet = self._jet(x, term.derivatives)
        fields = fields_of(jet, problem.fields, names, problem.title)
        with attribute_errors_to(f"the residual of {term.name!r}", problem.title):
            place = term.place(problem.domain)
            parts = term.residuals(problem.points(place, x), fields, place)
        return {name: residual.abs() for name, residual in qualified(term, parts).items()}

    def _jet(self, x: Tensor, derivatives: Derivatives) -> Jet:
        coordinates = Jet.of_coordinates(x, self.problem.domain.names, derivatives)
        jet = self.symmetry(self._waves, coordinates)
        return jet if self.hard is None else self.hard(coordinates, jet)

    def _waves(self, x: Jet) -> Jet:
        waves = probe_fields(self.problem).waves(x) * self.sizes_of_fields
        return Jet(waves.derivatives, waves.streams | {"": waves.value + self.offsets})


def _nearly_equal(a: Tensor, b: Tensor, scale: float) -> bool:
    return bool(a.isfinite().any()) and agree(a, b, IMAGE_TOLERANCE * scale)
