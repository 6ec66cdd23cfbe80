"""Embeddings: layers on jets that stand before a network and change what it is given for the coordinates.

    Coordinates   x -> cos(2 pi k (x - c)/L), sin(...), k = 1 .. harmonics: exactly periodic, derivatives included;
                  the other coordinates as they are, or mapped from the box to [-1, 1], times a scale of their own
    Fourier       z -> sigma([cos(B z), sin(B z)]), B drawn from N(0, std^2)

`make_embedding` puts together what is asked for. Legend: N points, D coordinates, L = high - low of a coordinate.
"""

from __future__ import annotations

import inspect
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from math import pi
from typing import Any

import torch
from torch import nn

from mask_pinns.activations import ACTIVATIONS, sin
from mask_pinns.jet import Jet
from mask_pinns.layers import Activation
from mask_pinns.optim.memory import require_memory
from mask_pinns.problems.domain import Box
from mask_pinns.registry import lookup


def waves(z: Jet) -> Jet:
    """[cos z, sin z], (N, 2 H) of (N, H)."""
    values = sin(z.value, z.derivatives.order + 1)  # its derivatives, one on, are those of the cosine
    return Jet.cat([z.compose(values[1:]), z.compose(values)])


class Coordinates(nn.Module):
    """The coordinates that are not periodic, then cos and sin of the harmonics of those that are.

    Weights and centres stay Python's numbers, so that they are exact in whatever dtype the points have.
    """

    def __init__(
        self, box: Box, periodic: Sequence[str], harmonics: int, normalize: bool, scale: Mapping[str, float]
    ) -> None:
        super().__init__()
        kept = [name for name in box.names if name not in periodic]
        length = {name: box[name][1] - box[name][0] for name in box.names}
        rows = [(name, scale.get(name, 1.0) * (2 / length[name] if normalize else 1.0)) for name in kept]
        rows += [(name, 2 * pi * k / length[name]) for name in periodic for k in range(1, harmonics + 1)]
        self.weight = [[w if name == own else 0.0 for name in box.names] for own, w in rows]
        self.centre = [sum(box[name]) / 2 if normalize or name in periodic else 0.0 for name in box.names]
        self.kept = len(kept)
        self.width = 2 * len(rows) - self.kept

    def forward(self, x: Jet) -> Jet:
        like: Any = {"dtype": x.value.dtype, "device": x.value.device}
        centred = Jet(x.derivatives, x.streams | {"": x.value - torch.tensor(self.centre, **like)})
        z = centred.linear(torch.tensor(self.weight, **like))
        kept, turned = z.map(lambda s: s[:, : self.kept]), z.map(lambda s: s[:, self.kept :])
        return Jet.cat([kept, waves(turned)]) if self.width > self.kept else kept


class Fourier(nn.Module):
    """Random Fourier features: sigma([cos(B z), sin(B z)]), B (features, inputs) from N(0, std^2), trainable or not.

    Source: Tancik et al. 2020 (arXiv 2006.10739); trainable, with a tanh behind, in the published KdV setting.
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


EACH_WAVE = 100  # bytes about, whether it is kept as Python's number or as a trained weight


def make_embedding(
    box: Box,
    periodic: Sequence[str] = (),
    harmonics: int = 1,
    normalize: bool = False,
    scale: Mapping[str, float] | None = None,
    fourier: int = 0,
    fourier_std: float = 1.0,
    fourier_trainable: bool = False,
    fourier_activation: str = "identity",
) -> nn.Sequential | None:
    """The embedding that is asked for, None for none; its last layer has a `width`.

    Args:
        box: the domain.
        periodic: coordinates in which the solution repeats itself after the box: it then does so exactly; or auto
        harmonics: waves per periodic coordinate
        normalize: map the other coordinates to [-1, 1]
        scale: factors on coordinates, so that the solution varies over lengths of about one: --scale.t 30
        fourier: number of random frequencies; they give twice as many features
        fourier_std: standard deviation of the frequencies
        fourier_trainable: train the frequencies
        fourier_activation: of the Fourier features, e.g. tanh

    Raises:
        ValueError: a coordinate that the domain does not have or one named twice, an unknown activation, a number out
            of range.
    """
    periodic = [periodic] if isinstance(periodic, str) else list(periodic)
    _require_memory(harmonics, len(periodic), fourier, len(box))
    for name in periodic:
        _ = box[name]
        if periodic.count(name) > 1:
            raise ValueError(f"periodic names the coordinate {name!r} twice")
    if harmonics < 1 or fourier < 0 or not fourier_std > 0:
        raise ValueError(
            f"harmonics is {harmonics}, fourier {fourier}, fourier_std {fourier_std}; "
            "expected 1 or more, 0 or more, above 0"
        )
    scale = dict(scale or {})
    for name, factor in scale.items():
        _ = box[name]
        if name in periodic or not (math.isfinite(factor) and factor > 0):
            reason = "it is periodic, take more harmonics" if name in periodic else "expected a number above 0"
            raise ValueError(f"the scale of {name!r} is {factor}: {reason}")
    lookup(ACTIVATIONS, fourier_activation, "activation")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    width = len(box)
    if periodic or normalize or scale:
        layers["coordinates"] = coordinates = Coordinates(box, periodic, harmonics, normalize, scale)
        width = coordinates.width
    if fourier:
        layers["fourier"] = Fourier(width, fourier, fourier_std, fourier_trainable, fourier_activation)
    return nn.Sequential(layers) if layers else None


def _require_memory(harmonics: int, periodic: int, fourier: int, inputs: int) -> None:
    waves = max(0, harmonics) * periodic
    need = EACH_WAVE * (waves + max(0, fourier) * (waves + inputs))
    what = f"an embedding with harmonics {harmonics:,} and fourier {fourier:,}"
    require_memory(need, torch.device("cpu"), what, "take fewer")


def embedding_options() -> dict[str, inspect.Parameter]:
    """The options of `make_embedding`, with their types and defaults."""
    parameters = inspect.signature(make_embedding, eval_str=True).parameters
    return {name: p for name, p in parameters.items() if name != "box"}
