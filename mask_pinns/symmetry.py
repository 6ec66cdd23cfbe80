"""Fields that are even or odd about the middle of the domain, by construction.

    N_s(p) = (N(p) + s N(R p)) / 2,    R p: a coordinate mirrored, x -> low + high - x;  s = 1 even, s = -1 odd

for every mirrored coordinate in turn. Each point then teaches its mirror images too: half of the domain, or a quarter,
is left to learn, with as many parameters. What a symmetry rules out cannot go wrong: Burgers' shock stays at x = 0.

It is a property of the problem, not a guess: `check_symmetric` refuses one that equation or conditions do not have.
Legend: N points, D coordinates, F fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import pi

import torch
from torch import Generator, Tensor

from mask_pinns.activations import sin
from mask_pinns.exact_conditions import ExactConditions, inside, on_face
from mask_pinns.jet import Derivatives, Jet
from mask_pinns.problems.blame import blamed
from mask_pinns.problems.conditions import Condition
from mask_pinns.problems.domain import Box, Points
from mask_pinns.problems.fields import fields_of
from mask_pinns.problems.problem import Problem
from mask_pinns.registry import lookup, unknown

PARITIES = {"even": 1.0, "odd": -1.0}
TOLERANCE = 1e-9  # of values at mirrored points, in units of the largest
Parity = str | Mapping[str, str]


class Symmetry:
    """Makes fields even or odd: called with a map of jets and the coordinates' jet, in place of the map itself.

    Args:
        box: the domain.
        fields: names of the fields.
        parities: "even" or "odd" for each mirrored coordinate, of all fields or field by field: {"x": "odd"},
            {"y": {"u": "even", "v": "odd"}}.

    Raises ValueError for a coordinate, parity or field that there is not, and for a field that is left out.
    """

    def __init__(self, box: Box, fields: Sequence[str], parities: Mapping[str, Parity]) -> None:
        self.box, self.signs = box, {}
        for name, given in parities.items():
            if name not in box:
                raise unknown(name, box.names, "coordinate of a symmetry:")
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
        own = self._mean(network, x, names[1:])  # last: who watches the layers sees them at the points themselves
        signs = torch.tensor(self.signs[names[0]], dtype=x.value.dtype, device=x.value.device)
        return (own + image * signs) * 0.5

    def mirrored(self, x: Jet, name: str) -> Jet:
        """The coordinates' jet (N, D) at R p, still with its derivatives by p."""
        own = [n == name for n in self.box.names]
        like = {"dtype": x.value.dtype, "device": x.value.device}
        turned = x * torch.tensor([-1.0 if o else 1.0 for o in own], **like)  # type: ignore[arg-type]
        shift = torch.tensor([sum(self.box[name]) if o else 0.0 for o in own], **like)  # type: ignore[arg-type]
        return Jet(x.derivatives, turned.streams | {"": turned.value + shift})


def check_symmetric(
    problem: Problem, symmetry: Symmetry, exact: ExactConditions | None, soft: Sequence[Condition]
) -> None:
    """Raises ValueError where values or residuals of a symmetric function are others at mirrored points.

    Args:
        problem: whose equation is tried.
        symmetry: that the function is given.
        exact: conditions that hold by construction, which the function is made to meet.
        soft: conditions that the loss is to meet.
    """
    probe, equation = _Probe(problem, symmetry, exact), problem.terms[0]
    for name, signs in symmetry.signs.items():
        words = [f"{f} {'even' if s > 0 else 'odd'}" for f, s in zip(problem.fields, signs, strict=True)]
        what = f"{problem.title} with {', '.join(words)} in {name}"
        x = inside(problem.domain)
        if not _alike(probe.values(x) * torch.tensor(signs, dtype=x.dtype), probe.values(probe.mirror(x, name))):
            raise ValueError(f"{what}: its exact conditions are not; leave out --symmetry.{name}")
        for term in (equation, *soft):
            if not _same_at_images(term, name, probe):
                culprit = "its equation" if term is equation else f"its condition {term.name!r}"
                raise ValueError(f"{what}: {culprit} is not; leave out --symmetry.{name}")


def _same_at_images(term: Condition, name: str, probe: _Probe) -> bool:
    """Whether residuals are as large at mirrored points; true where the image of a face is no face of the term."""
    box = probe.problem.domain
    faces = term.all_faces(box)
    images = [face | ({name: sum(box[name]) - face[name]} if name in face else {}) for face in faces]
    if any(image not in faces for image in images):
        return True
    slots = [faces.index(image) for image in images]  # the points of slots[k], mirrored, lie on face k
    points = [on_face(face, box) for face in faces]
    there = torch.cat([probe.mirror(points[slot], name) for slot in slots])
    for own, image in zip(probe.sizes(term, torch.cat(points)), probe.sizes(term, there), strict=True):
        by_face = own if term.paired else own.unflatten(0, (len(faces), -1))[slots].flatten()
        if not _alike(by_face, image):
            return False
    return True


class _Probe:
    """A symmetric function that is nothing special otherwise: waves in all directions, float64."""

    def __init__(self, problem: Problem, symmetry: Symmetry, exact: ExactConditions | None) -> None:
        self.problem, self.symmetry, self.exact = problem, symmetry, exact
        box, draw = problem.domain, Generator().manual_seed(0)
        lengths = torch.tensor(box.high, dtype=torch.float64) - torch.tensor(box.low, dtype=torch.float64)
        self.into = torch.randn(8, len(box), dtype=torch.float64, generator=draw) * pi / lengths
        self.phase = torch.randn(8, dtype=torch.float64, generator=draw)
        self.out = torch.randn(len(problem.fields), 8, dtype=torch.float64, generator=draw)

    def mirror(self, x: Tensor, name: str) -> Tensor:
        return self.symmetry.mirrored(Jet.constant(x), name).value

    def values(self, x: Tensor) -> Tensor:
        """(N, F)."""
        return self._jet(x, Derivatives()).value

    def sizes(self, term: Condition, x: Tensor) -> list[Tensor]:
        """The absolute values of a term's residuals, each (N,)."""
        problem, names = self.problem, self.problem.domain.names
        jet = self._jet(x, term.derivatives(problem))
        fields = fields_of(jet, problem.fields, names, problem.title)
        with blamed(f"the residual of {term.name!r}", problem.title):
            return [r.abs() for r in term.residuals(problem, Points(x, names), fields).values()]

    def _jet(self, x: Tensor, derivatives: Derivatives) -> Jet:
        coordinates = Jet.of_coordinates(x, self.problem.domain.names, derivatives)
        jet = self.symmetry(self._waves, coordinates)
        return jet if self.exact is None else self.exact(coordinates, jet)

    def _waves(self, x: Jet) -> Jet:
        z = x.linear(self.into, self.phase)
        return z.compose(sin(z.value, z.derivatives.order)).linear(self.out)


def _alike(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= TOLERANCE * a.abs().max().clamp(min=1.0))
