"""Two engines with the same signature that compute a network's derivatives.

`by_jet` carries them forward through layers that act on jets; the gradient of a loss then takes one reverse pass.
`by_autograd` nests reverse passes: it is slower, but works with any network, and is the independent reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mask_pinns.jets.derivatives import Derivatives
from mask_pinns.jets.jet import Jet
from mask_pinns.jets.network import JetNetwork

Engine = Callable[[nn.Module, Tensor, Sequence[str], Derivatives], Jet]


def by_jet(network: nn.Module, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> Jet:
    """The network's outputs (N, F) and derivatives in Taylor mode. x: (N, D), names: its D coordinates.

    Raises ValueError for a network that is not made of layers that act on jets.
    """
    if not isinstance(network, JetNetwork):
        raise ValueError(
            f"{type(network).__name__} is not made of layers that act on jets; "
            "train it with derivatives='autograd' (--derivatives autograd)"
        )
    return network(Jet.of_coordinates(x, names, derivatives))


def by_autograd(network: nn.Module, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> Jet:
    """The same jet, by nested reverse passes through `network(x)`, one column of x and one field at a time."""
    with torch.enable_grad():
        columns = {name: x[:, i].detach().requires_grad_() for i, name in enumerate(names)}
        y = network(torch.stack(tuple(columns.values()), 1))  # (N, F)
        members = [m for operator in derivatives.operators.values() for m, _ in operator]
        plain = Derivatives([*(m for m in derivatives.indices if m not in derivatives.operators), *members])
        by_index = {"": [y[:, f] for f in range(y.shape[1])]}
        for m in plain.indices[1:]:
            by_index[m] = [_gradient(s, columns[m[-1]]) for s in by_index[m[:-1]]]
        streams = {m: torch.stack(s, 1) for m, s in by_index.items()}
        for name, operator in derivatives.operators.items():
            streams[name] = torch.stack([c * streams[m] for m, c in operator]).sum(0)
    return Jet(derivatives, {m: streams[m] for m in derivatives.indices})


def _gradient(y: Tensor, column: Tensor) -> Tensor:
    """d y_n / d column_n for all n at once (correct if points do not influence each other)."""
    if not y.requires_grad:
        return torch.zeros_like(column)
    (slope,) = torch.autograd.grad(y.sum(), column, create_graph=True, allow_unused=True)
    return torch.zeros_like(column) if slope is None else slope


ENGINES: dict[str, Engine] = {"jet": by_jet, "autograd": by_autograd}
