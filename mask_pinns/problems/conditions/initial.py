"""`Initial`: values and time derivatives at the earliest time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from mask_pinns.domains import Domain, Place, Points
from mask_pinns.jets import Derivatives
from mask_pinns.problems.checks import check_derivatives
from mask_pinns.problems.conditions.condition import Condition
from mask_pinns.problems.conditions.targets import Prescribing, Target, check_targets


class Initial(Prescribing, Condition):
    """Values and time derivatives at the earliest t: `Initial(u=lambda p: sin(pi * p.x), u_t=0.0)`.

    A solution that starts with a kink or a jump and is smooth at every later time cannot be followed by a smooth
    network. `extended={"u": g}` extends the target in time: g(p) equals it at the earliest t and becomes smooth as the
    solution does. If the condition is hard, the network has to find only the smooth remainder u - g; a soft condition
    does not use g.

    Example:
        >>> import torch
        >>> from mask_pinns import Initial
        >>> condition = Initial(u=lambda p: torch.sin(torch.pi * p.x), u_t=0.0)
        >>> condition.name, condition.derivatives
        ('initial', Derivatives(t))
    """

    def __init__(
        self,
        name: str = "initial",
        weight: float = 1.0,
        extended: Mapping[str, Callable[[Points], Tensor]] | None = None,
        **targets: Target,
    ) -> None:
        super().__init__(name, {}, residual=lambda *_: None, weight=weight)
        if not targets:
            raise ValueError(f"condition {name!r}: give at least one target, e.g. Initial(u=0.0)")
        self.targets, self.extended = targets, dict(extended or {})
        for key, function in self.extended.items():
            if key not in targets or f"{key}_t" in targets or not callable(function):
                raise ValueError(
                    f"condition {name!r} extends {key!r}; expected a function for a field whose values it sets, and "
                    "not its time derivative"
                )

    @property
    def derivatives(self) -> Derivatives:
        return Derivatives(key.partition("_")[2] for key in self.targets)

    def place(self, domain: Domain) -> Place:
        if "t" not in domain:
            raise ValueError(f"condition {self.name!r} needs a coordinate t; the domain has {', '.join(domain.names)}")
        return self._section(domain, {"t": domain["t"][0]})

    def check(self, domain: Domain, fields: Sequence[str]) -> None:
        super().check(domain, fields)
        check_targets(self.name, self.targets, fields)
        check_derivatives([k.partition("_")[2] for k in self.targets], domain, f"condition {self.name!r}")
