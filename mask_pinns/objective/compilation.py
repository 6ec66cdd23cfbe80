"""Compilation of the objective: when it saves time, and what happens if it fails.

The whole loss is compiled as one graph of all terms; jets need no double backward, so its gradient is compiled too. The
function is compiled, not the network, so that state_dict keys stay as they are. Compiled and eager results agree up to
rounding. Torch caches compiled kernels between runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mask_pinns.memory import is_out_of_memory
from mask_pinns.objective import Objective, PointSets
from mask_pinns.registry import lookup

Loss = Callable[[nn.Module, PointSets], tuple[Tensor, dict[str, Tensor]]]

COMPILE_MODES = {"auto": "if the run is long enough", "on": "always", "off": "never"}

COMPILE_FROM_FLOPS = 3e12
"""Floating-point operations of a run on a CPU from which on compilation saves time.

It takes about a minute on two cores and saves two thirds of the eager time, in which a step reaches 20 to 50 GFLOP/s.
"""
COMPILE_FROM_STEPS_ON_CUDA = 5000
"""The same on a GPU, in evaluations: an eager step takes as long as the launches of its kernels, at any size."""


def flops(objective: Objective, network: nn.Module, points: PointSets) -> float:
    """Floating-point operations of the matrix products in one evaluation of loss and gradient.

    Each weight multiplies every stream at every point, once forward and twice backward, with 2 operations each time.
    """
    weights = sum(p.numel() for p in network.parameters() if p.ndim == 2)
    streams = {t.name: len(objective.needs[t.name].derivatives.indices) for t in objective.terms}
    return 6.0 * weights * sum(len(points[name]) * count for name, count in streams.items())


def should_compile(mode: str, objective: Objective, network: nn.Module, points: PointSets, evaluations: int) -> bool:
    """Whether to compile. It depends on the settings alone, never on timings, so that a run can be repeated bit by bit.

    Raises ValueError for an unknown mode, and for "on" with derivatives by nested autograd.
    """
    lookup(COMPILE_MODES, mode, "compile mode")
    if objective.engine_name != "jet":
        if mode == "on":
            raise ValueError("compile is 'on' but derivatives come by nested autograd, which cannot be compiled")
        return False
    if mode != "auto":
        return mode == "on"
    if next(iter(points.values())).device.type == "cuda":
        return evaluations >= COMPILE_FROM_STEPS_ON_CUDA
    return evaluations * flops(objective, network, points) >= COMPILE_FROM_FLOPS


def compiled_loss(objective: Objective, network: nn.Module, points: PointSets, required: bool) -> Loss:
    """The compiled loss, evaluated once on the points; the eager loss, with a warning, if the compiler fails.

    Raises ValueError in that case if it is `required`.
    """
    cuda = points["pde"].device.type == "cuda"
    mode: dict[str, Any] = {"mode": "reduce-overhead"} if cuda else {}
    compiled: Loss = torch.compile(objective.loss, dynamic=False, **mode)

    def replay(network: nn.Module, points: PointSets) -> tuple[Tensor, dict[str, Tensor]]:
        torch.compiler.cudagraph_mark_step_begin()  # the graph may now overwrite its results of the previous step
        return compiled(network, points)

    loss = replay if cuda else compiled
    try:
        gradients = torch.autograd.grad(loss(network, points)[0], list(network.parameters()), allow_unused=True)
        del gradients
    except Exception as error:  # no C++ compiler, no Triton, ...: each backend fails in its own way
        if is_out_of_memory(error):
            raise
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        if required:
            raise ValueError(f"cannot compile here: {reason}; use --compile off") from error
        warnings.warn(f"cannot compile here, training without: {reason}", stacklevel=2)
        return objective.loss
    return loss
