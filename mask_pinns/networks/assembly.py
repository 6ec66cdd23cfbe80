"""Assembly: embedding -> network -> field scales -> symmetry -> hard constraints.

The inputs of any network may be embedded, and its outputs may be changed so that conditions hold by construction. These
hard conditions are then not part of the loss, and need no points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from mask_pinns.jets import Activation, Derivatives, Jet, JetNetwork
from mask_pinns.networks import make_network
from mask_pinns.networks.embeddings import make_embedding
from mask_pinns.networks.exact import HardConstraints, check_constraints
from mask_pinns.networks.field_scales import FieldScales
from mask_pinns.networks.known import Features, known_parts
from mask_pinns.networks.periodicity import check_periodic, smoothly_periodic
from mask_pinns.networks.symmetry import Symmetry, check_symmetric
from mask_pinns.networks.unknown import UnknownFunctions, UnknownNumbers, values_of_functions
from mask_pinns.problems import Condition, Neumann, Periodic, Problem, Robin
from mask_pinns.problems.derived.scales import characteristic_scales
from mask_pinns.registry import unknown
from mask_pinns.settings import Constraints, Embedding, complete


class AssembledNetwork(JetNetwork):
    """embedding -> core -> field scales -> symmetry -> hard constraints; each of them but the core may be None.

    `hard_conditions` names the problem's conditions that hold by construction, `soft_reasons` says why others do not.
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        core: JetNetwork,
        constraints: HardConstraints | None = None,
        hard_conditions: Sequence[str] = (),
        symmetry: Symmetry | None = None,
        field_scales: FieldScales | None = None,
        soft_reasons: Mapping[str, str] | None = None,
        features: Features | None = None,
        functions: UnknownFunctions | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.features = features
        self.functions = functions
        self.core = core
        self.constraints = constraints
        self.hard_conditions = tuple(hard_conditions)
        self.symmetry = symmetry
        self.field_scales = field_scales
        self.soft_reasons = dict(soft_reasons or {})

    def layers(self, jet: Jet) -> Jet:
        if self.constraints is not None and self.constraints.flux is not None:
            moved, further = self.constraints.flux.insulation(jet.value, jet.derivatives)
            return self.constraints(jet, self._embedded(moved, further), moved)
        outputs = self._embedded(jet) if self.symmetry is None else self.symmetry(self._embedded, jet)
        if self.constraints is not None:
            return self.constraints(jet, outputs)
        return outputs if self.functions is None else values_of_functions(self.functions.problem, outputs)

    def _embedded(self, jet: Jet, further: Jet | None = None) -> Jet:
        inputs = jet if self.embedding is None else self.embedding(jet)
        if further is None and self.features is not None:
            further = self.features(jet)
        outputs: Jet = self.core(inputs if further is None else Jet.cat([inputs, further]))
        outputs = outputs if self.field_scales is None else self.field_scales(outputs)
        return outputs if self.functions is None else Jet.cat([outputs, self.functions(jet)])

    def hidden(self) -> dict[str, Activation]:
        """The activations of the core."""
        return self.core.hidden()

    def block_outputs(self) -> dict[str, nn.Module]:
        return self.core.block_outputs()


def assemble(
    network: str | Mapping[str, Any] | nn.Module,
    problem: Problem,
    constraints: Constraints | None = None,
    **options: Any,
) -> nn.Module:
    """The network for a problem with embedding, symmetry and hard constraints; the network alone if there are none.

    Args:
        network: as for `make_network`.
        problem: the problem, whose domain is embedded and whose conditions hold.
        constraints: embedding, symmetry and hard conditions.
        options: single fields of the constraints, over those: `assemble("masked", problem, exact="all")`.

    Raises:
        ValueError: an unknown condition, or anything that one of the parts refuses.
    """
    (constraints,) = complete("constraint", {Constraints: constraints}, options)
    features = Features(problem)
    embedding = _embedding(constraints, problem, features)
    embedding_layers = make_embedding(problem.domain, embedding, _origin(problem))
    check_periodic(problem, embedding.periodic)
    hard, hard_names, soft_reasons = _hard_constraints(problem, constraints, embedding.periodic)
    if problem.whole is not None and "t" in constraints.symmetry:
        raise ValueError("a symmetry in t is one of all times: leave out --windows, or the symmetry")
    symmetry = Symmetry(problem.domain, problem.fields, constraints.symmetry) if constraints.symmetry else None
    if symmetry is not None:
        check_symmetric(problem, symmetry, hard, [c for c in problem.conditions if c.name not in hard_names])
    inputs: Any = len(problem.domain) if embedding_layers is None else embedding_layers[-1].width
    further_inputs = len(hard.flux.insulation) if hard is not None and hard.flux is not None else len(features)
    functions = UnknownFunctions(problem) if problem.unknown_functions else None
    core = make_network(network, inputs + further_inputs, len(problem.fields) - len(problem.unknown_functions))
    field_scales = _field_scales(problem, hard) if constraints.dimensionless else None
    parts, further = (embedding_layers, hard, symmetry, field_scales, functions), features if len(features) else None
    if any(part is not None for part in (*parts, further)):
        core = AssembledNetwork(
            embedding_layers, _on_jets(core), hard, hard_names, symmetry, field_scales, soft_reasons, further, functions
        )
    _add_unknown_numbers(core, problem, constraints)
    return core


def _hard_constraints(
    problem: Problem, constraints: Constraints, periodic: str | Sequence[str]
) -> tuple[HardConstraints | None, list[str], dict[str, str]]:
    """The hard constraints, checked, the names of all hard conditions, and why others are soft."""
    by_ansatz, by_embedding, soft_reasons = _hard_conditions(problem, constraints, periodic)
    has_known_part = bool(known_parts(problem))
    hard = HardConstraints(problem, by_ansatz, constraints.exact_time) if by_ansatz or has_known_part else None
    if hard is not None:
        _require_fitting_flux(problem, hard, constraints, periodic)
        check_constraints(problem, [*by_ansatz, *by_embedding], hard)
    return hard, [c.name for c in (*by_ansatz, *by_embedding)], soft_reasons


