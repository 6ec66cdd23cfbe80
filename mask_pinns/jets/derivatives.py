"""The derivatives that are carried through a network, and the product and chain rules for them.

A multi-index m is a string of coordinate letters in alphabetical order: "" the value, "x" = d/dx, "tt" = d2/dt2,
"tx" = d2/dtdx. A weighted sum of derivatives, an operator, can be carried as one stream in place of its members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from math import comb, prod

MAX_ORDER = 4
"""Highest order of a derivative that is supported."""


def canonical(name: str) -> str:
    """The multi-index of a derivative's name: its letters in alphabetical order ("xt" and "tx" are one)."""
    return "".join(sorted(name))


def _splits(m: str) -> list[tuple[str, str, int]]:
    """All ways to split m into p and m - p, with the multi-binomial C(m, p)."""
    letters = sorted(Counter(m).items())
    splits = []
    for counts in product(*(range(n + 1) for _, n in letters)):
        p = "".join(c * k for (c, _), k in zip(letters, counts, strict=True))
        rest = "".join(c * (n - k) for (c, n), k in zip(letters, counts, strict=True))
        splits.append((p, rest, prod(comb(n, k) for (_, n), k in zip(letters, counts, strict=True))))
    return splits


Operator = tuple[tuple[str, float], ...]
"""A weighted sum of derivatives, ((m, c), ...): sum of c D^m."""


class Derivatives:
    """The streams of a jet: multi-indices, closed downward ("xx" includes "x"), and operators.

    An operator, sum of c D^m, is carried as one stream in place of its members: every rule below is linear in the
    stream of highest order, so the sum obeys the sum of the rules. The lower derivatives that the rules of the members
    need are included. Product and chain rules are stored as tables of (p, q, C):

        leibniz[m]:  D^m[a b]  = sum C D^p a  D^q b              q = m - p, C = C(m, p)
        chain[m]:    D^m[G_k]  = sum C D^p[G_(k+1)]  D^q z       q = m - p, C = C(m - e, p), e in m, p <= m - e

    where G_k = g^(k)(z) (Leibniz' rule on D^e[G_k] = G_(k+1) D^e z).

    Args:
        declared: multi-indices.
        operators: weighted sums by name; a name contains at least one character that is not a coordinate letter.

    Example:
        >>> from mask_pinns import Derivatives
        >>> Derivatives(["xx", "t"]).indices
        ('', 't', 'x', 'xx')

    Raises ValueError for a derivative above order 4.
    """

    def __init__(self, declared: Iterable[str] = (), operators: Mapping[str, Operator] | None = None) -> None:
        self._wider: dict[tuple[str, ...], Derivatives] = {}
        self.operators = {
            name: tuple((canonical(m), c) for m, c in operator) for name, operator in (operators or {}).items()
        }
        requested = {canonical(m) for m in declared} | {""}
        members = {m for operator in self.operators.values() for m, _ in operator}
        for m in requested | members:
            if len(m) > MAX_ORDER:
                raise ValueError(f"derivative {m!r} has order {len(m)}; orders up to {MAX_ORDER} are supported")
        closed = {p for m in requested for p, _, _ in _splits(m)} | {
            p for m in members for p, _, _ in _splits(m) if p != m
        }
        plain = sorted(closed, key=lambda m: (len(m), m))
        self.indices: tuple[str, ...] = (*plain, *self.operators)
        self.order = max(map(len, closed | members))
        self.leibniz: dict[str, Rule] = {m: tuple(_splits(m)) for m in plain}
        self.chain: dict[str, Rule] = {m: _chain_rule(m) for m in plain if m}
        for name, operator in self.operators.items():
            self.leibniz[name] = (("", name, 1.0), (name, "", 1.0), *_inner(operator, _splits))
            self.chain[name] = (("", name, 1.0), *_inner(operator, _chain_rule))

    def wider(self, along: tuple[str, ...]) -> Derivatives:
        """These, the members of operators, and each of them by each of some coordinates.

        They are kept: a compiler can look them up, but not make them. Raises ValueError for one above order 4.
        """
        if along not in self._wider:
            members = {m for operator in self.operators.values() for m, _ in operator}
            plain = {m for m in self.indices if m not in self.operators} | members
            self._wider[along] = Derivatives([*plain, *(m + c for m in plain for c in along)])
        return self._wider[along]

    def rank(self, m: str) -> int:
        """The order of a stream: of a multi-index its length, of an operator that of its highest member."""
        return max(len(member) for member, _ in self.operators[m]) if m in self.operators else len(m)

    def __contains__(self, name: str) -> bool:
        return name in self.operators or canonical(name) in self.leibniz

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derivatives) and (self.indices, self.operators) == (other.indices, other.operators)

    def __hash__(self) -> int:
        return hash((self.indices, *self.operators.values()))

    def __repr__(self) -> str:
        sums = {name: _as_text(operator) for name, operator in self.operators.items()}
        return f"Derivatives({', '.join(sums.get(m, m) for m in self.indices if m)})"


Rule = tuple[tuple[str, str, float], ...]


def _as_text(operator: Operator) -> str:
    """The sum in mathematical notation: "tt - 4 xx"."""
    terms = [(" - " if c < 0 else " + ") + (f"{abs(c):g} " if abs(c) != 1 else "") + m for m, c in operator]
    text = "".join(terms)
    return text.removeprefix(" + ") if text.startswith(" +") else "-" + text[3:]


def _chain_rule(m: str) -> Rule:
    e = m[0]
    return tuple((p, canonical(rest + e), c) for p, rest, c in _splits(m[1:]))


def _inner(operator: Operator, rule: Callable[[str], Iterable[tuple[str, str, float]]]) -> Rule:
    """The members' rules without the terms in D^m itself, which the operator's stream already contains."""
    terms = ((m, c, p, q, k) for m, c in operator for p, q, k in rule(m))
    return tuple((p, q, c * k) for m, c, p, q, k in terms if m not in (p, q))
