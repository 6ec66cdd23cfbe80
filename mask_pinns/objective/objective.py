"""The objective: problem + network + points -> named residuals -> weighted loss.

    loss = sum over residuals r of  w_r  |r|^2 / N,   N the points on one piece of r's term

so every residual contributes its mean square, and the pieces of a condition add up (the published convention). Adaptive
weights (adaptive_weights.py) are factors e on the squares: w_r  sum(e r^2) / N.
Residuals have the name of their term, or term.part if a term has several: "pde", "initial.u", "initial.u_t".
An objective gives optimizers the scalar loss, or the vector of weighted residuals with loss = |vector|^2.

Legend: N points on each piece, R pieces of a term's place, D coordinates, F fields.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mask_pinns.jets import ENGINES, Derivatives, Jet
from mask_pinns.networks.unknown import unknown_values
from mask_pinns.objective.adaptive_weights import AdaptiveWeights, MeanOverRanks
from mask_pinns.objective.operators import Needs, needs, read_by
from mask_pinns.objective.residual import Residual
from mask_pinns.problems import Condition, Data, Problem
from mask_pinns.problems.checks import check_shape
from mask_pinns.problems.conditions import qualified
from mask_pinns.problems.conditions.data import measured
from mask_pinns.problems.failures import attribute_errors_to
from mask_pinns.problems.fields import fields_of
from mask_pinns.registry import lookup, unknown
from mask_pinns.settings import LossSettings, complete

PointSets = dict[str, Tensor]
"""Points by the name of their term, each (R N, D): R pieces of N points, piece after piece.