def _add_unknown_numbers(network: nn.Module, problem: Problem, constraints: Constraints) -> None:
    """Adds the unknown numbers to a network. Raises ValueError for starts and values of numbers that are not there."""
    if problem.unknown_numbers:
        network.unknowns = UnknownNumbers(problem, constraints.unknowns, constraints.fix)
    elif constraints.unknowns or constraints.fix:
        raise ValueError(f"{problem.title} has no unknown numbers: leave out --unknowns and --fix")


def _on_jets(core: nn.Module) -> JetNetwork:
    """The network. Raises ValueError if it is not made of layers on jets."""
    if not isinstance(core, JetNetwork):
        raise ValueError(
            f"{type(core).__name__} is not made of layers that act on jets: no embedding, scales, symmetry, exact "
            "conditions or known parts can be added to it; make it a JetNetwork"
        )
    return core


def _field_scales(problem: Problem, hard: HardConstraints | None) -> FieldScales:
    """The scales of the fields; a field with hard values needs no offset, which these values contain."""
    scales, own = characteristic_scales(problem), problem.fields[: len(problem.fields) - len(problem.unknown_functions)]
    prescribed = {f for f, blend in hard.fields.items() if blend.prescribes} if hard else set()
    offsets = [0.0 if f in prescribed else scales.offsets[f] for f in own]
    return FieldScales(offsets, [scales.sizes[f] for f in own])


def _origin(problem: Problem) -> dict[str, float]:
    """By how much a time window begins later than the whole problem; nothing if it does not."""
    later = problem.domain["t"][0] - problem.whole.domain["t"][0] if problem.whole is not None else 0.0
    return {"t": later} if later else {}


def _embedding(constraints: Constraints, problem: Problem, features: Features) -> Embedding:
    """The embedding, normalized for a dimensionless problem, with the coordinates of periodic conditions for "auto"."""
    embedding = constraints.embedding
    if constraints.dimensionless:
        embedding = replace(embedding, normalize=True)
    if embedding.periodic in ("auto", ["auto"]):
        return replace(embedding, periodic=[c for c in smoothly_periodic(problem) if features.is_periodic(c)])
    named = [embedding.periodic] if isinstance(embedding.periodic, str) else embedding.periodic
    for name in named if len(features) else ():
        if name in problem.domain and not features.is_periodic(name):
            raise ValueError(f"{problem.title}: features differ at the ends of {name}; leave out --periodic {name}")
    return embedding


def _hard_conditions(
    problem: Problem, constraints: Constraints, periodic: str | Sequence[str]
) -> tuple[list[Condition], list[Condition], dict[str, str]]:
    """The hard conditions that A and B impose, the periodic ones of the embedding, and why others are soft."""
    requested = [constraints.exact] if isinstance(constraints.exact, str) else list(constraints.exact)
    conditions = {c.name: c for c in problem.conditions}
    for name in requested:
        if name not in conditions and name not in ("all", "auto"):
            raise unknown(name, [*conditions, "all", "auto"], f"condition of {problem.title}")
    wanted = conditions if "all" in requested else {name: c for name, c in conditions.items() if name in requested}
    by_embedding: list[Condition] = [c for c in conditions.values() if type(c) is Periodic and c.across[0] in periodic]
    if "auto" in requested:
        others = [c for c in conditions.values() if c not in by_embedding]
        by_ansatz, reasons = _compatible(problem, others, by_embedding, constraints, periodic)
        return by_ansatz, by_embedding, reasons
    return [c for c in wanted.values() if c not in by_embedding], by_embedding, {}


def _compatible(
    problem: Problem,
    conditions: list[Condition],
    by_embedding: list[Condition],
    constraints: Constraints,
    periodic: str | Sequence[str],
) -> tuple[list[Condition], dict[str, str]]:
    """The conditions that can be hard, each included if it does not contradict those before; why others are not.

    Those on normal derivatives come last, and all together first: each may need the others.
    """
    included: list[Condition] = []
    reasons: dict[str, str] = {}
    fluxes = [c for c in conditions if type(c) in (Neumann, Robin)]
    together = [fluxes] if len(fluxes) > 1 else []
    for group in [[c] for c in conditions if c not in fluxes] + together + [[c] for c in fluxes]:
        if all(c in included for c in group):
            continue
        try:
            tried = HardConstraints(problem, [*included, *group], constraints.exact_time)
            _require_fitting_flux(problem, tried, constraints, periodic)
            check_constraints(problem, [*included, *group, *by_embedding], tried)
        except ValueError as error:
            if len(group) == 1:
                reasons[group[0].name] = str(error)
            continue
        included += group
    return included, reasons


def _require_fitting_flux(
    problem: Problem, hard: HardConstraints, constraints: Constraints, periodic: str | Sequence[str]
) -> None:
    """Raises ValueError for exact normal derivatives with what does not go through their map of the coordinates."""
    if hard.flux is None:
        return
    names = ", ".join(repr(name) for name in hard.flux.names)
    if constraints.symmetry:
        raise ValueError(f"conditions on normal derivatives ({names}) cannot be exact together with a symmetry")
    for name in periodic:
        if not hard.flux.insulation.is_periodic(name, Derivatives(problem.derivatives)):
            raise ValueError(
                f"conditions on normal derivatives ({names}) cannot be exact: they move the coordinates, not alike at "
                f"both ends of {name}, which is periodic"
            )
