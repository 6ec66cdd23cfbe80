"""`Integral` and `Mean`: an integral over space, or over a part of the boundary, has a value at each time.

    sum over the nodes q of  w_q f(x_q, t) = g(t)

Each residual depends on the fields at all nodes. Legend: R nodes, N times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains import Domain, Place, Points
from mask_pinns.domains.quadrature import Quadrature
from mask_pinns.problems.checks import check_shape
from mask_pinns.problems.conditions.condition import Condition, Fields, Residuals, called, part_of
from mask_pinns.problems.conditions.targets import Target, target_values


class Integral(Condition):
    """The integral of `of` over space equals a value at each time: `Integral("mass", of=lambda p, u: u, equals=1.0)`.

    Args:
        name: name of the loss term.
        of: function of the points and of each field that gives a tensor (N,); on a boundary it may use `p.normal.x`.
        equals: a number, or a function of the points of which only `p.t` has a meaning.
        where: a part of the boundary over which to integrate, as for `Condition`; by default the whole domain.
        within: a shape; the integral is over all of the domain inside of it.
        derivatives: the derivatives that `of` uses.
        weight: factor of this term in the loss.
        nodes: about how many points of the quadrature lie on each part. By default, boxes and their walls have
            Gauss-Legendre nodes, 32 on a line, 16 x 16 on a rectangle; shapes have about 1000 evenly spread points.

    The number of points of this term, `--points.mass 50`, is the number of times; without t it has no meaning.

    Example:
        >>> from mask_pinns import Box, Disk, Integral
        >>> hole, domain = Disk(x=0.5, y=0.5, radius=0.2), Box(x=(0, 1), y=(0, 1))
        >>> def slope(p, u):
        ...     return u.x * p.normal.x + u.y * p.normal.y
        >>> flux = Integral("flux", of=slope, where=hole, equals=0.0, derivatives=("x", "y"))
        >>> round(flux.place(domain - hole).measure, 4)
        1.2566

    Raises ValueError for an argument of another kind, naming the condition.
    """

    paired = True

    def __init__(
        self,
        name: str,
        of: Callable[..., Any],
        equals: Target,
        where: Any = None,
        within: Domain | None = None,
        derivatives: Sequence[str] = (),
        weight: float = 1.0,
        nodes: int | None = None,
    ) -> None:
        owner = f"condition {name!r}"
        if not callable(of):
            raise ValueError(f"{owner}: of is {of!r}; expected a function of p and the fields, e.g. lambda p, u: u")
        super().__init__(name, None, of, derivatives, weight, where, within)
        if not callable(equals) and not is_finite(equals):
            raise ValueError(f"{owner}: equals is {equals!r}; expected a finite number, or a function of p.t")
        if nodes is not None and not (isinstance(nodes, int) and not isinstance(nodes, bool) and nodes >= 1):
            raise ValueError(f"{owner}: nodes is {nodes!r}; expected a whole number of points, 1 or more")
        if "t" in self.where:
            raise ValueError(f"{owner}: where is 't'; an integral is over space at each time, or over its boundary")
        self.equals, self.nodes = equals, nodes

    @property
    def integrand(self) -> Condition:
        """The condition that what is integrated vanishes everywhere, for checks of its symmetry."""
        return Condition(self.name, None, self.function, self.declared, 1.0, self.where or None, self.within)

    def place(self, domain: Domain) -> Quadrature:
        self.check_within(domain)
        with self._named():
            part = domain if self.within is None else part_of(domain, self.within)
            place = part.quadrature(*self.where, nodes=self.nodes)
        assert isinstance(place, Quadrature)
        return place

    def residuals(self, p: Points, fields: Fields, place: Place) -> Residuals:
        assert isinstance(place, Quadrature)
        values = check_shape(called(self.function, p, fields), len(p), f"condition {self.name!r}: what `of` gives")
        time = Points(place.instants(p.tensor), () if place.times is None else ("t",))
        time.unknowns = {name: value[: len(time)] for name, value in p.unknowns.items()}
        return {"": self._total(values, place) - target_values(self.equals, time, self.name, "the integral")}

    def _total(self, values: Tensor, place: Quadrature) -> Tensor:
        """The integrals (N,) of values (R N,)."""
        return place.integral(values)


class Mean(Integral):
    """The mean of `of` equals a value at each time: `Mean("level", of=lambda p, u, v, P: P, equals=0.0)`.

    It is the integral over the measure of the domain, or of the part of its boundary. Arguments are those of
    `Integral`.

    Example:
        >>> from mask_pinns import Mean
        >>> Mean("level", of=lambda p, u, v, P: P, equals=0.0)
        Mean('level')
    """

    def _total(self, values: Tensor, place: Quadrature) -> Tensor:
        return place.integral(values) / place.measure