Those of measurements have further columns, (N, D + K)."""


class Objective:
    """The loss of one problem.

    Args:
        problem: problem whose terms (the PDE, then the conditions) make up the loss.
        settings: weights and engine.
        hard: names of the conditions that hold by the network's construction; they are no terms of the loss.
        adaptive: the adaptive weights; by default made from the settings.
        scales: sizes by which residuals are divided, by name (`characteristic_scales`); by default none.
        options: single fields of the settings, which replace those of `settings`.

    `when` gives the time in training, for the message about a residual that fails then (see `attribute_errors_to`).

    Example:
        >>> from mask_pinns import PROBLEMS, Objective
        >>> Objective(PROBLEMS["wave"](), weights={"initial": 100.0}).weight_of("initial.u")
        100.0

    Raises:
        ValueError: an unknown engine, a weight for something that is no term, a negative weight, causal weights for a
            problem without time.
    """

    def __init__(
        self,
        problem: Problem,
        settings: LossSettings | None = None,
        hard: Collection[str] = (),
        adaptive: AdaptiveWeights | None = None,
        scales: Mapping[str, float] | None = None,
        **options: Any,
    ) -> None:
        (settings,) = complete("setting of the loss", {LossSettings: settings}, options)
        self.problem, self.equation, self.settings = problem, problem.equation, settings
        self.adaptive = adaptive or AdaptiveWeights(settings.causal, settings.balance)
        if self.adaptive.causal and "t" not in problem.domain:
            names = ", ".join(problem.domain.names)
            raise ValueError(f"causal weights need a coordinate t, but {problem.title} has {names}: leave them out")
        self.when: Callable[[], str] | None = None
        self.hard, self.scales = tuple(hard), dict(scales or {})
        self.terms = [term for term in problem.terms if term.name not in self.hard]
        self.engine_name = settings.derivatives
        self.engine = lookup(ENGINES, settings.derivatives, "derivatives engine")
        self.weights: dict[str, float] = dict(settings.weights or {})
        self._check_weights()
        declared = {term.name: term.weight for term in problem.terms}
        own = {self.equation.name, *(term.name for term in problem.terms if isinstance(term, Data))}
        self.term_weights = {k: w if k in own else self.weights.get("conditions", w) for k, w in declared.items()}
        # Nested autograd computes every derivative separately: it is the reference for operators as streams.
        combines = settings.derivatives == "jet"
        self.needs = {t.name: needs(t, problem) if combines else Needs(t.derivatives) for t in self.terms}
        self.numbers = {t.name: numbers for t in self.terms if self.needs[t.name].parts and (numbers := read_by(t))}
        self.places = {term.name: term.place(problem.domain) for term in self.terms}
        self.version = 0
        self._group_passes()
        self.separate_streams()

    def __reduce__(self) -> Any:
        """An objective is pickled as its arguments: conditions may contain functions that cannot be pickled."""
        return Objective, (self.problem, self.settings, self.hard, self.adaptive, self.scales)

    def _check_weights(self) -> None:
        names = [term.name for term in self.problem.terms]
        for name, weight in self.weights.items():
            if name.partition(".")[0] not in (*names, "conditions"):
                raise unknown(name, names, f"loss term of {self.problem.title}")
            if not weight >= 0:
                raise ValueError(f"the weight of {name!r} is {weight}; it must be 0 or more")

    def _group_passes(self) -> None:
        """Groups the terms by their streams."""
        self.passes: dict[Derivatives, list[Condition]] = {}
        for term in self.terms:
            self.passes.setdefault(self.needs[term.name].derivatives, []).append(term)

    def separate_streams(self) -> None:
        """Separates streams that were combined with numbers that have changed, or that may change unseen.

        To be called before a loss is evaluated. `version` counts how often there were any.
        """
        changed = [name for name, numbers in self.numbers.items() if not numbers.known or numbers.changed()]
        for term in (term for term in self.terms if term.name in changed):
            self.needs[term.name] = Needs(term.derivatives)
            del self.numbers[term.name]
        if changed:
            self._group_passes()
            self.version += 1

    # ---- residuals ------------------------------------------------------------------------------------------

    def residuals(self, network: nn.Module, points: PointSets) -> dict[str, Residual]:
        """All residuals by name, in the order of the problem's terms. Terms that need the same streams share a pass."""
        names = self.problem.domain.names
        jets: dict[str, Jet] = {}
        for derivatives, terms in self.passes.items():
            x = [self.coordinates(points[term.name]) for term in terms]
            jet = self.engine(network, x[0] if len(x) == 1 else torch.cat(x), names, derivatives)
            jets |= dict(zip([term.name for term in terms], jet.split([len(part) for part in x]), strict=True))
        residuals: dict[str, Residual] = {}
        unknowns = unknown_values(network)
        for term in self.terms:
            residuals |= self.term_residuals(term, jets[term.name], points[term.name], unknowns)
        return residuals

    def coordinates(self, x: Tensor) -> Tensor:
        """The coordinates (N, D) of points, without what was measured there."""
        return x[:, : len(self.problem.domain)]

    def residuals_at(self, network: nn.Module, term: Condition, x: Tensor) -> dict[str, Residual]:
        """The residuals of one term alone, by a separate pass through the network."""
        names = self.problem.domain.names
        jet = self.engine(network, self.coordinates(x), names, self.needs[term.name].derivatives)
        return self.term_residuals(term, jet, x, unknown_values(network))

    def term_residuals(
        self, term: Condition, jet: Jet, x: Tensor, unknowns: Mapping[str, Tensor] | None = None
    ) -> dict[str, Residual]:
        """The residuals of one term by name, from the network's jet at its points x.

        unknowns: the unknown numbers, (1,) or one for each point (N,); None: their starts.
        """
        if torch.compiler.is_compiling():  # only residuals that have passed a check are compiled
            return self._term_residuals(term, jet, x, unknowns)
        with attribute_errors_to(f"the residual {term.name!r}", self.problem.title, self.when):
            return self._term_residuals(term, jet, x, unknowns)

    def _term_residuals(
        self, term: Condition, jet: Jet, x: Tensor, unknowns: Mapping[str, Tensor] | None
    ) -> dict[str, Residual]:
        vectors = self._vectors(term, jet, x, unknowns)
        time = self._relative_time(x) if self.needs_all_points(term) else None
        adaptive = self.adaptive.factors(vectors, time)
        count = len(x) // len(self.places[term.name])
        return {
            name: Residual(vector, self.weight_of(name), count, adaptive.get(name)) for name, vector in vectors.items()
        }

    def _vectors(
        self, term: Condition, jet: Jet, x: Tensor, unknowns: Mapping[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """The residual vectors of one term by name, their shapes checked."""
        problem, names = self.problem, self.problem.domain.names
        is_equation = term is self.equation
        owner = problem.title if is_equation else f"condition {term.name!r} of {problem.title}"
        if jet.value.shape != (len(x), len(problem.fields)):
            raise ValueError(
                f"the network gives shape {tuple(jet.value.shape)} at {len(x)} points; {problem.title} "
                f"has {len(problem.fields)} field(s): expected ({len(x)}, {len(problem.fields)})"
            )
        fields = fields_of(jet, problem.fields, names, owner, self.needs[term.name].parts)
        place = self.places[term.name]
        residuals = term.residuals(problem.points(place, x, unknowns), fields, place)
        if not residuals or not all(isinstance(part, str) for part in residuals):
            raise ValueError(
                f"the residual {term.name!r} of {problem.title} gives {dict(residuals)!r}; expected a tensor, a tuple "
                "of one or more, or a dict of them by name"
            )
        expected = len(x) // len(place) if term.paired else len(x)
        vectors = {}
        for name, vector in qualified(term, residuals).items():
            checked = check_shape(vector, expected, f"the residual {name!r} of {problem.title}")
            vectors[name] = checked / self.scales[name] if name in self.scales else checked
        return vectors

    # ---- weights --------------------------------------------------------------------------------------------

    def weight_of(self, residual: str) -> float:
        """The weight that is given for a residual, its term, or all conditions but Data, else the declared one."""
        term = residual.partition(".")[0]
        return float(self.weights.get(residual, self.weights.get(term, self.term_weights[term])))

    @property
    def noise_floor(self) -> float:
        """What the noise of measurements makes of the loss where the fields are right, as far as it is known."""
        return sum(self.weight_of(name) / self.scales.get(name, 1.0) ** 2 for name in self.noisy)

    @property
    def noisy(self) -> list[str]:
        """The residuals of measurements whose noise is known."""
        return [name for name, (_, known) in measured(self.terms, self.problem.domain.names).items() if known]

    def needs_all_points(self, term: Condition) -> bool:
        """Whether a residual of this term at one point has a weight that depends on the other points."""
        return bool(self.adaptive.causal) and term is self.equation

    def _relative_time(self, x: Tensor) -> Tensor:
        """The time of each point (N,), 0 at the start and 1 at the end."""
        domain = self.problem.domain
        start, end = domain["t"]
        return (x[:, domain.names.index("t")] - start) / (end - start)

    @torch.no_grad()
    def freeze_causal_weights(
        self, network: nn.Module, points: PointSets, over_ranks: MeanOverRanks | None = None, least: float = 0.0
    ) -> None:
        """Fixes the causal weights at those of the present network, or at `least` where that is more, until they are
        fixed again or set to None.

        A line search must see the same loss throughout a step, and ranks must agree on the weights.
        """
        equation = self.equation
        x = points[equation.name]
        vectors = [r.vector for r in self.residuals_at(network, equation, x).values()]
        self.adaptive.freeze_causal_weights(vectors, self._relative_time(x), over_ranks, least)

    # ---- the loss -------------------------------------------------------------------------------------------

    def loss(self, network: nn.Module, points: PointSets) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss, and the unweighted mean square of each residual by name."""
        residuals = self.residuals(network, points)
        terms = {name: r.mean_square for name, r in residuals.items()}
        parts = [r.part if r.adaptive_weight is not None else r.weight * terms[name] for name, r in residuals.items()]
        return torch.stack(parts).sum(), terms

    def unadapted_loss(self, network: nn.Module, points: PointSets) -> Tensor:
        """The loss without adaptive weights, which is comparable between steps."""
        return torch.stack([r.weight * r.mean_square for r in self.residuals(network, points).values()]).sum()

    def residual_vector(self, network: nn.Module, points: PointSets) -> Tensor:
        """All weighted residuals in one vector v with |v|^2 = loss, for least-squares methods."""
        return torch.cat([r.scaled for r in self.residuals(network, points).values()])

    def check_points(self, like: Tensor, count: int = 2) -> PointSets:
        """A few points inside every piece, in the dtype and on the device of `like`, for checks."""
        return {name: place.check_points(like, count) for name, place in self.places.items()}
