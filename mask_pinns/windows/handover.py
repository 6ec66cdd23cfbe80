"""`End`, a trained network at the end of its window, and `Handover`, one of its fields there as a target of the next.

A `Handover` is a target like any other (see `targets.py`): at points it gives values, at `JetPoints` values and
derivatives, so that the next window can begin with it by construction.

A network that begins where another one ends asks for that one's end, which asks for the end before it, and so on. An
`End` therefore evaluates all fields and derivatives that are handed over at once, from the first window on, and keeps
what it found at the last points: the cost is that of one forward pass through each network, and nothing at points that
stay as they are.

Legend: N points, D coordinates, F fields, m the multi-index of a derivative.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from mask_pinns.jets import Derivatives, Jet, JetNetwork, Scalar
from mask_pinns.jets.derivatives import canonical
from mask_pinns.jets.points import JetPoints
from mask_pinns.windows.rehearsal import rehearsed

KEPT = 64
"""Number of sets of points whose values an end keeps: those of the terms, in chunks, and of the walls."""


class End:
    """All fields of a network at a fixed time, with derivatives by the other coordinates.

    Args:
        network: the network of the window that ends; while the next one is trained, its weights do not change.
        names: the coordinates, in the order of the network's inputs.
        time: the end of the window.
        handed: the derivatives m that are handed over, as "" and "t".
        before: the end with which this network began; None for the first window.
    """

    def __init__(
        self, network: JetNetwork, names: Sequence[str], time: float, handed: Iterable[str], before: End | None
    ) -> None:
        self.network, self.names, self.time = network, tuple(names), time
        self.handed, self.before = tuple(dict.fromkeys(handed)), before
        self._kept: OrderedDict[int, tuple[Tensor, tuple[str, ...], Jet]] = OrderedDict()
        self._copies: dict[tuple[torch.dtype, torch.device], dict[str, Tensor]] = {}
        self._state: tuple[tuple[int, int], ...] = ()
        self._count, self._inside = 0, False

    @torch.compiler.disable  # what is kept is looked up by the values of points
    def jet(self, x: Tensor, wanted: tuple[str, ...]) -> Jet:
        """The fields (N, F) at points (N, D), whose time has no meaning, with derivatives m + n, n wanted, m handed."""
        wanted = Derivatives(wanted).indices  # in the order in which a network asks for them
        column = self.names.index("t")
        if x.requires_grad:  # nested autograd, the reference
            return self._evaluated(x, column, wanted)
        if self._inside:  # a network after this one asks, whose own end has begun here
            return self._found(x, column, wanted) or self._from_first(x, column, wanted)
        chain = self._chain()
        self._forget_old_weights(chain)
        for end in chain:
            end._inside = True
        try:
            return self._found(x, column, wanted) or self._from_first(x, column, wanted)
        finally:
            for end in chain:
                end._inside = False

    def _from_first(self, x: Tensor, column: int, wanted: tuple[str, ...]) -> Jet:
        """From the first window on, so that each network finds what the one before it has at its end."""
        for end in self._chain():
            jet = end._found(x, column, wanted) or end._evaluated(x, column, wanted)
        return jet

    def _chain(self) -> list[End]:
        """The ends from the first window to this one."""
        ends, end = [self], self.before
        while end is not None:
            ends.append(end)
            end = end.before
        return ends[::-1]

    def _forget_old_weights(self, chain: list[End]) -> None:
        """Forgets what was found with other weights, of this network or of one before it."""
        own = (w for end in chain for w in (*end.network.parameters(), *end.network.buffers()))
        state = tuple((w.data_ptr(), w._version) for w in own)
        if state != self._state:
            for end in chain:
                end._kept.clear()
                end._copies.clear()
            self._state = state

    def _found(self, x: Tensor, column: int, wanted: tuple[str, ...]) -> Jet | None:
        """What is kept for the same points."""
        key = rehearsed(lambda: self._key(x, column, wanted))
        if key is None:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][2]

    def _key(self, x: Tensor, column: int, wanted: tuple[str, ...]) -> int | None:
        """Under which key something is kept for the same points."""
        space = self._space(x, column)
        for key, (points, derivatives, _) in reversed(self._kept.items()):
            alike = (points.shape, points.dtype, points.device) == (space.shape, space.dtype, space.device)
            if alike and derivatives == wanted and torch.equal(points, space):
                return key
        return None

    def forget(self) -> None:
        """Forgets what is kept, so that all keys begin again."""
        self._kept.clear()
        self._count = 0

    @staticmethod
    def _space(x: Tensor, column: int) -> Tensor:
        return torch.cat([x[:, :column], x[:, column + 1 :]], 1)

    def _evaluated(self, x: Tensor, column: int, wanted: tuple[str, ...]) -> Jet:
        """In the precision of the points; the weights get no gradient."""
        at = torch.cat([x[:, :column], torch.full_like(x[:, :1], self.time), x[:, column + 1 :]], 1)
        derivatives = Derivatives([canonical(m + n) for m in self.handed for n in wanted])
        with torch.set_grad_enabled(x.requires_grad):
            coordinates = Jet.of_coordinates(at, self.names, derivatives)
            jet: Jet = functional_call(self.network, self._weights(x), (coordinates,))
        if not x.requires_grad:
            self._count += 1
            self._kept[self._count] = self._space(x, column), wanted, jet
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return jet

    def _weights(self, like: Tensor) -> dict[str, Tensor]:
        """Parameters and buffers in the dtype and on the device of `like`; copies are made once for the same ones."""
        own = dict(self.network.named_parameters()) | dict(self.network.named_buffers())
        if all((w.dtype, w.device) == (like.dtype, like.device) for w in own.values()):
            return {name: w.detach() for name, w in own.items()}
        key = like.dtype, like.device
        if key not in self._copies:
            self._copies[key] = {name: w.detach().to(like) for name, w in own.items()}
        return self._copies[key]

    def __getstate__(self) -> dict[str, Any]:
        """Without what is kept."""
        return vars(self) | {"_kept": OrderedDict(), "_copies": {}, "_state": ()}


class Handover:
    """D^m of one field at the end of a window, as a function of the other coordinates.

    Args:
        end: the end of the window.
        column: which of the fields.
        derivative: m, as "" or "t".
    """

    def __init__(self, end: End, column: int, derivative: str) -> None:
        self.end, self.column, self.derivative = end, column, derivative

    def __call__(self, p: Any) -> Any:
        """The values (N,) at points, or a Scalar with the derivatives of `JetPoints`."""
        if isinstance(p, JetPoints):
            return self._on_jets(p)
        x = torch.stack([getattr(p, c) for c in self.end.names], 1)
        values = self.end.jet(x, ("",))[self.derivative]
        n = x.shape[0]
        return x.new_zeros(n) if values is None else values[:, self.column].expand(n)

    def _on_jets(self, p: JetPoints) -> Scalar:
        """D^m of the field with the derivatives of the points; those by coordinates that are fixed are zero."""
        scalars = {c: getattr(p, c) for c in self.end.names}
        n = max(s.value.shape[0] for s in scalars.values())
        x = torch.stack([s.value.expand(n) for s in scalars.values()], 1)
        fixed = {"t", *(c for c, s in scalars.items() if len(s.jet.streams) == 1)}
        members = {
            name: tuple((m, w) for m, w in p.derivatives.operators.get(name, ((name, 1.0),)) if not fixed & set(m))
            for name in p.derivatives.indices
        }
        jet = self.end.jet(x, tuple(dict.fromkeys(m for sums in members.values() for m, _ in sums)))
        streams: dict[str, Tensor | None] = {}
        for name, sums in members.items():
            terms = [w * s[:, self.column] for m, w in sums if (s := jet[canonical(self.derivative + m)]) is not None]
            streams[name] = torch.stack(torch.broadcast_tensors(*terms)).sum(0) if terms else None
        return Scalar(Jet(p.derivatives, streams))
