"""The objective: problem + network + points -> named residuals -> weighted loss.

    loss = sum over residuals r of  w_r  |r|^2 / N,   N the points on one face of r's term

so every residual is a mean square, and the faces of a condition add up (the published convention). Where the training
finds weights itself (weighting.py), they stand as factors e before the squares: w_r  sum(e r^2) / N.
Residuals are called after their term, or term.part where a term has several: "pde", "initial.u", "initial.u_t".
One objective serves every optimizer: the scalar loss, or the vector of weighted residuals with loss = |vector|^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mask_pinns.differentiation import ENGINES
from mask_pinns.jet import Derivatives, Jet
from mask_pinns.modes import evaluation_mode
from mask_pinns.problems.blame import blamed
from mask_pinns.problems.collapse import Needs, needs
from mask_pinns.problems.conditions import Condition
from mask_pinns.problems.declarations import check_shape
from mask_pinns.problems.domain import Points
from mask_pinns.problems.fields import fields_of
from mask_pinns.problems.problem import Problem
from mask_pinns.registry import lookup, unknown
from mask_pinns.weighting import OverRanks, causal_weights

PointSets = dict[str, Tensor]
"""Points by the name of their term, each (R N, D): R faces of N points, face after face."""


@dataclass(frozen=True)
class Residual:
    """One residual vector, its weight, and the N by which its sum of squares is divided.

    `emphasis` is a factor on the squares that the training found itself: one for each number, or a single one.
    """

    vector: Tensor
    weight: float
    count: int
    emphasis: Tensor | None = None

    @property
    def mean_square(self) -> Tensor:
        """As it is, without weight and emphasis."""
        return self.vector.square().sum() / self.count

    @property
    def part(self) -> Tensor:
        """w sum(e r^2) / N: this residual's part of the loss."""
        if self.emphasis is None:
            return self.weight * self.mean_square
        return self.weight * (self.emphasis * self.vector.square()).sum() / self.count

    @property
    def scaled(self) -> Tensor:
        """sqrt(e w / N) r: its squared norm is this residual's part of the loss."""
        return self.scaled_to(self.count)

    def scaled_to(self, count: int) -> Tensor:
        """`scaled` where these are some of the residuals at `count` points on each face."""
        factor = self.weight / count
        return self.vector * (factor if self.emphasis is None else self.emphasis * factor) ** 0.5


