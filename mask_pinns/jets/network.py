"""`JetNetwork`, the base class of networks on jets: it defines how they are called and how their layers are named.

`network(x)` on a plain tensor (N, D) gives a plain tensor (N, F); `network(jet)` gives a jet. `Tangent` adds to a
network its first-order change with its weights.

Legend: N points, D coordinates, F fields, P weights w.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mask_pinns.jets.jet import Jet
from mask_pinns.jets.layers import Activation

TANGENT = "tangent"
"""Name of the part of a network that is its `Tangent`."""


class JetNetwork(nn.Module):
    """A network whose `layers(jet)` maps a jet to a jet; called on a tensor, it carries no derivatives.

    Attributes:
        tangent: what is added to the layers' outputs, see `Tangent`; None: nothing.

    Example:
        >>> import torch
        >>> from mask_pinns import Jet, JetNetwork
        >>> class Cube(JetNetwork):
        ...     def layers(self, jet: Jet) -> Jet:
        ...         return jet * jet * jet
        >>> Cube()(torch.tensor([[2.0]]))
        tensor([[8.]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.tangent: Tangent | None = None
        self._without_tangent = False

    def layers(self, jet: Jet) -> Jet:
        raise NotImplementedError("a JetNetwork defines layers(jet) -> jet")

    @overload
    def __call__(self, x: Jet) -> Jet: ...
    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    def __call__(self, x: Jet | Tensor) -> Jet | Tensor:
        return super().__call__(x)

    def forward(self, x: Jet | Tensor) -> Jet | Tensor:
        jet = x if isinstance(x, Jet) else Jet.constant(x)
        outputs = self.layers(jet) if self.tangent is None or self._without_tangent else self.tangent(self, jet)
        return outputs if isinstance(x, Jet) else outputs.value

    def hidden(self) -> dict[str, Activation]:
        """The activations by readable names, in the order of the forward pass."""
        return {name: m for name, m in self.named_modules() if isinstance(m, Activation)}

    def block_outputs(self) -> dict[str, nn.Module]:
        """The modules whose outputs are those of blocks of several layers, by readable names."""
        return {}

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Weights that come with a tangent bring it along; weights without one end it."""
        if any(name.startswith(f"{prefix}{TANGENT}.") for name in state):
            self.tangent = self.tangent or Tangent(self)
        else:
            self.tangent = None
        super()._load_from_state_dict(state, prefix, *arguments)


class Tangent(nn.Module):
    """A network's first-order change with its weights, in a direction s: the outputs are u(w) + (du / dw) s.

    They are linear in s, and their derivatives by the coordinates follow from those of the network: in a linear
    problem, s solves a linear least-squares problem. Conditions that hold by construction go on to hold.

    Args:
        network: the network, whose weights w stay as they are.

    Attributes:
        directions: the parts of s, one for each weight, zero at the start; no optimizer of weights changes them.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.names = [name for name, _ in network.named_parameters()]
        self.directions = nn.ParameterList(
            nn.Parameter(torch.zeros_like(w), requires_grad=False) for w in network.parameters()
        )

    @property
    def parts(self) -> dict[str, Tensor]:
        """The directions by the names of their weights."""
        return dict(zip(self.names, self.directions, strict=True))

    def forward(self, network: JetNetwork, jet: Jet) -> Jet:
        """u(w) + (du / dw) s."""
        values, changes = self._parts(network, jet)
        return values + changes

    @torch.no_grad()
    def change(self, network: JetNetwork, jet: Jet) -> Jet:
        """(du / dw) s, as a constant."""
        return self._parts(network, jet)[1]

    def _parts(self, network: JetNetwork, jet: Jet) -> tuple[Jet, Jet]:
        streams: list[str] = []

        def outputs(*weights: Tensor) -> tuple[Tensor, ...]:
            found: Jet = functional_call(network, dict(zip(self.names, weights, strict=True)), (jet,))
            streams[:] = found.streams
            return tuple(found.streams.values())

        with without_tangent(network):
            own = dict(network.named_parameters())
            weights = tuple(own[name] for name in self.names)
            if torch.compiler.is_compiling():  # a trace of jvp would fit one number of points
                values, changes = _twice_reversed(outputs, weights, tuple(self.directions))
            else:
                with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # at torch's first jvp
                    values, changes, *_ = torch.func.jvp(outputs, weights, tuple(self.directions))
        return tuple(Jet(jet.derivatives, dict(zip(streams, part, strict=True))) for part in (values, changes))  # type: ignore[return-value]


def _twice_reversed(
    function: Callable[..., tuple[Tensor, ...]], weights: Sequence[Tensor], directions: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The values y of a function of weights and J s, as jvp gives them, by two reverse passes: d(v' J s) / dv."""
    with torch.enable_grad():
        at = [w.detach().requires_grad_() for w in weights]
        values = function(*at)
        duals = [torch.zeros_like(y).requires_grad_() for y in values]
        trained = [i for i, y in enumerate(values) if y.requires_grad]
        pulled = torch.autograd.grad(
            [values[i] for i in trained], at, [duals[i] for i in trained], create_graph=True, allow_unused=True
        )
        products = [(p * s).sum() for p, s in zip(pulled, directions, strict=True) if p is not None]
        along = torch.stack(products).sum()
        changes = torch.autograd.grad(along, duals, allow_unused=True, materialize_grads=True)
    return tuple(y.detach() for y in values), tuple(c.detach() for c in changes)


def weights_of(network: nn.Module) -> list[nn.Parameter]:
    """All parameters of a network but those of its tangent."""
    return [p for name, p in network.named_parameters() if not is_of_tangent(name)]


def is_of_tangent(name: str) -> bool:
    """Whether a name in a network's state is one of a `Tangent`."""
    return f".{TANGENT}.directions." in f".{name}"


@contextmanager
def without_tangent(network: nn.Module) -> Iterator[None]:
    """Inside, the network is its layers alone."""
    before = getattr(network, "_without_tangent", False)
    network._without_tangent = True  # type: ignore[assignment]  # of any module; a JetNetwork reads it
    try:
        yield
    finally:
        network._without_tangent = before  # type: ignore[assignment]
