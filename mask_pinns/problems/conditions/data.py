"""`Data`: measurements from a table, which the fields, or quantities that follow from them, should agree with.

Legend: N rows of the table, K measured quantities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains import Box, Domain, Place, Points, ScatteredPlace
from mask_pinns.jets import Derivatives
from mask_pinns.problems.checks import check_derivatives, check_shape
from mask_pinns.problems.conditions.condition import Condition, Fields, Residuals, called, named, qualified
from mask_pinns.problems.conditions.tables import Table, TableError, is_table, read_table

Noise = float | str | Mapping[str, float | str] | None

WEIGHT = 0.01
"""The weight of measurements whose noise is known; the weight of the equation is one."""
TOLERANCE = 1e-9
"""By how much a point may lie outside of the domain by rounding, relative to the size of the domain."""


class Data(Condition):
    """Measurements: `Data("thermometers.csv", noise=0.01)`, a table with the columns x, t and u, say.

    The table has a column for each coordinate, and one for each measured quantity: a field (u), a derivative of a field
    (u_x), or with `observe` whatever it gives. A residual is (observed - predicted) / noise, or the difference alone if
    the noise is not known. A value that is missing (an empty cell, NaN) does not count:

        mean square = sum over the rows with a value of r^2 / their number

    All rows are points of every step, on every rank. In a dimensionless problem, residuals are divided by one size for
    all measurements (`residual_scales`), so that these weigh as other conditions do, and the more precise ones more.

    Args:
        source: a .csv file with a header, an .npz file of 1-D arrays, a .parquet file, or an object with such columns:
            a mapping, a DataFrame. A relative path starts in the folder of the problem's file.
        noise: the standard deviation of what is measured: a number, the name of a column, or a mapping of these by
            quantity.
        observe: function of the points and of each field, which gives what was measured, (N,): a tensor, a tuple of
            them in the order of the columns, or a dict by their names.
        name, derivatives: as for `Condition`; the derivatives that `observe` uses.
        weight: factor of this term in the loss, by default 0.01 if any noise is given, so that the equation hardly
            follows noise. `weights: {conditions: 100}` does not change it; `{data: 1}` does.

    Example:
        >>> from mask_pinns import Box, Data
        >>> heat = Data({"x": [0.2, 0.8], "t": [0.5, 0.5], "u": [0.3, None], "u_x": [1.0, 1.1]}, noise={"u": 0.01})
        >>> place = heat.place(Box(x=(0, 1), t=(0, 1)))
        >>> heat.derivatives, place.count
        (Derivatives(x), 2)

    Raises ValueError for a table that is missing or does not fit, naming the file, the row and the column.
    """

    def __init__(
        self,
        source: Any,
        noise: Noise = None,
        observe: Callable[..., Any] | None = None,
        name: str = "data",
        weight: float | None = None,
        derivatives: Sequence[str] = (),
    ) -> None:
        usual = 1.0 if noise is None else WEIGHT
        weight = usual if weight is None else weight
        super().__init__(name, {}, residual=lambda *_: None, derivatives=derivatives, weight=weight)
        if not (isinstance(source, str | Path) or is_table(source)):
            given = " ".join(repr(source).split())[:60]
            raise ValueError(f"condition {name!r}: source is {given}; expected a file, or a table of named columns")
        if observe is not None and not callable(observe):
            raise ValueError(f"condition {name!r}: observe is {observe!r}; expected a function of p and the fields")
        for level in noise.values() if isinstance(noise, Mapping) else (noise,):
            if not (level is None or isinstance(level, str) or (is_finite(level) and level > 0)):
                raise ValueError(
                    f"condition {name!r}: noise is {level!r}; expected a number above 0, the name of a column, or a "
                    "mapping of these by quantity"
                )
        self.source, self.noise, self.observe = source, noise, observe
        self._folder: Path | None = None
        self._places: dict[tuple[str, ...], ScatteredPlace] = {}

    # ---- the table ------------------------------------------------------------------------------------------

    def attach(self, folder: Path, equation: Sequence[str]) -> None:
        self._folder = folder if self._folder is None else self._folder

    @cached_property
    def table(self) -> Table:
        """The table, which is read once."""
        return read_table(self.source, self._folder or Path(), f"condition {self.name!r}")

    @property
    def _columns_of_noise(self) -> list[str]:
        levels = self.noise.values() if isinstance(self.noise, Mapping) else (self.noise,)
        return [level for level in levels if isinstance(level, str)]

    def quantities(self, coordinates: Sequence[str]) -> list[str]:
        """The names of the measured quantities, in the order of their columns."""
        others = {*coordinates, *self._columns_of_noise}
        return [name for name in self.table.names if name not in others]

    @property
    def derivatives(self) -> Derivatives:
        measured = self.quantities(()) if self.observe is None else []
        return Derivatives([*self.declared, *(name.partition("_")[2] for name in measured)])

    def _noise_of(self, quantity: str) -> float | np.ndarray | None:
        """The noise of a quantity: a number, that of each row (N,), or None."""
        level = self.noise.get(quantity) if isinstance(self.noise, Mapping) else self.noise
        return self.table.column(level) if isinstance(level, str) else None if level is None else float(level)

    def noise_known(self, coordinates: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """The number of values of each residual, by its name in the loss, and whether their noise is known."""
        found = {
            name: (int((~np.isnan(self.table.column(name))).sum()), self._noise_of(name) is not None)
            for name in self.quantities(coordinates)
        }
        return qualified(self, found)

    # ---- points and residuals -------------------------------------------------------------------------------

    def place(self, domain: Domain) -> Place:
        if domain.names not in self._places:
            self._places[domain.names] = self._made(domain.names)
        return self._places[domain.names]

    def _made(self, names: tuple[str, ...]) -> ScatteredPlace:
        """Rows (N, D + 2 K) of the coordinates, the measured values, and their factors in the residuals."""
        self._require_columns(names)
        coordinates = [self._coordinate(name) for name in names]
        values, factors = zip(*map(self._measured, self.quantities(names)), strict=True)
        return ScatteredPlace(torch.from_numpy(np.stack([*coordinates, *values, *factors], 1)), len(names))

    def _coordinate(self, name: str) -> np.ndarray:
        column = self.table.column(name)
        if len(rows := np.isnan(column).nonzero()[0]):
            raise TableError(f"{self.table.cell(int(rows[0]), name)}: this coordinate is missing")
        return column

    def _measured(self, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """The values (N,), their mean where they are missing, and sqrt(N / number of values) / noise, 0 there."""
        values, noise = self.table.column(quantity), self._noise_of(quantity)
        present = ~np.isnan(values)
        if not present.any():
            raise TableError(f"{self.table.what}, column {quantity!r} has no values: leave it out")
        if isinstance(noise, np.ndarray):
            for row in (present & ~(noise >= np.finfo(float).tiny)).nonzero()[0]:
                name = self.noise[quantity] if isinstance(self.noise, Mapping) else self.noise
                cell = self.table.cell(int(row), str(name))
                raise TableError(
                    f"{cell}: the noise of {quantity} is {noise[row]}; expected a number above 0, "
                    f"or leave {quantity} empty there: it is then not measured"
                )
            noise = np.where(present, noise, 1.0)
        factor = (len(values) / present.sum()) ** 0.5 / (1.0 if noise is None else noise)
        return np.where(present, values, values[present].mean()), np.where(present, factor, 0.0)

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        assert p.measured is not None
        predicted = self._predicted(p, fields)
        values, factors = p.measured.split(len(predicted), 1)
        return {name: factors[:, i] * (values[:, i] - u) for i, (name, u) in enumerate(predicted.items())}

    def _predicted(self, p: Points, fields: Fields) -> dict[str, Any]:
        """What the fields give for each measured quantity, (N,)."""
        names = self.quantities(p.names)
        if self.observe is None:
            parts = [name.partition("_") for name in names]
            return {name: fields[u].derivative(m) for name, (u, _, m) in zip(names, parts, strict=True)}
        result = called(self.observe, p, fields)
        observed = named(result) if isinstance(result, Mapping | tuple | list) else {names[0]: result}
        if isinstance(result, tuple | list) and len(result) == len(names):
            observed = dict(zip(names, result, strict=True))
        if set(observed) != set(names):
            given = ", ".join(map(repr, observed)) if isinstance(result, Mapping) else f"{len(observed)} tensors"
            raise ValueError(
                f"condition {self.name!r}: observe gives {given}; the table has the quantities {', '.join(names)}"
            )
        what = f"condition {self.name!r}: what observe gives for"
        return {name: check_shape(observed[name], len(p), f"{what} {name}") for name in names}

    def prescribed(self, field: str) -> Any:
        """The measured values of a field, as a function of the points."""
        if self.observe is not None or field not in self.quantities(()):
            return None

        def values(p: Points) -> Tensor:
            assert p.measured is not None
            return p.measured[:, self.quantities(p.names).index(field)]

        return values

    # ---- checks ---------------------------------------------------------------------------------------------

    def check(self, domain: Domain, fields: Sequence[str]) -> None:
        self._require_columns(domain.names)
        if self.observe is None:
            self._check_quantities(domain, fields)
        super().check(domain, fields)
        self._check_inside(domain)

    def _require_columns(self, coordinates: Sequence[str]) -> None:
        """Raises ValueError if the table lacks a coordinate, a column of noise, or any quantity."""
        what, names = self.table.what, ", ".join(self.table.names)
        for kind, expected in (("the coordinate", coordinates), ("the noise", self._columns_of_noise)):
            if missing := [name for name in expected if name not in self.table.names]:
                raise TableError(f"{what} has no column for {kind} {missing[0]!r}; it has {names}")
        quantities = self.quantities(coordinates)
        if not quantities:
            raise TableError(f"{what} has no measured quantity; it has {names}")
        if (
            unknown := [name for name in self.noise if name not in quantities]
            if isinstance(self.noise, Mapping)
            else []
        ):
            raise TableError(f"{what}: noise names {unknown[0]!r}; the quantities are {', '.join(quantities)}")

    def _check_quantities(self, domain: Domain, fields: Sequence[str]) -> None:
        """Raises ValueError for a column that is neither a field nor a derivative of one."""
        for name in self.quantities(domain.names):
            field, _, letters = name.partition("_")
            if field not in fields or name == f"{field}_" or any(letter not in domain for letter in letters):
                raise TableError(
                    f"{self.table.what} has a column {name!r}; known are the coordinates {', '.join(domain.names)}, "
                    f"the fields {', '.join(fields)}, their derivatives ({fields[0]}_{domain.names[0]}), and columns "
                    "that noise names: leave it out, or say by observe=... what was measured"
                )
            with self._named():
                check_derivatives([letters], domain, name)

    def _check_inside(self, domain: Domain) -> None:
        """Raises ValueError for a point outside of the domain."""
        for name in domain.names:
            column, (low, high) = self.table.column(name), domain[name]
            slack = TOLERANCE * (high - low)
            if len(rows := ((column < low - slack) | (column > high + slack)).nonzero()[0]):
                value = f"{name} = {column[rows[0]]:g} lies outside of the domain's [{low:g}, {high:g}]"
                raise TableError(f"{self.table.cell(int(rows[0]), name)}: {value}")
        if isinstance(domain, Box):
            return
        x = self.place(domain).check_points(torch.empty(0, dtype=torch.float64), len(self.table))
        p = Points(x[:, : len(domain)], domain.names)
        outside = ~domain.contains(p) & (domain.distance(p) < -TOLERANCE * domain.size)
        if len(outside := outside.nonzero()[:, 0]):
            row = int(outside[0])
            point = ", ".join(f"{name} = {float(getattr(p, name)[row]):g}" for name in domain.names)
            cell = self.table.cell(row, domain.spatial[0])
            raise TableError(f"{cell}: the point {point} lies outside of the domain {domain!r}")


def measured(terms: Iterable[Condition], coordinates: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """What `Data.noise_known` gives for all measurements among some terms."""
    found = (term.noise_known(coordinates).items() for term in terms if isinstance(term, Data))
    return {name: entry for of_term in found for name, entry in of_term}
