"""`Pin`: the value of a field at one point, for a field that a problem determines only up to a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mask_pinns.domains import Domain, Place
from mask_pinns.problems.conditions.condition import Condition
from mask_pinns.problems.conditions.targets import Prescribing, Target, check_targets


class Pin(Prescribing, Condition):
    """Values at one point in space, at all times: `Pin(P=0.0)`, `Pin(at={"x": 1.0, "y": 0.0}, P=101325.0)`.

    A pressure that enters by its gradient alone has no level; a pin fixes it, where an error up to the mean is not
    enough. Without `at`, the point is the corner of the domain at which every coordinate but t is lowest. A field that
    is free by one constant for all times is fixed at one of them: `Pin(at={"t": 0.0}, u=0.0)`.

    Example:
        >>> from mask_pinns import Box, Pin
        >>> Pin(P=0.0).place(Box(x=(0, 1), y=(2, 3), t=(0, 5))).pieces[0].free
        ['t']
    """

    def __init__(
        self, name: str = "pin", weight: float = 1.0, at: Mapping[str, float] | None = None, **targets: Target
    ) -> None:
        super().__init__(name, at or {}, residual=lambda *_: None, weight=weight)
        if not targets:
            raise ValueError(f"condition {name!r}: give at least one target, e.g. Pin(P=0.0)")
        self.targets = targets

    def place(self, domain: Domain) -> Place:
        if missing := [c for c in self.at if c not in domain]:
            raise ValueError(f"condition {self.name!r} fixes {missing[0]}; the domain has {', '.join(domain.names)}")
        corner = {c: domain[c][0] for c in domain.names if c != "t" or len(domain) == 1}
        return self._section(domain, corner | self.at)

    def check(self, domain: Domain, fields: Sequence[str]) -> None:
        super().check(domain, fields)
        check_targets(self.name, self.targets, fields)
