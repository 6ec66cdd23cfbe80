"""Embeddings: layers on jets that transform the coordinates before a network.

    Coordinates   x -> cos(2 pi k (x - c)/L), sin(...), k = 1 .. harmonics: periodic with all derivatives; the other
                  coordinates unchanged, or mapped from the domain to [-1, 1], times a factor for each
    Fourier       z -> sigma([cos(B z), sin(B z)]), B drawn from N(0, std^2)

`make_embedding` combines them. Legend: N points, D coordinates, L = high - low of a coordinate.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from math import pi
from typing import Any

import torch
from torch import nn

from mask_pinns.domains import Domain
from mask_pinns.jets import ACTIVATIONS, Activation, Jet
from mask_pinns.jets.functions import sin
from mask_pinns.memory import require_memory
from mask_pinns.registry import lookup
from mask_pinns.settings import Embedding


def waves(z: Jet) -> Jet:
    """[cos z, sin z], (N, 2 H) of (N, H)."""
    values = sin(z.value, z.derivatives.order + 1)  # from the first derivative on, those of the cosine
    return Jet.cat([z.compose(values[1:]), z.compose(values)])


class Coordinates(nn.Module):
    """The coordinates that are not periodic, then cos and sin of the harmonics of those that are.

    Weights and centres are Python numbers, so that they are rounded only to the dtype of the points.
    """

    def __init__(
        self,
        domain: Domain,
        periodic: Sequence[str],
        harmonics: int,
        normalize: bool,
        scale: Mapping[str, float],
        origin: Mapping[str, float],
    ) -> None:
        super().__init__()
        others = [name for name in domain.names if name not in periodic]
        length = {name: domain[name][1] - domain[name][0] for name in domain.names}
        rows = [(name, scale.get(name, 1.0) * (2 / length[name] if normalize else 1.0)) for name in others]
        rows += [(name, 2 * pi * k / length[name]) for name in periodic for k in range(1, harmonics + 1)]
        self.weight = [[w if name == coordinate else 0.0 for name in domain.names] for coordinate, w in rows]
        centred = [name for name in domain.names if normalize or name in periodic]
        self.centre = [sum(domain[c]) / 2 if c in centred else origin.get(c, 0.0) for c in domain.names]
        self.nonperiodic = len(others)
        self.width = 2 * len(rows) - self.nonperiodic

    def forward(self, x: Jet) -> Jet:
        like: Any = {"dtype": x.value.dtype, "device": x.value.device}
        centred = Jet(x.derivatives, x.streams | {"": x.value - torch.tensor(self.centre, **like)})
        z = centred.linear(torch.tensor(self.weight, **like))
        others, phases = z.map(lambda s: s[:, : self.nonperiodic]), z.map(lambda s: s[:, self.nonperiodic :])
        return Jet.cat([others, waves(phases)]) if self.width > self.nonperiodic else others


class Fourier(nn.Module):
    """Random Fourier features: sigma([cos(B z), sin(B z)]), B (features, inputs) from N(0, std^2), trainable or not.

    Source: Tancik et al. 2020 (arXiv 2006.10739); trainable and followed by tanh in the published KdV setting.
    """

    def __init__(self, inputs: int, features: int, std: float, trainable: bool, activation: str) -> None:
        super().__init__()
        frequencies = std * torch.randn(features, inputs)
        if trainable:
            self.frequencies = nn.Parameter(frequencies)
        else:
            self.register_buffer("frequencies", frequencies)
        self.width = 2 * features
        self.activation = Activation(activation, self.width, mask=False)

    def forward(self, z: Jet) -> Jet:
        return self.activation(waves(z.linear(self.frequencies)))


BYTES_PER_WAVE = 100
"""Approximate memory of one weight of a wave, as a Python number or as a trained parameter."""


def make_embedding(
    domain: Domain, embedding: Embedding, origin: Mapping[str, float] | None = None
) -> nn.Sequential | None:
    """The layers of an embedding, None if there are none; the last one has a `width`.

    origin: what is subtracted from coordinates that are not centred, as the start of a time window.

    Raises:
        ValueError: a coordinate that the domain does not have or one named twice, an unknown activation, a number out
            of range.
    """
    periodic = [embedding.periodic] if isinstance(embedding.periodic, str) else list(embedding.periodic)
    scale = dict(embedding.scale or {})
    _require_memory(embedding.harmonics, len(periodic), embedding.fourier, len(domain))
    _check(domain, embedding, periodic, scale)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    width = len(domain)
    if periodic or embedding.normalize or scale or origin:
        layers["coordinates"] = coordinates = Coordinates(
            domain, periodic, embedding.harmonics, embedding.normalize, scale, origin or {}
        )
        width = coordinates.width
    if embedding.fourier:
        layers["fourier"] = Fourier(
            width, embedding.fourier, embedding.fourier_std, embedding.fourier_trainable, embedding.fourier_activation
        )
    return nn.Sequential(layers) if layers else None


def _check(domain: Domain, embedding: Embedding, periodic: Sequence[str], scale: Mapping[str, float]) -> None:
    for name in periodic:
        _ = domain[name]
        if periodic.count(name) > 1:
            raise ValueError(f"periodic names the coordinate {name!r} twice")
    if embedding.harmonics < 1 or embedding.fourier < 0 or not embedding.fourier_std > 0:
        raise ValueError(
            f"harmonics is {embedding.harmonics}, fourier {embedding.fourier}, fourier_std {embedding.fourier_std}; "
            "expected 1 or more, 0 or more, above 0"
        )
    for name, factor in scale.items():
        _ = domain[name]
        if name in periodic or not (math.isfinite(factor) and factor > 0):
            reason = "it is periodic, take more harmonics" if name in periodic else "expected a number above 0"
            raise ValueError(f"the scale of {name!r} is {factor}: {reason}")
    lookup(ACTIVATIONS, embedding.fourier_activation, "activation")


def _require_memory(harmonics: int, periodic: int, fourier: int, inputs: int) -> None:
    waves = max(0, harmonics) * periodic
    need = BYTES_PER_WAVE * (waves + max(0, fourier) * (waves + inputs))
    what = f"an embedding with harmonics {harmonics:,} and fourier {fourier:,}"
    require_memory(need, torch.device("cpu"), what, "take fewer")
