"""A network between its two ends: embedding -> network -> symmetry -> conditions that hold exactly.

Whatever the network is, what goes in may be embedded, and what comes out may be bent so that conditions hold.
Terms of the loss that hold by construction are then left out of it, and need no points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from mask_pinns.embeddings import embedding_options, make_embedding
from mask_pinns.exact_conditions import ExactConditions, check_held
from mask_pinns.jet import Jet
from mask_pinns.layers import Activation
from mask_pinns.networks import JetNetwork, make_network
from mask_pinns.problems import Periodic, Problem
from mask_pinns.problems.conditions import Condition
from mask_pinns.registry import check_options, unknown
from mask_pinns.symmetry import Parity, Symmetry, check_symmetric


class Wrapped(JetNetwork):
    """embedding -> core -> symmetry -> exact conditions; each of them but the core may be None.

    `holds` names the problem's conditions that hold by construction.
    """

    def __init__(
        self,
        embedding: nn.Module | None,
        core: JetNetwork,
        conditions: ExactConditions | None = None,
        holds: Sequence[str] = (),
        symmetry: Symmetry | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.core = core
        self.conditions = conditions
        self.holds = tuple(holds)
        self.symmetry = symmetry

    def layers(self, jet: Jet) -> Jet:
        outputs = self._embedded(jet) if self.symmetry is None else self.symmetry(self._embedded, jet)
        return outputs if self.conditions is None else self.conditions(jet, outputs)

    def _embedded(self, jet: Jet) -> Jet:
        result: Jet = self.core(jet if self.embedding is None else self.embedding(jet))
        return result

    def hidden(self) -> dict[str, Activation]:
        """Those of the network inside."""
        return self.core.hidden()

    def block_outputs(self) -> dict[str, nn.Module]:
        return self.core.block_outputs()


def make_ends(
    network: str | Mapping[str, Any] | nn.Module,
    problem: Problem,
    embedding: Mapping[str, Any] | None = None,
    exact: str | Sequence[str] = (),
    exact_time: float | None = None,
    symmetry: Mapping[str, Parity] | None = None,
) -> nn.Module:
    """The network for a problem, with what is asked for at its ends; the network alone where nothing is.

    Args:
        network: as for `make_network`.
        problem: whose domain is embedded and whose conditions hold.
        embedding: options of `make_embedding`.
        exact: names of Initial and Dirichlet conditions, or "all", or "auto" for those that can be exact together. A
            periodic condition holds where its coordinate is embedded as periodic; periodic="auto" embeds all of these.
        exact_time: T of `ExactConditions`.
        symmetry: coordinates about whose middle the fields are even or odd, e.g. {"x": "odd"}; see `Symmetry`.

    Raises:
        ValueError: an unknown option or condition, and what the parts refuse.
    """
    check_options(embedding or {}, embedding_options(), "option of the embedding:")
    embedding = dict(embedding or {})
    if embedding.get("periodic") in ("auto", ["auto"]):
        embedding["periodic"] = [c.across[0] for c in problem.terms if isinstance(c, Periodic)]
    before = make_embedding(problem.domain, **embedding)
    inside, by_embedding = _held(problem, exact, embedding.get("periodic", ()), exact_time)
    conditions = ExactConditions(problem, inside, exact_time) if inside else None
    if conditions is not None:
        check_held(problem, [*inside, *by_embedding], conditions)
    symmetric = Symmetry(problem.domain, problem.fields, symmetry) if symmetry else None
    holds = [c.name for c in (*inside, *by_embedding)]
    if symmetric is not None:
        check_symmetric(problem, symmetric, conditions, [c for c in problem.terms[1:] if c.name not in holds])
    inputs = len(problem.domain) if before is None else before[-1].width
    core = make_network(network, int(inputs), len(problem.fields))  # type: ignore[arg-type]  # a layer's own number
    if before is None and conditions is None and symmetric is None:
        return core
    if not isinstance(core, JetNetwork):
        raise ValueError(
            f"{type(core).__name__} is not made of layers that act on jets: no embedding, symmetry or exact "
            "conditions can stand at its ends; make it a JetNetwork"
        )
    return Wrapped(before, core, conditions, holds, symmetric)


def _held(
    problem: Problem, exact: str | Sequence[str], periodic: Sequence[str], exact_time: float | None
) -> tuple[list[Condition], list[Condition]]:
    """The conditions to be made exact by A and B, and the periodic ones that hold by the embedding."""
    given = [exact] if isinstance(exact, str) else list(exact)
    conditions = {c.name: c for c in problem.terms[1:]}
    for name in given:
        if name not in conditions and name not in ("all", "auto"):
            raise unknown(name, [*conditions, "all", "auto"], f"condition of {problem.title}")
    wanted = conditions if "all" in given else {name: c for name, c in conditions.items() if name in given}
    by_embedding: list[Condition] = [
        c for c in conditions.values() if isinstance(c, Periodic) and c.across[0] in periodic
    ]
    if "auto" in given:
        others = [c for c in conditions.values() if c not in by_embedding]
        return _compatible(problem, others, by_embedding, exact_time), by_embedding
    return [c for c in wanted.values() if c not in by_embedding], by_embedding


def _compatible(
    problem: Problem, conditions: list[Condition], by_embedding: list[Condition], exact_time: float | None
) -> list[Condition]:
    """Of the conditions those that can be exact, taken one by one as long as none contradicts the ones before."""
    inside: list[Condition] = []
    for condition in conditions:
        try:
            check_held(
                problem, [*inside, condition, *by_embedding], ExactConditions(problem, [*inside, condition], exact_time)
            )
        except ValueError:
            continue
        inside.append(condition)
    return inside
