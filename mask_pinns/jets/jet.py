"""Jets: a value together with its named derivatives, carried forward through a network (Taylor mode).

A `Derivatives` object lists the derivatives; a `Jet` holds one tensor (a stream) for each of them and carries the
streams through linear maps, sums, products and pointwise functions. One reverse pass through a jet's streams then
gives the gradient of any physics loss, without nested autograd.

Legend: N points, D coordinates, H features.
Convention: streams are plain derivatives, not Taylor coefficients (no 1/m!).
A stream that is absent is identically zero; a stream may have a single row if it is the same at every point.
Numbers of rows are `shape[0]`: a trace of a jet fits any number of points, which `len` would make a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mask_pinns.jets.derivatives import Derivatives, Operator


def times(a: Tensor | None, b: Tensor | None, scale: float = 1) -> Tensor | None:
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
    """A value of shape (N, H) with its derivatives: `jet.value`, `jet["x"]`, `jet["tt"]` (None if zero).

    Example:
        >>> import torch
        >>> from mask_pinns import Derivatives, Jet
        >>> x = Jet.of_coordinates(torch.tensor([[3.0]]), ["x"], Derivatives(["xx"]))
        >>> (x * x)["x"], (x * x)["xx"]
        (tensor([[6.]]), tensor([[2.]]))
    """

    __slots__ = ("derivatives", "streams")

    def __init__(self, derivatives: Derivatives, streams: Mapping[str, Tensor | None]) -> None:
        self.derivatives = derivatives
        self.streams: dict[str, Tensor] = {m: s for m, s in streams.items() if s is not None}

    @classmethod
    def of_coordinates(cls, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> Jet:
        """The jet of the coordinates themselves: d x_i / d x_j = 1 where i = j, all else zero. x: (N, D)."""
        slopes: dict[str, Operator] = {name: ((name, 1.0),) for name in names if name in derivatives.leibniz}
        streams: dict[str, Tensor | None] = {"": x}
        for key, operator in (slopes | derivatives.operators).items():
            weights = dict(operator)
            row = [weights.get(name, 0.0) for name in names]
            if any(row):
                # (1, D), the same at every point; new_full fills it on the device, a list would have to be copied there
                streams[key] = torch.stack([x.new_full((1,), w) for w in row], 1)
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

    def at_every_point(self) -> Jet:
        """The same jet; streams with a single row are expanded to all points."""
        return Jet(self.derivatives, {m: s.expand(self.value.shape[0], -1) for m, s in self.streams.items()})

    def split(self, lengths: Sequence[int]) -> list[Jet]:
        """Jets of the first lengths[0] points, of the next lengths[1], ...; the jet itself for a single length."""
        if len(lengths) == 1:
            return [self]
        rows = {m: s.expand(len(self.value), -1).split(list(lengths)) for m, s in self.streams.items()}
        return [Jet(self.derivatives, {m: parts[i] for m, parts in rows.items()}) for i in range(len(lengths))]

    def map(self, f: Callable[[Tensor], Tensor]) -> Jet:
        """The jet with f(stream) for every stream; f has to be linear, e.g. select or reshape columns."""
        return Jet(self.derivatives, {m: f(s) for m, s in self.streams.items()})

    @staticmethod
    def cat(jets: Sequence[Jet]) -> Jet:
        """The columns of jets (N, H1), (N, H2), ... beside each other, (N, H1 + H2 + ...)."""
        if len(jets) == 1:
            return jets[0]
        streams = {}
        for m in jets[0].derivatives.indices:
            rows = [jet.streams[m].shape[0] for jet in jets if m in jet.streams]
            if rows:
                parts = [jet.streams.get(m, jet.value.new_zeros(1, jet.value.shape[1])) for jet in jets]
                streams[m] = torch.cat([part.expand(max(rows), -1) for part in parts], 1)
        return Jet(jets[0].derivatives, streams)

    def linear(self, weight: Tensor, bias: Tensor | None = None) -> Jet:
        """x W^T + b on the value, W^T alone on every derivative. weight: (H_out, H_in)."""
        streams = {m: F.linear(s, weight) for m, s in self.streams.items()}
        if bias is not None:  # added here, it is compiled into the activation's kernel; in F.linear it costs a pass
            streams[""] = streams[""] + bias
        result = Jet(self.derivatives, streams)
        if _recorders:
            _recorders[-1].append(Product(weight, self, result))
        return result

    def compose(self, g: Sequence[Tensor | None]) -> Jet:
        """The jet of g(z), z this jet, from the values g[k] = g^(k)(z) for k = 0 .. order (None: zero)."""
        d: dict[tuple[str, int], Tensor | None] = {("", k): g[k] for k in range(self.derivatives.order + 1)}
        for m in self.derivatives.indices[1:]:
            for k in range(self.derivatives.order + 1 - self.derivatives.rank(m)):
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


class Product(NamedTuple):
    """One use of a weight in a linear map: output = input W^T (+ b)."""

    weight: Tensor
    input: Jet
    output: Jet


_recorders: list[list[Product]] = []


@contextmanager
def recorded_products() -> Iterator[list[Product]]:
    """Collects every linear map of a jet inside the context; per-point derivatives by the weights are made of these."""
    _recorders.append([])
    try:
        yield _recorders[-1]
    finally:
        _recorders.pop()
