"""What every layer does at fixed probe points: features at each stage, their derivatives, gradients of the loss.

Legend: N points, D coordinates, H units.

    stage               what it is
    preactivation       z = W h_before + b; where there is a norm, normalized (batchnorm: by the probes' statistics)
    activation          sigma(z), before the mask (where there is one)
    feature             h = sigma(z) m(z)
    feature_<m>         D^m h by the coordinates, for every derivative that the problem declares and those below it
    block_output        what leaves a block: h_before + h with a skip around it

Nothing is left behind: hooks come off, modes and running averages come back, no random number is drawn, no
parameter's .grad is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.points import generator
from datamodules.samplers import sobol
from mask_pinns.jet import Derivatives, Jet, recorded_products
from mask_pinns.layers import Activation
from mask_pinns.modes import evaluation_mode
from mask_pinns.networks import JetNetwork
from mask_pinns.objective import Objective, PointSets
from mask_pinns.problems import Box


@dataclass(frozen=True)
class Layer:
    """One layer, or the end of a block, at the probe points: its stages (N, H) by name, and what it is made of.

    `weight` is that of the linear map into it; the output layer has no more than that, the end of a block not even it.
    """

    stages: Mapping[str, Tensor]
    activation: Activation | None = None
    weight: Tensor | None = None


def probe_points(box: Box, n: int, device: Any = "cpu", dtype: torch.dtype | None = None) -> Tensor:
    """n fixed points of the domain, (n, D), from a scrambled Sobol sequence: the same in every run."""
    dtype = dtype or torch.get_default_dtype()
    unit = sobol(n, len(box), generator("cpu", "probe"), dtype)
    low, high = torch.tensor(box.low, dtype=dtype), torch.tensor(box.high, dtype=dtype)
    return (low + (high - low) * unit).to(device)


@torch.no_grad()
def look(network: JetNetwork, x: Tensor, names: Sequence[str], derivatives: Sequence[str] = ()) -> dict[str, Layer]:
    """Hidden layers in the order of the network, each block's end behind its layers, "output": at points x (N, D).

    `names` are the coordinates', `derivatives` the multi-indices whose streams are wanted, e.g. ("tt", "xx").
    """
    seen: dict[nn.Module, tuple[Jet, Jet, Tensor | None]] = {}

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen[module] = inputs[0], output, products[-1].weight if products else None  # the last map before it is its own

    layers, blocks = network.hidden(), network.block_outputs()
    handles = [module.register_forward_hook(keep) for module in (*layers.values(), *blocks.values())]
    try:
        with probing(network), recorded_products() as products:
            network(Jet.of_coordinates(x, names, Derivatives(derivatives)))
    finally:
        for handle in handles:
            handle.remove()
    called = {module: name for name, module in (layers | blocks).items()}
    found = {called[module]: _layer(module, *kept) for module, kept in seen.items()}
    return found | ({"output": Layer({}, weight=products[-1].weight)} if products else {})


def _layer(module: nn.Module, before: Jet, after: Jet, weight: Tensor | None) -> Layer:
    if not isinstance(module, Activation):
        return Layer({"block_output": after.value})
    stages = {"preactivation": before.value}
    if module.alpha is not None:
        stages["activation"] = module.unmasked(before.value)
    jet = after.at_every_point()
    stages |= {f"feature_{m}" if m else "feature": stream for m, stream in jet.streams.items()}
    return Layer(stages, module, weight)


@contextmanager
def probing(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, but layers that couple points (batchnorm) take the statistics of the points that pass.

    Those are what training sees; their running averages lag behind, at the start by all of it. They are put back.
    """
    coupled = [module for module in network.modules() if getattr(module, "couples_points", False)]
    kept = [(buffer, buffer.clone()) for module in coupled for buffer in module.buffers()]
    with evaluation_mode(network):
        for module in coupled:
            module.train()
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, before in kept:
                    buffer.copy_(before)


def weight_gradients(
    network: JetNetwork, objective: Objective, points: PointSets, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """dL/dW for each of the weights, by layer name.

    L is the loss at these points by the given weights alone: what causal weights and balancing do does not show.
    """
    with torch.enable_grad(), probing(network):
        loss = objective.given_loss(network, points)
        found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(weights, found, strict=True))
