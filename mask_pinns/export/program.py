"""The solution and its derivatives as one program of plain tensor operations, for any number of points.

Jets are plain operations (Taylor mode): a trace of a network on jets has the derivatives too, without autograd.

Legend: N points, D coordinates, F fields, m the multi-index of a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from mask_pinns.jets import Derivatives, Jet, JetNetwork, canonical
from mask_pinns.problems import Problem
from mask_pinns.windows import WindowedNetwork
from mask_pinns.windows.rehearsal import rehearsal, repetition

Evaluate = Callable[[Tensor], tuple[Tensor, ...]]


class Named(nn.Module):
    """A program whose results have names: points (N, D) -> {"u": (N,), "u_x": (N,), ...}."""

    def __init__(self, program: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.program, self.names = program, tuple(names)

    def forward(self, points: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.names, self.program(points), strict=True))


def names_of_outputs(problem: Problem, derivatives: Sequence[str]) -> list[str]:
    """The names of the results: the fields, then by derivative u_x, v_x, ..."""
    return [*problem.fields, *(f"{u}_{m}" for m in derivatives for u in problem.fields)]


def evaluation(network: nn.Module, problem: Problem, derivatives: Sequence[str]) -> Evaluate:
    """The function from points (N, D) to the results, each (N,), in the order of `names_of_outputs`.

    Raises ValueError for derivatives of a network that is not made of layers that act on jets.
    """
    if not isinstance(network, JetNetwork):
        if derivatives:
            raise ValueError(
                f"{type(network).__name__} is not made of layers that act on jets: its derivatives cannot be exported; "
                "leave out --predict_derivatives, or make it a JetNetwork"
            )
        return lambda x: network(x).unbind(1)
    carried = Derivatives(derivatives)
    layers = network.everywhere if isinstance(network, WindowedNetwork) else network

    def evaluate(x: Tensor) -> tuple[Tensor, ...]:
        jet: Any = layers(Jet.of_coordinates(x, problem.domain.names, carried))
        zero = torch.zeros_like(jet.value)  # where a derivative is zero everywhere, there is no stream
        found = (jet[canonical(m)] for m in ("", *derivatives))
        streams = [zero if s is None else s.expand(x.shape[0], -1) for s in found]
        return tuple(column for s in streams for column in s.unbind(1))

    return evaluate


@torch.no_grad()
def trace(
    network: nn.Module,
    evaluate: Evaluate,
    names: Sequence[str],
    x: Tensor,
    replaced: Mapping[Any, Callable[..., Any]],
) -> torch.export.ExportedProgram:
    """The program of a function of points (N, D), for any N.

    Args:
        network: the network that it evaluates.
        evaluate: the function.
        names: names of its results.
        x: some points, at which it is tried first.
        replaced: functions in place of operations, for those that a format or a runtime does not have.

    Raises ValueError for a function that decides by the values of points.
    """
    with _kept_apart(network), rehearsal() as keys:
        evaluate(x)
    try:
        with _kept_apart(network), repetition(keys), _compiling():
            graph = make_fx(evaluate, dict(replaced), "symbolic", _allow_non_fake_inputs=True)(x)
        return _exported(graph, names, x)
    except Exception as error:  # what a trace does not support ends in errors of many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(
            f"the solution cannot be exported, because its program depends on the values of points ({reason}): write "
            "targets, features and known parts with torch's functions of p.x alone, without if, float() or numpy"
        ) from error


def _exported(graph: GraphModule, names: Sequence[str], x: Tensor) -> torch.export.ExportedProgram:
    graph.graph.eliminate_dead_code()
    graph.recompile()
    any_number = {"points": {0: torch.export.Dim("N")}}
    program = torch.export.export(Named(graph, names), (x,), dynamic_shapes=any_number)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of source, with paths of this machine
    return program


@contextmanager
def _compiling() -> Iterator[None]:
    """Inside, `torch.compiler.is_compiling()` is true, as in torch's own exports: functions then check no values."""
    before = torch.compiler._is_compiling_flag
    torch.compiler._is_compiling_flag = True
    try:
        yield
    finally:
        torch.compiler._is_compiling_flag = before


@contextmanager
def _kept_apart(network: nn.Module) -> Iterator[None]:
    """Inside, ends of windows begin with nothing that they keep, and what they keep does not get out."""
    ends = network.handovers() if isinstance(network, WindowedNetwork) else []
    for end in ends:
        end.forget()
    try:
        yield
    finally:
        for end in ends:
            end.forget()
