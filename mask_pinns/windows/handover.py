"""`Handover`: a field of a trained network at the end of its window, or its time derivative: a target for the next one.

It is a target like any other (see `targets.py`): at points it gives values, at `JetPoints` values and derivatives, so
that the next window can begin with it by construction. Time is always the end of the window, whatever the points say.

Legend: N points, D coordinates, F fields, m the multi-index of a derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from mask_pinns.jets import Derivatives, Jet, JetNetwork, Scalar
from mask_pinns.jets.derivatives import canonical
from mask_pinns.jets.points import JetPoints


class Handover:
    """D^m of one field at a fixed time, as a function of the other coordinates.

    Args:
        network: the network of the window that ends; its weights do not change any more.
        names: the coordinates, in the order of the network's inputs.
        column: which of the fields.
        derivative: m, as "" or "t".
        time: the end of the window.

    The last network has begun with such values too, so that an evaluation passes through all networks before it: its
    cost is that of one forward pass through each.
    """

    def __init__(self, network: JetNetwork, names: Sequence[str], column: int, derivative: str, time: float) -> None:
        self.network, self.names, self.column = network, tuple(names), column
        self.derivative, self.time = derivative, time
        self._plans: dict[tuple[str, ...], Derivatives] = {}
        self._copies: dict[Any, tuple[tuple[Any, ...], dict[str, Tensor]]] = {}

    def __call__(self, p: Any) -> Any:
        """The values (N,) at points, or a Scalar with the derivatives of `JetPoints`."""
        if isinstance(p, JetPoints):
            return self._on_jets(p)
        x = torch.stack([torch.full_like(p.t, self.time) if c == "t" else getattr(p, c) for c in self.names], 1)
        values = self._jet(x, self._plan((self.derivative,)))[self.derivative]
        return x.new_zeros(len(x)) if values is None else values.expand(len(x)).to(x)

    def _on_jets(self, p: JetPoints) -> Scalar:
        """D^m of the field with the derivatives of the points; those by coordinates that are fixed are zero."""
        scalars = {c: getattr(p, c) for c in self.names}
        values = [s.value[:1] * 0 + self.time if c == "t" else s.value for c, s in scalars.items()]
        n = max(map(len, values))
        x = torch.stack([v.expand(n) for v in values], 1)
        fixed = {"t", *(c for c, s in scalars.items() if len(s.jet.streams) == 1)}
        members = {
            name: tuple((m, w) for m, w in p.derivatives.operators.get(name, ((name, 1.0),)) if not fixed & set(m))
            for name in p.derivatives.indices
        }
        plain = tuple(dict.fromkeys(m for sums in members.values() for m, _ in sums))
        jet = self._jet(x, self._plan(tuple(canonical(self.derivative + m) for m in plain)))
        streams: dict[str, Tensor | None] = {}
        for name, sums in members.items():
            terms = [w * s for m, w in sums if (s := jet[canonical(self.derivative + m)]) is not None]
            streams[name] = torch.stack(torch.broadcast_tensors(*terms)).sum(0).to(x) if terms else None
        return Scalar(Jet(p.derivatives, streams))

    def _plan(self, wanted: tuple[str, ...]) -> Derivatives:
        """The derivatives to carry. They are kept: a compiler can look them up, but not make them."""
        if wanted not in self._plans:
            self._plans[wanted] = Derivatives(wanted)
        return self._plans[wanted]

    def _jet(self, x: Tensor, derivatives: Derivatives) -> Jet:
        """The jet (N,) of the field at points (N, D), in their precision; the weights get no gradient."""
        jet: Jet = functional_call(self.network, self._weights(x), (Jet.of_coordinates(x, self.names, derivatives),))
        return jet.map(lambda s: s[:, self.column])

    def _weights(self, like: Tensor) -> dict[str, Tensor]:
        """Parameters and buffers in the dtype and on the device of `like`; copies are made once for the same ones."""
        own = dict(self.network.named_parameters()) | dict(self.network.named_buffers())
        if all((w.dtype, w.device) == (like.dtype, like.device) for w in own.values()):
            return {name: w.detach() for name, w in own.items()}
        state = tuple((w.data_ptr(), w._version) for w in own.values())
        if self._copies.get((like.dtype, like.device), ((), {}))[0] != state:
            self._copies[like.dtype, like.device] = state, {name: w.detach().to(like) for name, w in own.items()}
        return self._copies[like.dtype, like.device][1]
