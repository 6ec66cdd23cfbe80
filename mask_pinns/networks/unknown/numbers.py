"""`UnknownNumbers`: the unknown numbers of a problem as trained parameters, one theta each (see `Unknown`).

Every optimizer trains them with the weights; they are part of the network, so that checkpoints contain them and ranks
agree on them.
Legend: N points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mask_pinns.checks import is_finite
from mask_pinns.problems import Problem

Given = Mapping[str, float] | Sequence[str] | None
"""Numbers by name: {"k": 0.1}, or ["k=0.1"]."""


class UnknownNumbers(nn.Module):
    """The unknown numbers of a problem.

    Args:
        problem: the problem.
        starts: other starts, by name.
        fixed: numbers that are held at a value, by name.

    Raises ValueError for a name that is no unknown number, and for a value outside of its bounds.
    """

    def __init__(self, problem: Problem, starts: Given = None, fixed: Given = None) -> None:
        super().__init__()
        numbers = {u.name: u for u in problem.unknown_numbers}
        starts, held = (_by_name(given, problem, numbers) for given in (starts, fixed))
        for name in held.keys() & starts.keys():
            raise ValueError(f"unknown {name!r} has a start and is held: leave out --unknowns.{name}, or --fix {name}")
        for name, value in held.items():
            low, high = numbers[name].bounds
            if not low < value < high:
                raise ValueError(f"--fix {name}={value:g}: expected a number above {low:g} and below {high:g}")
        self.declared = {
            name: replace(u, start=held.get(name, starts.get(name, u.start))) for name, u in numbers.items()
        }
        self.theta = nn.ParameterDict({name: torch.zeros(1) for name in numbers if name not in held})

    def values(self, theta: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """The numbers by name, each (1,), or (N,) for theta (N, 1)."""
        given: Mapping[str, Tensor] = dict(self.theta.items()) if theta is None else theta
        like = next(iter(given.values()), torch.zeros(1, dtype=torch.float64))  # points convert it
        return {
            name: u.value(given[name].flatten()) if name in given else like.new_full((1,), u.start)
            for name, u in self.declared.items()
        }

    @torch.no_grad()
    def slopes(self) -> dict[str, float]:
        """dk/dtheta of the numbers that are trained."""
        found = {}
        for name, theta in self.theta.items():
            with torch.enable_grad():
                at = theta.detach().double().requires_grad_()
                (slope,) = torch.autograd.grad(self.declared[name].value(at).sum(), at)
            found[name] = float(slope)
        return found


def trained_numbers(network: nn.Module) -> Mapping[str, nn.Parameter]:
    """The theta of the unknown numbers of a network that are trained, by name."""
    unknowns: Any = getattr(network, "unknowns", None)
    return {} if unknowns is None else dict(unknowns.theta.items())


def unknown_values(network: nn.Module, parameters: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The unknown numbers of a network by name, {} if it has none.

    parameters: replacements for its parameters by name, e.g. one for each point (N, 1).
    """
    unknowns: Any = getattr(network, "unknowns", None)
    if unknowns is None:
        return {}
    given = parameters or {}
    prefix = "unknowns.theta."
    theta = {name: given.get(prefix + name, parameter) for name, parameter in unknowns.theta.items()}
    values: dict[str, Tensor] = unknowns.values(theta)
    return values


def _by_name(given: Given, problem: Problem, known: Mapping[str, Any]) -> dict[str, float]:
    """Numbers by name. Raises ValueError for other names, and for what is no number."""
    pairs: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {}
    for text in given if given is not None and not isinstance(given, Mapping) else ():
        name, equals, value = str(text).partition("=")
        if not equals:
            raise ValueError(f"fix has {text!r}; expected a name and a value: k=0.1")
        pairs[name.strip()] = value
    for name, value in pairs.items():
        if name not in known:
            raise ValueError(f"{problem.title} has no unknown number {name!r}; it has {', '.join(known)}")
        try:
            pairs[name] = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"unknown {name!r}: {value!r} is no number") from None
        if not is_finite(pairs[name]):
            raise ValueError(f"unknown {name!r}: {value!r} is not finite")
    return pairs
