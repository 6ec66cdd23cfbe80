"""`FieldScales`: turns a network's outputs, of about one, into fields in the user's units.

Legend: N points, F fields.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mask_pinns.jets import Jet


class FieldScales(nn.Module):
    """u = offset + size * N, field by field; derivatives are multiplied by the size alone.

    Args:
        offsets, sizes: one number for each field. They are buffers: a checkpoint contains them.

    Example:
        >>> import torch
        >>> from mask_pinns import Jet
        >>> from mask_pinns.networks.field_scales import FieldScales
        >>> FieldScales([300.0], [700.0])(Jet.constant(torch.ones(1, 1))).value
        tensor([[1000.]])
    """

    offsets: Tensor
    sizes: Tensor

    def __init__(self, offsets: Sequence[float], sizes: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.float64))
        self.register_buffer("sizes", torch.tensor(sizes, dtype=torch.float64))

    def forward(self, outputs: Jet) -> Jet:
        scaled = outputs * self.sizes.to(outputs.value)
        return Jet(scaled.derivatives, scaled.streams | {"": scaled.value + self.offsets.to(outputs.value)})
