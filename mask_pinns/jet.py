"""Jets: a value together with its named derivatives, carried forward through a network (Taylor mode).

A `Derivatives` set says which derivatives travel; a `Jet` holds one tensor (a stream) for each of them
and knows how streams pass through linear maps, sums, products and pointwise functions. One reverse pass
through a jet's streams then gives the gradient of any physics loss: no nested autograd.

Legend: N points, D coordinates, H features.
A multi-index m is a string of coordinate letters in alphabetical order: "" the value, "x" = d/dx,
"tt" = d2/dt2, "tx" = d2/dtdx. Convention: streams are plain derivatives, not Taylor coefficients (no 1/m!).
A stream that is absent is identically zero; a stream may have one row where it is the same at every point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import comb, prod

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_ORDER = 4


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


class Derivatives:
    """A set of multi-indices, closed downward ("xx" brings "x"), with its product and chain rules as tables.

    `leibniz[m]` lists (p, m - p, C(m, p)):            D^m[a b]  = sum C(m, p) D^p a  D^(m-p) b
    `chain[m]` lists (p, m - p, C(m - e, p)), e in m:  D^m[G_k]  = sum C(m - e, p) D^p[G_(k+1)]  D^(m-p) z
    where G_k = g^(k)(z) and p runs over the multi-indices up to m - e (Leibniz' rule on D^e[G_k] = G_(k+1) D^e z).

    Raises ValueError for a derivative above order 4.
    """

    def __init__(self, declared: Iterable[str] = ()) -> None:
        wanted = {canonical(m) for m in declared} | {""}
        for m in wanted:
            if len(m) > MAX_ORDER:
                raise ValueError(f"derivative {m!r} has order {len(m)}; orders up to {MAX_ORDER} are supported")
        closed = {p for m in wanted for p, _, _ in _splits(m)}
        self.indices: tuple[str, ...] = tuple(sorted(closed, key=lambda m: (len(m), m)))
        self.order = max(map(len, self.indices))
        self.leibniz = {m: tuple(_splits(m)) for m in self.indices}
        self.chain = {m: self._chain_rule(m) for m in self.indices if m}

    @staticmethod
    def _chain_rule(m: str) -> tuple[tuple[str, str, int], ...]:
        e = m[0]
        return tuple((p, canonical(rest + e), c) for p, rest, c in _splits(m[1:]))

    def __contains__(self, name: str) -> bool:
        return canonical(name) in self.leibniz

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derivatives) and self.indices == other.indices

    def __hash__(self) -> int:
        return hash(self.indices)

    def __repr__(self) -> str:
        return f"Derivatives({', '.join(m for m in self.indices if m)})"


def times(a: Tensor | None, b: Tensor | None, scale: int = 1) -> Tensor | None:
    """scale * a * b, where None stands for zero."""
    if a is None or b is None:
        return None
    return a * b if scale == 1 else scale * (a * b)


def total(terms: Iterable[Tensor | None]) -> Tensor | None:
    """The sum of the terms, where None stands for zero."""
    result: Tensor | None = None
    for term in terms:
        if term is not None:
            result = term if result is None else result + term
    return result


class Jet:
    """A value of shape (N, H) with its derivatives: `jet.value`, `jet["x"]`, `jet["tt"]` (None if zero)."""

    __slots__ = ("derivatives", "streams")

    def __init__(self, derivatives: Derivatives, streams: Mapping[str, Tensor | None]) -> None:
        self.derivatives = derivatives
        self.streams: dict[str, Tensor] = {m: s for m, s in streams.items() if s is not None}

    @classmethod
    def of_coordinates(cls, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> Jet:
        """The jet of the coordinates themselves: d x_i / d x_j = 1 where i = j, all else zero. x: (N, D)."""
        streams: dict[str, Tensor | None] = {"": x}
        units = torch.eye(len(names), dtype=x.dtype, device=x.device)  # (D, D)
        for i, name in enumerate(names):
            if name in derivatives:
                streams[name] = units[i : i + 1]  # (1, D): the same at every point
        return cls(derivatives, streams)

    @classmethod
    def constant(cls, x: Tensor) -> Jet:
        """A jet without derivatives."""
        return cls(Derivatives(), {"": x})

    @property
    def value(self) -> Tensor:
        return self.streams[""]

    def __getitem__(self, m: str) -> Tensor | None:
        return self.streams.get(m)

    def linear(self, weight: Tensor, bias: Tensor | None = None) -> Jet:
        """x W^T + b on the value, W^T alone on every derivative. weight: (H_out, H_in)."""
        streams = {m: F.linear(s, weight, bias if m == "" else None) for m, s in self.streams.items()}
        return Jet(self.derivatives, streams)

    def compose(self, g: Sequence[Tensor | None]) -> Jet:
        """The jet of g(z), z this jet, from the values g[k] = g^(k)(z) for k = 0 .. order (None: zero)."""
        d: dict[tuple[str, int], Tensor | None] = {("", k): g[k] for k in range(self.derivatives.order + 1)}
        for m in self.derivatives.indices[1:]:
            for k in range(self.derivatives.order + 1 - len(m)):
                d[m, k] = total(times(d[p, k + 1], self[q], c) for p, q, c in self.derivatives.chain[m])
        return Jet(self.derivatives, {m: d[m, 0] for m in self.derivatives.indices})

    def __add__(self, other: Jet) -> Jet:
        assert self.derivatives == other.derivatives, "jets of different derivatives cannot be added"
        return Jet(self.derivatives, {m: total((self[m], other[m])) for m in self.derivatives.indices})

    def __mul__(self, other: Jet | Tensor | float) -> Jet:
        """Leibniz' rule for two jets; a tensor or a number is a constant factor."""
        if not isinstance(other, Jet):
            return Jet(self.derivatives, {m: s * other for m, s in self.streams.items()})
        assert self.derivatives == other.derivatives, "jets of different derivatives cannot be multiplied"
        rules = self.derivatives.leibniz
        return Jet(
            self.derivatives,
            {m: total(times(self[p], other[q], c) for p, q, c in rules[m]) for m in self.derivatives.indices},
        )

    __rmul__ = __mul__