class Objective:
    """The loss of one problem.

    Args:
        problem: whose terms (the PDE, then the conditions) make the loss.
        weights: factor by residual ("initial.u_t"), by term ("initial"), or for all "conditions" (the terms but the
            PDE); a term's own weight where none is given.
        derivatives: the engine, "jet" or "autograd".
        exact: conditions that hold by the network's construction: no terms of the loss.
        causal: epsilon of the PDE's causal weights (`weighting.causal_weights`); 0: none.

    Causal weights follow the residuals at every look at the loss, unless `hold_causal` has fixed them for a step.
    `multipliers` (R,), where they are set, are further factors of the R residuals, in the order of `multiplied`, their
    names. They may change in place between evaluations.

    `when` tells the time in training, for what is said of a residual that fails there (see `blamed`).

    Raises:
        ValueError: an unknown engine, a weight for something that is no term, a negative weight, causal weights for a
            problem without time.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Mapping[str, float] | None = None,
        derivatives: str = "jet",
        exact: Collection[str] = (),
        causal: float = 0.0,
    ) -> None:
        self.problem = problem
        self.causal = self._checked(causal)
        self.when: Callable[[], str] | None = None
        self.held_causal: Tensor | None = None
        self.multipliers: Tensor | None = None
        self.multiplied: tuple[str, ...] = ()
        self.exact = tuple(exact)
        self.terms = [term for term in problem.terms if term.name not in self.exact]
        self.engine_name = derivatives
        self.engine = lookup(ENGINES, derivatives, "derivatives engine")
        self.weights = dict(weights or {})
        names = [term.name for term in problem.terms]
        for name, weight in self.weights.items():
            if name.partition(".")[0] not in (*names, "conditions"):
                raise unknown(name, names, f"loss term of {problem.title}")
            if not weight >= 0:
                raise ValueError(f"the weight of {name!r} is {weight}; it must be 0 or more")
        # Nested autograd keeps every derivative to itself: it is the reference for the collapsed streams.
        self.needs = {t.name: needs(t, problem) if derivatives == "jet" else Needs(t.derivatives(problem))
                      for t in self.terms}  # fmt: skip
        self.faces = {term.name: sum(map(len, term.faces(problem.domain))) for term in self.terms}
        self.passes: dict[Derivatives, list[Condition]] = {}
        for term in self.terms:
            self.passes.setdefault(self.needs[term.name].derivatives, []).append(term)

    def _checked(self, causal: float) -> float:
        if not (math.isfinite(causal) and causal >= 0):
            raise ValueError(f"causal is {causal}; expected a number, 0 (no causal weights) or more")
        if causal and "t" not in self.problem.domain:
            names = ", ".join(self.problem.domain.names)
            raise ValueError(
                f"causal weights need a coordinate t, but {self.problem.title} has {names}: leave them out"
            )
        return float(causal)

    def residuals(self, network: nn.Module, points: PointSets) -> dict[str, Residual]:
        """All residuals by name, in the order of the problem's terms. Terms of equal need share one pass."""
        names = self.problem.domain.names
        jets: dict[str, Jet] = {}
        for derivatives, terms in self.passes.items():
            x = [points[term.name] for term in terms]
            jet = self.engine(network, x[0] if len(x) == 1 else torch.cat(x), names, derivatives)
            jets |= dict(zip([term.name for term in terms], jet.split([len(part) for part in x]), strict=True))
        found: dict[str, Residual] = {}
        for term in self.terms:
            found |= self.term_residuals(term, jets[term.name], points[term.name])
        return found

    def residuals_at(self, network: nn.Module, term: Condition, x: Tensor) -> dict[str, Residual]:
        """The residuals of one term alone, by a pass of its own through the network."""
        jet = self.engine(network, x, self.problem.domain.names, self.needs[term.name].derivatives)
        return self.term_residuals(term, jet, x)

    def term_residuals(self, term: Condition, jet: Jet, x: Tensor) -> dict[str, Residual]:
        """The residuals of one term by name, from the network's jet at its points x."""
        if torch.compiler.is_compiling():  # a graph is made of residuals that have been tried
            return self._term_residuals(term, jet, x)
        with blamed(f"the residual {term.name!r}", self.problem.title, self.when):
            return self._term_residuals(term, jet, x)

    def _term_residuals(self, term: Condition, jet: Jet, x: Tensor) -> dict[str, Residual]:
        problem, names = self.problem, self.problem.domain.names
        owner = problem.title if term.name == "pde" else f"condition {term.name!r} of {problem.title}"
        if jet.value.shape != (len(x), len(problem.fields)):
            raise ValueError(
                f"the network gives shape {tuple(jet.value.shape)} at {len(x)} points; {problem.title} "
                f"has {len(problem.fields)} field(s): expected ({len(x)}, {len(problem.fields)})"
            )
        parts = self.needs[term.name].parts
        fields = fields_of(jet, problem.fields, names, owner, parts)
        residuals = term.residuals(problem, Points(x, names), fields)
        if not residuals or not all(isinstance(part, str) for part in residuals):
            raise ValueError(
                f"the residual {term.name!r} of {problem.title} gives {dict(residuals)!r}; expected a tensor, a tuple "
                "of one or more, or a dict of them by name"
            )
        count, length = len(x) // self.faces[term.name], len(x)
        vectors = {}
        for part, vector in residuals.items():
            name = f"{term.name}.{part}" if len(residuals) > 1 else term.name
            expected = count if term.paired else length
            vectors[name] = check_shape(vector, expected, f"the residual {name!r} of {problem.title}")
        emphasis = self._emphasis(term, vectors, x)
        found = {}
        for name, vector in vectors.items():
            weight = self.weights.get(name, self.weights.get(term.name, self._own_weight(term)))
            found[name] = Residual(vector, float(weight), count, emphasis.get(name))
        return found

    def _own_weight(self, term: Condition) -> float:
        return term.weight if term.name == "pde" else self.weights.get("conditions", term.weight)

    def needs_all_points(self, term: Condition) -> bool:
        """Whether a residual of this term at one point has a weight that depends on the other points."""
        return bool(self.causal) and term.name == "pde"

    def _emphasis(self, term: Condition, vectors: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
        """Factors on the squares of a term's residuals by name, where there are any."""
        found: dict[str, Tensor] = {}
        if self.needs_all_points(term):
            held = self.held_causal
            own = held if held is not None and len(held) == len(x) else self._causal_weights(list(vectors.values()), x)
            found = dict.fromkeys(vectors, own)
        if self.multipliers is not None:
            factors = {name: self.multipliers[self.multiplied.index(name)] for name in vectors}
            found = {name: factor * found.get(name, 1.0) for name, factor in factors.items()}
        return found

    def _causal_weights(self, vectors: list[Tensor], x: Tensor, over_ranks: OverRanks | None = None) -> Tensor:
        box = self.problem.domain
        start, end = box["t"]
        time = (x[:, box.names.index("t")] - start) / (end - start)
        return causal_weights(vectors, time, self.causal, over_ranks)

    @torch.no_grad()
    def hold_causal(self, network: nn.Module, points: PointSets, over_ranks: OverRanks | None = None) -> None:
        """Fixes the causal weights for these points as the network is now, until held anew or set to None.

        A search that looks at the loss several times in a step has to see one loss, and ranks one set of weights.
        """
        term = self.terms[0]
        vectors = [r.vector for r in self.residuals_at(network, term, points[term.name]).values()]
        weights = self._causal_weights(vectors, points[term.name], over_ranks)
        if self.held_causal is None or self.held_causal.shape != weights.shape:
            self.held_causal = weights
        else:
            self.held_causal.copy_(weights)  # in place: a compiled loss stays valid

    def few_points(self, like: Tensor, count: int = 2) -> PointSets:
        """A few points inside every face, in the dtype and on the device of a tensor: enough to try everything once."""
        box = self.problem.domain
        found = {}
        for term in self.terms:
            faces = term.all_faces(box)
            low = [[face.get(c, box[c][0]) for c in box.names] for face in faces]
            high = [[face.get(c, box[c][1]) for c in box.names] for face in faces]
            a, b = like.new_tensor(low), like.new_tensor(high)
            inside = [0.3 + 0.3 * i / (count - 1) for i in range(count)]
            found[term.name] = torch.stack([a + (b - a) * f for f in inside], 1).flatten(0, 1)
        return found

    def check(self, network: nn.Module, points: PointSets) -> list[str]:
        """Evaluates everything at these points and at a few others, gradients too; the residuals' names.

        Raises ValueError for a residual or a weight that does not fit, or that fails.
        """
        with evaluation_mode(network):
            residuals = self._tried(network, points)
            again = self._tried(network, self.few_points(points[self.terms[0].name], 3))
        names = list(residuals)
        if names != list(again):
            raise ValueError(
                f"the residuals of {self.problem.title} are {', '.join(names)} at some points and {', '.join(again)} "
                "at others; give them the same names each time"
            )
        for name in self.weights:
            held = name.partition(".")[0] in self.exact
            if name not in names and name not in self.needs and not held and name != "conditions":
                raise unknown(name, dict.fromkeys([*self.needs, *names]), f"loss term of {self.problem.title}")
        if not any(residual.weight for residual in residuals.values()):
            raise ValueError(f"all weights of {self.problem.title} are 0: nothing is left to train; leave one above 0")
        return names

    def _tried(self, network: nn.Module, points: PointSets) -> dict[str, Residual]:
        """All residuals by name, each term's by itself. Raises ValueError where one has no gradient."""
        found: dict[str, Residual] = {}
        parameters = [p for p in network.parameters() if p.requires_grad] if torch.is_grad_enabled() else []
        for term in self.terms:
            with blamed(f"the residual {term.name!r}", self.problem.title, self.when):
                own = self.residuals_at(network, term, points[term.name])
                if parameters:
                    self._require_gradient(own, parameters)
            found |= own
        return found

    def _require_gradient(self, residuals: Mapping[str, Residual], parameters: list[nn.Parameter]) -> None:
        """Takes it once: what was changed in place shows only there. Raises ValueError where there is none."""
        for name, residual in residuals.items():
            if not residual.vector.requires_grad:
                raise ValueError(
                    f"the residual {name!r} of {self.problem.title} does not depend on the network: "
                    "write it with the fields or their derivatives, and without .detach()"
                )
        total = torch.stack([residual.vector.sum() for residual in residuals.values()]).sum()
        torch.autograd.grad(total, parameters, allow_unused=True)

    def loss(self, network: nn.Module, points: PointSets) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss, and the unweighted mean square of each residual by name."""
        residuals = self.residuals(network, points)
        terms = {name: r.mean_square for name, r in residuals.items()}
        parts = [r.part if r.emphasis is not None else r.weight * terms[name] for name, r in residuals.items()]
        return torch.stack(parts).sum(), terms

    def given_loss(self, network: nn.Module, points: PointSets) -> Tensor:
        """The loss by the given weights alone: what is comparable between steps while other weights change."""
        return torch.stack([r.weight * r.mean_square for r in self.residuals(network, points).values()]).sum()

    def residual_vector(self, network: nn.Module, points: PointSets) -> Tensor:
        """All weighted residuals in one vector v with |v|^2 = loss: what least-squares methods take."""
        return torch.cat([r.scaled for r in self.residuals(network, points).values()])
