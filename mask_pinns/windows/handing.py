"""From one window to the next: `blend` gives the next network its first weights, `jumps` tells how well they join.

Legend: N points.
"""

from __future__ import annotations

import torch
from torch import nn

from mask_pinns.domains.places import kronecker
from mask_pinns.jets import JetNetwork
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.determinacy import free_fields
from mask_pinns.problems.derived.scales import characteristic_scales

JUMP_POINTS = 1024
"""Number of points at which jumps are measured."""


def blend(before: nn.Module, network: nn.Module, fresh: float) -> None:
    """Gives a network the weights w of the one before it, with a share f of its own random ones: (1 - f) w + f w_own.

    Frequencies of Fourier features that are not trained are taken over: other weights belong to others. Conditions and
    scales stay those of its own window.
    """
    for name in ("core", "embedding"):
        old, new = (getattr(n, name, n if name == "core" else None) for n in (before, network))
        if not isinstance(old, nn.Module) or not isinstance(new, nn.Module):
            continue
        theirs = dict(old.named_parameters())
        with torch.no_grad():
            for key, own in new.named_parameters():
                if key in theirs and theirs[key].shape == own.shape:
                    own.lerp_(theirs[key].to(own), 1.0 - fresh)
        fixed = dict(old.named_buffers())
        for key, buffer in new.named_buffers() if fresh < 1 else ():
            if key in fixed and fixed[key].shape == buffer.shape:
                buffer.copy_(fixed[key])


def jumps(before: JetNetwork, network: JetNetwork, window: Problem) -> dict[str, float]:
    """The largest difference between two windows where the later one begins, relative to the field's size, by field.

    A field that is free up to a constant is compared without it.
    """
    domain = window.domain
    x = domain.section({"t": domain["t"][0]}).draw(JUMP_POINTS, kronecker)
    values = []
    for part in (before, network):
        like = next(part.parameters())
        with torch.no_grad():
            values.append(part(x.to(like)).double().cpu())
    gaps, sizes, free = values[1] - values[0], characteristic_scales(window).sizes, free_fields(window.whole)
    found = {}
    for name, gap in zip(window.fields, gaps.unbind(1), strict=True):
        found[name] = float((gap - gap.mean() if free.get(name) else gap).abs().max()) / sizes[name]
    return found
