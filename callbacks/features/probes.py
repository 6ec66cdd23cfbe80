"""Captures every layer at fixed probe points: features at each stage, their derivatives, gradients of the loss.

Legend: N points, D coordinates, H units.

    stage               meaning
    preactivation       z = W h_before + b, after the norm if there is one (batchnorm: by the probes' statistics)
    activation          sigma(z), before the mask, if there is one
    feature             h = sigma(z) m(z)
    feature_<m>         D^m h by the coordinates, for every derivative that the problem declares and the lower ones
    block_output        the output of a block: h_before + h with a skip connection

The network is not changed: hooks are removed, modes and running averages restored, no random number is drawn, and no
parameter's .grad is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mask_pinns.datamodules.points import generator
from mask_pinns.datamodules.samplers import sobol
from mask_pinns.domains import Domain
from mask_pinns.jets import Activation, Derivatives, Jet, JetNetwork
from mask_pinns.jets.jet import recorded_products
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.objective import Objective, PointSets


@dataclass(frozen=True)
class Layer:
    """One layer, or the output of a block, at the probe points: stages (N, H) by name, its activation and its weight.

    `weight` belongs to the linear map before the activation. The output layer has only this weight, and the output of
    a block only its stage.
    """

    stages: Mapping[str, Tensor]
    activation: Activation | None = None
    weight: Tensor | None = None


def probe_points(domain: Domain, n: int, device: Any = "cpu", dtype: torch.dtype | None = None) -> Tensor:
    """Draws n points (n, D) of the domain from a scrambled Sobol sequence. They are the same in every run."""
    dtype = dtype or torch.get_default_dtype()
    return domain.section({}).draw(n, lambda d, count: sobol(count, d, generator("cpu", 0, "probe"), dtype)).to(device)


@torch.no_grad()
def capture_layers(
    network: JetNetwork, x: Tensor, names: Sequence[str], derivatives: Sequence[str] = ()
) -> dict[str, Layer]:
    """Captures the hidden layers in their order, each block's output after its layers, then "output", at x (N, D).

    `names` are the names of the coordinates, `derivatives` the multi-indices to compute, e.g. ("tt", "xx").
    """
    captured: dict[nn.Module, tuple[Jet, Jet, Tensor | None]] = {}

    def capture(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        weight = products[-1].weight if products else None  # the latest linear map belongs to this layer
        captured[module] = inputs[0], output, weight

    layers, blocks = network.hidden(), network.block_outputs()
    handles = [module.register_forward_hook(capture) for module in (*layers.values(), *blocks.values())]
    try:
        with probe_mode(network), recorded_products() as products:
            network(Jet.of_coordinates(x, names, Derivatives(derivatives)))
    finally:
        for handle in handles:
            handle.remove()
    name_of = {module: name for name, module in (layers | blocks).items()}
    result = {name_of[module]: _layer(module, *jets) for module, jets in captured.items()}
    return result | ({"output": Layer({}, weight=products[-1].weight)} if products else {})


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
def probe_mode(network: nn.Module) -> Iterator[None]:
    """Sets evaluation mode, except that layers that couple points (batchnorm) use the statistics of the given points.

    Training uses such statistics too. The running averages lag behind them and at the start know nothing of the data;
    they are restored afterwards.
    """
    coupled = [module for module in network.modules() if getattr(module, "couples_points", False)]
    saved = [(buffer, buffer.clone()) for module in coupled for buffer in module.buffers()]
    with evaluation_mode(network):
        for module in coupled:
            module.train()
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in saved:
                    buffer.copy_(value)


def weight_gradients(
    network: JetNetwork, objective: Objective, points: PointSets, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Computes dL/dW for each of the weights, by layer name.

    L is the loss at these points with the given loss weights only, without causal weights and balancing.
    """
    with torch.enable_grad(), probe_mode(network):
        loss = objective.unadapted_loss(network, points)
        gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(weights, gradients, strict=True))
