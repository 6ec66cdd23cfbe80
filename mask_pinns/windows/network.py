"""`WindowedNetwork`: one solution from the networks of several time windows.

Legend: N points, D coordinates, F fields, K windows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from mask_pinns.jets import Activation, Jet, JetNetwork
from mask_pinns.networks.assembly import assemble
from mask_pinns.problems import Problem
from mask_pinns.settings import Constraints
from mask_pinns.windows.handover import End
from mask_pinns.windows.window import window_of


class WindowedNetwork(JetNetwork):
    """The network of the window in which a point lies; at the end of a window, that of this window.

    Args:
        parts: the networks, in the order of time.
        ends: the ends of all windows; times outside belong to the first and the last one.
        column: which coordinate is the time.
    """

    def __init__(self, parts: Sequence[JetNetwork], ends: Sequence[float], column: int) -> None:
        super().__init__()
        self.parts: Any = nn.ModuleList(parts)
        self.ends, self.column = tuple(ends), column
        hard = [set(getattr(part, "hard_conditions", ())) for part in parts]
        self.hard_conditions = tuple(n for n in getattr(parts[0], "hard_conditions", ()) if all(n in h for h in hard))
        self.soft_reasons: Mapping[str, str] = getattr(parts[0], "soft_reasons", {})

    def layers(self, jet: Jet) -> Jet:
        n, places = len(jet.value), self.windows(jet.value)
        parts: list[tuple[Tensor, Jet]] = []
        for k, network in enumerate(self.parts):
            rows = (places == k).nonzero()[:, 0]
            if len(rows):
                chosen = jet.map(lambda s, rows=rows: s[rows] if len(s) == n else s)  # type: ignore[misc]
                parts.append((rows, network(chosen).at_every_point()))
        if not parts:  # no points
            return self.parts[0](jet)
        streams: dict[str, Tensor | None] = {}
        for m in jet.derivatives.indices:
            if given := [(rows, part[m]) for rows, part in parts if part[m] is not None]:
                full = given[0][1].new_zeros(n, given[0][1].shape[1])  # type: ignore[union-attr]
                for rows, values in given:
                    full = full.index_copy(0, rows, values)  # type: ignore[arg-type]
                streams[m] = full
        return Jet(jet.derivatives, streams)

    def everywhere(self, jet: Jet) -> Jet:
        """The same jet, from all networks at all points: its program is the same whatever the points are.

        A trace of `layers` would fit one distribution of the points over the windows.
        """
        time = jet.value[:, self.column : self.column + 1]
        whole: Jet = self.parts[0](jet)
        for end, network in zip(self.ends, self.parts[1:], strict=False):
            later, is_later = network(jet), time > time.new_tensor(end)
            zero = later.value.new_zeros(1, later.value.shape[1])
            streams = {
                m: torch.where(is_later, later.streams.get(m, zero), whole.streams.get(m, zero))
                for m in jet.derivatives.indices if m in later.streams or m in whole.streams
            }  # fmt: skip
            whole = Jet(jet.derivatives, streams)
        return whole

    def handovers(self) -> list[End]:
        """The ends with which networks begin, in the order of time."""
        problems = (getattr(getattr(part, "constraints", None), "problem", None) for part in self.parts)
        return [end for problem in problems if (end := getattr(problem, "begins", None)) is not None]

    def windows(self, x: Tensor) -> Tensor:
        """The index (N,) of the window in which each point (N, D) lies."""
        return torch.bucketize(x[:, self.column].contiguous(), x.new_tensor(self.ends[:-1]))

    def hidden(self) -> dict[str, Activation]:
        return {f"window {k}, {name}": m for k, part in enumerate(self.parts, 1) for name, m in part.hidden().items()}

    def block_outputs(self) -> dict[str, nn.Module]:
        named = ((k, part.block_outputs()) for k, part in enumerate(self.parts, 1))
        return {f"window {k}, {name}": m for k, outputs in named for name, m in outputs.items()}


def assemble_part(
    network: str | Mapping[str, Any] | nn.Module,
    window: Problem,
    constraints: Constraints,
    before: JetNetwork | None = None,
) -> JetNetwork:
    """The network of one window; it imposes the conditions that the one before it imposes.

    Raises ValueError for a network that is not made of layers on jets.
    """
    if before is not None:
        constraints = replace(constraints, exact=list(getattr(before, "hard_conditions", ())))
    part = assemble(copy.deepcopy(network), window, constraints)
    if not isinstance(part, JetNetwork):
        raise ValueError(
            f"{type(part).__name__} is not made of layers that act on jets: its end cannot be the start of another "
            "window; make it a JetNetwork"
        )
    return part


def assemble_windows(
    network: str | Mapping[str, Any] | nn.Module,
    problem: Problem,
    constraints: Constraints | None = None,
    ends: Sequence[float] = (),
) -> nn.Module:
    """The network for a problem in windows with these ends; that of `assemble` without any.

    Raises ValueError for ends outside of the problem's time, and for anything that one of the parts refuses.
    """
    if not ends:
        return assemble(network, problem, constraints)
    given, parts = constraints or Constraints(), list[JetNetwork]()
    starts = [problem.domain["t"][0], *ends[:-1]]
    for start, end in zip(starts, ends, strict=True):
        before = parts[-1] if parts else None
        parts.append(assemble_part(network, window_of(problem, start, end, before), given, before))
    return WindowedNetwork(parts, ends, problem.domain.names.index("t"))


class Whole(Protocol):
    """A module whose network is a `WindowedNetwork`."""

    network: Any


W = TypeVar("W", bound=Whole)


def joined(make: Callable[[], W], parts: Sequence[nn.Module]) -> W:
    """A module of the whole solution, made by `make`, with the weights of the windows."""
    whole, weights = make(), [next(part.parameters()) for part in parts]
    widest = max(weights, key=lambda weight: weight.element_size())  # phases may have precisions of their own
    whole.network.to(widest)
    for mine, trained in zip(whole.network.parts, parts, strict=True):
        mine.load_state_dict(trained.state_dict())
    return whole
