"""The loss as a sum of squares for Gauss-Newton: residuals and Jacobian at frozen points, summed over the ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from mask_pinns.jets.network import JetNetwork, Tangent
from mask_pinns.networks.unknown import unknown_values
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.objective import PointSets


class ResidualSquares:
    """The least-squares problem of `GaussNewton.step`, at one rank's points.

    Args:
        jacobian: Jacobian of the weighted residuals.
        points: points of every term.
        note: function that is called with the loss at every evaluation, and with the terms' mean squares by name at
            the first one, which comes with the Jacobian.
        over_ranks: the mean of a tensor over the ranks; None if there is only one.
    """

    def __init__(
        self,
        jacobian: Jacobian,
        points: PointSets,
        note: Callable[[Tensor, dict[str, Tensor]], None] = lambda loss, terms: None,
        over_ranks: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.jacobian, self.points, self.note, self.over_ranks = jacobian, points, note, over_ranks
        self._begun = False

    @torch.no_grad()
    def residuals(self) -> tuple[Tensor, Tensor]:
        """This rank's residuals at the current parameters, in the order of the blocks; the loss of all ranks."""
        vector = self.jacobian.vector(self.points)
        loss = self.total(vector @ vector)
        self.note(loss, {})
        return vector, loss

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        terms: dict[str, Tensor] = {}
        squares: list[Tensor] = []
        for name, vector, rows, square in self.jacobian.named_blocks(self.points):
            squares.append(vector @ vector)
            terms[name] = terms[name] + square if name in terms else square
            yield vector, rows
        if not self._begun:
            self._begun = True
            values = self.total(torch.stack([torch.stack(squares).sum(), *terms.values()]))
            self.note(values[0], dict(zip(terms, values[1:], strict=True)))

    @property
    def shift(self) -> Tensor:
        """The direction s (P,) of the network's tangent, in the order of J's columns; zero at the start."""
        tangent, parameters = self._network.tangent, self.jacobian.parameters
        if tangent is None:
            return torch.cat([torch.zeros_like(p).flatten() for p in parameters.values()])
        return torch.cat([tangent.parts[name].flatten() for name in parameters])

    @shift.setter
    def shift(self, s: Tensor) -> None:
        network, parameters = self._network, self.jacobian.parameters
        network.tangent = network.tangent or Tangent(network)
        parts = network.tangent.parts
        sizes = [p.numel() for p in parameters.values()]
        with torch.no_grad():
            for name, part in zip(parameters, s.split(sizes), strict=True):
                parts[name].copy_(part.view_as(parts[name]))

    @property
    def _network(self) -> JetNetwork:
        network = self.jacobian.network
        assert isinstance(network, JetNetwork)
        return network

    def total(self, x: Tensor) -> Tensor:
        return x if self.over_ranks is None else self.over_ranks(x)

    @property
    def rows(self) -> int:
        return self.jacobian.rows(self.points)

    @property
    def shared(self) -> bool:
        return self.over_ranks is not None


def require_tangent(network: nn.Module) -> None:
    """Raises ValueError for a network whose outputs are not linear in its tangent's direction, or that has none."""
    if not isinstance(network, JetNetwork):
        raise ValueError(f"{type(network).__name__} is not made of layers that act on jets, and has no tangent")
    if unknown := unknown_values(network):
        raise ValueError(
            f"the optimizer tangent keeps the weights, and with them the unknown {', '.join(unknown)}: leave it out"
        )
