"""Networks from coordinates to fields, made of layers that act on jets; NETWORKS names them.

    masked        residual blocks of masked layers, as published (arXiv 2505.06331)
    residual      the same without the mask
    mlp           residual without skip connections: the plain multilayer perceptron of the same depth and width
    layernorm     residual, normalized over each point's features
    batchnorm     residual, normalized over the points of a batch (jets/norms.py explains what that means)
    adaptive      residual, each activation with a trainable slope
    modified_mlp  two gates of the coordinates in every layer
    piratenet     gated blocks that start as the identity
    siren         sines of high frequency

All accept `mask: true`: the mask then multiplies every one of their activations.
"""

from __future__ import annotations

import inspect
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from mask_pinns.jets import JetNetwork
from mask_pinns.networks.feed_forward import Block, FeedForward
from mask_pinns.networks.gated import ModifiedMLP, PirateNet
from mask_pinns.networks.siren import Siren
from mask_pinns.registry import check_options, lookup, split_spec

__all__ = ["NETWORKS", "Block", "FeedForward", "JetNetwork", "ModifiedMLP", "PirateNet", "Siren", "make_network",
           "matched_width", "network_options"]  # fmt: skip

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "masked": FeedForward,
    "residual": partial(FeedForward, mask=False),
    "mlp": partial(FeedForward, mask=False, skip=False),
    "layernorm": partial(FeedForward, mask=False, norm="layer"),
    "batchnorm": partial(FeedForward, mask=False, norm="batch"),
    "adaptive": partial(FeedForward, mask=False, adaptive=True),
    "modified_mlp": ModifiedMLP,
    "piratenet": PirateNet,
    "siren": Siren,
}


def make_network(spec: str | Mapping[str, Any] | nn.Module, inputs: int, outputs: int) -> nn.Module:
    """The network that a spec ("masked", {"name": "masked", "width": 32}) describes; a module itself.

    Raises ValueError for an unknown name or option.
    """
    if isinstance(spec, nn.Module):
        return spec
    name, options = split_spec(spec, "network")
    check_options(options, network_options(name), f"option of network {name!r}:")
    return NETWORKS[name](inputs, outputs, **options)


def network_options(name: str) -> dict[str, inspect.Parameter]:
    """The options of the network called `name`, with their types and defaults."""
    parameters = inspect.signature(lookup(NETWORKS, name, "network"), eval_str=True).parameters
    return {k: p for k, p in parameters.items() if k not in ("inputs", "outputs")}


def matched_width(spec: str | Mapping[str, Any], parameters: int, inputs: int, outputs: int) -> int:
    """The width, in place of the spec's, at which its network has the number of parameters closest to `parameters`.

    Raises ValueError if a network of width 1 has more than twice as many.
    """
    name, options = split_spec(spec, "network")

    def count(width: int) -> int:
        with torch.device("meta"):
            network = NETWORKS[name](inputs, outputs, **(options | {"width": width}))
        return sum(p.numel() for p in network.parameters())

    if count(1) > 2 * parameters:
        raise ValueError(f"network {name!r} has {count(1):,} parameters at width 1, more than twice {parameters:,}")
    above = next(2**k for k in range(40) if count(2**k) >= parameters)
    widths = range(above // 2 + 1, above + 1)
    first = bisect_left(widths, parameters, key=count)
    return min((w for w in (widths[first] - 1, widths[first]) if w > 0), key=lambda w: abs(count(w) - parameters))
