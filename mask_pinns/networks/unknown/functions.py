"""`UnknownFunctions`: unknown functions of some of the coordinates, each with a network of its own.

Legend: N points, D coordinates, A functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from mask_pinns.domains import Box
from mask_pinns.jets import Jet, Scalar
from mask_pinns.networks import make_network
from mask_pinns.networks.embeddings import make_embedding
from mask_pinns.problems import Problem, Unknown
from mask_pinns.settings import Embedding

NETWORK = {"name": "masked", "width": 20, "blocks": 1, "activation": "sin", "first_scale": 2.0, "first_bias": 3.1416}
"""The network of a function that declares none."""


class UnknownFunctions(nn.Module):
    """theta of the unknown functions of a problem: each from a network of its coordinates in [-1, 1].

    `values_of_functions` gives their values; in between, exact conditions hold for theta.

    Args:
        problem: the problem.

    Raises ValueError for a network that does not exist.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem, self.declared = problem, problem.unknown_functions
        self.columns = [[problem.domain.names.index(c) for c in u.of] for u in self.declared]
        self.embeddings, self.cores = nn.ModuleList(), nn.ModuleList()
        for u in self.declared:
            box = Box(**{c: problem.domain[c] for c in u.of})
            embedding = make_embedding(box, Embedding(normalize=True))
            assert embedding is not None
            self.embeddings.append(embedding)
            self.cores.append(make_network(_spec(u), len(u.of), 1))

    def forward(self, x: Jet) -> Jet:
        """Each theta (N, A) from the jet of the coordinates (N, D)."""
        found = []
        for columns, embedding, core in zip(self.columns, self.embeddings, self.cores, strict=True):
            theta = core(embedding(x.map(lambda s, c=columns: s[:, c])))  # type: ignore[misc]
            found.append(theta)
        return Jet.cat(found)


def _spec(unknown: Unknown) -> str | Mapping[str, Any]:
    """The network that an unknown declares; options without a name change the usual one."""
    given = {} if unknown.network is None else unknown.network
    return NETWORK | dict(given) if isinstance(given, Mapping) and "name" not in given else given


def values_of_functions(problem: Problem, jet: Jet) -> Jet:
    """The fields (N, F) with the values of unknown functions in place of their theta, the last columns."""
    own = len(problem.fields) - len(problem.unknown_functions)
    if own == len(problem.fields):
        return jet
    columns = [jet.map(lambda s: s[:, :own])]
    for i, u in enumerate(problem.unknown_functions, own):
        value = u.value(Scalar(jet.map(lambda s, i=i: s[:, i])))  # type: ignore[misc]
        columns.append(value.jet.map(lambda s: s[:, None]))
    return Jet.cat(columns)
