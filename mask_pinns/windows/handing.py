"""From one window to the next: `blend` gives the next network its first weights, `jumps` tells how well they join.

Legend: N points.
"""

from __future__ import annotations

import torch
from torch import nn

from mask_pinns.domains.places import kronecker
from mask_pinns.jets import JetNetwork
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.scales import characteristic_scales

JUMP_POINTS = 1024
"""Number of points at which jumps are measured."""


def blend(before: nn.Module, network: nn.Module, fresh: float) -> None:
    """Gives a network the weights w of the one before it, with a share f of its own random ones: (1 - f) w + f w_own.

    Conditions and scales stay those of its own window.
    """
    for name in ("core", "embedding"):
        old, new = (getattr(n, name, n if name == "core" else None) for n in (before, network))
        theirs = dict(old.named_parameters()) if isinstance(old, nn.Module) else {}
        with torch.no_grad():
            for key, own in new.named_parameters() if isinstance(new, nn.Module) else ():
                if key in theirs and theirs[key].shape == own.shape:
                    own.lerp_(theirs[key].to(own), 1.0 - fresh)


def jumps(before: JetNetwork, network: JetNetwork, window: Problem) -> dict[str, float]:
    """The largest difference between two windows where the later one begins, relative to the field's size, by field."""
    like, domain = next(network.parameters()), window.domain
    x = domain.section({"t": domain["t"][0]}).draw(JUMP_POINTS, kronecker).to(like)
    with torch.no_grad():
        gaps = (network(x) - before.to(like.device)(x)).abs().amax(0)
    sizes = characteristic_scales(window).sizes
    return {name: float(gap) / sizes[name] for name, gap in zip(window.fields, gaps, strict=True)}
