"""`JetNetwork`, the base class of networks on jets: it defines how they are called and how their layers are named.

`network(x)` on a plain tensor (N, D) gives a plain tensor (N, F); `network(jet)` gives a jet.
"""

from __future__ import annotations

from typing import overload

from torch import Tensor, nn

from mask_pinns.jets.jet import Jet
from mask_pinns.jets.layers import Activation


class JetNetwork(nn.Module):
    """A network whose `layers(jet)` maps a jet to a jet; called on a tensor, it carries no derivatives.

    Example:
        >>> import torch
        >>> from mask_pinns import Jet, JetNetwork
        >>> class Cube(JetNetwork):
        ...     def layers(self, jet: Jet) -> Jet:
        ...         return jet * jet * jet
        >>> Cube()(torch.tensor([[2.0]]))
        tensor([[8.]])
    """

    def layers(self, jet: Jet) -> Jet:
        raise NotImplementedError("a JetNetwork defines layers(jet) -> jet")

    @overload
    def __call__(self, x: Jet) -> Jet: ...
    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    def __call__(self, x: Jet | Tensor) -> Jet | Tensor:
        return super().__call__(x)

    def forward(self, x: Jet | Tensor) -> Jet | Tensor:
        return self.layers(x) if isinstance(x, Jet) else self.layers(Jet.constant(x)).value

    def hidden(self) -> dict[str, Activation]:
        """The activations by readable names, in the order of the forward pass."""
        return {name: m for name, m in self.named_modules() if isinstance(m, Activation)}

    def block_outputs(self) -> dict[str, nn.Module]:
        """The modules whose outputs are those of blocks of several layers, by readable names."""
        return {}
