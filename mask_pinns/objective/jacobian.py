"""The Jacobian of the weighted residuals with respect to the parameters, from one reverse pass for each residual.

Points do not influence each other, so one reverse pass from the sum of a residual over the points gives the adjoints
g_s of z_s = W h_s + b (s the streams) at each point. The derivatives at a point are then, for each product with a
weight,

    d r / d W = sum over s  g_s h_s^T,      d r / d b = g_value.

A parameter with one number per unit (alpha) is repeated for every point, so that its adjoint is that of the point too.
There is no differentiation point by point.

Legend: N points, P parameters, R rows of a residual, H_in and H_out features before and after a product.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.jet import Product, recorded_products
from mask_pinns.jets.network import TANGENT, without_tangent
from mask_pinns.networks.unknown import unknown_values
from mask_pinns.objective.objective import Objective, PointSets
from mask_pinns.problems import Condition
from mask_pinns.problems.derived.determinacy import require_independent_points

ROW_TOLERANCE = 1e3
"""Largest difference between a row and its gradient, in units of the rounding error of the largest absolute sum of a
row: where a condition holds by a symmetry, rows are sums that cancel, and nothing but rounding is left of them."""


class Block(NamedTuple):
    """Some of the numbers v (R,) of a residual with their derivatives J (R, P), and their part of its mean square,
    which has no weight."""

    name: str
    vector: Tensor
    rows: Tensor
    mean_square: Tensor


class Jacobian:
    """Rows of d v / d parameters, v the vector of weighted residuals with |v|^2 = loss.

    Of a network with a tangent, the parameters are those of the layers: in the rows, the tangent is a constant.

    Args:
        objective: objective with these residuals; its engine is `jet`.
        network: network of layers on jets. A parameter is the weight or the bias of a linear map, or a vector with one
            number per unit that acts pointwise; `check` refuses others.
        chunk: number of points at a time; memory is about chunk x P numbers. Points of the PDE with causal weights are
            taken all at once.

    Raises:
        ValueError: an objective with derivatives by nested autograd, or a network in which points influence each other.
    """

    def __init__(self, objective: Objective, network: nn.Module, chunk: int = 4096) -> None:
        if objective.engine_name != "jet":
            raise ValueError("Gauss-Newton needs derivatives by jets: use --derivatives jet, or another optimizer")
        coupled = next((k for k, m in network.named_modules() if getattr(m, "couples_points", False)), None)
        if coupled is not None:
            raise ValueError(
                f"Gauss-Newton needs points that do not influence each other; {coupled!r} takes statistics over them "
                "all: use another optimizer, e.g. ssbroyden, or another network"
            )
        require_independent_points(objective.problem, objective.terms, "Gauss-Newton")
        self.objective, self.network, self.chunk = objective, network, chunk
        self.parameters = {k: p for k, p in network.named_parameters() if p.requires_grad}
        self._rows_at: dict[tuple[int, ...], int] = {}

    def rows(self, points: PointSets) -> int:
        """The number of residuals R at these points; it is evaluated once for each combination of numbers of points."""
        sizes = tuple(map(len, points.values()))
        if sizes not in self._rows_at:
            with torch.no_grad():
                self._rows_at[sizes] = len(self.objective.residual_vector(self.network, points))
        return self._rows_at[sizes]

    def blocks(self, points: PointSets) -> Iterator[tuple[Tensor, Tensor]]:
        """Blocks (v, J) of shapes (R,) and (R, P) that make up the residual vector and its Jacobian."""
        for block in self.named_blocks(points):
            yield block.vector, block.rows

    def named_blocks(self, points: PointSets) -> Iterator[Block]:
        """The blocks with the names of their residuals."""
        for term, x, count in self._pieces(points):
            yield from self._block(term, x, count)

    def of_fields(self, x: Tensor) -> Iterator[Tensor]:
        """d u / d parameters (N, P) at points (N, D), field by field."""
        per_point = self._per_point(len(x))
        with torch.enable_grad(), without_tangent(self.network), recorded_products() as products:
            coordinates = Jet.of_coordinates(x, self.objective.problem.domain.names, Derivatives())
            jet = functional_call(self.network, per_point, (coordinates,))
            yield from (self._rows(column, products, per_point, 1) for column in jet.value.unbind(1))

    def _per_point(self, n: int) -> dict[str, Tensor]:
        """The parameters with one number per unit, repeated for every point, (N, H)."""
        vectors = {k: p for k, p in self.parameters.items() if p.ndim == 1}
        return {k: p.detach().expand(n, -1).clone().requires_grad_() for k, p in vectors.items()}

    def vector(self, points: PointSets) -> Tensor:
        """The residual vector v alone, in the order of the blocks."""
        return torch.cat([
            residual.scaled_to(count)
            for term, x, count in self._pieces(points)
            for residual in self.objective.residuals_at(self.network, term, x).values()
        ])  # fmt: skip

    def _pieces(self, points: PointSets) -> Iterator[tuple[Condition, Tensor, int]]:
        """Each term's points in chunks, equally many of every piece, and the number of its points on a piece."""
        for term in self.objective.terms:
            pieces = len(self.objective.places[term.name])
            x = points[term.name].reshape(pieces, -1, points[term.name].shape[1])
            size = x.shape[1] if self.objective.needs_all_points(term) else max(1, self.chunk // pieces)
            for part in x.split(size, 1):
                yield term, part.reshape(-1, x.shape[2]), x.shape[1]

    def _block(self, term: Condition, x: Tensor, count: int) -> Iterator[Block]:
        """A block for each residual of one term, at some of its `count` points on each piece."""
        per_point = self._per_point(len(x))
        derivatives = self.objective.needs[term.name].derivatives
        with torch.enable_grad(), without_tangent(self.network), recorded_products() as products:
            names = self.objective.problem.domain.names
            coordinates = Jet.of_coordinates(self.objective.coordinates(x), names, derivatives).at_every_point()
            jet = functional_call(self.network, per_point, (coordinates,))
            if (tangent := getattr(self.network, TANGENT, None)) is not None:
                jet = jet + tangent.change(self.network, coordinates)
            residuals = self.objective.term_residuals(term, jet, x, unknown_values(self.network, per_point))
            for name, residual in residuals.items():
                vector = residual.scaled_to(count)
                rows = len(self.objective.places[term.name]) if term.paired else 1
                square = residual.vector.detach().square().sum() / count
                yield Block(name, vector.detach(), self._rows(vector, products, per_point, rows), square)

    def _rows(self, vector: Tensor, products: list[Product], per_point: dict[str, Tensor], rows: int) -> Tensor:
        """(R, P): the derivatives of each number of the vector, which depends on `rows` rows of the network.

        In memory it is J', (P, R): a row of J' is filled along the points, and J'J multiplies such rows.
        """
        names = {id(p): k for k, p in self.parameters.items()}
        outputs = [(product, m) for product in products if id(product.weight) in names for m in product.output.streams]
        inputs: list[Any] = [product.output.streams[m] for product, m in outputs] + list(per_point.values())
        adjoints = torch.autograd.grad(vector.sum(), inputs, retain_graph=True, allow_unused=True)
        sizes = [p.numel() for p in self.parameters.values()]
        transposed = vector.new_empty(sum(sizes), rows * len(vector))
        columns = _Columns(dict(zip(self.parameters, transposed.split(sizes), strict=True)))
        for name, adjoint in zip(per_point, adjoints[len(outputs) :], strict=True):
            columns.add(name, adjoint)
        for (product, m), adjoint in zip(outputs, adjoints, strict=False):
            columns.add(names[id(product.weight)], adjoint, product.input.streams[m].detach())
        columns.fill_others()
        jacobian = transposed.T
        return jacobian if rows == 1 else jacobian.unflatten(0, (rows, len(vector))).sum(0)

    def check(self, points: PointSets) -> None:
        """Compares every row with the gradient of its residual. Raises ValueError if a parameter does not fit."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for term in self.objective.terms:
            x = points[term.name]
            with without_tangent(self.network):
                residuals = self.objective.residuals_at(self.network, term, x)
            count = len(x) // len(self.objective.places[term.name])
            for residual, block in zip(residuals.values(), self._block(term, x, count), strict=True):
                pairs += zip(residual.scaled_to(count), block.rows, strict=True)
        scale = torch.stack([row.abs().sum() for _, row in pairs]).max() if pairs else torch.zeros(())
        for number, row in pairs:
            self._check_row(number, row, scale + torch.finfo(row.dtype).tiny)

    def _check_row(self, number: Tensor, row: Tensor, scale: Tensor) -> None:
        parameters = list(self.parameters.values())
        gradients = torch.autograd.grad(number, parameters, retain_graph=True, allow_unused=True)
        parts = row.split([p.numel() for p in parameters])
        for name, part, gradient in zip(self.parameters, parts, gradients, strict=True):
            difference = part if gradient is None else part - gradient.flatten()
            if not difference.abs().max() <= ROW_TOLERANCE * torch.finfo(row.dtype).eps * scale:
                raise ValueError(
                    f"Gauss-Newton cannot tell the points' shares in parameter {name!r}: it is neither in a "
                    "linear map on jets nor one number per unit; use another optimizer, e.g. ssbroyden"
                )


class _Columns:
    """The columns of J by parameter, (H, N) or (H_out H_in, N), not yet set at the start; each is a sum."""

    def __init__(self, columns: dict[str, Tensor]) -> None:
        self.columns, self.begun = columns, set[str]()

    def add(self, name: str, adjoint: Tensor | None, features: Tensor | None = None) -> None:
        """Adds adjoint (N, H), or its outer products with the features (N, H_in) in front of a weight."""
        if adjoint is None:
            return
        column, left = self.columns[name], adjoint.T.contiguous()
        right = None
        if features is not None:  # (H_out, H_in, N) += (H_out, 1, N) (1, H_in, N)
            left, right = left.unsqueeze(1), features.T.contiguous().unsqueeze(0)
            column = column.unflatten(0, (left.shape[0], right.shape[1]))
        if name in self.begun:
            column.add_(left) if right is None else column.addcmul_(left, right)
        elif right is None:
            column.copy_(left)
        else:
            torch.mul(left, right, out=column)
        self.begun.add(name)

    def fill_others(self) -> None:
        """Sets the columns to which nothing was added to zero."""
        for name in self.columns.keys() - self.begun:
            self.columns[name].zero_()
